use grantor::sandbox::{DfnsGroups, Modes};

use serde_json::{Value, json};

use super::harness::{Answer, Server, World, parsed, status, time_is_over};
use super::proxy::{Proxy, Then};

const TOMAS: &str = "tomas.ferreira@example.com";
const GRACE: &str = "grace.okafor@example.com";
const SAM: &str = "user@example.com";
const UNSEEN: &str = "access held through user groups is not seen";

fn reports(who: &str) -> Value {
    json!({ "permissionId": "Reports Reader", "identityId": who })
}

async fn access(server: &Server, look: Value) -> Answer {
    let mut look = look;
    look["vendor"] = json!("dfns");
    server.call("list_access", look).await
}

fn rows(answer: &Answer) -> &[Value] {
    answer.body["rows"].as_array().unwrap_or_else(|| panic!("{:#}", answer.body))
}

fn problems(answer: &Answer) -> String {
    answer.body["problems"].to_string()
}

async fn closed(dfns_groups: DfnsGroups) -> World {
    World::with(Modes { dfns_groups, ..Modes::default() }).await
}

/// Whether a user's own record shows what groups hold or not: each access is one row.
#[tokio::test]
async fn what_somebody_holds_through_a_group_is_listed_as_theirs() {
    for dfns_shows_group_permissions in [false, true] {
        let modes = Modes { dfns_shows_group_permissions, ..Modes::default() };
        let world = World::with(modes).await;
        let server = world.serve().await;
        let answer = access(&server, json!({ "principal": TOMAS })).await;
        let [row] = rows(&answer) else { panic!("{:#}", answer.body) };
        assert_eq!(row["principal"]["name"], "Tomás Ferreira");
        assert_eq!(row["role"]["name"], "ManagedFullAdminAccess");
        assert_eq!(
            (&row["via"]["name"], &row["via"]["kind"]),
            (&json!("Platform Admins"), &json!("group"))
        );
        assert_eq!(answer.body["problems"], json!([]));
        // Their own and a group's are two, and which was granted from here is told.
        let granted = server.call("assign_permission", reports(GRACE)).await;
        assert_eq!(granted.outcome(), "confirmed", "{:#}", granted.body);
        let answer = access(&server, json!({ "principal": GRACE, "role": "Reports Reader" })).await;
        let shown: Vec<_> = rows(&answer)
            .iter()
            .map(|row| (row["via"]["name"].as_str(), row["granted_here"] == true))
            .collect();
        assert_eq!(shown, [(Some("Auditors"), false), (None, true)], "{:#}", answer.body);
    }
}

#[tokio::test]
async fn a_group_is_found_and_named_where_it_holds_something() {
    let world = World::new().await;
    let server = world.serve().await;
    let find = json!({ "vendor": "dfns", "query": "audit", "kind": "group" });
    let found = server.call("find_principals", find).await;
    let [row] = rows(&found) else { panic!("{:#}", found.body) };
    assert_eq!((&row["name"], &row["kind"]), (&json!("Auditors"), &json!("group")));
    let all = server.call("find_principals", json!({ "vendor": "dfns", "query": "audit" })).await;
    assert_eq!(rows(&all).len(), 1, "{:#}", all.body);
    for look in [json!({ "role": "Reports Reader" }), json!({ "principal": "Auditors" })] {
        let listed = access(&server, look).await;
        let [held] = rows(&listed) else { panic!("{:#}", listed.body) };
        let principal = json!({ "id": row["id"], "name": "Auditors", "kind": "group" });
        assert_eq!((&held["principal"], &held["via"]), (&principal, &Value::Null));
    }
}

