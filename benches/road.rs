//! What the road costs: `cargo bench`.
//!
//! Each road is measured next to the bare HTTP requests it makes, against the same fake vendor in
//! the same run, so that the overhead reads as a difference.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a benchmark waits, prints, and fails loudly where it cannot run"
)]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

#[expect(dead_code, reason = "no server of its own is started here")]
mod common;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use grantor::catalogue;
use grantor::catalogue::Supposed;
use grantor::config::{Config, Flags, Sources, zone_of};
use grantor::desk::{Call, Desk};
use grantor::guard::{Accounts, Circumstances, Declared, Guard, Label, Verdict};
use grantor::intent::Intent;
use grantor::requester::Requester;
use grantor::sandbox::{Options, Sandbox};
use grantor::tools::TOOLS;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const USER: &str = "bdd640fb-0667-4ad1-9c80-317fa3b1799d";
const ROLE: &str = "9dfb369b-ab13-4fae-a276-55daa05f1119";
const ASSET: &str = "b120a366-f0bb-49cf-82f2-dc05873f9bd0";

/// A desk on a sandbox, and a bare client of one of its vendors: CentraSite's bridge, because it
/// documents no rate that would have to be kept.
struct Bench {
    runtime: Runtime,
    sandbox: Sandbox,
    desk: Desk,
    client: reqwest::Client,
    user: String,
    password: String,
    base: String,
    _state: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let state = common::state();
        let sandbox = runtime.block_on(Sandbox::start(Options::default())).unwrap();
        let environment = sandbox.environment();
        let policy =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/examples/automation.cedar");
        let flags = Flags {
            state_dir: Some(state.path().into()),
            policy: Some(policy),
            ..Flags::default()
        };
        let sources = Sources {
            flags: &flags,
            environment: &|_| None,
            floor: None,
            sandbox: Some(&environment),
        };
        let desk = Desk::new(Config::load(&sources).unwrap()).unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let value =
            |name: &str| environment.iter().find(|(known, _)| *known == name).unwrap().1.clone();
        let base = value("CENTRASITE_BRIDGE_URL");
        let (user, password) = (value("CENTRASITE_USERNAME"), value("CENTRASITE_PASSWORD"));
        Self { runtime, sandbox, desk, client, user, password, base, _state: state }
    }

    fn call(&self, tool: &str, arguments: &Value) -> Value {
        let arguments = arguments.as_object().unwrap().clone();
        let call = Call {
            requester: self.desk.requester().clone(),
            tool: tool.to_owned(),
            arguments,
            client: None,
            asked: None,
            progress: Box::new(|_| ()),
            withdrawn: Box::new(|| false),
            person: grantor::desk::Person::Absent,
        };
        self.runtime.block_on(self.desk.call(call)).unwrap().write()
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> Vec<u8> {
        let request = request.basic_auth(&self.user, Some(&self.password));
        request.send().await.unwrap().error_for_status().unwrap().bytes().await.unwrap().to_vec()
    }

    async fn get(&self, path: &str) -> Vec<u8> {
        self.ask(self.client.get(format!("{}{path}", self.base))).await
    }

    /// The write of a grant, and nothing else.
    async fn post(&self, version: &Value) {
        let request = self.client.post(format!("{}{TABLE}", self.base));
        let version = version.as_str().map_or_else(|| version.to_string(), str::to_owned);
        let request = request.header("if-match", format!("\"{version}\""));
        let body = json!({
            "userGroupAssetPermission": [{ "group": "group:api-team", "permission": "Modify" }],
            "removeExistingPermission": false,
            "propagatePermissionsToDependentObjects": false,
            "propagateProfilePermissions": false,
        });
        let request = request.header("content-type", "application/json").body(body.to_string());
        self.ask(request).await;
    }
}

fn building(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("build");
    group.bench_function("all tool definitions", |bencher| {
        bencher.iter(|| TOOLS.iter().map(catalogue::definition).collect::<Vec<_>>());
    });
    let endpoint = &grantor::vendors::outsystems::GRANT;
    group.bench_function("one draft", |bencher| {
        bencher.iter(|| {
            let draft = endpoint.draft(black_box(&[("key", USER), ("roleKey", ROLE)])).unwrap();
            draft.body(json!({ "assetKeys": [ASSET] }))
        });
    });
    group.finish();
}

