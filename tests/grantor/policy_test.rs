//! Tables of decisions: `policy test`, those of the policies that are handed out, and the sentences.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::harness::{Ran, World, example, parsed};
use super::terminal::Terminal;

const RULES: &str = r#"
@id("look") permit (principal, action in Action::"look", resource);
@id("ask")
@ask
permit (principal, action in [Action::"grant", Action::"revoke"], resource);
@id("expire") permit (principal, action == Action::"expire", resource);
@id("night")
forbid (principal, action in Action::"grant", resource)
when { context.here.hour < 8 };
@id("payments-only")
forbid (principal, action in Action::"grant", resource)
when { resource.labels.contains("billing") }
unless { principal in Team::"payments" };
@id("privileged-role")
forbid (principal, action in Action::"grant", resource) when { context.privileged };
@id("own-identity")
forbid (principal, action in [Action::"grant", Action::"revoke"], resource) when { context.own };
"#;

const DECLARED: &str = r#"
policy = "rules.cedar"
now = 2026-07-06T10:00:00Z
time_zone = "Europe/Berlin"

[teams.payments]
members = ["ada"]

[[labels]]
label = "billing"
resource = "*billing*"
"#;

/// A table beside the rules, and what comes of it.
async fn tested(world: &World, table: &str, flags: &[&str]) -> Ran {
    std::fs::write(world.path("rules.cedar"), RULES).unwrap();
    let path = world.path("rules.test.toml");
    std::fs::write(&path, table).unwrap();
    let mut line = vec!["policy", "test", path.to_str().unwrap()];
    line.extend(flags);
    world.run(&line).await
}

fn case(more: &str) -> String {
    format!("\n[[case]]\nname = \"it\"\ntool = \"grant_asset_role\"\n{more}\n")
}

fn tables(folder: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_table = |path: &PathBuf| path.to_string_lossy().ends_with(".test.toml");
    let mut all: Vec<_> = all.filter(is_table).collect();
    all.sort();
    all
}

/// Whatever its table says: rules that do not mean what they seem to are not tested by it.
#[tokio::test]
async fn a_policy_that_check_would_mend_does_not_pass() {
    let world = World::new().await;
    let table = [DECLARED.to_owned(), case("verdict = \"ask\"")].concat();
    assert_eq!(tested(&world, &table, &[]).await.status, 0);
    let bare = "@id(\"ask\") @ask permit (principal, action, resource);";
    std::fs::write(world.path("bare.cedar"), bare).unwrap();
    let bare = world.path("bare.cedar");
    let ran = tested(&world, &table, &["--policy", bare.to_str().unwrap()]).await;
    assert_eq!(ran.status, 1, "{ran:#?}");
    assert!(ran.stderr.contains("privileged roles too"), "{}", ran.stderr);
}

#[tokio::test]
async fn cases_are_judged_as_the_table_supposes_them() {
    let world = World::new().await;
    let table = [
        DECLARED.to_owned(),
        case("verdict = \"ask\""),
        case("verdict = \"ask\"\nrule = \"ask\""),
        case("now = 2026-07-06T05:59:59Z\nverdict = \"deny\"\nrule = \"night\""),
        case("now = \"2026-07-06T06:00:00Z\"\nverdict = \"ask\""),
        case("change = { resource = { name = \"Billing\" } }\nverdict = \"deny\""),
        case("requester = \"ada\"\nchange = { resource = { name = \"Billing\" } }\nverdict = \"ask\""),
        case("client = \"Claude Desktop 1.0\"\nverdict = \"ask\""),
    ]
    .concat();
    let ran = tested(&world, &table, &[]).await;
    assert!(ran.status == 0 && ran.stderr.is_empty(), "{ran:#?}");
    let body = parsed(&ran.stdout);
    assert_eq!((&body["total"], &body["failed"]), (&json!(7), &json!(0)), "{body:#}");
    assert_eq!(body["cases"][2]["found"], json!({ "verdict": "deny", "rules": ["night"] }));
    assert!(world.sandbox.journal().is_empty() && world.ledger().is_empty());
}

