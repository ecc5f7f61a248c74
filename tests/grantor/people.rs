use grantor::ledger::Ledger;
use grantor::sandbox::Modes;
use serde_json::{Value, json};

use super::harness::{Answer, World, approved, parsed, requester, status};

/// A world whose configuration file says this.
async fn named(people: &str) -> World {
    configured(World::new().await, people)
}

fn configured(world: World, people: &str) -> World {
    let path = world.path("people.toml");
    std::fs::write(&path, people).unwrap();
    world.set("GRANTOR_CONFIG", path.to_str().unwrap())
}

const SAM: &str = "[people.\"user@example.com\"]\ncentrasite = 'HARBOR\\srivera'\n";
const PRIYA: &str = "[people.\"priya.raman@example.com\"]\ncentrasite = 'HARBOR\\praman'\n";
const VENDORS: [&str; 5] = ["outsystems", "dfns", "redox", "snaplogic", "centrasite"];

/// What a vendor says of whoever is named: that there are rows, or the kinds of its problems.
fn told(answer: &Answer, vendor: &str) -> Vec<String> {
    let of = |one: &&Value| one["vendor"] == vendor;
    let all = |field: &str| answer.body[field].as_array().cloned().unwrap_or_default();
    let rows = all("rows").iter().filter(of).count();
    let problems = all("problems");
    let kinds = problems.iter().filter(of).map(|one| one["kind"].as_str().unwrap().to_owned());
    (rows > 0).then(|| "row".to_owned()).into_iter().chain(kinds).collect()
}

fn problem<'a>(answer: &'a Answer, vendor: &str) -> &'a Value {
    let problems = answer.body["problems"].as_array().unwrap();
    problems.iter().find(|one| one["vendor"] == vendor).unwrap_or(&Value::Null)
}

fn candidates(body: &Value, argument: &str) -> Vec<String> {
    let all = body["candidates"].as_array().cloned().unwrap_or_default();
    let own = all.iter().filter(|one| one["argument"] == argument);
    own.map(|one| one["name"].as_str().unwrap_or_default().to_owned()).collect()
}