/// What a policy of fifty rules costs each change, and what it costs the slowest of a hundred.
fn judging(criterion: &mut Criterion) {
    let guard = Guard::compile("bench.cedar", &fifty_rules(), false).unwrap();
    assert_eq!(guard.rules().len(), 50);
    let asked = change("OPS-7: joins the team");
    let denied = change("FREEZE-3: joins the team");
    let at =
        Circumstances { requester: &Requester::named("alice"), changes_this_hour: 3, now: now() };
    let judge = |intent: Intent| guard.judge(intent, &at);
    assert!(matches!(judge(asked.clone()), Verdict::Ask(_)));
    assert!(matches!(judge(denied.clone()), Verdict::Deny(_)));
    let mut group = criterion.benchmark_group("judge");
    group.bench_function("one change by 50 rules", |bencher| {
        bencher.iter_batched(|| asked.clone(), judge, BatchSize::SmallInput);
    });
    group.finish();
    judging_rows();
    let usual = slowest("one change by 50 rules", || asked.clone(), judge);
    slowest("one that a rule forbids", || denied.clone(), judge);
    // What the machine itself makes of work that takes the same time each time.
    let rounds = |rounds: u64| (0..rounds).fold(1, |sum, one| black_box(sum ^ one));
    let started = Instant::now();
    rounds(10_000_000);
    let as_long = usual.as_nanos() * 10_000_000 / started.elapsed().as_nanos();
    let as_long = u64::try_from(as_long).unwrap();
    slowest("plain arithmetic that takes as long", || as_long, rounds);
}

/// What one row costs by fifty rules that name every word there is, where all that they ask for has been read:
/// alone, and as one of ten that a call is for.
fn judging_rows() {
    let guard = Guard::compile("bench.cedar", &fifty_rules_of_new_words(), false).unwrap();
    assert_eq!(guard.rules().len(), 50);
    let guard = guard.declaring(declared());
    let at =
        Circumstances { requester: &Requester::named("ada"), changes_this_hour: 3, now: now() };
    let judge = |intent: Intent| guard.judge(intent, &at);
    let alone = known(&json!({}));
    assert!(matches!(judge(alone.clone()), Verdict::Ask(_)));
    slowest("one row by 50 rules of new words", || alone.clone(), judge);
    let row = |nth: usize| {
        json!({ "grantee": { "id": format!("u-{nth}"), "email": format!("u{nth}@example.com") },
            "role": { "id": ROLE, "name": "View" }, "permissions": ["R"] })
    };
    let ten = known(&json!({ "rows": (0..10).map(row).collect::<Vec<_>>() }));
    assert!(matches!(judge(ten.clone()), Verdict::Ask(_)));
    slowest("ten rows and the whole, by the same", || ten.clone(), judge);
}

/// A change of which all is known that rules can ask for.
fn known(more: &Value) -> Intent {
    let mut supposed = json!({
        "grantee": { "id": USER, "name": "Sam Rivera", "email": "user@example.com" },
        "role": { "id": ROLE, "name": "Developer" },
        "permissions": ["R", "X"],
        "resource": { "id": ASSET, "name": "Orders" },
        "holds": [{ "role": "Tester", "resource": "Billing" }, { "role": "View", "resource": "Reports" }],
        "history": { "extensions": 1, "total_minutes": 600, "requester_today": 2 },
        "reason": "OPS-7: joins the team",
        "client": "some-client 1.0",
        "expires_in": "PT8H",
    });
    let fields = supposed.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    let supposed: Supposed = serde_json::from_value(supposed).unwrap();
    supposed.intent("grant_asset_role", now()).unwrap()
}

fn declared() -> Declared {
    let label = |word: &str, like: &str| Label::new(word.to_owned(), None, None, Some(like));
    let labels =
        vec![label("production", "*prod*"), label("test", "*test*"), label("money", "*bill*")];
    let team = |name: &str| (name.to_owned(), ["ada".to_owned(), "ben".to_owned()].into());
    let own = Accounts::new(&["ada@example.com".to_owned()], [].into()).unwrap();
    Declared {
        time_zone: Some(("Europe/Berlin".to_owned(), zone_of("Europe/Berlin").unwrap())),
        teams: [team("payments"), team("on-call")].into(),
        accounts: [("ada".to_owned(), own)].into(),
        labels,
    }
}