#[tokio::test]
async fn what_is_decided_otherwise_is_told_with_its_line() {
    let world = World::new().await;
    let table = [
        "policy = \"rules.cedar\"\nnow = 2026-07-06T10:00:00Z\n".to_owned(),
        case("verdict = \"allow\""),
        case("verdict = \"ask\"\nrule = \"night\""),
        case("verdict = \"ask\"\nrule = \"nigth\""),
        case("verdict = \"ask\""),
    ]
    .concat();
    let ran = tested(&world, &table, &[]).await;
    assert_eq!(ran.status, 1, "{ran:#?}");
    let body = parsed(&ran.stdout);
    let wanted: Vec<_> =
        body["cases"].as_array().unwrap().iter().map(|case| &case["as_wanted"]).collect();
    assert_eq!(wanted, [false, false, false, true], "{body:#}");
    assert_eq!((&body["failed"], &body["cases"][1]["line"]), (&json!(3), &json!(9)), "{body:#}");
    let trouble = body["cases"][2]["troubles"][0].as_str().unwrap();
    assert!(trouble.contains("no rule \"nigth\" (did you mean night?)"), "{trouble}");
    let path = world.path("rules.test.toml");
    let mut terminal = Terminal::start(world.command(["policy", "test", path.to_str().unwrap()]));
    terminal.shows("wanted allow, found ask by ask").await;
    terminal.shows("wanted ask by night, found ask by ask").await;
    terminal.shows("did you mean night?").await;
    terminal.shows("4 cases, 3 not as wanted").await;
    assert_eq!(terminal.ends().await.0, 1);
}

/// What a vendor never says is a mistake of the case: a rule that rests on it would only look tested.
#[tokio::test]
async fn a_case_that_supposes_what_no_vendor_says_fails() {
    let world = World::new().await;
    let of = |tool: &str, change: &str| {
        format!(
            "\n[[case]]\nname = \"it\"\ntool = \"{tool}\"\nchange = {change}\nverdict = \"ask\"\n"
        )
    };
    let table = [
        "policy = \"rules.cedar\"\nnow = 2026-07-06T10:00:00Z\n".to_owned(),
        of("assign_environment_role", "{ permissions = [\"Read\"] }"),
        of("set_asset_permissions", "{ grantee = { name = \"ada@example.com\" } }"),
        of("grant_asset_role", "{ organization = \"acme\" }"),
        of("set_asset_permissions", "{ permissions = [\"Full\"] }"),
    ]
    .concat();
    let ran = tested(&world, &table, &[]).await;
    assert_eq!(ran.status, 1, "{ran:#?}");
    let body = parsed(&ran.stdout);
    for (nth, says) in
        ["which permissions a role contains", "write email", "no organization"].iter().enumerate()
    {
        let case = &body["cases"][nth];
        assert!(case["as_wanted"] == false && case["found"].is_null(), "{case:#}");
        assert!(case["troubles"][0].as_str().unwrap().contains(says), "{says}: {case:#}");
    }
    assert_eq!(body["cases"][3]["as_wanted"], true, "{body:#}");
}

