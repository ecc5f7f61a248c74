//! What one holds given to another, and all that somebody holds taken: what cannot be done from here and what
//! is not known stands beside what is done, and is never passed over.

use serde_json::{Value, json};

use super::harness::{Answer, Era, World, status};
use super::person::{Client, Heard, no, types, yes};

const ERAS: [Era; 2] = [Era::Legacy, Era::Modern];
const COPY: &str = "copy_access";
const REMOVE: &str = "remove_all_access";
const SAM: &str = "user@example.com";
const ALEX: &str = "alex.kim@example.com";
const JONAS: &str = "jonas.weber@example.com";
const HIRO: &str = "hiro.tanaka@example.com";

/// The accounts of two of them where addresses are not known.
const PEOPLE: &str = "[people.\"user@example.com\"]\ncentrasite = 'HARBOR\\srivera'\n\
    [people.\"alex.kim@example.com\"]\ncentrasite = 'HARBOR\\akim'\n\
    [people.\"jonas.weber@example.com\"]\ncentrasite = 'HARBOR\\jweber'\n";

/// Where every vendor lists what it has, and everybody is known everywhere.
fn open(world: World, people: &str) -> World {
    let path = world.path("people.toml");
    std::fs::write(&path, people).unwrap();
    world.set("GRANTOR_CONFIG", path.to_str().unwrap()).set("SNAPLOGIC_INTERNAL_READS", "1")
}

fn agrees(form: &Value) -> Value {
    if form["properties"]["grantee"].is_object() { types(form) } else { yes(form) }
}

fn copy(from: &str, to: &str) -> Value {
    json!({ "from": from, "to": to })
}

/// Of each of a list: its vendor, and one of its fields.
fn told(answer: &Answer, list: &str, field: &str) -> Vec<String> {
    let all = answer.body[list].as_array().cloned().unwrap_or_default();
    let text = |one: &Value, field: &str| one[field].as_str().unwrap_or_default().to_owned();
    all.iter().map(|one| format!("{}: {}", text(one, "vendor"), text(one, field))).collect()
}

async fn ask(client: &mut Client, tool: &str, arguments: Value) -> Answer {
    client.ask(tool, &arguments, json!({})).await.answer()
}

/// What somebody holds, as list_access shows it.
async fn held(client: &mut Client, who: &str) -> Vec<String> {
    let all = ask(client, "list_access", json!({ "principal": who })).await;
    let rows = all.body["rows"].as_array().cloned().unwrap_or_default();
    let name = |one: &Value| one["name"].as_str().or(one["id"].as_str()).unwrap().to_owned();
    let mut rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let vendor = row["vendor"].as_str().unwrap();
            format!("{vendor}: {} on {}", name(&row["role"]), name(&row["resource"]))
        })
        .collect();
    rows.sort_unstable();
    rows
}

/// Gives Alex something at each vendor, which Sam has not.
async fn furnish(world: &World) {
    let server = world.serve().await;
    let entry = json!([{ "user": r"HARBOR\akim", "permission": "Modify" }]);
    for (tool, arguments) in [
        ("assign_permission", json!({ "permissionId": "Treasury Viewer", "identityId": ALEX })),
        (
            "set_project_acl",
            json!({ "project_or_space_path": "/Harbor/Finance", "grant_type": "USER", "grantee": ALEX,
                "permission_list": ["R", "X"] }),
        ),
        (
            "set_asset_permissions",
            json!({ "asset": "BillingService", "userGroupAssetPermission": entry }),
        ),
    ] {
        let answer = server.call(tool, arguments).await;
        assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    }
    server.stop().await;
}

/// A world in which Alex holds something everywhere, and whoever changes something is asked.
async fn furnished() -> World {
    let world = open(World::new().await, PEOPLE);
    furnish(&world).await;
    asking(world)
}

/// With the rules that are built in.
fn asking(world: World) -> World {
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/default.cedar");
    world.set("GRANTOR_POLICY", policy)
}

/// The journal's writes since furnishing.
fn writes(world: &World) -> usize {
    world.writes().len() - 3
}

