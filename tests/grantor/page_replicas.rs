//! The page of two replicas that share a ledger in a database: whichever a browser comes to, it is one page.

use serde_json::json;

use super::browser::Browser;
use super::database::Database;
use super::issuer::Team;
use super::page::{Office, RULES};

const COOKIE: &str = "__Host-grantor";
const SAM: &str = "user@example.com";

/// Two replicas of one office, each with a state directory of its own; none where there is no database.
async fn two(office: Office) -> Option<(Database, Office, Team, Team)> {
    let database = Database::start().await?;
    let Office { world, key, issuer } = office;
    let office = Office { world: database.keeps(world).await, key, issuer };
    let one = office.opens().await;
    let mut command = office.world.command(["serve", "--http", "127.0.0.1:0"]);
    command.env("GRANTOR_CONFIG", office.world.path("team.toml"));
    command.env("GRANTOR_STATE_DIR", office.world.path("other"));
    let other = Team::begin(&office.world, command).await.ready().await;
    Some((database, office, one, other))
}

#[tokio::test]
async fn whichever_replica_a_browser_comes_to_it_is_one_page() {
    let Some((_database, office, one, other)) = two(Office::new(RULES).await).await else { return };
    let receipt = office.asks(&one, "ada", SAM).await;
    let path = format!("/inbox/{receipt}");
    // Begun at one, and back at the other.
    let mut begun = Browser::new(&one);
    let who = office.one_of("bo", &["approvers"]);
    let back = begun.begin(&office.issuer, &office.key, who, &json!({})).await;
    let started = begun.cookies.clone();
    let mut bo = begun.at(&other);
    assert_eq!(bo.get(&back).await.status, 303);
    for team in [&one, &other] {
        let again = Browser { cookies: started.clone(), ..Browser::new(team) }.get(&back).await;
        assert_eq!(again.status, 403, "{again:?}");
        assert!(again.body.contains("it was tried already"), "{}", again.body);
    }
    assert_eq!(office.issuer.tokens_asked(), 1);

    // Shown at one, and decided at the other; whoever else looks is seen at both.
    let mut cy = office.browser(&other, "cy", &["approvers"]).await;
    assert_eq!(cy.get(&path).await.status, 200);
    let mut bo = bo.at(&one);
    let page = bo.get(&path).await;
    assert!(page.body.contains("Being looked at by") && page.body.contains("cy"), "{}", page.body);
    assert!(page.body.contains("record is on one machine alone"), "{}", page.body);
    let form = bo.form(&receipt, "approve").await;
    let mut bo = bo.at(&other);
    assert_eq!(bo.post(&path, &form).await.status, 303);
    let done = bo.at(&one).get(&path).await;
    assert!(done.body.contains("Approved by") && done.body.contains(">done<"), "{}", done.body);
    assert_eq!(office.world.writes().len(), 1);

    // Ended at one is ended at both.
    let (_, rest) = done.body.split_once("name=\"seal\" value=\"").unwrap();
    let seal = ("seal".to_owned(), rest.split_once('"').unwrap().0.to_owned());
    let kept = bo.cookies.clone();
    assert_eq!(bo.at(&one).post("/inbox/logout", &[seal]).await.status, 200);
    for team in [&one, &other] {
        let page = Browser { cookies: kept.clone(), ..Browser::new(team) }.get("/inbox").await;
        assert!(page.body.contains("<h1>Log in</h1>"), "{}", page.body);
    }
    assert!(cy.at(&one).get("/inbox").await.body.contains("Log out"), "another's goes on");
}

/// Whoever reads the table has nothing to show a browser's server, and whoever writes there makes nobody.
#[tokio::test]
async fn a_session_in_the_table_is_good_for_nothing_but_its_browser() {
    let Some((database, office, one, _other)) = two(Office::new(RULES).await).await else { return };
    let mut bo = office.browser(&one, "bo", &["approvers"]).await;
    let mut eve = office.browser(&one, "eve", &[]).await;
    let rows = database.ask("SELECT key, value FROM grantor.kept ORDER BY kind, key").await;
    assert!(rows.contains("\"subject\":\"bo\""), "{rows}");
    for browser in [&bo, &eve] {
        let name = &browser.cookies[COOKIE];
        assert!(!rows.contains(name.as_str()), "{rows}");
        let (tag, secret) = name.split_once('-').unwrap();
        assert!(rows.contains(tag) && !rows.contains(secret), "{rows}");
    }
    let is_in = async |name: &str| {
        let mut browser = Browser::new(&one);
        browser.cookies.insert(COOKIE.to_owned(), name.to_owned());
        browser.get("/inbox").await.body.contains("Log out")
    };
    for part in rows.split(['|', '\n']).filter(|part| !part.is_empty() && !part.contains('"')) {
        assert!(!is_in(part).await, "{part}");
        assert!(!is_in(&part.replace('.', "-")).await, "{part}");
    }
    let sessions = "kind = 'page-session'";
    for (what, change) in [
        ("another's name", "value = replace(value, '\"subject\":\"eve\"', '\"subject\":\"bo\"')"),
        ("another's address", "value = replace(value, '\"email\":\"eve@', '\"email\":\"bo@')"),
        (
            "a longer time",
            "value = regexp_replace(value, '\"begun\":\\d+', '\"begun\":4000000000')",
        ),
        (
            "another's session",
            "value = (SELECT value FROM grantor.kept WHERE kind = 'page-session' \
            AND value LIKE '%\"subject\":\"bo\"%')",
        ),
    ] {
        database.ask("CREATE TABLE IF NOT EXISTS aside AS SELECT * FROM grantor.kept").await;
        assert!(eve.get("/inbox").await.body.contains("Log out"), "{what}");
        let of_eve = "value LIKE '%\"subject\":\"eve\"%'";
        database
            .ask(&format!("UPDATE grantor.kept SET {change} WHERE {sessions} AND {of_eve}"))
            .await;
        let page = eve.get("/inbox").await;
        assert!(page.body.contains("<h1>Log in</h1>"), "{what}: {}", page.body);
        database.ask("DELETE FROM grantor.kept").await;
        database.ask("INSERT INTO grantor.kept SELECT * FROM aside").await;
    }
    assert!(bo.get("/inbox").await.body.contains("Log out"));
}
