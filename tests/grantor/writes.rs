use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use futures_util::StreamExt as _;
use grantor::sandbox::FaultKind;
use serde_json::Value;

use super::harness::{Answer, World, parsed, status, status_after};
use super::proxy::{Proxy, Then, reply};

/// A change that succeeds when nothing goes wrong, and where its write goes.
pub struct Grant {
    pub tool: &'static str,
    pub arguments: &'static str,
    pub vendor: &'static str,
    /// Where the vendor is.
    pub variable: &'static str,
    pub method: &'static str,
    pub path: &'static str,
}

pub const GRANTS: [Grant; 11] = [
    Grant {
        tool: "grant_asset_role",
        arguments: r#"{"userKey": "user@example.com", "roleKey": "Developer", "assetKeys": ["Orders"]}"#,
        vendor: "outsystems",
        variable: "OUTSYSTEMS_PORTAL_URL",
        method: "POST",
        path: "/organization-roles/",
    },
    Grant {
        tool: "assign_permission",
        arguments: r#"{"permissionId": "Treasury Viewer", "identityId": "user@example.com"}"#,
        vendor: "dfns",
        variable: "DFNS_API_URL",
        method: "POST",
        path: "/assignments",
    },
    Grant {
        tool: "assign_organization_role",
        arguments: r#"{"role": {"name": "member"}, "user": {"name": "marta.lindqvist@example.com"}}"#,
        vendor: "redox",
        variable: "REDOX_API_URL",
        method: "PUT",
        path: "/organizations/",
    },
    Grant {
        tool: "set_project_acl",
        arguments: r#"{"project_or_space_path": "/Harbor/Integrations", "grant_type": "USER", "grantee": "user@example.com", "permission_list": ["R", "X"]}"#,
        vendor: "snaplogic",
        variable: "SNAPLOGIC_URL",
        method: "POST",
        path: "/assetapi/acl/",
    },
    Grant {
        tool: "set_asset_permissions",
        arguments: r#"{"asset": "BillingService", "userGroupAssetPermission": [{"group": "API Team", "permission": "Modify"}]}"#,
        vendor: "centrasite",
        variable: "CENTRASITE_BRIDGE_URL",
        method: "POST",
        path: "/permissions",
    },
    Grant {
        tool: "revoke_asset_role",
        arguments: r#"{"userKey": "grace.okafor@example.com", "roleKey": "Tester", "assetKeys": ["Orders"]}"#,
        vendor: "outsystems",
        variable: "OUTSYSTEMS_PORTAL_URL",
        method: "DELETE",
        path: "/organization-roles/",
    },
    Grant {
        tool: "revoke_permission",
        arguments: r#"{"permissionId": "Wallet Operator", "identityId": "hiro.tanaka@example.com"}"#,
        vendor: "dfns",
        variable: "DFNS_API_URL",
        method: "DELETE",
        path: "/assignments/",
    },
    Grant {
        tool: "assign_environment_role",
        arguments: r#"{"environmentId": "Staging", "role": {"name": "engineer"}, "user": {"name": "user@example.com"}}"#,
        vendor: "redox",
        variable: "REDOX_API_URL",
        method: "POST",
        path: "/environments/",
    },
    Grant {
        tool: "assign_environment_role",
        arguments: r#"{"environmentId": "Staging", "role": {"name": "support"}, "user": {"name": "alex.kim@example.com"}}"#,
        vendor: "redox",
        variable: "REDOX_API_URL",
        method: "PUT",
        path: "/environments/",
    },
    Grant {
        tool: "remove_environment_role",
        arguments: r#"{"environmentId": "Development", "user": {"name": "tomas.ferreira@example.com"}}"#,
        vendor: "redox",
        variable: "REDOX_API_URL",
        method: "DELETE",
        path: "/environments/",
    },
    Grant {
        tool: "remove_project_acl",
        arguments: r#"{"project_or_space_path": "/Harbor/Integrations", "grant_type": "USER", "grantee": "alex.kim@example.com"}"#,
        vendor: "snaplogic",
        variable: "SNAPLOGIC_URL",
        method: "DELETE",
        path: "/assetapi/acl/",
    },
];

/// More faults than a write may have attempts.
const ALWAYS: usize = 8;
/// Most of a case is waiting.
const AT_ONCE: usize = 16;

/// Reads may be asked again, so that a hiccup before the write stops nothing.
#[tokio::test]
async fn a_read_is_asked_again_after_a_hiccup() {
    let cases = GRANTS.iter().map(|grant| async move {
        let world = World::new().await;
        let server = world.serve().await;
        let reads = match grant.vendor {
            "outsystems" => "/api/identity/v1/users",
            "dfns" => "/permissions",
            "redox" => "/role-assignment",
            "snaplogic" => "/assetapi/acl/",
            _ => "/assets",
        };
        for fault in [status(503), FaultKind::DropBefore, status_after(429, "0")] {
            world.inject(grant.vendor, "GET", reads, fault);
        }
        let answer = server.call(grant.tool, parsed(grant.arguments)).await;
        assert_eq!(answer.outcome(), "confirmed", "{}: {:#}", grant.tool, answer.body);
        assert_eq!(world.writes().len(), 1, "{}", grant.tool);
    });
    futures_util::future::join_all(cases).await;
}

