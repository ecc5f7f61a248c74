//! What a browser sends to the page: forms that are too old or too many, log-ins that are tried twice, and what an
//! issuer says of somebody beside their ID token.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::browser::{Browser, LOGIN, form, header, person};
use super::harness::World;
use super::issuer::{BOTH, Issuer, Key, Team};

/// All is asked about, and one of a group approves.
pub const RULES: &str = r#"
@id("look") permit (principal, action in Action::"look", resource);
@id("expire") permit (principal, action == Action::"expire", resource);
@id("ask") @ask permit (principal, action in [Action::"grant", Action::"revoke"], resource);
@id("approve") permit (principal in Group::"ISSUER#approvers", action == Action::"approve", resource);
"#;

pub struct Office {
    pub world: World,
    pub key: Key,
    pub issuer: Issuer,
}

impl Office {
    pub async fn new(rules: &str) -> Self {
        let (world, key) = (World::new().await, Key::new("a"));
        let issuer = Issuer::start(&key).await;
        let policy: PathBuf = world.path("page.cedar");
        std::fs::write(&policy, rules.replace("ISSUER", &issuer.url)).unwrap();
        let world = world.set("GRANTOR_POLICY", policy.to_str().unwrap());
        Self { world, key, issuer }
    }

    pub async fn opens(&self) -> Team {
        Team::start(&self.world, &self.issuer, LOGIN).await.ready().await
    }

    /// Somebody's request for a grant to somebody, which waits.
    pub async fn asks(&self, team: &Team, who: &str, whom: &str) -> String {
        let token = self.issuer.token(&self.key, who, BOTH);
        let arguments = json!({ "project_or_space_path": "/Harbor/Finance", "grant_type": "USER",
            "grantee": whom, "permission_list": ["R"], "reason": "OPS-7" });
        let asked = team.call(&token, "set_project_acl", arguments).await;
        assert_eq!(asked["outcome"], "awaiting_consent", "{asked:#}");
        asked["receipt"].as_str().unwrap().to_owned()
    }

    pub fn one_of(&self, who: &str, groups: &[&str]) -> Value {
        person(&self.issuer, who, groups)
    }

    pub async fn browser<'t>(&self, team: &'t Team, who: &str, groups: &[&str]) -> Browser<'t> {
        Browser::of(team, &self.issuer, &self.key, self.one_of(who, groups)).await
    }
}

const SAM: &str = "user@example.com";

#[tokio::test]
async fn a_form_of_before_a_new_log_in_or_a_restart_decides_nothing() {
    let office = Office::new(RULES).await;
    let team = office.opens().await;
    let receipt = office.asks(&team, "ada", SAM).await;
    let path = format!("/inbox/{receipt}");
    let mut bo = office.browser(&team, "bo", &["approvers"]).await;
    let old = bo.form(&receipt, "approve").await;
    let who = office.one_of("bo", &["approvers"]);
    assert_eq!(bo.log_in(&office.issuer, &office.key, who, &json!({})).await.status, 303);
    let refused = bo.post(&path, &old).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert!(refused.body.contains("you have logged in anew since"), "{}", refused.body);

    let new = bo.form(&receipt, "approve").await;
    let cookies = std::mem::take(&mut bo.cookies);
    drop(bo);
    team.terminate().await;
    assert_eq!(team.ended().await, 0);
    let restarted = office.opens().await;
    let mut bo = Browser { cookies, ..Browser::new(&restarted) };
    let refused = bo.post(&path, &new).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert!(refused.body.contains("You are not logged in any more"), "{}", refused.body);
    assert!(!refused.body.contains("Finance"), "and nothing is shown of it: {}", refused.body);
    let who = office.one_of("bo", &["approvers"]);
    assert_eq!(bo.log_in(&office.issuer, &office.key, who, &json!({})).await.status, 303);
    assert_eq!(bo.post(&path, &new).await.status, 403, "nor once they have logged in");
    let events: Vec<_> =
        office.world.ledger().iter().map(|line| line["event"].to_string()).collect();
    assert_eq!(events, ["\"asked\""], "nothing was decided");
    let form = bo.form(&receipt, "approve").await;
    assert_eq!(bo.post(&path, &form).await.status, 303, "and the one of now counts");
}