/// The built-in rules, and others that forbid nothing of it and have to be looked through to know.
fn fifty_rules_of_new_words() -> String {
    let conditions = [
        "if context has for_self then context.for_self else true",
        "context.gains.domains.containsAny([\"example.org\", \"example.net\", \"\"])",
        "resource.folded like \"*prod*\" || resource.labels.contains(\"production\")",
        "!context.holds_all || context.holds.containsAll([\"Tester on Billing\", \"Approver\"])",
        "if context has history then context.history.extensions > 2 || context.history.total_minutes > 43200 else true",
        "!context.ticket_projects.contains(\"OPS\") || context.reason_length < 10",
        "context.here.weekday > 5 && !(principal in Team::\"on-call\")",
        "!context.role.known || context.role.permissions.contains(\"W\")",
        "context has client_name && context.client_name == \"elsewhere\"",
    ];
    let mut text = include_str!("../policies/default.cedar").to_owned();
    for number in 0..45 {
        let when = conditions.get(number % conditions.len()).unwrap();
        text.push_str(&format!(
            "@id(\"rule-{number}\") forbid (principal, action in Action::\"grant\", resource) \
             when {{ context.width > {} || ({when}) }};\n",
            100 + number
        ));
    }
    text
}

/// Half of the times are no longer than this.
fn slowest<I, O>(what: &str, input: impl Fn() -> I, work: impl Fn(I) -> O) -> Duration {
    let mut times: Vec<_> = (0..20_000)
        .map(|_| {
            let input = input();
            let started = Instant::now();
            black_box(work(input));
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap();
    eprintln!("judge/{what:36} p50 {:6.1?}  p99 {:6.1?}", at(50), at(99));
    at(50)
}

fn now() -> Timestamp {
    "2026-07-06T10:00:00Z".parse().unwrap()
}

fn change(reason: &str) -> Intent {
    let supposed = json!({
        "grantee": { "id": USER, "name": "Sam Rivera", "kind": "user" },
        "role": { "id": ROLE, "name": "Developer" },
        "resource": { "id": ASSET, "name": "Orders", "kind": "asset" },
        "holds": [{ "role": "Tester", "resource": "Billing" }],
        "reason": reason,
        "expires_in": "P7D",
    });
    let supposed: Supposed = serde_json::from_value(supposed).unwrap();
    supposed.intent("grant_asset_role", now()).unwrap()
}

/// The built-in rules, and others as an organization would add them.
fn fifty_rules() -> String {
    let mut text = include_str!("../policies/default.cedar").to_owned();
    for number in 0..45 {
        let when = match number % 3 {
            0 => format!("context has reason && context.reason like \"*FREEZE-{number}*\""),
            1 => format!("resource has name && resource.name like \"prod-{number}*\""),
            _ => format!("context.changes_this_hour > {} && context.wide", 100 + number),
        };
        text.push_str(&format!(
            "@id(\"rule-{number}\") forbid (principal, action in Action::\"grant\", resource) \
             when {{ {when} }};\n"
        ));
    }
    text
}

fn reading(criterion: &mut Criterion) {
    let bench = Bench::new();
    let arguments = json!({ "vendor": "centrasite", "query": "a" });
    let before = bench.sandbox.journal().len();
    bench.call("find_principals", &arguments);
    assert_eq!(bench.sandbox.journal().len(), before + 1, "one look is one request");
    let mut group = criterion.benchmark_group("find_principals");
    group.bench_function("bare", |bencher| {
        bencher
            .iter(|| bench.runtime.block_on(bench.get("/principals?query=a&limit=100&offset=0")));
    });
    group.bench_function("road", |bencher| {
        bencher.iter(|| bench.call("find_principals", &arguments));
    });
    group.finish();
}

const TABLE: &str = "/assets/uddi:7856881e-0461-4f9d-8693-3030b63798fa/permissions";

fn granting(criterion: &mut Criterion) {
    let bench = Bench::new();
    let arguments = json!({
        "asset": "BillingService",
        "userGroupAssetPermission": [{ "group": "API Team", "permission": "Modify" }],
    });
    let reset = || bench.sandbox.reset().unwrap();
    let mut group = criterion.benchmark_group("set_asset_permissions");
    group.bench_function("bare, the same five requests", |bencher| {
        let all = || {
            bench.runtime.block_on(async {
                bench.get("/assets?query=BillingService&limit=100&offset=0").await;
                bench.get("/principals?query=API%20Team&limit=100&offset=0").await;
                let table: Value = serde_json::from_slice(&bench.get(TABLE).await).unwrap();
                bench.post(table.get("version").unwrap()).await;
                bench.get(TABLE).await
            })
        };
        bencher.iter_batched(reset, |()| all(), BatchSize::PerIteration);
    });
    group.bench_function("road", |bencher| {
        bencher.iter_batched(
            reset,
            |()| {
                let body = bench.call("set_asset_permissions", &arguments);
                assert_eq!(body.get("outcome"), Some(&json!("confirmed")), "{body}");
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, building, judging, reading, granting);
criterion_main!(benches);