/// The vendor says yes, and then cannot be read: what is not known is not claimed.
#[tokio::test]
async fn a_yes_that_cannot_be_read_back_is_not_called_confirmed() {
    let cases = [(404, "unknown"), (403, "unconfirmed")];
    let cases = cases.iter().flat_map(|case| GRANTS.iter().map(move |grant| (case, grant)));
    let troubles: Vec<_> = futures_util::stream::iter(cases)
        .map(|((status, wanted), grant)| async move {
            let answer = unread(grant, *status).await;
            let right = answer.outcome() == *wanted;
            (!right).then(|| format!("{}, {status}: {:#}", grant.tool, answer.body))
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    assert!(troubles.is_empty(), "{}", troubles.join("\n"));
}

/// A grant at a vendor that answers nothing but `status` to reads once it has been written to.
async fn unread(grant: &Grant, status: u16) -> Answer {
    let world = World::new().await;
    let (variable, path, method) = (grant.variable, grant.path, grant.method);
    let written = AtomicUsize::new(0);
    let proxy = Proxy::start(Some(world.variable(variable)), move |asked, asked_path| {
        if asked == method && asked_path.contains(path) {
            written.fetch_add(1, SeqCst);
        }
        let spoilt = asked == "GET" && written.load(SeqCst) > 0;
        if spoilt { Then::Answer(reply(status, "{}")) } else { Then::Pass }
    });
    let proxy = proxy.await;
    let world = world.tokens_straight().await.set(variable, &proxy.url);
    let answer = world.serve().await.call(grant.tool, parsed(grant.arguments)).await;
    assert_eq!(world.writes().len(), 1, "{}", grant.tool);
    answer
}

/// Nothing listens where the vendor should be.
#[tokio::test]
async fn a_vendor_that_cannot_be_reached_is_unavailable_and_nothing_is_recorded() {
    let cases = GRANTS.iter().map(|grant| async move {
        let world = World::new().await.set(grant.variable, NOBODY);
        let answer = world.serve().await.call(grant.tool, parsed(grant.arguments)).await;
        assert_eq!(answer.outcome(), "unavailable", "{:#}", answer.body);
        assert!(answer.is_error && !answer.hint().is_empty(), "{:#}", answer.body);
        assert!(world.sandbox.journal().is_empty() && world.ledger().is_empty());
    });
    futures_util::future::join_all(cases).await;
}

/// A port that is never handed out and where nothing listens.
pub const NOBODY: &str = "http://127.0.0.1:1";

/// A signature is spent by being sent, and one that cannot be had means that nothing was sent.
#[tokio::test]
async fn a_signing_step_that_fails_is_told_from_a_write_that_fails() {
    let dfns = &GRANTS[1];
    for (step, fault, times, outcome, sent) in [
        ("/auth/action/init", status(401), 1, "confirmed", 1),
        ("/auth/action/init", status(401), ALWAYS, "rejected", 0),
        ("/auth/action/init", status(403), 1, "rejected", 0),
        ("/auth/action/init", status(500), 1, "unavailable", 0),
        ("/auth/action/init", FaultKind::DropBefore, 1, "unavailable", 0),
        ("/auth/action/init", FaultKind::Garble, 1, "unavailable", 0),
        ("/auth/action/init", FaultKind::Truncate, 1, "unavailable", 0),
    ] {
        let world = World::new().await;
        let server = world.serve().await;
        for _ in 0..times {
            world.inject("dfns", "POST", step, fault.clone());
        }
        let answer = server.call(dfns.tool, parsed(dfns.arguments)).await;
        let found = (answer.outcome(), world.writes().len());
        assert_eq!(found, (outcome, sent), "{step} {fault:?}: {:#}", answer.body);
    }
}

/// The second step's path begins the first's, so it takes more than the sandbox's faults to fail
/// it alone.
#[tokio::test]
async fn a_signature_that_is_not_accepted_sends_nothing() {
    let dfns = &GRANTS[1];
    for (answer, times, outcome, sent) in [
        (reply(401, "{}"), 1, "confirmed", 1),
        (reply(401, "{}"), ALWAYS, "rejected", 0),
        (reply(403, "{}"), 1, "rejected", 0),
        (reply(500, "{}"), 1, "unavailable", 0),
        (reply(200, "<html>"), 1, "unavailable", 0),
        (String::new(), 1, "unavailable", 0),
    ] {
        let world = World::new().await;
        let (case, left) = (format!("{answer:?} {times} times"), AtomicUsize::new(times));
        let proxy = Proxy::start(Some(world.variable("DFNS_API_URL")), move |_, path| {
            let spoilt = path == "/auth/action"
                && left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
            if spoilt { Then::Answer(answer.clone()) } else { Then::Pass }
        });
        let proxy = proxy.await;
        let world = world.set("DFNS_API_URL", &proxy.url);
        let answer = world.serve().await.call(dfns.tool, parsed(dfns.arguments)).await;
        let found = (answer.outcome(), world.writes().len());
        assert_eq!(found, (outcome, sent), "{case}: {:#}", answer.body);
    }
}

/// Each attempt at a Dfns write earns its own signature.
#[tokio::test]
async fn every_attempt_is_signed_afresh() {
    let dfns = &GRANTS[1];
    let world = World::new().await;
    let server = world.serve().await;
    for _ in 0..2 {
        world.inject("dfns", "POST", "/assignments", status_after(429, "0"));
    }
    let answer = server.call(dfns.tool, parsed(dfns.arguments)).await;
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    let proofs: Vec<Value> = world
        .writes()
        .iter()
        .map(|seen| {
            let header = seen.headers.iter().find(|(name, _)| name == "x-dfns-useraction");
            Value::from(header.unwrap().1.clone())
        })
        .collect();
    assert_eq!(proofs.len(), 3);
    assert!(proofs[0] != proofs[1] && proofs[1] != proofs[2] && proofs[0] != proofs[2]);
    assert_eq!(world.count("POST", "/auth/action/init"), 3);
}