/// Whoever goes back in their browser after a decision sends its form once more.
#[tokio::test]
async fn a_form_that_is_sent_twice_decides_once() {
    let office = Office::new(RULES).await;
    let team = office.opens().await;
    let receipt = office.asks(&team, "ada", SAM).await;
    let path = format!("/inbox/{receipt}");
    let mut bo = office.browser(&team, "bo", &["approvers"]).await;
    let page = bo.get(&path).await.body;
    let (approve, deny) = (form(&page, "approve"), form(&page, "deny"));
    assert_eq!(bo.post(&path, &approve).await.status, 303);
    for late in [&approve, &deny] {
        let refused = bo.post(&path, late).await;
        assert_eq!(refused.status, 409, "{refused:?}");
        assert!(refused.body.contains("Not recorded"), "{}", refused.body);
        assert!(refused.body.contains("#bo”, on the page"), "{}", refused.body);
    }
    assert_eq!(office.world.writes().len(), 1, "it is sent once");
}

#[tokio::test]
async fn too_many_forms_are_refused_and_logging_out_is_not() {
    let office = Office::new(RULES).await;
    let team = office.opens().await;
    let receipt = office.asks(&team, "ada", SAM).await;
    let path = format!("/inbox/{receipt}");
    let mut bo = office.browser(&team, "bo", &["approvers"]).await;
    let mut guess = bo.form(&receipt, "approve").await;
    guess[1].1 = "another question".to_owned();
    let mut last = bo.post(&path, &guess).await;
    for _ in 0..200 {
        if last.status == 429 {
            break;
        }
        assert_eq!(last.status, 403, "{last:?}");
        last = bo.post(&path, &guess).await;
    }
    assert_eq!(last.status, 429, "{last:?}");
    assert!(header(&last, "retry-after").is_some_and(|wait| wait.parse::<u64>().is_ok()));
    assert!(last.body.contains("Nothing was decided"), "{}", last.body);
    let mut cy = office.browser(&team, "cy", &["approvers"]).await;
    let other = cy.form(&receipt, "deny").await;
    let page = bo.get("/inbox").await.body;
    let (_, rest) = page.split_once("name=\"seal\" value=\"").unwrap();
    let seal = rest.split_once('"').unwrap().0.to_owned();
    let out = bo.post("/inbox/logout", &[("seal".to_owned(), seal)]).await;
    assert_eq!(out.status, 200, "{out:?}");
    assert_eq!(cy.post(&path, &other).await.status, 303, "another is not kept waiting");
}

/// An issuer is not asked again and again about one code, or about many.
#[tokio::test]
async fn a_browser_comes_back_from_a_log_in_once() {
    let office = Office::new(RULES).await;
    let team = office.opens().await;
    let mut bo = Browser::new(&team);
    let back = bo.begin(&office.issuer, &office.key, office.one_of("bo", &[]), &json!({})).await;
    let begun = bo.cookies.clone();
    let stranger = back.replace("state=", "state=0");
    assert_eq!(
        Browser { cookies: begun.clone(), ..Browser::new(&team) }.get(&stranger).await.status,
        403
    );
    assert_eq!(office.issuer.tokens_asked(), 0, "a made-up state asks nobody");
    let mut bo = Browser { cookies: begun.clone(), ..Browser::new(&team) };
    assert_eq!(bo.get(&back).await.status, 303);
    for _ in 0..3 {
        let again = Browser { cookies: begun.clone(), ..Browser::new(&team) }.get(&back).await;
        assert_eq!(again.status, 403, "{again:?}");
        assert!(again.body.contains("it was tried already"), "{}", again.body);
    }
    assert_eq!(office.issuer.tokens_asked(), 1);
    assert!(bo.get("/inbox").await.body.contains("Log out"), "who came in first stays in");
}

#[tokio::test]
async fn what_an_id_token_leaves_out_is_asked_for_and_is_of_the_same_person() {
    let office = Office::new(RULES).await;
    let team = office.opens().await;
    let receipt = office.asks(&team, "ada", SAM).await;
    let path = format!("/inbox/{receipt}");
    let bare = |who: &str| {
        let mut claims = office.one_of(who, &[]);
        claims.as_object_mut().unwrap().retain(|name, _| name != "groups" && name != "email");
        claims
    };
    let of_group = json!({ "sub": "bo", "groups": ["approvers"], "email": "bo@example.com" });
    let mut bo = Browser::new(&team);
    let came = bo.log_in(&office.issuer, &office.key, bare("bo"), &of_group).await;
    assert_eq!((came.status, office.issuer.claims_asked()), (303, 1), "{came:?}");
    let page = bo.get(&path).await;
    assert!(page.body.contains(">Approve</button>"), "{}", page.body);
    assert!(page.body.contains("bo@example.com"), "{}", page.body);
    for (what, said) in [
        ("another's", json!({ "sub": "cy", "groups": ["approvers"] })),
        ("nobody's", json!({ "groups": ["approvers"] })),
        ("none", json!([])),
    ] {
        let mut eve = Browser::new(&team);
        let came = eve.log_in(&office.issuer, &office.key, bare("eve"), &said).await;
        assert_eq!(came.status, 403, "{what}: {came:?}");
        assert!(!eve.cookies.contains_key("__Host-grantor"), "{what}");
    }
    let asked = office.issuer.claims_asked();
    let mut cy = Browser::new(&team);
    let widened = json!({ "sub": "cy", "groups": ["approvers"] });
    let came =
        cy.log_in(&office.issuer, &office.key, office.one_of("cy", &["staff"]), &widened).await;
    assert_eq!((came.status, office.issuer.claims_asked()), (303, asked), "nothing is left out");
    assert_eq!(cy.get(&path).await.status, 404, "what the token says counts");
}

