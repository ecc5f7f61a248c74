//! What people want done, in the words that they say: which calls each takes, how often a person is asked, and
//! what the answers cost. Only names that a person would say are used, and what an earlier answer told.

use serde_json::Value;

use super::harness::{Answer, Era, World, status};
use super::person::{Asked, Client, types, yes};
use super::short::tokens;

/// On average, of all that is wanted here.
const MOST_CALLS: f64 = 1.5;
const MOST_TOKENS: f64 = 900.0;
/// Eight people on two assets.
const MOST_FOR_EIGHT: usize = 1_300;

/// An assistant between a person who agrees and the server.
struct Assistant {
    client: Client,
    calls: usize,
    asked: Vec<Asked>,
    tokens: usize,
}

/// What is wanted, done in a company of its own; others' wishes leave it as it was.
struct Job {
    said: &'static str,
    /// Calls before anybody asked.
    before: &'static [(&'static str, &'static str)],
    calls: &'static [(&'static str, &'static str)],
    questions: usize,
    /// How the last call ends, and what has to stand in its answer or in the question.
    ends: &'static str,
    told: &'static [&'static str],
}

impl Assistant {
    async fn call(&mut self, tool: &str, arguments: Value) -> Answer {
        let agrees = |form: &Value| {
            if form.pointer("/properties/grantee").is_some() { types(form) } else { yes(form) }
        };
        let (mut asked, answer) = self.client.call(tool, &arguments, agrees).await;
        self.asked.append(&mut asked);
        self.calls += 1;
        self.tokens += tokens(&answer.body);
        answer
    }
}

/// The receipt that the last answer told, wherever a call wants it.
fn with_receipt(arguments: &str, last: Option<&Answer>) -> Value {
    let receipt = last.and_then(|answer| {
        let own = answer.body["receipt"].as_str();
        own.or(answer.body.pointer("/changes/0/receipt").and_then(Value::as_str))
    });
    serde_json::from_str(&arguments.replace("RECEIPT", receipt.unwrap_or("none"))).unwrap()
}

