//! The ledger's changes as events of OCSF 1.6, class 3005: User Access Management.
//!
//! One event for each end of a change, each later finding, each refusal, each denial by a person and
//! each end that was moved; the last ones for the changes whose end is not known. <https://schema.ocsf.io/1.6.0/classes/user_access>

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::access::Outcome;

/// Turns lines, oldest first, into events.
#[derive(Default)]
pub struct Events {
    /// Opening lines of changes, by receipt, until their end is known.
    open: BTreeMap<String, Value>,
    /// Those that have ended, for what is found out later.
    ended: BTreeMap<String, Value>,
    /// Questions to a person that nobody has answered.
    asked: BTreeMap<String, Value>,
    /// Who approved what was asked.
    approved: BTreeMap<String, Value>,
}

/// What a change did to privileges, as the class numbers it.
const ASSIGN: (u32, &str) = (1, "Assign Privileges");
const REVOKE: (u32, &str) = (2, "Revoke Privileges");
const CLASS: u32 = 3005;
const UNSETTLED: [Outcome; 3] =
    [Outcome::Unknown, Outcome::PendingVendorApproval, Outcome::Unconfirmed];

impl Events {
    /// The event that a line is, where it is one.
    pub fn take(&mut self, line: &Value) -> Option<Value> {
        let receipt = text(line, "receipt")?;
        match text(line, "event")? {
            "open" => {
                let mut opened = line.clone();
                let consent = text(line, "consent").unwrap_or(receipt);
                if let Some(approval) = self.approved.get(consent) {
                    crate::json::put(&mut opened, "approval", approval.clone());
                }
                self.open.insert(receipt.to_owned(), opened);
                None
            }
            "asked" => {
                self.asked.insert(receipt.to_owned(), line.clone());
                None
            }
            "answered" => self.answered(receipt, line),
            "spent" => {
                self.asked.remove(receipt);
                None
            }
            "extended" => extended(line),
            "close" | "found" => {
                let known = self.open.remove(receipt).or_else(|| self.ended.remove(receipt));
                let known = known?;
                let event = event(&known, line);
                if outcome(line).is_some_and(|outcome| UNSETTLED.contains(&outcome)) {
                    self.ended.insert(receipt.to_owned(), known);
                }
                Some(event)
            }
            "refused" => Some(event(line, line)),
            _ => None,
        }
    }

    /// Keeps who approved; a denial is an event for itself.
    fn answered(&mut self, receipt: &str, line: &Value) -> Option<Value> {
        let mut by = json!({});
        for field in ["by", "how", "time", "reason"] {
            if let Some(value) = line.get(field).filter(|value| !value.is_null()) {
                crate::json::put(&mut by, field, value.clone());
            }
        }
        match text(line, "decision")? {
            "approved" => {
                self.approved.insert(receipt.to_owned(), by);
                None
            }
            "denied" => {
                let asked = self.asked.remove(receipt)?;
                let mut change = asked.pointer("/content/intents/0").cloned().unwrap_or_default();
                take_over(&mut change, &asked, "", &["receipt", "time", "requester"]);
                take_over(&mut change, &asked, "/content", &["summary"]);
                crate::json::put(&mut change, "denial", by);
                let end = json!({
                    "outcome": Outcome::Refused,
                    "time": line.get("time"),
                    "note": line.get("reason"),
                });
                Some(event(&change, &end))
            }
            _ => None,
        }
    }

    /// The changes whose end is not known.
    pub fn rest(self) -> impl Iterator<Item = Value> {
        self.open.into_values().map(|open| event(&open, &json!({})))
    }
}

/// The event of an end that was moved: nothing was sent, and the access stays for longer.
fn extended(line: &Value) -> Option<Value> {
    let mut change = line.pointer("/content/extension")?.clone();
    take_over(&mut change, line, "", &["receipt", "time", "requester", "expires_at"]);
    take_over(&mut change, line, "/content", &["policy", "consent"]);
    let end = json!({ "outcome": Outcome::Confirmed, "time": line.get("time") });
    Some(event(&change, &end))
}

/// Puts these fields of a line, below a place in it, into a change.
fn take_over(change: &mut Value, line: &Value, below: &str, fields: &[&str]) {
    for field in fields {
        let value = line.pointer(&format!("{below}/{field}")).cloned();
        crate::json::put(change, field, value.unwrap_or_default());
    }
}