/// Ids, names and assignments name a group as they name a user.
#[tokio::test]
async fn a_group_gets_and_loses_a_permission() {
    let world = World::new().await;
    let server = world.serve().await;
    let viewer = |who: &Value| json!({ "permissionId": "Treasury Viewer", "identityId": who });
    let granted = server.call("assign_permission", viewer(&json!("Auditors"))).await;
    assert_eq!(granted.outcome(), "confirmed", "{:#}", granted.body);
    assert!(
        granted.warnings().contains("every member of the group")
            && granted.warnings().contains("2 now")
    );
    let id = &granted.body["principal"]["id"];
    assert_eq!(granted.body["principal"]["kind"], "group");
    let again = server.call("assign_permission", viewer(id)).await;
    assert_eq!(again.outcome(), "already_present", "{:#}", again.body);
    let by_assignment = json!({ "permissionId": "Treasury Viewer",
        "assignmentId": granted.body["after"][0]["id"] });
    let taken = server.call("revoke_permission", by_assignment).await;
    assert_eq!(
        (taken.outcome(), &taken.body["principal"]["name"]),
        ("confirmed", &json!("Auditors"))
    );
    assert!(taken.warnings().contains("loses it"), "{:#}", taken.body);
    let undone = server.call("undo_change", json!({ "receipt": taken.body["receipt"] })).await;
    assert_eq!(undone.outcome(), "confirmed", "{:#}", undone.body);
    let taken = server.call("revoke_permission", viewer(&json!("Auditors"))).await;
    assert_eq!(taken.outcome(), "confirmed", "{:#}", taken.body);
    let gone = server.call("revoke_permission", viewer(id)).await;
    assert_eq!(gone.outcome(), "already_absent", "{:#}", gone.body);
    // Held for the vendor's approvers like any other.
    let gated = json!({ "permissionId": "Payments Approver", "identityId": "Auditors" });
    let held = server.call("assign_permission", gated).await;
    assert_eq!(held.outcome(), "pending_vendor_approval", "{:#}", held.body);
    let nobody = server.call("assign_permission", viewer(&json!("auditors"))).await;
    assert_eq!(nobody.outcome(), "invalid");
    assert!(nobody.body["candidates"].to_string().contains("group"), "{:#}", nobody.body);
}

/// The group may be gone by then, with all that it held, or no longer be shown.
#[tokio::test]
async fn the_time_of_a_groups_access_comes_to_its_end() {
    for then in ["it is there", "it is not shown"] {
        let world = World::new().await;
        let grant = json!({ "permissionId": "Treasury Viewer", "identityId": "Contractors",
            "expires_in": "PT1H" });
        let granted = world.run(&["call", "assign_permission", &grant.to_string()]).await;
        let receipt = parsed(&granted.stdout)["receipt"].as_str().unwrap().to_owned();
        time_is_over(&world, &receipt).await;
        if then == "it is not shown" {
            (0..9).for_each(|_| world.inject("dfns", "GET", "/auth/user-groups", status(403)));
        }
        let ended = world.run(&["expire"]).await;
        let said = ended.stdout + &ended.stderr;
        assert!(ended.status == 0 && said.contains("confirmed"), "{then}: {said}");
        assert_eq!(world.count("DELETE", "/assignments/"), 1, "{then}");
        let checked = json!({ "receipt": receipt }).to_string();
        let shown = world.run(&["call", "check_change", &checked]).await.stdout;
        assert!(parsed(&shown)["ended_by"].is_string(), "{then}: {shown}");
    }
}

/// Somebody's own assignment is one thing, and what they hold through a group another.
#[tokio::test]
async fn what_is_left_through_a_group_is_said_first() {
    let world = World::new().await;
    let server = world.serve().await;
    let revoke = async || server.call("revoke_permission", reports(GRACE)).await;
    let only_left = revoke().await;
    assert_eq!((only_left.outcome(), world.writes().len()), ("already_absent", 0));
    let granted = server.call("assign_permission", reports(GRACE)).await;
    assert_eq!(granted.outcome(), "confirmed", "{:#}", granted.body);
    let taken = revoke().await;
    assert_eq!(taken.outcome(), "confirmed", "{:#}", taken.body);
    for answer in [only_left, taken] {
        let summary = answer.summary();
        assert!(summary.starts_with("Access is left through the group “Auditors”. "), "{summary}");
        assert!(!summary.contains("Already gone"), "{summary}");
        let told = answer.warnings();
        for words in ["access is left: ", "“Auditors”", "revoke it from that group", "in Dfns"]
        {
            assert!(told.contains(words), "{words}: {told}");
        }
    }
    let server = world.serve().await;
    let sam = server.call("revoke_permission", reports(SAM)).await;
    assert_eq!((sam.outcome(), sam.warnings().as_str()), ("already_absent", ""));
    assert!(sam.summary().starts_with("Already gone"), "{}", sam.summary());
}