#[tokio::test]
async fn a_mistake_in_a_table_is_told_with_its_line_and_what_may_be_meant() {
    let world = World::new().await;
    let right = "[[case]]\nname = \"it\"\ntool = \"grant_asset_role\"\nverdict = \"ask\"\n";
    let with = |more: &str| format!("{right}{more}\n");
    for (table, line, says) in [
        ("x = ".to_owned(), 1, ""),
        (format!("\npolcy = \"rules.cedar\"\n{right}"), 2, "(did you mean policy?)"),
        (format!("policy = 7\n{right}"), 1, "policy must be a path"),
        (format!("now = \"noon\"\n{right}"), 1, "such as 2026-12-24T18:00:00Z"),
        (format!("now = 2026-12-24\n{right}"), 1, "with its offset"),
        (format!("[grantor]\ntime_zone = \"UTC\"\n{right}"), 1, "there is no \"grantor\""),
        ("policy = \"rules.cedar\"".to_owned(), 1, "there is no [[case]]"),
        ("case = 7".to_owned(), 1, "as [[case]]"),
        (format!("\n{}", with("verdit = \"ask\"")), 2, "(did you mean verdict?)"),
        (right.replace("name = \"it\"\n", ""), 1, "needs a name"),
        (right.replace("\"it\"", "\" \""), 1, "name in [[case]] must be text"),
        (right.replace("grant_asset", "grant_aset"), 1, "(did you mean grant_asset_role?)"),
        (right.replace("grant_asset_role", "list_roles"), 1, "no tool that grants or revokes"),
        (right.replace("grant_asset_role", "undo_change"), 1, "undoes = \"RECEIPT\""),
        (right.replace("\"ask\"", "\"asks\""), 1, "allow, ask or deny, not \"asks\""),
        (with("rule = 7"), 1, "rule in [[case]] must be text"),
        (with("change = 7"), 1, "change in [[case]] must be a table"),
        (with("change = { grante = {} }"), 1, "(did you mean grantee?)"),
        (with("change = { grantee = { nmae = \"x\" } }"), 1, "in grantee (did you mean name?)"),
        (with("change = { rows = [{ grantee = { nmae = \"x\" } }] }"), 1, "(did you mean name?)"),
        (with("change = { holds = [{ rle = \"x\" }] }"), 1, "in holds (did you mean role?)"),
        (with("change = { history = { extend = true } }"), 1, "(did you mean extends?)"),
        (with("change = { width = \"x\" }"), 1, "width in change: invalid type"),
        (with("change = { expires_in = \"soon\" }"), 1, "expires_in in change: "),
        (with("change = { now = \"2026-12-24T18:00:00Z\" }"), 1, "now stands in [[case]] itself"),
        (with("change = {}\narguments = {}"), 1, "or the arguments of a call"),
        (format!("{right}[teams.x]\nmembres = []\n"), 6, "membres in [teams.x]"),
        (format!("time_zone = \"Mars/Base\"\n{right}"), 0, "no such time zone"),
        (format!("{right}\n[[labels]]\nlabel = \"A b\"\n"), 7, "label in [[labels]] must be"),
    ] {
        let ran = tested(&world, &table, &[]).await;
        assert!(ran.status == 2 && ran.stdout.is_empty(), "{table}: {ran:#?}");
        let places =
            [format!("rules.test.toml:{line}: "), format!("rules.test.toml, line {line}: ")];
        let is_placed = line == 0 || places.iter().any(|place| ran.stderr.contains(place));
        assert!(is_placed && ran.stderr.contains(says), "{line} {says}: {table}: {}", ran.stderr);
    }
    let two = format!("{}\n{}", with("verdit = 1"), with("nmae = 1"));
    let ran = tested(&world, &two, &[]).await;
    assert!(ran.stderr.contains("verdit") && ran.stderr.contains("nmae"), "all at once: {ran:#?}");
}