#[tokio::test]
async fn a_newcomer_gets_what_a_colleague_has_with_one_question() {
    for era in ERAS {
        let world = furnished().await;
        let mut client = Client::start(&world, era).await;
        let (asked, answer) = client.call(COPY, &copy(ALEX, SAM), agrees).await;
        assert_eq!(answer.outcome(), "confirmed", "{era:?}: {:#}", answer.body);
        assert_eq!(asked.len(), 1, "{asked:#?}");
        let vendors = told(&answer, "items", "outcome");
        assert_eq!(
            vendors,
            [
                "outsystems: confirmed",
                "dfns: confirmed",
                "redox: confirmed",
                "redox: confirmed",
                "snaplogic: confirmed",
                "snaplogic: confirmed",
                "centrasite: confirmed",
                "centrasite: confirmed",
            ],
            "{:#}",
            answer.body
        );
        assert_eq!(held(&mut client, SAM).await, held(&mut client, ALEX).await);
        let again = ask(&mut client, COPY, copy(ALEX, SAM)).await;
        assert_eq!(again.outcome(), "already_present", "{:#}", again.body);
        let receipt = json!({ "receipt": answer.body["receipt"] });
        let (asked, undone) = client.call("undo_change", &receipt, agrees).await;
        assert_eq!((undone.outcome(), asked.len()), ("confirmed", 1), "{:#}", undone.body);
        assert_eq!(held(&mut client, SAM).await, ["redox: member on 4271"]);
    }
}

/// What the answer says of each access that is not copied: whose it is to do, and why.
#[tokio::test]
async fn what_cannot_be_copied_is_told_with_its_reason() {
    let world = open(World::new().await, PEOPLE);
    let server = world.serve().await;
    let role = |who: &str, role: &str, asset: &str| json!({ "userKey": who, "roleKey": role, "assetKeys": [asset] });
    let entry = json!([{ "user": r"HARBOR\jweber", "permission": "View" }]);
    for (tool, arguments) in [
        ("grant_asset_role", role(JONAS, "Tester", "Billing")),
        ("grant_asset_role", role(SAM, "Developer", "Billing")),
        (
            "set_asset_permissions",
            json!({ "asset": "OrderService", "userGroupAssetPermission": entry }),
        ),
    ] {
        let answer = server.call(tool, arguments).await;
        assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    }
    server.stop().await;
    let rules = world.path("no-views.cedar");
    let own = "@id(\"all\") permit (principal, action, resource);\n\
        @id(\"no-views\") @contact(\"ask Ada\") forbid (principal, action in Action::\"grant\", resource)\n\
        when { context.role has name && context.role.name == \"View\" };\n";
    std::fs::write(&rules, own).unwrap();
    let world = world.set("GRANTOR_POLICY", rules.to_str().unwrap());
    let mut client = Client::start(&world, Era::Modern).await;
    let answer = ask(&mut client, COPY, copy(JONAS, SAM)).await;
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    let out = answer.body["left_out"].as_array().unwrap();
    for (vendor, summary, why, hint) in [
        ("outsystems", "“Tester” on “Billing”", "would take the place of that", "grant_asset_role"),
        (
            "dfns",
            "“Reports Reader” on organization",
            "through the group “Auditors”",
            "through a group",
        ),
        ("snaplogic", "on /Harbor/Integrations", "through the group", "through a group"),
        ("centrasite", "on “OrderService”", "no-views", "ask Ada"),
    ] {
        let text = |one: &Value, field: &str| one[field].as_str().unwrap_or_default().to_owned();
        let own = out.iter().find(|one| one["vendor"] == vendor);
        let own = own.unwrap_or_else(|| panic!("{vendor}: {:#}", answer.body));
        assert!(text(own, "summary").contains(summary), "{own:#}");
        assert!(text(own, "why").contains(why), "{own:#}");
        assert!(text(own, "hint").contains(hint), "{own:#}");
    }
    assert_eq!(out.len(), 4, "{:#}", answer.body);
    let items = told(&answer, "items", "summary");
    assert_eq!(
        items,
        ["outsystems: grant “Developer” on “Customer Portal” to “Sam Rivera” (user@example.com)"]
    );
    let listed =
        ask(&mut client, "list_access", json!({ "vendor": "dfns", "principal": SAM })).await;
    assert_eq!(listed.rows("rows"), [""; 0], "nothing came through a group: {:#}", listed.body);
}