/// What a credential may not see is never taken for "no access".
#[tokio::test]
async fn groups_that_cannot_be_read_are_said() {
    for (dfns_groups, needs) in [
        (DfnsGroups::Closed, "Auth:UserGroups:Read"),
        (DfnsGroups::MembersClosed, "Auth:UserGroups:Members:Read"),
    ] {
        let world = closed(dfns_groups).await;
        let server = world.serve().await;
        let answer = access(&server, json!({ "principal": TOMAS })).await;
        assert!(rows(&answer).is_empty() && !answer.is_error, "{:#}", answer.body);
        let problem = &answer.body["problems"][0];
        assert_eq!(problem["kind"], "incomplete", "{problem:#}");
        assert!(problem["message"].as_str().unwrap().contains(UNSEEN), "{problem:#}");
        assert!(problem["hint"].as_str().unwrap().contains(needs), "{problem:#}");
        let absent = server.call("revoke_permission", reports(GRACE)).await;
        assert_eq!(absent.outcome(), "already_absent", "{:#}", absent.body);
        let granted = server.call("assign_permission", reports(GRACE)).await;
        assert_eq!((granted.outcome(), granted.warnings().as_str()), ("confirmed", ""));
        let taken = server.call("revoke_permission", reports(GRACE)).await;
        assert_eq!(taken.outcome(), "confirmed", "{:#}", taken.body);
        for answer in [absent, taken] {
            let (told, summary) = (answer.warnings(), answer.summary());
            assert!(told.contains(UNSEEN) && told.contains(needs), "{told}");
            assert!(
                summary.starts_with("Access held through user groups is not seen. "),
                "{summary}"
            );
        }
    }
    // The group's own row has no name then, and that is said as well.
    let world = closed(DfnsGroups::Closed).await;
    let server = world.serve().await;
    let listed = access(&server, json!({ "role": "Reports Reader" })).await;
    assert!(rows(&listed)[0]["principal"]["name"].is_null());
    assert!(problems(&listed).contains(UNSEEN), "{:#}", listed.body);
    let find = json!({ "vendor": "dfns", "query": "audit", "kind": "group" });
    let found = server.call("find_principals", find).await;
    assert!(found.is_error && problems(&found).contains("not_permitted"), "{:#}", found.body);
    let named = server.call("assign_permission", reports("Contractors")).await;
    assert_eq!(named.outcome(), "invalid");
    assert!(named.hint().contains("Auth:UserGroups:Read"), "{:#}", named.body);
}

/// Where a user's own record shows what a group holds, it is seen though the members are not.
#[tokio::test]
async fn a_users_own_record_shows_what_unread_groups_do_not() {
    for (dfns_groups, name) in
        [(DfnsGroups::MembersClosed, json!("Platform Admins")), (DfnsGroups::Closed, Value::Null)]
    {
        let modes = Modes { dfns_groups, dfns_shows_group_permissions: true, ..Modes::default() };
        let world = World::with(modes).await;
        let server = world.serve().await;
        let answer = access(&server, json!({ "principal": TOMAS })).await;
        let [row] = rows(&answer) else { panic!("{:#}", answer.body) };
        assert_eq!((&row["via"]["name"], row["via"]["id"].is_string()), (&name, true));
        assert!(problems(&answer).contains(UNSEEN), "{:#}", answer.body);
        let revoke = server.call("revoke_permission", reports(GRACE)).await;
        assert!(
            revoke.summary().starts_with("Access is left through the group"),
            "{:#}",
            revoke.body
        );
    }
}

/// An older deployment has no groups: nothing is missing there.
#[tokio::test]
async fn a_deployment_without_groups_works_as_before() {
    let world = closed(DfnsGroups::Unknown).await;
    let server = world.serve().await;
    let answer = access(&server, json!({ "principal": TOMAS })).await;
    assert_eq!((rows(&answer).len(), &answer.body["problems"]), (0, &json!([])));
    let revoke = server.call("revoke_permission", reports(GRACE)).await;
    assert_eq!((revoke.outcome(), revoke.warnings().as_str()), ("already_absent", ""));
}