#[tokio::test]
async fn without_a_table_or_a_policy_nothing_is_judged() {
    let world = World::new().await;
    let ran = world.run(&["policy", "test", "/nowhere.toml"]).await;
    assert!(ran.status == 2 && ran.stderr.contains("/nowhere.toml"), "{ran:#?}");
    let ran = world.run(&["policy", "test"]).await;
    assert_eq!(ran.status, 2, "{ran:#?}");
    let lost = format!("policy = \"nowhere.cedar\"\n{}", case("verdict = \"ask\""));
    let ran = tested(&world, &lost, &[]).await;
    assert!(ran.status == 2 && ran.stderr.contains("nowhere.cedar"), "{ran:#?}");
    std::fs::write(world.path("broken.cedar"), "permit (principal, action, resource)").unwrap();
    let broken = format!("policy = \"broken.cedar\"\n{}", case("verdict = \"ask\""));
    let ran = tested(&world, &broken, &[]).await;
    assert!(ran.status == 2 && ran.stderr.contains("broken.cedar:1: "), "{ran:#?}");
    // Another policy by the same table.
    let other = example("automation");
    let flags = ["--policy", other.to_str().unwrap()];
    let asked = format!("policy = \"rules.cedar\"\n{}", case("verdict = \"allow\""));
    let ran = tested(&world, &asked, &flags).await;
    assert_eq!((ran.status, verdicts(&ran)), (0, vec!["allow".to_owned()]), "{ran:#?}");
    let help = world.run(&["policy", "test", "--help"]).await;
    for part in ["[[case]]", "verdict = ", "--sandbox", "Exit status: 0"] {
        assert!(help.status == 0 && help.stdout.contains(part), "{part}: {help:#?}");
    }
}

/// A table that names no policy is about the rules in force, and what is declared beside them.
#[tokio::test]
async fn without_a_policy_the_rules_in_force_are_tested() {
    let world = World::new().await;
    let (rules, config) = (world.path("rules.cedar"), world.path("config.toml"));
    std::fs::write(
        &config,
        "[teams.payments]\nmembers = [\"eve\"]\n[[labels]]\nlabel = \"billing\"\n",
    )
    .unwrap();
    let world = world
        .set("GRANTOR_CONFIG", config.to_str().unwrap())
        .set("GRANTOR_POLICY", rules.to_str().unwrap());
    let now = "now = 2026-07-06T10:00:00Z\n";
    let cases = [
        case("requester = \"eve\"\nverdict = \"ask\""),
        case("requester = \"ada\"\nverdict = \"deny\"\nrule = \"payments-only\""),
    ]
    .concat();
    let ran = tested(&world, &format!("{now}{cases}"), &[]).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
    // What the table declares stands in its place, and one that names its policy is told nothing else.
    let own = "[teams.payments]\nmembers = [\"ada\"]\n";
    let ran = tested(&world, &format!("{now}{own}{cases}"), &[]).await;
    let found: Vec<_> = verdicts(&ran);
    assert_eq!((ran.status, found), (1, vec!["ask".to_owned(); 2]), "{ran:#?}");
    let ran = tested(&world, &format!("policy = \"rules.cedar\"\n{now}{cases}"), &[]).await;
    assert_eq!((ran.status, verdicts(&ran)), (1, vec!["ask".to_owned(); 2]), "{ran:#?}");
}

fn verdicts(ran: &Ran) -> Vec<String> {
    let body = parsed(&ran.stdout);
    let verdict = |case: &Value| case["found"]["verdict"].as_str().unwrap_or("none").to_owned();
    body["cases"].as_array().unwrap().iter().map(verdict).collect()
}

/// Arguments are those of a real call, which the sandbox answers and nobody sends.
#[tokio::test]
async fn a_real_call_is_tried_at_the_sandbox_alone() {
    let world = World::new().await;
    let call = |asset: &str, verdict: &str| {
        case(&format!(
            "arguments = {{ userKey = \"user@example.com\", roleKey = \"Developer\", assetKeys = \
             [{asset}] }}\nverdict = \"{verdict}\""
        ))
    };
    let table = [
        DECLARED.to_owned(),
        call("\"Orders\"", "ask"),
        call("\"Billing\"", "deny"),
        call("\"Orders\", \"Billing\"", "deny"),
        call("\"Nowhere\"", "ask"),
    ]
    .concat();
    let ran = tested(&world, &table, &[]).await;
    assert_eq!(ran.status, 1, "{ran:#?}");
    assert_eq!(verdicts(&ran), ["none"; 4]);
    let trouble = parsed(&ran.stdout)["cases"][0]["troubles"][0].to_string();
    assert!(trouble.contains("run this with --sandbox"), "{trouble}");
    let ran = tested(&world, &table, &["--sandbox"]).await;
    assert_eq!(
        (ran.status, verdicts(&ran)),
        (1, ["ask", "deny", "deny", "none"].map(String::from).to_vec())
    );
    let body = parsed(&ran.stdout);
    assert_eq!(body["failed"], 1, "{body:#}");
    assert!(body["cases"][3]["troubles"][0].as_str().unwrap().contains("no rule was asked"));
    assert!(world.sandbox.journal().is_empty() && world.ledger().is_empty());
}

