//! Changes that are recorded as done, and never sent anywhere.

use grantor::access::Outcome;
use grantor::catalogue::Supposed;
use grantor::guard::{Circumstances, Guard, Permitted, Verdict};
use grantor::ledger::{Closing, Ledger};
use grantor::requester::Requester;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

pub const POLICY: &str = r#"
@id("all") permit (principal, action, resource);
"#;

/// Opens a change and closes it: two lines. Its receipt.
pub async fn done(
    ledger: &Ledger,
    guard: &Guard,
    requester: &Requester,
    number: usize,
    is_due: bool,
) -> String {
    let opened = ledger.open(permitted(guard, number, is_due), None, requester).await.unwrap();
    let after = opened.intent().after.clone();
    let closing = Closing {
        outcome: Outcome::Confirmed,
        status: Some(201),
        request_id: None,
        after: &after,
        note: None,
        held: None,
        unseen: false,
    };
    ledger.close(opened.receipt(), &closing, requester).await.unwrap();
    opened.receipt().to_owned()
}

fn permitted(guard: &Guard, number: usize, is_due: bool) -> Box<Permitted> {
    let supposed = json!({
        "grantee": { "id": format!("user-{number}"), "name": "Sam Rivera", "kind": "user" },
        "role": { "id": "developer", "name": "Developer" },
        "resource": { "id": format!("asset-{}", number % 100), "name": "Orders", "kind": "asset" },
        "reason": "OPS-7: joins the team",
    });
    let now = Timestamp::now();
    let supposed: Supposed = serde_json::from_value(supposed).unwrap();
    let mut intent = supposed.intent("grant_asset_role", now).unwrap();
    intent.expires_at = is_due.then(|| now - SignedDuration::from_secs(1));
    let at = Circumstances { requester: &Requester::named("alice"), changes_this_hour: 0, now };
    match guard.judge(intent, &at) {
        Verdict::Allow(permitted) => permitted,
        other => unreachable!("{other:?}"),
    }
}