/// Taking away does not wait for groups that cannot be read for now; a name does.
#[tokio::test]
async fn groups_that_fail_for_now_do_not_keep_access_there() {
    let world = World::new().await;
    let down = |method: &str, path: &str| match (method, path) {
        ("GET", path) if path.starts_with("/auth/user-groups") => {
            Then::Answer(super::proxy::reply(503, r#"{"message": "down"}"#))
        }
        _ => Then::Pass,
    };
    let hiro = access(&world.serve().await, json!({ "role": "Wallet Operator" })).await;
    let hiro = &rows(&hiro)[0]["principal"]["id"];
    let proxy = Proxy::start(Some(world.variable("DFNS_API_URL")), down).await;
    let server = world.serve_with(&[("DFNS_API_URL", &proxy.url)]).await;
    let revoke = |who: &Value| json!({ "permissionId": "Wallet Operator", "identityId": who });
    let named = server.call("revoke_permission", revoke(&json!("Hiro Tanaka"))).await;
    assert_eq!((named.outcome(), world.writes().len()), ("unavailable", 0), "{:#}", named.body);
    let taken = server.call("revoke_permission", revoke(hiro)).await;
    assert_eq!(taken.outcome(), "confirmed", "{:#}", taken.body);
    assert!(taken.warnings().contains(UNSEEN), "{:#}", taken.body);
}

/// A group may have the name as well, whatever the reason that it was not seen.
#[tokio::test]
async fn a_name_is_not_picked_while_a_group_may_have_it() {
    for (answer, status) in [
        ((307, ""), "307"),
        ((500, r#"{"message": "down"}"#), "500"),
        ((400, r#"{"message": "no"}"#), "400"),
        ((206, r#"{"items": []}"#), "206"),
        ((200, "<html>"), "200"),
    ] {
        let world = World::new().await;
        let groups = move |method: &str, path: &str| match (method, path) {
            ("GET", path) if path.starts_with("/auth/user-groups") => {
                Then::Answer(super::proxy::reply(answer.0, answer.1))
            }
            _ => Then::Pass,
        };
        let proxy = Proxy::start(Some(world.variable("DFNS_API_URL")), groups).await;
        let server = world.serve_with(&[("DFNS_API_URL", &proxy.url)]).await;
        let viewer = |who: &str| json!({ "permissionId": "Treasury Viewer", "identityId": who });
        let accounts = json!({ "vendor": "dfns", "query": "Nightly", "kind": "service_account" });
        let accounts = server.call("find_principals", accounts).await;
        let account = rows(&accounts)[0]["id"].as_str().unwrap().to_owned();
        for name in ["Sam Rivera", "Nightly Export"] {
            let named = server.call("assign_permission", viewer(name)).await;
            assert!(named.is_error && named.outcome() != "invalid", "{status}: {:#}", named.body);
            assert_eq!(world.writes().len(), 0, "{status} {name}");
            assert!(named.summary().contains("may be a user group"), "{:#}", named.body);
            assert!(named.hint().contains("the id or the full address"), "{:#}", named.body);
        }
        // Nobody else has an id or an address.
        for known in [SAM, "Tomás Ferreira <tomas.ferreira@example.com>", &account] {
            let granted = server.call("assign_permission", viewer(known)).await;
            assert_eq!(granted.outcome(), "confirmed", "{status} {known}: {:#}", granted.body);
        }
    }
}

/// A group that this credential may not see may have the name as well: whoever is found by it is taken,
/// and that is said where somebody decides, and where nothing was to be done.
#[tokio::test]
async fn a_name_that_an_unseen_group_may_have_is_said() {
    const DOUBT: &str = "a user group may have the same name";
    let sam =
        |permission: &str, who: &str| json!({ "permissionId": permission, "identityId": who });
    let world = closed(DfnsGroups::Closed).await;
    let server = world.serve().await;
    for (tool, permission, outcome) in [
        ("assign_permission", "Treasury Viewer", "confirmed"),
        ("assign_permission", "Treasury Viewer", "already_present"),
        ("revoke_permission", "Treasury Viewer", "confirmed"),
        ("revoke_permission", "Treasury Viewer", "already_absent"),
    ] {
        let mut preview = sam(permission, "Sam Rivera");
        preview["dry_run"] = json!(true);
        for arguments in [preview, sam(permission, "Sam Rivera")] {
            let answer = server.call(tool, arguments).await;
            assert!(["preview", outcome].contains(&answer.outcome()), "{:#}", answer.body);
            let told = answer.warnings();
            assert!(told.contains(DOUBT) && told.contains("Auth:UserGroups:Read"), "{told}");
        }
    }
    let listed = access(&server, json!({ "principal": "Sam Rivera" })).await;
    assert!(problems(&listed).contains(DOUBT), "{:#}", listed.body);
    // Nobody else has an id or an address.
    let granted = server.call("assign_permission", sam("Treasury Viewer", SAM)).await;
    assert_eq!(granted.outcome(), "confirmed", "{:#}", granted.body);
    let id = granted.body["principal"]["id"].as_str().unwrap();
    let again = server.call("assign_permission", sam("Treasury Viewer", id)).await;
    for answer in [&granted, &again] {
        assert!(!answer.warnings().contains(DOUBT), "{:#}", answer.body);
    }
    // Where the groups are seen, or there are none, there is no doubt.
    for dfns_groups in [DfnsGroups::Open, DfnsGroups::MembersClosed, DfnsGroups::Unknown] {
        let world = closed(dfns_groups).await;
        let granted = world.serve().await;
        let granted = granted.call("assign_permission", sam("Treasury Viewer", "Sam Rivera")).await;
        assert_eq!(granted.outcome(), "confirmed", "{:#}", granted.body);
        assert!(!granted.warnings().contains(DOUBT), "{:#}", granted.body);
    }
    // The question says it too.
    let world = World::asking().await;
    (0..9).for_each(|_| world.inject("dfns", "GET", "/auth/user-groups", status(403)));
    let arguments = sam("Treasury Viewer", "Sam Rivera").to_string();
    let asked = world.run(&["call", "assign_permission", &arguments]).await;
    assert_eq!(parsed(&asked.stdout)["outcome"], "awaiting_consent", "{asked:#?}");
    let ledger = world.ledger();
    let asked = ledger.iter().find(|line| line["event"] == "asked").unwrap();
    let question = asked["content"]["question"].as_str().unwrap();
    assert!(question.contains(DOUBT), "{question}");
}

/// Grantor in a group has what the group has; where nobody can tell, it counts as in it.
#[tokio::test]
async fn a_group_with_grantors_own_account_gets_nothing() {
    let world = World::new().await;
    let own = world.serve().await;
    let own = own.call("find_principals", json!({ "vendor": "dfns", "query": "Grantor" })).await;
    let own = rows(&own)[0]["id"].as_str().unwrap().to_owned();
    let member = move |_: &str| {
        json!({ "items": [{ "userId": own, "username": "Grantor", "isServiceAccount": true }] })
            .to_string()
    };
    let member: std::sync::Arc<dyn Fn(&str) -> String + Send + Sync> = std::sync::Arc::new(member);
    let proxy = Proxy::start(Some(world.variable("DFNS_API_URL")), move |method, path| {
        let members = method == "GET" && path.ends_with("/members");
        if members { Then::Change(member.clone()) } else { Then::Pass }
    });
    let proxy = proxy.await;
    let among = world.serve_with(&[("DFNS_API_URL", &proxy.url)]).await;
    let grant = json!({ "permissionId": "Treasury Viewer", "identityId": "Contractors" });
    let refused = among.call("assign_permission", grant.clone()).await;
    assert_eq!((refused.outcome(), world.writes().len()), ("refused", 0), "{:#}", refused.body);
    let world = closed(DfnsGroups::MembersClosed).await;
    let refused = world.serve().await.call("assign_permission", grant).await;
    assert_eq!((refused.outcome(), world.writes().len()), ("refused", 0), "{:#}", refused.body);
    assert!(refused.warnings().contains("Auth:UserGroups:Members:Read"), "{:#}", refused.body);
}

/// What a credential of the first release may not do is told, and nothing fails for it.
#[tokio::test]
async fn doctor_tells_of_groups_and_does_not_insist_on_them() {
    for (dfns_groups, line) in [
        (DfnsGroups::Open, "ok      user groups"),
        (DfnsGroups::Closed, "without it access held through user groups is not seen"),
        (DfnsGroups::Unknown, "there are none here"),
    ] {
        let ran = closed(dfns_groups).await.run(&["doctor"]).await;
        assert!(ran.status == 0 && ran.stdout.contains(line), "{line}: {ran:#?}");
    }
    let world = World::new().await;
    (0..9).for_each(|_| world.inject("dfns", "GET", "/auth/user-groups", status(400)));
    assert_eq!(world.run(&["doctor"]).await.status, 1);
}

/// A permission may hold much that is harmless: what it takes to be privileged is one operation.
#[tokio::test]
async fn an_operation_that_changes_who_may_do_what_is_refused() {
    for operation in [
        "Auth:UserGroups:Members:Add",
        "Auth:Pats:Create",
        "PermissionAssignments:Create",
        "Auth:Recover:Delegated",
        "Orgs:Update",
    ] {
        let change: std::sync::Arc<dyn Fn(&str) -> String + Send + Sync> =
            std::sync::Arc::new(move |body: &str| body.replace("Keys:Read", operation));
        let world = World::new().await;
        let proxy = Proxy::start(Some(world.variable("DFNS_API_URL")), move |method, path| {
            let lists = method == "GET" && path.starts_with("/permissions");
            if lists { Then::Change(change.clone()) } else { Then::Pass }
        });
        let proxy = proxy.await;
        let server = world.serve_with(&[("DFNS_API_URL", &proxy.url)]).await;
        let grant = json!({ "permissionId": "Treasury Viewer", "identityId": SAM });
        let answer = server.call("assign_permission", grant).await;
        assert_eq!(
            (answer.outcome(), world.writes().len()),
            ("refused", 0),
            "{operation}: {:#}",
            answer.body
        );
        let roles =
            server.call("list_roles", json!({ "vendor": "dfns", "query": "Treasury" })).await;
        assert_eq!(rows(&roles)[0]["privileged"], true, "{operation}");
    }
}
