//! Several tenants of one vendor, behind one host and with one ledger: nothing of one is the other's.

use grantor::vendors::{VENDORS, named};
use serde_json::{Value, json};

use super::harness::{Ran, World, approved, parsed, requester, time_is_over};
use super::writes::{GRANTS, Grant};
use grantor::ledger::Ledger;

/// A grant at each vendor, with what lists its rows.
const LOOKS: [(usize, &str); 5] = [
    (0, r#"{"principal": "user@example.com", "resource": "Orders"}"#),
    (1, r#"{"principal": "user@example.com", "role": "Treasury Viewer"}"#),
    (2, r#"{"principal": "marta.lindqvist@example.com"}"#),
    (3, r#"{"principal": "user@example.com", "resource": "/Harbor/Integrations"}"#),
    (4, r#"{"principal": "API Team", "resource": "BillingService"}"#),
];

/// A section for a tenant with the settings of the fakes. Its secrets are files of its own, so that no
/// two tenants have one credential.
fn section(world: &World, vendor: &str, name: &str, more: &str) -> String {
    let vendor = named(vendor).unwrap();
    let mut text = format!("[tenants.{name}]\nvendor = \"{}\"\n{more}\n", vendor.name);
    for (variable, value) in world.sandbox.environment() {
        let Some(known) = vendor.variables.iter().find(|known| known.name == variable) else {
            continue;
        };
        let key = variable[vendor.name.len() + 1..].to_lowercase();
        if known.secret {
            let file = world.path(&format!("{name}.{key}"));
            std::fs::write(&file, value).unwrap();
            text.push_str(&format!("{key} = {{ file = {} }}\n", json!(file)));
        } else {
            text.push_str(&format!("{key} = {}\n", json!(value)));
        }
    }
    text
}

/// What is written to the file of the configuration.
fn write(world: &World, text: &str) {
    std::fs::write(world.path("tenants.toml"), text).unwrap();
}

fn without_variables(mut world: World) -> World {
    for (name, _) in world.sandbox.environment() {
        world = world.unset(name);
    }
    let path = world.path("tenants.toml");
    world.set("GRANTOR_CONFIG", path.to_str().unwrap())
}

/// Two tenants of each vendor, `one-VENDOR` and `two-VENDOR`, behind the same hosts.
async fn two_each(world: World) -> World {
    let world = without_variables(world);
    let both = VENDORS.iter().flat_map(|vendor| ["one", "two"].map(|name| (vendor.name, name)));
    let sections = both.map(|(vendor, name)| section(&world, vendor, &at(name, vendor), ""));
    write(&world, &sections.collect::<String>());
    world
}

fn at(name: &str, vendor: &str) -> String {
    format!("{name}-{vendor}")
}

fn with(arguments: &str, more: &Value) -> String {
    let mut arguments = parsed(arguments);
    for (key, value) in more.as_object().unwrap() {
        arguments[key] = value.clone();
    }
    arguments.to_string()
}

async fn call(world: &World, tool: &str, arguments: &str) -> (i32, Value) {
    let ran = world.run(&["call", tool, arguments]).await;
    (ran.status, parsed(&ran.stdout))
}

/// Grants at a tenant; the receipt.
async fn grant(world: &World, grant: &Grant, more: &Value) -> String {
    let (status, body) = call(world, grant.tool, &with(grant.arguments, more)).await;
    assert_eq!((status, body["outcome"].as_str()), (0, Some("confirmed")), "{body:#}");
    body["receipt"].as_str().unwrap().to_owned()
}

fn opened(world: &World) -> Vec<Value> {
    world.ledger().into_iter().filter(|line| line["event"] == "open").collect()
}

/// A prompt takes a tenant where there is a choice, and completion knows which there are.
#[tokio::test]
async fn prompts_name_a_tenant_where_a_vendor_has_several() {
    let world = two_each(World::new().await).await;
    let mut raw = world.serve_raw();
    raw.hello("2025-11-25").await;
    let list = raw.ask(1, "prompts/list", json!({})).await;
    let takes = |prompt: &Value| {
        prompt["arguments"].as_array().unwrap().iter().any(|one| one["name"] == "tenant")
    };
    let prompts = list["result"]["prompts"].as_array().unwrap();
    let with: Vec<_> = prompts.iter().filter(|one| takes(one)).map(|one| &one["name"]).collect();
    assert_eq!(with, ["access_review", "time_boxed_grant"]);
    let mut complete = json!({
        "ref": { "type": "ref/prompt", "name": "access_review" },
        "argument": { "name": "tenant", "value": "TWO-" },
    });
    let all = raw.ask(2, "completion/complete", complete.clone()).await;
    assert_eq!(all["result"]["completion"]["total"], 5, "{all}");
    complete["context"] = json!({ "arguments": { "vendor": "dfns" } });
    let one = raw.ask(3, "completion/complete", complete).await;
    assert_eq!(one["result"]["completion"]["values"], json!(["two-dfns"]));
    let mut given = json!({ "person": "user@example.com", "role": "Tester", "expires_in": "P1D" });
    given["tenant"] = json!("two-outsystems");
    let params = json!({ "name": "time_boxed_grant", "arguments": given });
    let made = raw.ask(4, "prompts/get", params).await.to_string();
    assert!(made.contains("two-outsystems") && made.contains("grant_asset_role"), "{made}");
    assert!(!made.contains("assign_permission"), "a tool of another vendor: {made}");
    given["tenant"] = json!("three-outsystems");
    let params = json!({ "name": "time_boxed_grant", "arguments": given });
    assert_eq!(raw.ask(5, "prompts/get", params).await["error"]["code"], -32602);
    assert!(world.sandbox.journal().is_empty());
}

/// A prompt that ends with a change is not offered where each tenant is closed to changes by itself.
#[tokio::test]
async fn no_changing_prompt_is_offered_where_every_tenant_is_read_only() {
    for (closed, offered) in [("read_only = true", 1), ("read_only = false", 4)] {
        let world = without_variables(World::new().await);
        write(&world, &section(&world, "dfns", "own-dfns", closed));
        let mut raw = world.serve_raw();
        raw.hello("2025-11-25").await;
        let list = raw.ask(1, "prompts/list", json!({})).await;
        assert_eq!(
            list["result"]["prompts"].as_array().unwrap().len(),
            offered,
            "{closed}: {list}"
        );
    }
}

/// The rows of a look, as the tenant and whether it was granted here.
async fn marks(world: &World, vendor: &str, look: &str) -> Vec<(String, bool)> {
    let (status, body) =
        call(world, "list_access", &with(look, &json!({ "vendor": vendor }))).await;
    assert_eq!(status, 0, "{body:#}");
    let rows = body["rows"].as_array().unwrap().iter();
    let tenant = |row: &Value| row["tenant"].as_str().unwrap_or("none").to_owned();
    rows.map(|row| (tenant(row), row["granted_here"] == true)).collect()
}

#[tokio::test]
async fn nothing_of_one_tenant_is_the_others() {
    for (index, look) in LOOKS {
        let (made, vendor) = (&GRANTS[index], GRANTS[index].vendor);
        let [one, two] = ["one", "two"].map(|name| at(name, vendor));
        let world = two_each(World::unguarded().await).await;
        let hour = json!({ "tenant": one, "expires_in": "PT1H" });
        let receipt = grant(&world, made, &hour).await;
        let lines = opened(&world);
        assert_eq!((lines.len(), &lines[0]["tenant_name"]), (1, &json!(one)), "{vendor}");

        // Both show it, as they are behind one host; one of them has granted it.
        let there = marks(&world, vendor, look).await;
        assert!(there.contains(&(one.clone(), true)), "{vendor}: {there:?}");
        assert!(there.iter().all(|(tenant, here)| !here || *tenant == one), "{vendor}: {there:?}");
        assert!(there.iter().any(|(tenant, _)| *tenant == two), "{vendor}: {there:?}");

        // Where it is, and it has an end; at the other nobody knows of that end.
        let later = json!({ "tenant": two, "expires_in": "PT2H" });
        let (_, body) = call(&world, made.tool, &with(made.arguments, &later)).await;
        assert_ne!(body["outcome"], "confirmed", "{vendor}: {body:#}");
        assert_eq!(body["tenant"], two.as_str(), "{vendor}: {body:#}");

        // Who has only the other neither undoes nor ends it.
        let writes = world.writes().len();
        time_is_over(&world, &receipt).await;
        for command in [&["undo", &receipt][..], &["expire"]] {
            let ran = world.run(&[command, &["--tenant", &two]].concat()).await;
            assert_eq!(ran.status, 1, "{vendor} {command:?}: {ran:#?}");
            assert!(ran.stderr.contains(&one) || ran.stdout.contains(&one), "{vendor}: {ran:#?}");
        }
        assert_eq!(world.writes().len(), writes, "{vendor}");

        let ran = world.run(&["expire"]).await;
        assert_eq!(ran.status, 0, "{vendor}: {ran:#?}");
        let lines = opened(&world);
        let last = lines.last().unwrap();
        assert_eq!((&last["ends"], &last["tenant_name"]), (&json!(receipt), &json!(one)));
        let there = marks(&world, vendor, look).await;
        assert!(there.iter().all(|(_, here)| !here), "{vendor}: {there:?}");
    }
}

/// A change says which tenant it is for, and is told which there are.
#[tokio::test]
async fn a_change_names_one_of_them() {
    let world = two_each(World::new().await).await;
    let made = &GRANTS[1];
    for (more, said) in [
        (json!({}), "tenant: is missing; it must be one of one-dfns, two-dfns"),
        (json!({ "tenant": "three" }), "must be one of one-dfns, two-dfns"),
        (json!({ "tenant": "one-redox" }), "must be one of one-dfns, two-dfns"),
    ] {
        let (status, body) = call(&world, made.tool, &with(made.arguments, &more)).await;
        assert_eq!((status, &body["outcome"]), (1, &json!("invalid")), "{body:#}");
        assert!(body["summary"].as_str().unwrap().contains(said), "{body:#}");
    }
    let look = json!({ "query": "a", "vendor": "dfns", "tenant": "one-redox" }).to_string();
    let (status, body) = call(&world, "find_principals", &look).await;
    assert_eq!(status, 1, "{body:#}");
    assert!(body["summary"].as_str().unwrap().contains("is a tenant of redox"), "{body:#}");
    assert!(world.writes().is_empty());

    // One alone needs no name, and has its name all the same.
    for more in [json!({}), json!({ "tenant": "one-dfns" })] {
        let arguments = with(made.arguments, &with_dry(&more));
        let ran = world.run(&["--tenant", "one-dfns", "call", made.tool, &arguments]).await;
        let body = parsed(&ran.stdout);
        assert_eq!((ran.status, &body["outcome"]), (0, &json!("preview")), "{body:#}");
        assert!(body.get("tenant").is_none(), "{body:#}");
    }
    let arguments = with(made.arguments, &json!({ "tenant": "two-dfns" }));
    let ran = world.run(&["--tenant", "one-dfns", "call", made.tool, &arguments]).await;
    let body = parsed(&ran.stdout);
    let said = body["summary"].as_str().unwrap();
    assert!(said.contains("there is no tenant") && said.contains("there are one-dfns"), "{body:#}");
    let ran = world.run(&["--tenant", "one-dfns,nobody", "tools"]).await;
    assert!(ran.status != 0 && ran.stderr.contains("two-redox"), "{ran:#?}");
}

fn with_dry(more: &Value) -> Value {
    let mut more = more.clone();
    more["dry_run"] = json!(true);
    more
}

/// A list goes on where each tenant's own stopped.
#[tokio::test]
async fn each_has_its_own_rows_cursor_and_problems() {
    let world = two_each(World::new().await).await;
    let (mut cursor, mut seen) = (None, Vec::new());
    for _ in 0..100 {
        let mut look = json!({ "vendor": "dfns", "limit": 3 });
        if let Some(cursor) = cursor {
            look["cursor"] = cursor;
        }
        let (status, body) = call(&world, "list_roles", &look.to_string()).await;
        assert_eq!(status, 0, "{body:#}");
        for row in body["rows"].as_array().unwrap() {
            seen.push((
                row["tenant"].as_str().unwrap().to_owned(),
                row["id"].as_str().unwrap().to_owned(),
            ));
        }
        cursor = body.get("next_cursor").cloned();
        if cursor.is_none() {
            break;
        }
    }
    let of = |name: &str| {
        let own = seen.iter().filter(|(tenant, _)| tenant == name);
        own.map(|(_, id)| id.clone()).collect::<Vec<_>>()
    };
    assert!(of("one-dfns").len() > 3 && of("one-dfns") == of("two-dfns"), "{seen:?}");
    let mut all = seen.clone();
    all.dedup();
    assert_eq!(all.len(), seen.len(), "nothing twice");
    let look = json!({ "principal": "nobody@example.com", "vendor": "dfns" }).to_string();
    let (_, body) = call(&world, "list_access", &look).await;
    let problems = body["problems"].as_array().unwrap().iter();
    let named: Vec<_> = problems.map(|one| one["tenant"].as_str().unwrap()).collect();
    assert_eq!(named, ["one-dfns", "two-dfns"], "{body:#}");
    let look = json!({ "query": "alex", "tenant": "two-dfns" }).to_string();
    let (_, body) = call(&world, "find_principals", &look).await;
    let rows = body["rows"].as_array().unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row["tenant"] == "two-dfns"), "{body:#}");
}

/// What was looked up at one tenant a moment ago is not taken for the other's.
#[tokio::test]
async fn nothing_is_remembered_for_the_other() {
    let world = two_each(World::new().await).await;
    let server = world.serve().await;
    let made = &GRANTS[0];
    let mut asked = Vec::new();
    for name in ["one-outsystems", "two-outsystems"] {
        let before = world.count("GET", "/users");
        let arguments = parsed(&with(made.arguments, &with_dry(&json!({ "tenant": name }))));
        let answer = server.call(made.tool, arguments).await;
        assert_eq!(answer.outcome(), "preview", "{:#}", answer.body);
        asked.push(world.count("GET", "/users") - before);
        let before = world.sandbox.journal().len();
        let roles = server.call("list_roles", json!({ "tenant": name })).await;
        let rows = roles.body["rows"].as_array().unwrap();
        assert!(!rows.is_empty() && rows.iter().all(|row| row["tenant"] == name), "{rows:#?}");
        asked.push(world.sandbox.journal().len() - before);
    }
    assert_eq!(asked[..2], asked[2..], "each is asked as often");
    assert!(asked.iter().all(|count| *count > 0), "{asked:?}");
}

/// A yes is for the tenant that it was asked for.
#[tokio::test]
async fn a_yes_is_carried_out_at_its_own_tenant() {
    let world = two_each(World::asking().await).await;
    let made = &GRANTS[3];
    let asked = with(made.arguments, &json!({ "tenant": "one-snaplogic" }));
    let (status, body) = call(&world, made.tool, &asked).await;
    assert_eq!((status, &body["tenant"]), (3, &json!("one-snaplogic")), "{body:#}");
    let receipt = body["receipt"].as_str().unwrap().to_owned();
    // The same at the other is another request, which does not end this one.
    let (_, other) = call(&world, made.tool, &asked.replace("one-", "two-")).await;
    assert_ne!(other["receipt"], receipt.as_str());
    let ran = world.run(&["requests", "list", "--json"]).await;
    let listed = parsed(&ran.stdout);
    let listed: Vec<_> = listed["requests"].as_array().unwrap().iter().collect();
    let tenants: Vec<_> = listed.iter().map(|one| one["tenant"].as_str().unwrap()).collect();
    assert_eq!(tenants, ["one-snaplogic", "two-snaplogic"], "{listed:#?}");
    assert!(listed[0]["question"].to_string().contains("one-snaplogic"), "{listed:#?}");

    let ledger = Ledger::new(&world.path("state"), None);
    ledger.answer(&receipt, &approved("ada"), &requester()).await.unwrap();
    let ran = world.run(&["requests", "run", "--tenant", "two-snaplogic"]).await;
    assert!(ran.stderr.contains("not for here"), "{ran:#?}");
    assert!(world.writes().is_empty());
    // Where it alone is configured, it needs no name to be found.
    let ran = world.run(&["requests", "run", "--tenant", "one-snaplogic"]).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
    let lines = opened(&world);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["tenant_name"], "one-snaplogic");
}

/// A tenant that is read-only changes nothing, though others of its vendor do.
#[tokio::test]
async fn read_only_is_an_upper_bound_for_one() {
    let world = without_variables(World::new().await);
    let sections = |locked: &str, other: &str| {
        let of = |name, more| section(&world, "snaplogic", name, more);
        write(&world, &(of("locked", locked) + &of("open", other)));
    };
    let made = &GRANTS[3];
    sections("", "");
    let timed = json!({ "tenant": "locked", "expires_in": "PT1H" });
    let receipt = grant(&world, made, &timed).await;
    sections("read_only = true", "");
    let writes = world.writes().len();
    let refused = |ran: &Ran| {
        assert_eq!(ran.status, 1, "{ran:#?}");
        assert!(ran.stdout.contains("locked is read-only here"), "{ran:#?}");
    };
    let arguments = with(made.arguments, &json!({ "tenant": "locked" }));
    refused(&world.run(&["call", made.tool, &arguments]).await);
    let undo = json!({ "receipt": receipt }).to_string();
    refused(&world.run(&["call", "undo_change", &undo]).await);
    time_is_over(&world, &receipt).await;
    let ran = world.run(&["expire"]).await;
    assert!(ran.status == 1 && ran.stderr.contains("locked is read-only here"), "{ran:#?}");
    assert_eq!(world.writes().len(), writes);
    let ran = world.run(&["tools"]).await;
    assert!(ran.stdout.contains(made.tool), "{ran:#?}");
    sections("read_only = true", "read_only = true");
    let ran = world.run(&["tools"]).await;
    assert!(!ran.stdout.contains(made.tool) && ran.stdout.contains("list_access"), "{ran:#?}");
    // It is only left, and comes where it may.
    sections("", "read_only = true");
    let ran = world.run(&["expire"]).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
}

/// A new name for the same place keeps what was done under the old one; another place does not.
#[tokio::test]
async fn a_tenant_can_be_renamed() {
    let made = &GRANTS[3];
    let look = LOOKS[3].1;
    let world = without_variables(World::new().await);
    let plain = section(&world, "snaplogic", "snaplogic", "");
    let of = |name: &str, more: &str| section(&world, "snaplogic", name, more);
    for (before, old) in [(plain, "snaplogic"), (of("old", ""), "old")] {
        write(&world, &before);
        let receipt = grant(&world, made, &json!({ "expires_in": "PT1H" })).await;
        // A tenant of another name at the same place is another tenant.
        let beside = of("beside", "");
        write(&world, &(of("new", "") + &beside));
        let ran = world.run(&["undo", &receipt]).await;
        assert_eq!(ran.status, 1, "{ran:#?}");
        let there = marks(&world, "snaplogic", look).await;
        assert!(!there.is_empty() && there.iter().all(|(_, here)| !here), "{there:?}");
        time_is_over(&world, &receipt).await;
        let ran = world.run(&["expire"]).await;
        let was = format!("was made at {old}, http");
        assert!(ran.status == 1 && ran.stderr.contains(&was), "{ran:#?}");
        // Renamed to a tenant at another place.
        let renamed = of("new", &format!("formerly = [\"{old}\"]"));
        let host =
            world.sandbox.environment().into_iter().find(|(name, _)| *name == "SNAPLOGIC_URL");
        let host = host.unwrap().1;
        write(&world, &(renamed.replace(&host, "https://elastic.example.com") + &beside));
        let ran = world.run(&["expire"]).await;
        assert_eq!(ran.status, 1, "{ran:#?}");
        // Renamed in its place.
        write(&world, &(renamed + &beside));
        let there = marks(&world, "snaplogic", look).await;
        let own = there.contains(&("new".to_owned(), true));
        assert!(own && !there.contains(&("beside".to_owned(), true)), "{there:?}");
        let ran = world.run(&["expire"]).await;
        assert_eq!(ran.status, 0, "{ran:#?}");
    }
}

/// After a rename, what is done under the new name bears on what was done under the old one.
#[tokio::test]
async fn what_came_later_under_another_name_counts() {
    let (made, taken) = (&GRANTS[1], "revoke_permission");
    let world = without_variables(World::unguarded().await);
    write(&world, &section(&world, "dfns", "old", ""));
    let receipt = grant(&world, made, &json!({ "expires_in": "PT1H" })).await;
    write(&world, &section(&world, "dfns", "new", "formerly = [\"old\"]"));
    let (status, body) = call(&world, taken, made.arguments).await;
    assert_eq!(status, 0, "{body:#}");
    grant(&world, made, &json!({})).await;
    let (_, then) = call(&world, "check_change", &json!({ "receipt": receipt }).to_string()).await;
    assert_eq!(then["superseded_by"], body["receipt"], "{then:#}");
    let writes = world.writes().len();
    time_is_over(&world, &receipt).await;
    // The access there is was given later, without an end.
    let ran = world.run(&["expire"]).await;
    assert!(ran.stderr.contains("was changed since"), "{ran:#?}");
    assert_eq!(world.writes().len(), writes);
}

/// A first-release receipt belongs to the vendor's own tenant, and to no other.
#[tokio::test]
async fn an_unnamed_receipt_is_of_the_unnamed_tenant() {
    let made = &GRANTS[3];
    let world = World::new().await;
    let receipt = grant(&world, made, &json!({ "expires_in": "PT1H" })).await;
    assert_eq!(opened(&world)[0]["tenant_name"], Value::Null);
    let world = without_variables(world);
    write(&world, &section(&world, "snaplogic", "other", ""));
    time_is_over(&world, &receipt).await;
    let ran = world.run(&["expire"]).await;
    assert!(ran.status == 1 && ran.stderr.contains("snaplogic, http"), "{ran:#?}");
    write(&world, &section(&world, "snaplogic", "snaplogic", ""));
    let ran = world.run(&["expire"]).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
}

/// What rules are told is the tenant's name.
#[tokio::test]
async fn rules_know_the_name() {
    let world = two_each(World::new().await).await;
    let rules = world.path("rules.cedar");
    let text = "@id(\"look\") permit (principal, action in Action::\"look\", resource);\n\
                @id(\"one\") permit (principal, action in Action::\"grant\", resource)\n\
                when { context.tenant == \"one-dfns\" };\n";
    std::fs::write(&rules, text).unwrap();
    let world = world.set("GRANTOR_POLICY", rules.to_str().unwrap());
    let made = &GRANTS[1];
    for (name, outcome) in [("one-dfns", "preview"), ("two-dfns", "refused")] {
        let more = with_dry(&json!({ "tenant": name }));
        let (_, body) = call(&world, made.tool, &with(made.arguments, &more)).await;
        assert_eq!(body["outcome"], outcome, "{body:#}");
    }
}

/// A label names a tenant as its operator does, and nobody is told that there is no such tenant.
#[tokio::test]
async fn a_label_is_that_of_the_tenant_by_the_operators_name() {
    let world = two_each(World::new().await).await;
    let config = world.variable("GRANTOR_CONFIG").to_owned();
    let text = std::fs::read_to_string(&config).unwrap();
    let labels = "\n[[labels]]\nlabel = \"test\"\ntenant = \"one-dfns\"\n\
                  \n[[labels]]\nlabel = \"lost\"\ntenant = \"three-dfns\"\n";
    std::fs::write(&config, text + labels).unwrap();
    let rules = world.path("rules.cedar");
    let text = "@id(\"look\") permit (principal, action in Action::\"look\", resource);\n\
                @id(\"test\") permit (principal, action in Action::\"grant\", resource)\n\
                when { resource.labels == [\"test\"] };\n";
    std::fs::write(&rules, text).unwrap();
    let world = world.set("GRANTOR_POLICY", rules.to_str().unwrap());
    let made = &GRANTS[1];
    for (name, outcome) in [("one-dfns", "preview"), ("two-dfns", "refused")] {
        let more = with_dry(&json!({ "tenant": name }));
        let (_, body) = call(&world, made.tool, &with(made.arguments, &more)).await;
        assert_eq!(body["outcome"], outcome, "{name}: {body:#}");
    }
    let said = world.run(&["doctor"]).await.stdout;
    assert!(said.contains("label \"lost\": there is no tenant \"three-dfns\""), "{said}");
    assert!(!said.contains("label \"test\""), "{said}");
}

/// A doctor examines each, and the instructions and the list of tools name them.
#[tokio::test]
async fn they_are_named_wherever_somebody_looks() {
    let world = without_variables(World::new().await);
    let title = "title = \"Treasury, live\"";
    let of = |name: &str, more: &str| section(&world, "dfns", name, more);
    write(&world, &(of("live", title) + &of("test", "read_only = true")));
    let ran = world.run(&["doctor"]).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
    for said in
        ["(live, “Treasury, live”)", "(test)", "(read-only)", "auth_token in [tenants.live]"]
    {
        assert!(ran.stdout.contains(said), "{said}: {ran:#?}");
    }
    let half = of("test", "").replace("credential_id", "#");
    write(&world, &(of("live", title) + &half));
    let ran = world.run(&["doctor"]).await;
    assert_eq!(ran.status, 1, "{ran:#?}");
    assert!(ran.stdout.contains("credential_id in [tenants.test] is missing"), "{ran:#?}");
    // One that lacks something is a tenant all the same: nobody is taken for the other by it.
    let (_, body) = call(&world, GRANTS[1].tool, GRANTS[1].arguments).await;
    assert!(body["summary"].as_str().unwrap().contains("must be one of live"), "{body:#}");
}

/// The record of one tenant is listed by its name, and every row says whose it is; so does what is exported.
#[tokio::test]
async fn what_was_done_at_one_tenant_is_listed_by_its_name() {
    let (made, vendor) = (&GRANTS[1], GRANTS[1].vendor);
    let names = ["one", "two"].map(|name| at(name, vendor));
    let world = two_each(World::unguarded().await).await;
    let mut receipts = Vec::new();
    for (name, role) in names.iter().zip(["Treasury Viewer", "Wallet Reader"]) {
        let mut arguments = parsed(made.arguments);
        arguments["tenant"] = json!(name);
        if receipts.is_empty() {
            assert_eq!(arguments["permissionId"], role);
        }
        let (_, body) = call(&world, made.tool, &arguments.to_string()).await;
        receipts.push(body["receipt"].clone());
        // The second is there already: both are behind one host.
        if receipts.len() == 2 {
            assert_eq!(body["outcome"], "already_present", "{body:#}");
        }
    }
    for (name, rows) in names.iter().zip([1, 0]) {
        let (_, body) = call(&world, "check_change", &json!({ "tenant": name }).to_string()).await;
        let listed = body["changes"].as_array().unwrap();
        assert_eq!(listed.len(), rows, "{name}: {body:#}");
        assert!(listed.iter().all(|row| row["tenant"] == *name), "{body:#}");
        let ran = world.run(&["changes", "--tenant", name, "--json"]).await;
        assert_eq!(parsed(&ran.stdout)["changes"].as_array().unwrap().len(), rows, "{ran:#?}");
    }
    let both = json!({ "tenant": names[0], "receipt": receipts[0] }).to_string();
    let (status, body) = call(&world, "check_change", &both).await;
    assert!(status == 1 && body["summary"].to_string().contains("receipt"), "{body:#}");
    let ran = world.run(&["ledger", "export", "--format", "ocsf"]).await;
    let event = parsed(ran.stdout.trim_end());
    assert_eq!(event["unmapped"]["tenant_name"], names[0], "{event:#}");
    assert_eq!(event["metadata"]["tenant_uid"], names[0], "{event:#}");
}