/// The built-in rules grant nothing privileged, whoever holds it.
#[tokio::test]
async fn what_is_privileged_is_never_copied_under_the_built_in_rules() {
    let world = asking(open(World::new().await, PEOPLE));
    let mut client = Client::start(&world, Era::Modern).await;
    let priya = "priya.raman@example.com";
    let shown =
        ask(&mut client, "list_access", json!({ "principal": priya, "privileged": true })).await;
    assert!(shown.body["rows"].as_array().unwrap().len() > 1, "{:#}", shown.body);
    let arguments = json!({ "from": priya, "to": SAM, "dry_run": true });
    let answer = ask(&mut client, COPY, arguments).await;
    let why = told(&answer, "left_out", "why").join("\n");
    println!("{why}\n{:#?}", told(&answer, "items", "summary"));
    let denied = answer.body["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["why"].as_str().unwrap().contains("privileged"));
    assert!(denied.count() >= 1, "{:#}", answer.body);
    for summary in told(&answer, "items", "summary") {
        assert!(!summary.contains("Administrator") && !summary.contains("owner"), "{summary}");
    }
    // What was left out of a copy that was made is on record as what it is.
    client.call(COPY, &json!({ "from": priya, "to": SAM }), agrees).await;
    let refused = ask(&mut client, "check_change", json!({ "state": "refused" })).await;
    let recorded = refused.body["changes"].to_string();
    assert!(recorded.contains("privileged-role"), "{:#}", refused.body);
}

#[tokio::test]
async fn an_end_is_kept_and_never_put_off() {
    let world = open(World::new().await, PEOPLE);
    let server = world.serve().await;
    // One that the vendor keeps, and one that Grantor keeps.
    let [near, far] = ["2098-01-01T00:00:00Z", "2099-01-01T00:00:00Z"];
    for (tool, arguments) in [
        (
            "grant_asset_role",
            json!({ "userKey": ALEX, "roleKey": "Tester", "assetKeys": ["Billing"], "expires_at": near }),
        ),
        (
            "assign_permission",
            json!({ "permissionId": "Treasury Viewer", "identityId": ALEX, "expires_at": far }),
        ),
    ] {
        let answer = server.call(tool, arguments).await;
        assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    }
    let except = json!(["Developer", "engineer", "/Harbor/Integrations", "OrderService", "member"]);
    let arguments = json!({ "from": ALEX, "to": SAM, "except": except });
    let answer = server.call(COPY, arguments).await;
    assert_eq!(told(&answer, "items", "outcome"), ["outsystems: confirmed", "dfns: confirmed"]);
    let ends = async |who: &str| {
        let listed = server.call("list_access", json!({ "principal": who })).await;
        let rows = listed.body["rows"].as_array().unwrap().clone();
        let ends = rows.iter().filter_map(|row| row["expires_at"].as_str().map(str::to_owned));
        ends.collect::<Vec<_>>()
    };
    assert_eq!(ends(SAM).await, [near, far]);
    let undone = server.call("undo_change", json!({ "receipt": answer.body["receipt"] })).await;
    assert_eq!(undone.outcome(), "confirmed", "{:#}", undone.body);
    // A shorter time counts, a longer one does not.
    for (lasts, both) in [("P30D", false), ("P99Y", true)] {
        let arguments = json!({ "from": ALEX, "to": HIRO, "except": except, "expires_in": lasts,
            "dry_run": true });
        let answer = server.call(COPY, arguments).await;
        assert_eq!(answer.outcome(), "preview", "{:#}", answer.body);
        let text = answer.body["items"].to_string();
        assert_eq!(text.contains(near), both, "{lasts}: {:#}", answer.body);
    }
}

/// What came to be held while a person thought is asked about, and never copied on an older yes.
#[tokio::test]
async fn what_has_grown_since_the_question_is_asked_anew() {
    for era in ERAS {
        let world = furnished().await;
        let mut client = Client::start(&world, era).await;
        let arguments = copy(ALEX, SAM);
        let asked = client.question(COPY, &arguments).await;
        assert!(asked.message.contains("to 8 changes:"), "{}", asked.message);
        let given = json!({ "userKey": ALEX, "roleKey": "Tester", "assetKeys": ["Billing"] });
        let path = world.path("unguarded.cedar");
        std::fs::write(&path, "@id(\"all\") permit (principal, action, resource);\n").unwrap();
        let free = world.serve_with(&[("GRANTOR_POLICY", path.to_str().unwrap())]).await;
        let granted = free.call("grant_asset_role", given).await;
        assert_eq!(granted.outcome(), "confirmed", "{:#}", granted.body);
        let before = world.writes().len();
        let heard = client.reply(COPY, &arguments, &asked, agrees(&asked.form)).await;
        let again = heard.question();
        assert!(again.message.contains("to 9 changes:"), "{era:?}: {}", again.message);
        assert!(again.message.contains("“Tester” on “Billing”"), "{}", again.message);
        assert_eq!(world.writes().len(), before, "nothing is sent on the first yes");
        let heard = client.reply(COPY, &arguments, &again, agrees(&again.form)).await;
        assert_eq!(heard.answer().outcome(), "confirmed");
    }
}

/// A tenant that is down is named, with how to go on; and is asked about when it is up again.
#[tokio::test]
async fn what_is_down_is_not_known_and_the_others_are_done() {
    for era in ERAS {
        let world = furnished().await;
        for _ in 0..40 {
            world.inject("dfns", "GET", "/", status(503));
        }
        let mut client = Client::start(&world, era).await;
        let (asked, answer) = client.call(COPY, &copy(ALEX, SAM), agrees).await;
        assert_eq!(answer.outcome(), "partly_done", "{era:?}: {:#}", answer.body);
        assert_eq!(asked.len(), 1, "{asked:#?}");
        assert!(asked[0].message.contains("\nNot known: dfns: "), "{}", asked[0].message);
        assert!(
            answer.is_error && answer.hint().starts_with("call again when"),
            "{:#}",
            answer.body
        );
        let unknown = told(&answer, "not_known", "kind");
        assert!(unknown.contains(&"dfns: unavailable".to_owned()), "{unknown:?}");
        assert!(told(&answer, "items", "outcome").iter().all(|one| one.ends_with(": confirmed")));
        assert_eq!(told(&answer, "items", "outcome").len(), 7, "{:#}", answer.body);
    }
}

#[tokio::test]
async fn what_comes_back_while_a_person_thinks_is_asked_about() {
    let world = furnished().await;
    for _ in 0..40 {
        world.inject("dfns", "GET", "/", status(503));
    }
    let mut client = Client::start(&world, Era::Modern).await;
    let arguments = copy(ALEX, SAM);
    let asked = client.question(COPY, &arguments).await;
    assert!(asked.message.contains("Not known: dfns: ") && asked.message.contains("to 7 changes:"));
    world.sandbox.calm();
    let before = writes(&world);
    let heard = client.reply(COPY, &arguments, &asked, agrees(&asked.form)).await;
    let again = heard.question();
    assert!(again.message.contains("to 8 changes:"), "{}", again.message);
    assert!(!again.message.contains("Not known: dfns"), "{}", again.message);
    assert_eq!(writes(&world), before);
}

/// Done, not from here, and not known: three lists; and that nothing is left is never said.
#[tokio::test]
async fn whoever_leaves_loses_what_can_be_taken_and_the_rest_is_told() {
    for era in ERAS {
        let world = furnished().await;
        let mut client = Client::start(&world, era).await;
        let before = held(&mut client, ALEX).await;
        let (asked, answer) = client.call(REMOVE, &json!({ "principal": ALEX }), agrees).await;
        println!("{}\n{:#}", asked[0].message, answer.body);
        assert_eq!((answer.outcome(), asked.len()), ("partly_done", 1), "{:#}", answer.body);
        assert!(answer.summary().starts_with("Access is left that cannot be taken here: "));
        assert!(!asked[0].message.contains("Ends: never"), "{}", asked[0].message);
        assert!(told(&answer, "items", "outcome").iter().all(|one| one.ends_with(": confirmed")));
        let out = told(&answer, "left_out", "why");
        assert_eq!(
            out,
            ["redox: Redox lets an organization role be replaced, and not be taken away"]
        );
        let unknown = told(&answer, "not_known", "kind");
        assert_eq!(unknown, ["redox: not_listable", "centrasite: not_listable"]);
        let left = held(&mut client, ALEX).await;
        assert!(
            left.iter().all(|row| row.starts_with("redox: member") || row.contains("Full on")),
            "{left:?}"
        );
        let receipt = json!({ "receipt": answer.body["receipt"] });
        let (asked, undone) = client.call("undo_change", &receipt, agrees).await;
        assert_eq!((undone.outcome(), asked.len()), ("confirmed", 1), "{:#}", undone.body);
        assert_eq!(held(&mut client, ALEX).await, before);
    }
}

/// Grantor's own credential may be good for less afterwards: whoever is asked is told.
#[tokio::test]
async fn whoever_takes_all_from_grantors_own_identity_is_warned() {
    let world = asking(World::new().await);
    let mut client = Client::start(&world, Era::Legacy).await;
    for (principal, vendor, is_own) in
        [("Grantor Integration", "dfns", true), (HIRO, "dfns", false), (ALEX, "outsystems", false)]
    {
        let arguments = json!({ "principal": principal, "vendor": vendor });
        let (asked, answer) = client.call(REMOVE, &arguments, no).await;
        let [question] = &*asked else { panic!("{principal}: {:#}", answer.body) };
        let is_told = question.message.contains("the identity behind Grantor's own credential");
        assert_eq!(is_told, is_own, "{}", question.message);
    }
    assert!(world.writes().is_empty());
}

#[tokio::test]
async fn what_is_only_held_through_a_group_or_cannot_be_taken_is_left() {
    let world = asking(open(World::new().await, PEOPLE));
    let mut client = Client::start(&world, Era::Modern).await;
    let jonas = json!({ "principal": JONAS, "vendor": "dfns" });
    let answer = ask(&mut client, REMOVE, jonas).await;
    assert_eq!(answer.outcome(), "refused", "{:#}", answer.body);
    assert_eq!(told(&answer, "left_out", "why"), ["dfns: it is held through the group “Auditors”"]);
    assert!(answer.summary().starts_with("Access is left"), "{:#}", answer.body);
    let sam = ask(&mut client, REMOVE, json!({ "principal": SAM, "vendor": "dfns" })).await;
    assert_eq!(sam.outcome(), "already_absent", "{:#}", sam.body);
    let sam = ask(&mut client, REMOVE, json!({ "principal": SAM, "vendor": "centrasite" })).await;
    assert_eq!(sam.outcome(), "unconfirmed", "groups are not shown: {:#}", sam.body);
    assert!(!sam.summary().contains("gone"), "{:#}", sam.body);
    // All of it, however much of what was read before is still held.
    for _ in 0..20 {
        world.inject("dfns", "GET", "/", status(403));
    }
    let down = ask(&mut client, REMOVE, json!({ "principal": SAM, "vendor": "dfns" })).await;
    assert!(!["already_absent", "confirmed"].contains(&down.outcome()), "{:#}", down.body);
}

/// Nobody is taken for somebody else: nothing changes where it is not certain who is meant.
#[tokio::test]
async fn one_person_is_meant_or_nothing_is_changed() {
    let twin = "[people.\"user@example.com\"]\ncentrasite = 'Alex Kim'\n";
    let world = asking(open(World::new().await, twin));
    let mut client = Client::start(&world, Era::Modern).await;
    for (tool, arguments, part) in [
        (REMOVE, json!({ "principal": SAM }), "has the alias “Alex Kim” here"),
        (COPY, copy(ALEX, SAM), "has the alias “Alex Kim” here"),
        (REMOVE, json!({ "principal": "Alex Kim" }), "principal: "),
        (
            REMOVE,
            json!({ "principal": "Jonas Weber" }),
            "principal: “Jonas Weber” is somebody at outsystems, dfns",
        ),
        (COPY, copy("Nobody Atall", JONAS), "from: "),
        (COPY, copy(JONAS, "nobody@example.com"), "to: "),
        (COPY, copy(JONAS, JONAS), "to: “Jonas Weber” (jonas.weber@example.com) is from as well"),
        (
            COPY,
            json!({ "from": JONAS, "to": HIRO, "except": ["Ordrs"] }),
            "except[0]: nothing that is held has the id or exact name “Ordrs”",
        ),
        (COPY, json!({ "from": JONAS, "to": HIRO, "vendor": "nobody" }), "vendor: "),
    ] {
        let answer = ask(&mut client, tool, arguments.clone()).await;
        assert_eq!(answer.outcome(), "invalid", "{arguments}: {:#}", answer.body);
        assert!(answer.summary().contains(part), "{part:?} is not in {:#}", answer.body);
    }
    let named = ask(&mut client, REMOVE, json!({ "principal": "Jonas Weber" })).await;
    let candidates = told(&named, "candidates", "email");
    assert!(candidates.contains(&format!("dfns: {JONAS}")), "{candidates:?}");
    // Where one tenant alone is asked, a name is one person's.
    let one = json!({ "principal": "Jonas Weber", "vendor": "outsystems", "dry_run": true });
    let one = ask(&mut client, REMOVE, one).await;
    assert_eq!(one.outcome(), "preview", "{:#}", one.body);
    assert_eq!(world.writes().len(), 0);
    let heard = client.ask(COPY, &copy(JONAS, HIRO), json!({})).await;
    assert!(matches!(heard, Heard::Question(_) | Heard::Answer(_)));
}