const GRANT: &str = "grant_asset_role";
const SETS: &str = "apply_changes";
const HIRO: &str = r#"{"environmentId": "Staging", "role": {"name": "support"}, "user": {"name": "Hiro Tanaka"}, "expires_in": "P3D"}"#;
const LAST_OF_HIRO: (&str, &str) =
    ("check_change", r#"{"principal": "Hiro Tanaka", "state": "done", "limit": 1}"#);
const ENVIRONMENT: &str = "assign_environment_role";

const DFNS_IS_DOWN: &str = "Onboard Sam like Alex (alex.kim@) on everything, while Dfns is down";

const JOBS: [Job; 24] = [
    Job {
        said: "Onboard Sam like Alex (alex.kim@) on everything",
        before: &[],
        calls: &[(
            "copy_access",
            r#"{"from": "alex.kim@example.com", "to": "Sam Rivera <user@example.com>"}"#,
        )],
        questions: 1,
        ends: "confirmed",
        // CentraSite knows nobody by an address, and is accounted for.
        told: &["“Developer” on “Orders”", "engineer", "centrasite", "not_known"],
    },
    Job {
        said: DFNS_IS_DOWN,
        before: &[],
        calls: &[(
            "copy_access",
            r#"{"from": "alex.kim@example.com", "to": "Sam Rivera <user@example.com>"}"#,
        )],
        questions: 1,
        ends: "partly_done",
        told: &["Not known: dfns: ", "“Developer” on “Orders”", "call again when"],
    },
    Job {
        said: "Jonas leaves today, everything",
        before: &[],
        calls: &[("remove_all_access", r#"{"principal": "jonas.weber@example.com"}"#)],
        questions: 1,
        ends: "partly_done",
        told: &[
            "“Customer Portal”",
            "left_out",
            "not_known",
            "Redox lets an organization role be replaced",
        ],
    },
    Job {
        said: "The same in dev, not prod: where there is but one, nobody has to say",
        before: &[],
        calls: &[(
            GRANT,
            r#"{"tenant": "outsystems", "userKey": "Sam Rivera", "roleKey": "Tester", "assetKeys": ["Billing"]}"#,
        )],
        questions: 1,
        ends: "confirmed",
        told: &["outsystems"],
    },
    Job {
        said: "Show me first what onboarding Hiro (hiro.tanaka@) like Alex (alex.kim@) would be",
        before: &[],
        calls: &[(
            "copy_access",
            r#"{"from": "alex.kim@example.com", "to": "hiro.tanaka@example.com", "dry_run": true}"#,
        )],
        questions: 0,
        ends: "preview",
        told: &["“Developer” on “Orders”"],
    },
    Job {
        said: "Marta moves to Finance: off the Customer Portal team, onto Finance",
        before: &[(
            GRANT,
            r#"{"userKey": "Marta Lindqvist", "roleKey": "Tester", "assetKeys": ["Customer Portal"]}"#,
        )],
        calls: &[
            ("list_access", r#"{"principal": "marta.lindqvist@example.com"}"#),
            (
                SETS,
                r#"{"reason": "moves to Finance", "changes": [
                {"tool": "revoke_asset_role", "arguments": {"userKey": "Marta Lindqvist", "roleKey": "Tester", "assetKeys": ["Customer Portal"]}},
                {"tool": "set_project_acl", "arguments": {"project_or_space_path": "/Harbor/Finance", "grant_type": "USER", "grantee": "marta.lindqvist@example.com", "permission_list": ["R", "W"]}},
                {"tool": "set_asset_permissions", "arguments": {"asset": "BillingService", "userGroupAssetPermission": [{"user": "Marta Lindqvist", "permission": "Modify"}]}}]}"#,
            ),
        ],
        questions: 1,
        ends: "confirmed",
        // What the organization role still gives is said first.
        told: &["“Developer” through the organization", "− “Marta Lindqvist”", "already_present"],
    },
    Job {
        said: "Make me Tester on Billing until Friday 18:00 Berlin",
        before: &[],
        calls: &[(
            GRANT,
            r#"{"userKey": "me", "roleKey": "Tester", "assetKeys": ["Billing"], "expires_at": "2099-05-01T18:00:00+02:00"}"#,
        )],
        questions: 1,
        ends: "confirmed",
        told: &["2099-05-01T16:00:00Z", "Sam Rivera"],
    },
    Job {
        said: "Extend Hiro by two days",
        before: &[(ENVIRONMENT, HIRO)],
        calls: &[LAST_OF_HIRO, ("set_expiry", r#"{"receipt": "RECEIPT", "expires_in": "P5D"}"#)],
        questions: 1,
        ends: "confirmed",
        told: &["extend", "ends later"],
    },
    Job {
        said: "Shorten it to tonight",
        before: &[(ENVIRONMENT, HIRO)],
        calls: &[LAST_OF_HIRO, ("set_expiry", r#"{"receipt": "RECEIPT", "expires_in": "PT6H"}"#)],
        questions: 1,
        ends: "confirmed",
        told: &["end sooner", "ends sooner"],
    },
    Job {
        said: "Make it permanent",
        before: &[(ENVIRONMENT, HIRO)],
        calls: &[LAST_OF_HIRO, ("set_expiry", r#"{"receipt": "RECEIPT", "never": true}"#)],
        questions: 1,
        ends: "confirmed",
        told: &["make permanent", "no longer ends", "Ends: never"],
    },
    Job {
        said: "Same as last time, for Grace",
        before: &[(
            ENVIRONMENT,
            r#"{"environmentId": "Development", "role": {"name": "support"}, "user": {"name": "Hiro Tanaka"}}"#,
        )],
        calls: &[
            LAST_OF_HIRO,
            (
                ENVIRONMENT,
                r#"{"environmentId": "Development", "role": {"name": "support"}, "user": {"name": "Grace Okafor"}}"#,
            ),
        ],
        questions: 1,
        ends: "confirmed",
        told: &["Grace Okafor"],
    },
    Job {
        said: "Undo what you did this morning for Sam",
        before: &[(
            GRANT,
            r#"{"userKey": "Sam Rivera", "roleKey": "Tester", "assetKeys": ["Billing", "Orders"]}"#,
        )],
        calls: &[
            ("check_change", r#"{"principal": "Sam Rivera", "since": "PT12H"}"#),
            ("undo_change", r#"{"receipt": "SET"}"#),
        ],
        questions: 1,
        ends: "confirmed",
        told: &["Done and read back: 2 changes"],
    },
    Job {
        said: "Read for finance-team on /Harbor/Finance and View on the Reports asset: that of the REST service",
        before: &[],
        calls: &[
            ("find_resources", r#"{"vendor": "centrasite", "query": "Reports"}"#),
            (
                SETS,
                r#"{"changes": [
                {"tool": "set_project_acl", "arguments": {"project_or_space_path": "/Harbor/Finance", "grant_type": "GROUP", "grantee": "finance-team", "permission_list": ["R"]}},
                {"tool": "set_asset_permissions", "arguments": {"asset": "REPORTS", "userGroupAssetPermission": [{"group": "API Team", "permission": "View"}]}}]}"#,
            ),
        ],
        questions: 1,
        ends: "confirmed",
        told: &["“Reports”", "/Harbor/Finance"],
    },
    Job {
        said: "In Japanese: Sam a developer on Orders, until Friday 18 o'clock in Tokyo",
        before: &[],
        calls: &[(
            GRANT,
            r#"{"userKey": "Sam Rivera", "roleKey": "Developer", "assetKeys": ["Orders"], "expires_at": "2099-05-01T18:00:00+09:00", "reason": "サムさんに金曜18時まで開発者権限を"}"#,
        )],
        questions: 1,
        ends: "confirmed",
        told: &["サムさんに金曜18時まで開発者権限を", "2099-05-01T09:00:00Z"],
    },
    Job {
        said: "For \"Sam Rivera <user@example.com>\": tester on Orders",
        before: &[],
        calls: &[(
            GRANT,
            r#"{"userKey": "Sam Rivera <user@example.com>", "roleKey": "Tester", "assetKeys": ["Orders"]}"#,
        )],
        questions: 1,
        ends: "confirmed",
        told: &["user@example.com"],
    },
    Job {
        said: "These eight people: Tester on Billing and Orders",
        before: &[],
        calls: &[(SETS, EIGHT)],
        questions: 1,
        ends: "partly_done",
        told: &["Left out: grant “Tester” on “Orders”", "14 confirmed"],
    },
    Job {
        said: "The smallest role that lets Sam deploy Orders, in place of what he has",
        before: &[(
            GRANT,
            r#"{"userKey": "Sam Rivera", "roleKey": "Tester", "assetKeys": ["Orders"]}"#,
        )],
        calls: &[
            ("list_roles", r#"{"vendor": "outsystems", "permission": "Deploy assets"}"#),
            (
                GRANT,
                r#"{"userKey": "Sam Rivera", "roleKey": "Release Manager", "assetKeys": ["Orders"], "replace": true}"#,
            ),
        ],
        questions: 0,
        // It lets its holder change who may do what.
        ends: "refused",
        told: &["privileged-role", "“Release Manager”", "an administrator grants it"],
    },
    Job {
        said: "Break-glass: admin for one hour",
        before: &[],
        calls: &[(
            GRANT,
            r#"{"userKey": "Sam Rivera", "roleKey": "Administrator", "assetKeys": ["Orders"], "expires_in": "PT1H", "reason": "INC-7"}"#,
        )],
        questions: 0,
        ends: "refused",
        told: &["privileged-role", "an administrator grants it in the vendor's own console"],
    },
    Job {
        said: "SnapLogic: only the Orders project",
        before: &[],
        calls: &[(
            "set_project_acl",
            r#"{"project_or_space_path": "/Harbor/Integrations/Orders", "grant_type": "USER", "grantee": "Sam Rivera", "permission_list": ["R"]}"#,
        )],
        questions: 1,
        ends: "confirmed",
        told: &["SnapLogic widens a project to /Harbor/Integrations"],
    },
    Job {
        said: "Grace from Tester to Developer on Orders",
        before: &[],
        calls: &[(
            GRANT,
            r#"{"userKey": "Grace Okafor", "roleKey": "Developer", "assetKeys": ["Orders"], "replace": true}"#,
        )],
        questions: 1,
        ends: "confirmed",
        told: &["− “Grace Okafor”", "+ “Grace Okafor”"],
    },
    Job {
        said: "Gib Marta bis Ende nächster Woche Schreibrecht auf Finance",
        before: &[],
        calls: &[(
            "set_project_acl",
            r#"{"project_or_space_path": "/Harbor/Finance", "grant_type": "USER", "grantee": "Marta Lindqvist", "permission_list": ["R", "W"], "expires_in": "P10D"}"#,
        )],
        questions: 1,
        ends: "confirmed",
        told: &["at its end comes back"],
    },
    Job {
        said: "Let Sam approve payments (Dfns holds it)",
        before: &[],
        calls: &[(
            "assign_permission",
            r#"{"permissionId": "Payments Approver", "identityId": "Sam Rivera"}"#,
        )],
        questions: 1,
        ends: "pending_vendor_approval",
        told: &["approvers"],
    },
    Job {
        said: "Marta only View on BillingService",
        before: &[],
        calls: &[
            ("list_access", r#"{"vendor": "centrasite", "resource": "BillingService"}"#),
            (
                "set_asset_permissions",
                r#"{"asset": "BillingService", "removeExistingPermission": true, "userGroupAssetPermission": [{"user": "Priya Raman", "permission": "Full"}, {"group": "Users", "permission": "View"}, {"user": "Marta Lindqvist", "permission": "View"}]}"#,
            ),
        ],
        questions: 1,
        ends: "confirmed",
        told: &["lower access", "before: “Marta Lindqvist”", "“Modify”"],
    },
    Job {
        said: "From Monday 08:00: Sam tester on Orders",
        before: &[],
        calls: &[(
            GRANT,
            r#"{"userKey": "Sam Rivera", "roleKey": "Tester", "assetKeys": ["Orders"], "starts_at": "2099-05-04T08:00:00Z", "expires_at": "2099-06-04T08:00:00Z"}"#,
        )],
        questions: 1,
        ends: "confirmed",
        told: &["2099-05-04T08:00:00Z"],
    },
];

/// Lena is a guest, and Grace holds the role on Orders already.
const EIGHT: &str = r#"{"changes": [
    {"tool": "grant_asset_role", "arguments": {"userKey": "Sam Rivera", "roleKey": "Tester", "assetKeys": ["Billing", "Orders"]}},
    {"tool": "grant_asset_role", "arguments": {"userKey": "alex.kim@example.com", "roleKey": "Tester", "assetKeys": ["Billing", "Orders"]}},
    {"tool": "grant_asset_role", "arguments": {"userKey": "a.kim@example.com", "roleKey": "Tester", "assetKeys": ["Billing", "Orders"]}},
    {"tool": "grant_asset_role", "arguments": {"userKey": "Marta Lindqvist", "roleKey": "Tester", "assetKeys": ["Billing", "Orders"]}},
    {"tool": "grant_asset_role", "arguments": {"userKey": "Tomás Ferreira", "roleKey": "Tester", "assetKeys": ["Billing", "Orders"]}},
    {"tool": "grant_asset_role", "arguments": {"userKey": "Jonas Weber", "roleKey": "Tester", "assetKeys": ["Billing", "Orders"]}},
    {"tool": "grant_asset_role", "arguments": {"userKey": "Grace Okafor", "roleKey": "Tester", "assetKeys": ["Billing", "Orders"]}},
    {"tool": "grant_asset_role", "arguments": {"userKey": "Hiro Tanaka", "roleKey": "Tester", "assetKeys": ["Billing", "Orders"]}}]}"#;

async fn company() -> World {
    // Whoever asks is Sam, and nobody waits for a vendor's minute.
    World::asking().await.set("GRANTOR_ME", "user@example.com").set("GRANTOR_TEST_HASTE", "60")
}

async fn done(job: &Job, era: Era) -> (usize, usize, usize) {
    let world = company().await;
    let client = Client::start(&world, era).await;
    let mut somebody = Assistant { client, calls: 0, asked: Vec::new(), tokens: 0 };
    let mut set = String::new();
    for (tool, arguments) in job.before {
        let answer = somebody.call(tool, with_receipt(arguments, None)).await;
        assert_eq!(answer.outcome(), "confirmed", "{}: {:#}", job.said, answer.body);
        set = answer.body.pointer("/items/0/receipt").and_then(Value::as_str).unwrap_or("").into();
    }
    let set = set.split('.').next().unwrap_or_default();
    (somebody.calls, somebody.tokens, somebody.asked) = (0, 0, Vec::new());
    if job.said == DFNS_IS_DOWN {
        for _ in 0..40 {
            world.inject("dfns", "GET", "/", status(503));
        }
    }
    let mut last: Option<Answer> = None;
    for (tool, arguments) in job.calls {
        let arguments = arguments.replace("SET", set);
        let reports = last.as_ref().and_then(rest_service).unwrap_or_default();
        let arguments = arguments.replace("REPORTS", &reports);
        let answer = somebody.call(tool, with_receipt(&arguments, last.as_ref())).await;
        last = Some(answer);
    }
    let last = last.unwrap();
    let said = job.said;
    assert_eq!(last.outcome(), job.ends, "{era:?} {said}: {:#}", last.body);
    assert_eq!(somebody.asked.len(), job.questions, "{era:?} {said}: {:#?}", somebody.asked);
    let questions: Vec<_> = somebody.asked.iter().map(|asked| asked.message.as_str()).collect();
    let told = format!("{}\n{:#}", questions.join("\n"), last.body);
    for part in job.told {
        assert!(told.contains(part), "{era:?} {said}: {part:?} is not in\n{told}");
    }
    (somebody.calls, somebody.asked.len(), somebody.tokens)
}

/// The id of the twin that is a REST service.
fn rest_service(answer: &Answer) -> Option<String> {
    let rows = answer.body["rows"].as_array()?;
    let row = rows.iter().find(|row| row["type"] == "REST Service")?;
    Some(row["id"].as_str()?.to_owned())
}

#[tokio::test]
async fn what_people_want_is_done_in_few_calls_questions_and_words() {
    for era in [Era::Legacy, Era::Modern] {
        let (mut calls, mut tokens) = (0, 0);
        for job in &JOBS {
            let (made, asked, told) = done(job, era).await;
            println!("{made} calls  {asked} questions  {told:>5} tokens  {}", job.said);
            assert!(!job.said.contains("eight") || told <= MOST_FOR_EIGHT, "{told} tokens");
            calls += made;
            tokens += told;
        }
        let each = |all: usize| all as f64 / JOBS.len() as f64;
        println!("{era:?}: {:.2} calls and {:.0} tokens each", each(calls), each(tokens));
        assert!(each(calls) <= MOST_CALLS, "{:.2} calls a job", each(calls));
        assert!(each(tokens) <= MOST_TOKENS, "{:.0} tokens a job", each(tokens));
    }
}