/// The event of a change, from the line that opened it and the one that says how it ended.
fn event(change: &Value, end: &Value) -> Value {
    let (activity, activity_name) =
        if text(change, "effect") == Some("revoke") { REVOKE } else { ASSIGN };
    let outcome = outcome(end);
    let (status_id, status) = status(outcome);
    let privileged = change.get("privileged").is_some_and(Value::is_string);
    let (severity_id, severity) = if privileged { (4, "High") } else { (1, "Informational") };
    let named = |place: &str| change.pointer(place).and_then(Value::as_str);
    let label = |of: &str| named(&format!("{of}/name")).or_else(|| named(&format!("{of}/id")));
    let mut event = json!({
        "activity_id": activity,
        "activity_name": activity_name,
        "category_uid": 3,
        "category_name": "Identity & Access Management",
        "class_uid": CLASS,
        "class_name": "User Access Management",
        "type_uid": CLASS * 100 + activity,
        "type_name": format!("User Access Management: {activity_name}"),
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "status_code": outcome.map_or("open", Outcome::as_str),
        "time": moment(end, "time").or_else(|| moment(change, "time")).unwrap_or_default(),
        "start_time": moment(change, "time").unwrap_or_default(),
        "message": text(change, "summary").unwrap_or_default(),
        "privileges": [label("/wanted/role").unwrap_or("unknown")],
        "user": {
            "uid": named("/wanted/principal/id").unwrap_or("unknown"),
            "name": label("/wanted/principal").unwrap_or("unknown"),
            "type_id": if named("/wanted/principal/kind") == Some("user") { 1 } else { 99 },
            "type": named("/wanted/principal/kind").unwrap_or("unknown"),
        },
        "resources": [{
            "uid": named("/wanted/resource/id").unwrap_or("unknown"),
            "name": label("/wanted/resource").unwrap_or("unknown"),
            "type": named("/wanted/resource/kind").unwrap_or("unknown"),
        }],
        "actor": { "user": { "name": text(change, "requester").unwrap_or("unknown"), "type_id": 1 } },
        "metadata": {
            "version": "1.6.0",
            "uid": text(change, "receipt").unwrap_or_default(),
            "log_name": "ledger",
            "log_provider": "grantor",
            "original_time": text(change, "time").unwrap_or_default(),
            "product": {
                "name": "Grantor",
                "vendor_name": "Grantor",
                "version": env!("CARGO_PKG_VERSION"),
            },
        },
        "unmapped": unmapped(change, end),
    });
    if let (Some(tenant), Some(metadata)) = (text(change, "tenant_name"), event.get_mut("metadata"))
    {
        crate::json::put(metadata, "tenant_uid", tenant);
    }
    if let Some(note) = text(end, "note") {
        crate::json::put(&mut event, "status_detail", note);
    }
    if let (Some(client), Some(actor)) = (text(change, "client"), event.get_mut("actor")) {
        crate::json::put(actor, "app_name", client);
    }
    event
}

/// What the class has no place for.
fn unmapped(change: &Value, end: &Value) -> Value {
    let mut unmapped = json!({});
    let of_change = [
        "vendor",
        "base",
        "tenant",
        "tenant_name",
        "tool",
        "reason",
        "consent",
        "approval",
        "denial",
        "policy",
        "hint",
        "undoes",
        "ends",
        "expires_at",
        "before",
        "request",
    ];
    let of_end = ["after", "vendor_status", "vendor_request_id", "by"];
    let kept =
        of_change.iter().map(|name| (name, change)).chain(of_end.iter().map(|name| (name, end)));
    for (name, line) in kept {
        if let Some(value) = line.get(name).filter(|value| !value.is_null()) {
            crate::json::put(&mut unmapped, name, value.clone());
        }
    }
    unmapped
}

fn status(outcome: Option<Outcome>) -> (u32, &'static str) {
    match outcome {
        Some(outcome) if !outcome.is_error() && !UNSETTLED.contains(&outcome) => (1, "Success"),
        Some(Outcome::Unknown | Outcome::Unconfirmed) | None => (0, "Unknown"),
        Some(Outcome::PendingVendorApproval) => (99, "Pending vendor approval"),
        Some(_) => (2, "Failure"),
    }
}

fn outcome(line: &Value) -> Option<Outcome> {
    serde_json::from_value(line.get("outcome")?.clone()).ok()
}

fn moment(line: &Value, field: &str) -> Option<i64> {
    text(line, field)?.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

fn text<'a>(line: &'a Value, field: &str) -> Option<&'a str> {
    line.get(field)?.as_str()
}