#[tokio::test]
async fn every_policy_that_is_handed_out_decides_as_its_table_says() {
    let world = World::new().await;
    let tables = tables(example("automation").parent().unwrap());
    assert!(tables.len() >= 16, "{tables:?}");
    for table in tables {
        let ran = world.run(&["policy", "test", table.to_str().unwrap()]).await;
        assert!(ran.status == 0 && ran.stderr.is_empty(), "{table:?}: {ran:#?}");
        let policy = table.to_string_lossy().replace(".test.toml", ".cedar");
        let ran = world.run(&["policy", "check", &policy]).await;
        assert!(ran.status == 0 && ran.stderr.is_empty(), "{policy}: {ran:#?}");
    }
}

/// What administrators say of access.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Sentences {
    /// The rules that most stand beside.
    base: String,
    sentence: Vec<Sentence>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Sentence {
    number: usize,
    said: String,
    /// What rules cannot say of it.
    why_not: Option<String>,
    #[serde(default)]
    alone: bool,
    rules: Option<String>,
    table: Option<String>,
}

#[tokio::test]
async fn most_sentences_can_be_said_and_are_decided_as_they_say() {
    let Sentences { base, sentence: sentences } =
        toml::from_str(include_str!("sentences.toml")).unwrap();
    let numbers: Vec<_> = sentences.iter().map(|sentence| sentence.number).collect();
    assert_eq!(numbers, (1..=34).collect::<Vec<_>>());
    let in_full = sentences.iter().filter(|sentence| sentence.why_not.is_none());
    assert!(in_full.clone().count() >= 24, "{} are said in full", in_full.count());
    let world = World::new().await;
    let (policy, path) = (world.path("said.cedar"), world.path("said.test.toml"));
    for Sentence { number, said, why_not, alone, rules, table } in sentences {
        let (Some(rules), Some(table)) = (rules, table) else {
            let why = why_not.unwrap_or_else(|| panic!("{number} has no rules: {said}"));
            assert!(why.len() > 20, "{number}: {why}");
            continue;
        };
        let base = if alone { "" } else { &base };
        std::fs::write(&policy, format!("{base}\n{rules}")).unwrap();
        std::fs::write(&path, format!("policy = \"said.cedar\"\n{table}")).unwrap();
        let ran = world.run(&["policy", "test", path.to_str().unwrap()]).await;
        assert!(ran.status == 0 && ran.stderr.is_empty(), "{number}. {said}: {ran:#?}");
        // A table that any policy passes says nothing: one that permits all, and one that permits nothing.
        for other in [
            "permit (principal, action, resource);",
            "@id(\"x\") forbid (principal, action, resource);",
        ] {
            std::fs::write(&policy, other.replace("permit (", "@id(\"x\") permit (")).unwrap();
            let ran = world.run(&["policy", "test", path.to_str().unwrap()]).await;
            assert_eq!(ran.status, 1, "{number}. {said}: {other}");
        }
    }
}

/// What a new author writes, and what they mean by it.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrong {
    /// What most of the files begin with.
    base: String,
    file: Vec<WrongFile>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct WrongFile {
    kind: String,
    meant: String,
    rules: String,
    table: String,
}