/// What a person is asked about the request that waits.
async fn question(world: &World) -> String {
    let listed = parsed(&world.run(&["requests", "list", "--json"]).await.stdout);
    let lines = listed["requests"][0]["question"].as_array().unwrap();
    lines.iter().map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

/// Each vendor that is asked about somebody shows rows, or says why it shows none.
#[tokio::test]
async fn everybody_who_is_named_is_accounted_for_at_every_vendor() {
    let open = |world: World| world.set("SNAPLOGIC_INTERNAL_READS", "1");
    let plain = open(World::new().await);
    let alias = open(named(&format!("{PRIYA}{SAM}")).await);
    let twin = "[people.\"priya.raman@example.com\"]\n".to_owned()
        + &VENDORS.map(|vendor| format!("{vendor} = \"Alex Kim\"\n")).concat();
    let twins = open(named(&twin).await);
    let none = twin.replace("Alex Kim", "Nobody Atall");
    let nobody = open(named(&none).await);
    let [found, missing, several] = ["row", "not_found", "ambiguous"];
    for (world, who, kinds) in [
        (&plain, "priya.raman@example.com", [found, found, found, found, missing]),
        (&alias, "priya.raman@example.com", [found; 5]),
        (&alias, "PRIYA.RAMAN@example.com", [found; 5]),
        (&alias, "Priya Raman <priya.raman@example.com>", [found; 5]),
        // Both must be so, at a vendor that knows no addresses too.
        (&alias, "Dana Wolf <priya.raman@example.com>", [missing; 5]),
        (&plain, "Priya Raman", [found; 5]),
        (&plain, "Alex Kim", [several; 5]),
        (&plain, "Nobody Atall", [missing; 5]),
        (&twins, "priya.raman@example.com", [several; 5]),
        (&nobody, "priya.raman@example.com", [missing; 5]),
    ] {
        let answer = world.serve().await.call("list_access", json!({ "principal": who })).await;
        for (vendor, kind) in VENDORS.into_iter().zip(kinds) {
            let told = told(&answer, vendor);
            assert_eq!(
                told.first().map(String::as_str),
                Some(kind),
                "{who} at {vendor}: {:#}",
                answer.body
            );
        }
        let failed = kinds.iter().all(|kind| *kind != found);
        assert_eq!(answer.is_error, failed, "{who}: {:#}", answer.body);
    }
}

/// Who holds nothing is told from who is not known, and so is what cannot be read.
#[tokio::test]
async fn who_holds_nothing_is_known_and_what_cannot_be_read_is_said() {
    let world = named(SAM).await;
    let server = world.serve().await;
    let sam = server.call("list_access", json!({ "principal": "user@example.com" })).await;
    for vendor in ["redox", "snaplogic", "centrasite"] {
        assert!(!told(&sam, vendor).is_empty(), "{vendor}: {:#}", sam.body);
    }
    assert_eq!(
        sam.body["note"],
        "“user@example.com” is known, and holds nothing that was asked for, at outsystems, dfns",
        "{:#}",
        sam.body
    );
    let alex = server
        .call("list_access", json!({ "principal": "alex.kim@example.com", "privileged": true }))
        .await;
    let note = alex.body["note"].as_str().unwrap();
    assert!(note.contains("outsystems") && note.contains("dfns"), "{:#}", alex.body);
    for (vendor, path) in [
        ("outsystems", "/users"),
        ("dfns", "/auth/users"),
        ("redox", "/organizations/"),
        ("snaplogic", "/"),
        ("centrasite", "/principals"),
    ] {
        let world = named(SAM).await.set("SNAPLOGIC_INTERNAL_READS", "1");
        world.inject(vendor, "GET", path, status(403));
        let one = json!({ "principal": "user@example.com", "vendor": vendor });
        let answer = world.serve().await.call("list_access", one).await;
        assert_eq!(
            problem(&answer, vendor)["kind"],
            "not_permitted",
            "{vendor}: {:#}",
            answer.body
        );
    }
    let down = [
        "OUTSYSTEMS_PORTAL_URL",
        "DFNS_API_URL",
        "REDOX_API_URL",
        "SNAPLOGIC_URL",
        "CENTRASITE_BRIDGE_URL",
    ];
    let world = named(SAM).await.set("SNAPLOGIC_INTERNAL_READS", "1");
    let world = down.into_iter().fold(world, |world, name| world.set(name, "http://127.0.0.1:9"));
    let answer =
        world.serve().await.call("list_access", json!({ "principal": "user@example.com" })).await;
    for vendor in VENDORS {
        assert_eq!(problem(&answer, vendor)["kind"], "unavailable", "{vendor}: {:#}", answer.body);
    }
}

/// The account is what is changed, and whoever is asked is told of the alias.
#[tokio::test]
async fn an_alias_is_told_to_whoever_is_asked_and_is_part_of_what_they_agree_to() {
    let world = configured(World::asking().await, SAM);
    let server = world.serve().await;
    let set = json!({ "asset": "BillingService", "userGroupAssetPermission": [
        { "user": "user@example.com", "permission": "View" }] });
    let asked = server.call("set_asset_permissions", set.clone()).await;
    assert_eq!(asked.outcome(), "awaiting_consent", "{:#}", asked.body);
    let text = question(&world).await;
    let told = r"user@example.com is “Sam Rivera” (HARBOR\srivera) here: an alias that the configuration gives";
    assert!(text.contains(told), "{text}");
    assert_eq!(asked.body["principal"]["id"], r"HARBOR\srivera", "{:#}", asked.body);
    assert!(asked.body["warnings"].to_string().contains("an alias"), "{:#}", asked.body);
    let receipt = asked.body["receipt"].as_str().unwrap();
    let ledger = Ledger::new(&world.path("state"), None);
    ledger.answer(receipt, &approved("eve"), &requester()).await.unwrap();
    // Another account by now: what was agreed to is not that.
    let other = SAM.replace("srivera", "htanaka");
    std::fs::write(world.path("people.toml"), &other).unwrap();
    let ran = world.run(&["requests", "run"]).await;
    assert!(world.writes().is_empty(), "{ran:?} {:?}", world.writes());
    std::fs::write(world.path("people.toml"), SAM).unwrap();
    let asked = world.serve().await.call("set_asset_permissions", set).await;
    let receipt = asked.body["receipt"].as_str().unwrap();
    ledger.answer(receipt, &approved("eve"), &requester()).await.unwrap();
    let ran = world.run(&["requests", "run"]).await;
    let writes = world.writes();
    assert_eq!(writes.len(), 1, "{ran:?} {writes:?}");
    assert!(String::from_utf8_lossy(&writes[0].body).contains("srivera"), "{writes:?}");
    // A receipt is of the account, whatever is called so later.
    std::fs::write(world.path("people.toml"), other).unwrap();
    let status = world.serve().await.call("check_change", json!({ "receipt": receipt })).await;
    assert!(!status.body.to_string().contains("htanaka"), "{:#}", status.body);
}

/// Every tool that takes a person takes their address where they have an alias for it.
#[tokio::test]
async fn every_tool_takes_an_alias_and_me() {
    let accounts = [
        ("outsystems", "bdd640fb-0667-4ad1-9c80-317fa3b1799d"),
        ("dfns", "us-rpoig-8f1cb-fno6b9m80o2rak1v"),
        ("redox", "f50bea63-371e-4d7b-a7cd-813047229389"),
        ("snaplogic", "user@example.com"),
        ("centrasite", r"HARBOR\srivera"),
    ];
    let lines = accounts.map(|(vendor, id)| format!("{vendor} = '{id}'\n")).concat();
    let world = named(&format!("[people.\"sam@private.example\"]\n{lines}")).await;
    let server = world.serve_with(&[("GRANTOR_ME", "sam@private.example")]).await;
    let tools = |who: &str| {
        [
            (
                "grant_asset_role",
                json!({ "userKey": who, "roleKey": "Tester", "assetKeys": ["Billing", "Orders"] }),
            ),
            (
                "revoke_asset_role",
                json!({ "userKey": who, "roleKey": "Tester", "assetKeys": ["Billing"] }),
            ),
            ("assign_permission", json!({ "permissionId": "Treasury Viewer", "identityId": who })),
            ("revoke_permission", json!({ "permissionId": "Treasury Viewer", "identityId": who })),
            (
                "assign_organization_role",
                json!({ "role": { "name": "member" }, "user": { "name": who } }),
            ),
            (
                "assign_environment_role",
                json!({ "environmentId": "Staging", "role": { "name": "engineer" }, "user": { "id": who } }),
            ),
            (
                "remove_environment_role",
                json!({ "environmentId": "Staging", "user": { "name": who } }),
            ),
            (
                "set_project_acl",
                json!({ "project_or_space_path": "/Harbor/Finance", "grant_type": "USER", "grantee": who, "permission_list": ["R"] }),
            ),
            (
                "remove_project_acl",
                json!({ "project_or_space_path": "/Harbor/Finance", "grant_type": "USER", "grantee": who }),
            ),
            (
                "set_asset_permissions",
                json!({ "asset": "BillingService", "userGroupAssetPermission": [{ "user": who, "permission": "View" }] }),
            ),
        ]
    };
    for who in ["sam@private.example", "Sam Rivera <Sam@Private.example>", "me"] {
        for (tool, mut arguments) in tools(who) {
            arguments["dry_run"] = json!(true);
            let answer = server.call(tool, arguments).await;
            assert!(!answer.is_error, "{tool} for {who}: {:#}", answer.body);
            let id = answer.body["principal"]["id"].as_str().map(str::to_owned);
            let id = id
                .or_else(|| answer.body["items"][0]["principal"]["id"].as_str().map(str::to_owned));
            let id = id.unwrap_or_default();
            assert!(
                accounts.iter().any(|(_, known)| *known == id),
                "{tool} for {who}: {:#}",
                answer.body
            );
            assert!(
                answer.body["warnings"].to_string().contains("an alias"),
                "{tool}: {:#}",
                answer.body
            );
        }
        let look = server
            .call("list_access", json!({ "principal": who, "resource": "/Harbor/Finance" }))
            .await;
        assert!(!look.body.to_string().contains("has the alias"), "{:#}", look.body);
    }
    // A group is nobody's alias, and `me` is no group.
    for who in ["me", "sam@private.example"] {
        let group = json!({ "project_or_space_path": "/Harbor/Finance", "grant_type": "GROUP", "grantee": who,
            "permission_list": ["R"] });
        assert_eq!(server.call("set_project_acl", group).await.outcome(), "invalid", "{who}");
        let group = json!({ "asset": "BillingService",
            "userGroupAssetPermission": [{ "group": who, "permission": "View" }] });
        assert_eq!(server.call("set_asset_permissions", group).await.outcome(), "invalid", "{who}");
    }
    assert!(world.writes().is_empty());
}

/// An alias that does not mean exactly one person changes nothing, and who configures is told where.
#[tokio::test]
async fn an_alias_that_fits_nobody_or_two_or_a_group_is_an_error() {
    for (account, kind, part) in [
        ("HARBOR\\nobody", "not_found", "nothing here has the id"),
        ("Alex Kim", "ambiguous", "2 have, or seem to have, the name"),
        ("API Team", "not_found", "nothing here has the id"),
        ("group:api-team", "not_found", "nothing here has the id"),
    ] {
        let world =
            named(&format!("[people.\"user@example.com\"]\ncentrasite = '{account}'\n")).await;
        let server = world.serve().await;
        let set = json!({ "asset": "BillingService", "userGroupAssetPermission": [
            { "user": "user@example.com", "permission": "View" }] });
        let answer = server.call("set_asset_permissions", set).await;
        assert_eq!(answer.outcome(), "invalid", "{account}: {:#}", answer.body);
        let text = answer.body.to_string();
        assert!(text.contains("has the alias") && text.contains(part), "{account}: {text}");
        assert!(
            text.contains("mend centrasite of user@example.com under [people]"),
            "{account}: {text}"
        );
        for tool in ["list_access", "find_principals"] {
            let who = if tool == "list_access" { "principal" } else { "query" };
            let answer = server.call(tool, json!({ who: "user@example.com" })).await;
            assert!(!answer.is_error, "{account}: {:#}", answer.body);
            assert_eq!(problem(&answer, "centrasite")["kind"], kind, "{tool}: {:#}", answer.body);
        }
        assert!(world.writes().is_empty());
    }
    let world = named("[people.\"user@example.com\"]\ndfns = 'Auditors'\n").await;
    let group = json!({ "permissionId": "Treasury Viewer", "identityId": "user@example.com" });
    let answer = world.serve().await.call("assign_permission", group).await;
    assert_eq!(answer.outcome(), "invalid", "{:#}", answer.body);
    assert!(
        answer.body.to_string().contains("is a group, and an alias is one person's"),
        "{:#}",
        answer.body
    );
}

/// `me` is a word for an address, where nobody is called so; nothing else is.
#[tokio::test]
async fn me_is_the_requester_where_their_address_is_set() {
    let world = World::new().await;
    let grant = |who: &str| json!({ "userKey": who, "roleKey": "Tester", "assetKeys": ["Billing"], "dry_run": true });
    let server = world.serve().await;
    let unset = server.call("grant_asset_role", grant("me")).await;
    assert_eq!(unset.outcome(), "invalid", "{:#}", unset.body);
    let text = unset.body.to_string();
    assert!(
        text.contains("userKey: “me” is the requester") && text.contains("GRANTOR_ME"),
        "{text}"
    );
    assert!(unset.body.get("candidates").is_none(), "{text}");
    let look = server.call("list_access", json!({ "principal": "me" })).await;
    assert!(look.is_error && look.body.to_string().contains("GRANTOR_ME"), "{:#}", look.body);
    let server = world.serve_with(&[("GRANTOR_ME", "user@example.com")]).await;
    for (who, outcome) in
        [("me", "preview"), (" me ", "preview"), ("Me", "invalid"), ("ME", "invalid")]
    {
        let answer = server.call("grant_asset_role", grant(who)).await;
        assert_eq!(answer.outcome(), outcome, "{who}: {:#}", answer.body);
        if outcome == "preview" {
            assert!(
                answer.summary().contains("“Sam Rivera” (user@example.com)"),
                "{}",
                answer.summary()
            );
        }
    }
    let look = server
        .call("list_access", json!({ "principal": "me", "resource": "/Harbor/Finance" }))
        .await;
    assert!(!look.is_error, "{:#}", look.body);
    // Whoever asks is still the user of this machine.
    let asked = world.serve_with(&[("GRANTOR_ME", "priya.raman@example.com")]).await;
    let granted = json!({ "userKey": "me", "roleKey": "Tester", "assetKeys": ["Billing"] });
    asked.call("grant_asset_role", granted).await;
    let lines = world.ledger();
    assert!(lines.iter().all(|line| line["requester"] != "priya.raman@example.com"), "{lines:#?}");
}

/// An address finds its account where an alias leads to it, and the row says so.
#[tokio::test]
async fn an_address_is_found_at_every_vendor() {
    let world = named(SAM).await;
    let server = world.serve().await;
    let found = server.call("find_principals", json!({ "query": "user@example.com" })).await;
    let rows = found.body["rows"].as_array().unwrap();
    let vendors: Vec<_> = rows.iter().map(|row| row["vendor"].as_str().unwrap()).collect();
    assert_eq!(vendors, VENDORS, "{:#}", found.body);
    for row in rows {
        let alias = (row["vendor"] == "centrasite").then_some("user@example.com");
        assert_eq!(row["alias_of"].as_str(), alias, "{row:#}");
    }
    assert_eq!(rows[4]["id"], r"HARBOR\srivera");
    let groups = json!({ "query": "user@example.com", "kind": "group", "vendor": "centrasite" });
    let groups = server.call("find_principals", groups).await;
    assert_eq!(groups.body["rows"], json!([]), "{:#}", groups.body);
}

/// Without aliases and without `me` nobody is asked more than before.
#[tokio::test]
async fn nobody_is_asked_more_where_nobody_has_an_alias() {
    let mut counts = Vec::new();
    for people in ["", PRIYA] {
        let world = named(people).await;
        let server = world.serve().await;
        let grant = json!({ "userKey": "user@example.com", "roleKey": "Tester", "assetKeys": ["Billing"],
            "dry_run": true });
        assert_eq!(server.call("grant_asset_role", grant).await.outcome(), "preview");
        server.call("list_access", json!({ "principal": "user@example.com" })).await;
        counts.push(world.sandbox.journal().len());
    }
    assert_eq!(counts[0], counts[1]);
}

/// Both names of a call that were slips are told at once, each with what may have been meant.
#[tokio::test]
async fn near_names_are_offered_for_all_that_was_written() {
    let world = World::new().await;
    let server = world.serve().await;
    let grant = json!({ "userKey": "Prya Ramann", "roleKey": "Testr", "assetKeys": ["Bilings"] });
    let answer = server.call("grant_asset_role", grant).await;
    assert_eq!(answer.outcome(), "invalid", "{:#}", answer.body);
    for (argument, name) in
        [("userKey", "Priya Raman"), ("roleKey", "Tester"), ("assetKeys", "Billing")]
    {
        let offered = candidates(&answer.body, argument);
        assert_eq!(
            offered.first().map(String::as_str),
            Some(name),
            "{argument}: {:#}",
            answer.body
        );
    }
    for who in ["Tomas Ferreira", "Ferreira, Tomas", "Тоmás Ferreira", "tomas.fereira@example.com"]
    {
        let calls = [
            (
                "grant_asset_role",
                "userKey",
                json!({ "userKey": who, "roleKey": "Tester", "assetKeys": ["Billing"] }),
            ),
            (
                "assign_permission",
                "identityId",
                json!({ "permissionId": "Treasury Viewer", "identityId": who }),
            ),
            (
                "assign_organization_role",
                "user",
                json!({ "role": { "name": "member" }, "user": { "name": who } }),
            ),
            (
                "set_project_acl",
                "grantee",
                json!({ "project_or_space_path": "/Harbor/Finance", "grant_type": "USER", "grantee": who, "permission_list": ["R"] }),
            ),
        ];
        for (tool, argument, arguments) in calls {
            let answer = server.call(tool, arguments).await;
            assert_eq!(answer.outcome(), "invalid", "{tool} {who}: {:#}", answer.body);
            let offered = candidates(&answer.body, argument);
            assert_eq!(
                offered.first().map(String::as_str),
                Some("Tomás Ferreira"),
                "{tool} {who}: {:#}",
                answer.body
            );
        }
    }
    assert!(world.writes().is_empty());
}

/// A space that is written wrongly brings those that it may have been, where they may be listed.
#[tokio::test]
async fn a_space_that_there_is_not_brings_the_nearest() {
    let set = json!({ "project_or_space_path": "/Harbor/Finnance", "grant_type": "USER",
        "grantee": "Sam Riviera", "permission_list": ["R"] });
    for (reads, offered) in [("0", &[][..]), ("1", &["Finance"])] {
        let world = World::new().await.set("SNAPLOGIC_INTERNAL_READS", reads);
        let answer = world.serve().await.call("set_project_acl", set.clone()).await;
        assert_eq!(answer.outcome(), "invalid", "{:#}", answer.body);
        assert_eq!(candidates(&answer.body, "project_or_space_path"), offered, "{:#}", answer.body);
        assert_eq!(candidates(&answer.body, "grantee"), ["Sam Rivera"], "{:#}", answer.body);
    }
}

/// Where a vendor's list is long and it searches by letters, near names are found all the same.
#[tokio::test]
async fn near_names_are_found_in_long_lists() {
    let modes = Modes { many_roles: true, many_assets: true, ..Modes::default() };
    let world = World::with(modes).await;
    let server = world.serve().await;
    for (who, role, asset) in [
        ("Tomas Fereira", "Develper", "Bilings"),
        ("Ferreira, Tomas", "developper", "Biling"),
        ("tomas.fereira@example.com", "Devoloper", "Billng"),
    ] {
        let grant = json!({ "userKey": who, "roleKey": role, "assetKeys": [asset] });
        let answer = server.call("grant_asset_role", grant).await;
        assert_eq!(answer.outcome(), "invalid", "{:#}", answer.body);
        for (argument, name) in
            [("userKey", "Tomás Ferreira"), ("roleKey", "Developer"), ("assetKeys", "Billing")]
        {
            let offered = candidates(&answer.body, argument);
            assert!(
                offered.iter().any(|one| one == name),
                "{who} {role} {asset}: {:#}",
                answer.body
            );
        }
    }
    assert!(world.writes().is_empty());
}

/// `doctor` says whom the configuration names, and which alias means nobody.
#[tokio::test]
async fn doctor_says_whom_the_configuration_names() {
    let plain = World::new().await.run(&["doctor"]).await;
    assert!(!plain.stdout.contains("people  "), "{}", plain.stdout);
    let world = named(&format!("[people]\nme = \"user@example.com\"\n{SAM}{PRIYA}")).await;
    let ran = world.run(&["doctor"]).await;
    assert_eq!(ran.status, plain.status, "{}", ran.stdout);
    for part in [
        "people  2 people with an alias; `me` is user@example.com ([people] of the configuration)",
        "ok      aliases of people: 2",
    ] {
        assert!(ran.stdout.contains(part), "{part} in {}", ran.stdout);
    }
    let world = named(&SAM.replace("srivera", "nobody")).await.set("GRANTOR_ME", "me@example.com");
    let ran = world.run(&["doctor"]).await;
    assert_eq!(ran.status, 1, "{}", ran.stdout);
    for part in [
        "1 person with an alias; `me` is me@example.com (GRANTOR_ME)",
        r"user@example.com has the alias HARBOR\nobody here, and nothing here has",
        "mend centrasite of user@example.com under [people]",
    ] {
        assert!(ran.stdout.contains(part), "{part} in {}", ran.stdout);
    }
    let world = named("[people.\"sam\"]\ncentrasite = \"x\"\n").await;
    let ran = world.run(&["doctor"]).await;
    assert!(ran.status != 0 && ran.stderr.contains("line 1: [people.\"sam\"]"), "{ran:?}");
}

/// Whom a model may call `me` it is told, and only where that is set.
#[tokio::test]
async fn instructions_name_me() {
    for (me, told) in [("", false), ("[people]\nme = \"user@example.com\"\n", true)] {
        let world = named(me).await;
        let mut raw = world.serve_raw();
        let hello = raw.hello("2025-11-25").await;
        let text = hello["result"]["instructions"].as_str().unwrap().to_owned();
        assert_eq!(text.contains("`me` is the requester: user@example.com"), told, "{text}");
        assert!(text.len() < 2_048, "{}", text.len());
    }
}