#[tokio::test]
async fn whoever_may_not_look_is_told_so_where_they_would() {
    let rules = RULES.replace(
        "principal, action in Action::\"look\"",
        "principal in Group::\"ISSUER#staff\", action in Action::\"look\"",
    );
    let office = Office::new(&rules).await;
    let team = office.opens().await;
    let mut eve = office.browser(&team, "eve", &[]).await;
    let page = eve.get("/inbox/access").await;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.contains("You cannot look at what access there is"), "{}", page.body);
    assert!(!page.body.contains("name=\"principal\""), "{}", page.body);
    let mut ada = office.browser(&team, "ada", &["staff"]).await;
    let page = ada.get("/inbox/access").await;
    assert!(page.body.contains("name=\"principal\""), "{}", page.body);
    assert!(office.world.sandbox.journal().is_empty(), "no vendor is asked");
}

/// What came of a set is not one word of the ledger's: the worst of its parts is said where it is listed.
#[tokio::test]
async fn a_set_that_failed_says_so_where_it_is_listed() {
    let office = Office::new(RULES).await;
    let team = office.opens().await;
    let mut bo = office.browser(&team, "bo", &["approvers"]).await;
    let mut ada = office.browser(&team, "ada", &[]).await;
    let token = office.issuer.token(&office.key, "ada", BOTH);
    const WHOM: [[&str; 2]; 3] = [
        ["hiro.tanaka@example.com", "priya.raman@example.com"],
        ["hiro.tanaka@example.com", "priya.raman@example.com"],
        ["lena.novak@example.com", "grace.okafor@example.com"],
    ];
    for (faults, word) in [(0, "done"), (1, "partly done"), (2, "failed")] {
        let place =
            ["/Harbor/Finance", "/Harbor/Integrations", "/Harbor/Integrations/Orders"][faults];
        let change = |who: &str| {
            json!({ "tool": "set_project_acl", "arguments": {
            "project_or_space_path": place, "grant_type": "USER", "grantee": who, "permission_list": ["R"] } })
        };
        let changes = [change(WHOM[faults][0]), change(WHOM[faults][1])];
        let asked =
            team.call(&token, "apply_changes", json!({ "changes": changes, "reason": "OPS-7" }));
        let asked = asked.await;
        let receipt = asked["receipt"].as_str().unwrap_or_else(|| panic!("{asked:#}")).to_owned();
        for _ in 0..faults {
            let refused = super::harness::status(403);
            office.world.inject("snaplogic", "POST", "", refused);
        }
        let mut form = bo.form(&receipt, "approve").await;
        form.push(("typed".to_owned(), "2".to_owned()));
        let approved = bo.post(&format!("/inbox/{receipt}"), &form).await;
        assert_eq!(approved.status, 303, "{approved:?}");
        for list in ["mine", "decided", "history"] {
            let browser = if list == "mine" { &mut ada } else { &mut bo };
            let page = browser.get(&format!("/inbox/{list}")).await.body;
            let rows: Vec<_> =
                page.split("<tr>").filter(|row| row.contains(&format!("{receipt}."))).collect();
            assert_eq!(rows.len(), 2, "{list}: {page}");
            for row in rows {
                let says = row.contains(&format!(">{word}</span>"));
                assert!(says, "{list}: {word} is not in {row}");
                assert_eq!(row.contains("part of"), word != "done", "{list}: {row}");
            }
        }
        let own = bo.get(&format!("/inbox/{receipt}")).await.body;
        assert!(own.contains(&format!(">{word}</span>")), "{word} is not in {own}");
    }
}
