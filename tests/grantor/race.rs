//! One request that is approved on the page, at a terminal and in a client at the same moment: three processes on
//! one ledger.

use std::time::Duration;

use serde_json::{Value, json};

use super::browser::{Browser, LOGIN, person};
use super::harness::{Era, World};
use super::issuer::{Issuer, Key, Team};
use super::person::{Client, Heard, yes};
use super::terminal::Terminal;

/// How far the one behind is behind the one before: each comes first now and then, and sometimes all meet.
const BEHIND: [u64; 4] = [0, 4, 12, 40];
const PLACES: [&str; 2] = ["/Harbor/Finance", "/Harbor/Integrations"];
/// All is asked about; whoever is at the machine may say yes to their own, and so may one of a group on the page.
const RULES: &str = r#"
@id("look") permit (principal, action in Action::"look", resource);
@id("expire") permit (principal, action == Action::"expire", resource);
@id("ask") @ask permit (principal, action in [Action::"grant", Action::"revoke"], resource);
@id("yes") permit (principal, action == Action::"approve", resource)
when { context.requester.kind == "person" };
"#;
const PEOPLE: [&str; 6] = [
    "user@example.com",
    "hiro.tanaka@example.com",
    "priya.raman@example.com",
    "lena.novak@example.com",
    "jonas.weber@example.com",
    "grace.okafor@example.com",
];

/// Lines of one kind under a receipt.
fn lines(world: &World, receipt: &str, event: &str) -> Vec<Value> {
    let is = |line: &Value| {
        line["event"] == event && (line["receipt"] == receipt || line["request"] == receipt)
    };
    world.ledger().into_iter().filter(is).collect()
}

/// What each of them is told, by their way.
struct Told {
    page: String,
    terminal: String,
    client: String,
}

/// Has all three say yes to one request at once; who is set off first, changes.
async fn at_once(
    round: usize,
    (browser, form): (&mut Browser<'_>, &[(String, String)]),
    mut terminal: Terminal,
    (client, tool, arguments, asked): (&mut Client, &str, &Value, &super::person::Asked),
    receipt: &str,
) -> Told {
    let path = format!("/inbox/{receipt}");
    let turn = |who: usize| {
        let place = (who + round) % 3;
        tokio::time::sleep(Duration::from_millis(BEHIND[round / 3 % BEHIND.len()] * place as u64))
    };
    let on_page = async {
        turn(0).await;
        let came = browser.post(&path, form).await;
        match came.status {
            303 => browser.get(&path).await.body,
            _ => came.body,
        }
    };
    let at_terminal = async {
        turn(1).await;
        terminal.types("yes").await;
        terminal.ends().await.1
    };
    let in_client = async {
        turn(2).await;
        match client.reply(tool, arguments, asked, yes(&asked.form)).await {
            Heard::Answer(answer) => answer.body.to_string(),
            Heard::Question(asked) => panic!("asked once more: {asked:?}"),
        }
    };
    let (page, terminal, client) = tokio::join!(on_page, at_terminal, in_client);
    Told { page, terminal, client }
}

#[tokio::test]
async fn of_three_ways_at_once_one_decides_and_the_others_are_told_who() {
    let world = World::new().await;
    let policy = world.path("race.cedar");
    std::fs::write(&policy, RULES).unwrap();
    let world = world.set("GRANTOR_POLICY", policy.to_str().unwrap());
    let key = Key::new("a");
    let issuer = Issuer::start(&key).await;
    let team = Team::start(&world, &issuer, LOGIN).await.ready().await;
    let mut client = Client::start(&world, Era::Legacy).await;
    let mut browser = Browser::of(&team, &issuer, &key, person(&issuer, "bo", &[])).await;
    let mut decided = Vec::new();
    let all = PLACES.into_iter().flat_map(|place| PEOPLE.map(|who| (place, who)));
    for (round, (place, who)) in all.enumerate() {
        let arguments = json!({ "project_or_space_path": place, "grant_type": "USER",
            "grantee": who, "permission_list": ["R"], "reason": "OPS-7" });
        let asked = client.question("set_project_acl", &arguments).await;
        let waiting = world.ledger().into_iter().rfind(|line| line["event"] == "asked").unwrap();
        let receipt = waiting["receipt"].as_str().unwrap().to_owned();
        let form = browser.form(&receipt, "approve").await;
        let mut terminal = Terminal::start(world.command(["requests", "approve", &receipt]));
        terminal.shows("Type yes to agree").await;
        let before = world.writes().len();
        let by_client = (&mut client, "set_project_acl", &arguments, &asked);
        let told = at_once(round, (&mut browser, &form), terminal, by_client, &receipt).await;

        let answered = lines(&world, &receipt, "answered");
        let decisions: Vec<_> = answered.iter().map(|line| &line["decision"]).collect();
        assert_eq!(decisions, ["approved"], "one decides: {answered:#?}");
        assert_eq!(lines(&world, &receipt, "spent").len(), 1, "round {round}");
        assert_eq!(lines(&world, &receipt, "open").len(), 1, "round {round}");
        assert_eq!(world.writes().len(), before + 1, "nothing is sent twice");
        let how = answered[0]["how"].as_str().unwrap();
        let by = answered[0]["by"].as_str().unwrap();
        for (way, text) in
            [("page", &told.page), ("terminal", &told.terminal), ("elicitation", &told.client)]
        {
            if way != how {
                let place = match how {
                    "page" => "on the page",
                    "terminal" => "at a terminal",
                    _ => "in a client",
                };
                assert!(text.contains(by) && text.contains(place), "{way} after {how}: {text}");
            }
        }
        decided.push(how.to_owned());
    }
    println!("decided by {decided:?}");
    client.raw.finish().await;
}
