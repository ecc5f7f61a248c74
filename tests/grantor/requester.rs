//! One process for several who ask: what each asks for is judged, asked and recorded as theirs.

use grantor::config::{Config, Flags, Sources};
use grantor::desk::{Answer, Call, Desk, Person};
use grantor::requester::Requester;
use grantor::sandbox::{Options, Sandbox};
use serde_json::Value;

use super::harness::parsed;
use super::writes::GRANTS;

/// Ada may, eve may not, and for all others a person is asked.
const POLICY: &str = r#"
@id("all")
permit (principal, action, resource);

@id("but-ada")
@ask("May they?")
permit (principal, action, resource) unless { principal == Requester::"ada" };

@id("never-eve")
forbid (principal == Requester::"eve", action, resource);
"#;

async fn call(desk: &Desk, who: &str) -> Answer {
    let call = Call {
        requester: Requester::named(who),
        tool: GRANTS[3].tool.to_owned(),
        arguments: parsed(GRANTS[3].arguments).as_object().unwrap().clone(),
        client: None,
        asked: None,
        progress: Box::new(|_| ()),
        withdrawn: Box::new(|| false),
        person: Person::Absent,
    };
    desk.call(call).await.unwrap()
}

#[tokio::test]
async fn what_somebody_asks_for_is_theirs_whoever_runs_the_process() {
    let home = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let (environment, policy) = (sandbox.environment(), home.path().join("policy.cedar"));
    std::fs::write(&policy, POLICY).unwrap();
    let flags =
        Flags { state_dir: Some(home.path().into()), policy: Some(policy), ..Flags::default() };
    let (from, given) = (&|_: &str| None, Some(environment.as_slice()));
    let sources = Sources { flags: &flags, environment: from, floor: None, sandbox: given };
    let desk = Desk::new(Config::load(&sources).unwrap()).unwrap();
    let mut receipts = Vec::new();
    for (who, outcome) in [
        ("eve", "refused"),
        ("bob", "awaiting_consent"),
        ("carl", "awaiting_consent"),
        ("bob", "awaiting_consent"),
        ("ada", "confirmed"),
    ] {
        let answer = call(&desk, who).await;
        let body = answer.write();
        assert_eq!(body["outcome"], outcome, "{who}: {body:#}");
        receipts.push(body["receipt"].as_str().map(str::to_owned));
    }
    assert_eq!(receipts[1], receipts[3], "the same asks for the same");
    assert_ne!(receipts[1], receipts[2], "another asks for themselves");
    let lines = std::fs::read_to_string(home.path().join("sandbox/lines.jsonl")).unwrap();
    let lines: Vec<Value> = lines.lines().map(parsed).collect();
    let said: Vec<_> = lines
        .iter()
        .map(|line| (line["event"].as_str().unwrap(), line["requester"].as_str().unwrap()))
        .collect();
    let expected = [
        ("refused", "eve"),
        ("asked", "bob"),
        ("asked", "carl"),
        ("open", "ada"),
        ("close", "ada"),
    ];
    assert_eq!(said, expected);
    let question = lines[1]["content"]["question"].as_str().unwrap();
    assert!(question.contains("for bob"), "{question}");
}