/// What `check --json` would write in place of a line makes the file decide as its author means.
#[tokio::test]
async fn what_check_would_write_makes_a_wrong_file_decide_as_it_is_meant() {
    let Wrong { base, file: files } = toml::from_str(include_str!("wrong_files.toml")).unwrap();
    assert!(files.len() >= 10, "{} files", files.len());
    let world = World::new().await;
    let (policy, path) = (world.path("wrong.cedar"), world.path("wrong.test.toml"));
    let check = async || {
        let ran = world.run(&["policy", "check", policy.to_str().unwrap(), "--json"]).await;
        parsed(&ran.stdout)["findings"].as_array().unwrap().clone()
    };
    let test = async || world.run(&["policy", "test", path.to_str().unwrap()]).await;
    for WrongFile { kind, meant, rules, table } in files {
        std::fs::write(&policy, format!("{base}{rules}")).unwrap();
        std::fs::write(&path, format!("policy = \"wrong.cedar\"\n{table}")).unwrap();
        let ran = test().await;
        assert_ne!(ran.status, 0, "{meant}: as it stands it decides so: {rules}");
        let mut found = check().await;
        assert!(found.iter().any(|one| one["kind"] == *kind), "{meant}: {found:#?}");
        for _ in 0..3 {
            // What is said of one line rests on the others as they are.
            let Some(one) = found.iter().find(|one| one["replacement"].is_string()) else { break };
            let text = std::fs::read_to_string(&policy).unwrap();
            let mut lines: Vec<_> = text.lines().collect();
            let at = usize::try_from(one["line"].as_u64().unwrap()).unwrap() - 1;
            lines[at] = one["replacement"].as_str().unwrap();
            std::fs::write(&policy, lines.join("\n") + "\n").unwrap();
            found = check().await;
        }
        let text = std::fs::read_to_string(&policy).unwrap();
        assert!(found.is_empty(), "{meant}: {found:#?}\n{text}");
        let ran = test().await;
        assert_eq!(ran.status, 0, "{meant}: {text}{ran:#?}");
    }
}

/// What the page on writing rules shows is what there is: its rules load, and its links lead somewhere.
#[tokio::test]
async fn what_the_page_on_writing_rules_shows_holds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/writing-rules.md")).unwrap();
    let blocks = |of: &str| -> Vec<String> {
        let begun = format!("```{of}\n");
        let rests = page.split(&begun).skip(1);
        rests.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
    };
    let world = World::new().await;
    let rules = blocks("cedar");
    assert!(rules.len() >= 12, "{} blocks", rules.len());
    for rules in &rules {
        grantor::guard::Guard::compile("page.cedar", rules, false)
            .unwrap_or_else(|error| panic!("{rules}: {error}"));
    }
    let text = rules.iter().find(|rules| rules.contains("\"no-self-service\"")).unwrap();
    let base = std::fs::read_to_string(example("automation")).unwrap();
    std::fs::write(world.path("rules.cedar"), format!("{base}\n{text}")).unwrap();
    let path = world.path("page.test.toml");
    for table in blocks("toml") {
        std::fs::write(&path, table).unwrap();
        let ran = world.run(&["policy", "test", path.to_str().unwrap()]).await;
        assert!(ran.status == 0 && ran.stderr.is_empty(), "{ran:#?}");
    }
    for link in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(root.join("docs").join(link).exists(), "{link}");
    }
    // The example of the command's own help is a table.
    let help = world.run(&["policy", "test", "--help"]).await.stdout;
    let example =
        help.split("rules.cedar:\n").nth(1).unwrap().split("\nA change is").next().unwrap();
    let asks = "@id(\"ask-in-production\")\n@ask\npermit (principal, action in Action::\"grant\", \
                resource);";
    let default = std::fs::read_to_string(root.join("policies/default.cedar")).unwrap();
    std::fs::write(world.path("rules.cedar"), format!("{default}\n{asks}")).unwrap();
    std::fs::write(&path, example).unwrap();
    let ran = world.run(&["policy", "test", path.to_str().unwrap()]).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
}
