//! A change as a line of the ledger tells it, for the rules to judge who may see it and who may approve it.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::access::Access;
use crate::argument::Duration;
use crate::intent::{Cause, Intent, JUDGED, JudgedFacts, ReadForRules, Shift};
use crate::tools::{Effect, TOOLS};

/// What every line keeps of a change.
#[derive(Deserialize)]
struct Recorded {
    base: String,
    tenant: String,
    #[serde(default)]
    tenant_name: Option<String>,
    #[serde(default)]
    organization: Option<String>,
    tool: String,
    effect: Effect,
    summary: String,
    wanted: Access,
    #[serde(default)]
    before: Vec<Access>,
    #[serde(default)]
    after: Vec<Access>,
    #[serde(default)]
    conclusive: bool,
    #[serde(default)]
    undoes: Option<String>,
    #[serde(default)]
    ends: Option<String>,
    #[serde(default)]
    extends: Option<String>,
    #[serde(default)]
    upon: Vec<String>,
    #[serde(default)]
    privileged: Option<String>,
    #[serde(default)]
    expires_at: Option<Timestamp>,
    #[serde(default)]
    lasts: Option<Duration>,
    #[serde(default)]
    since: Option<Timestamp>,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    client: Option<String>,
}

/// A change that was asked for, and whether all is there that the rules were told when it was.
pub struct Recalled {
    pub intent: Intent,
    pub is_whole: bool,
}

/// The change of a line; none where the line tells of none, or of a tool that there is not.
pub fn recalled(line: &Value) -> Option<Recalled> {
    let recorded = Recorded::deserialize(line).ok()?;
    let spec = TOOLS.iter().map(|tool| tool.spec).find(|spec| spec.name == recorded.tool)?;
    let vendor = spec.vendor?;
    let judged = line.get(JUDGED).and_then(|judged| JudgedFacts::deserialize(judged).ok());
    let is_whole = judged.is_some();
    let facts = judged.unwrap_or_else(|| JudgedFacts {
        tenant_told: recorded.tenant_name.clone().unwrap_or_else(|| vendor.to_owned()),
        lowering: false,
        contains: Vec::new(),
        own: false,
        rows: Vec::new(),
        width: 1,
        set_size: 1,
        called: recorded.tool.clone(),
    });
    let cause = match (recorded.undoes, recorded.ends, recorded.extends) {
        (Some(receipt), _, _) => Cause::Undo(receipt),
        (None, Some(receipt), _) => Cause::Expiry(receipt),
        (None, None, Some(receipt)) => Cause::Extension(receipt),
        (None, None, None) => Cause::Request,
    };
    let intent = Intent {
        vendor,
        base: recorded.base,
        tenant: recorded.tenant,
        tenant_name: recorded.tenant_name,
        tenant_told: facts.tenant_told,
        organization: recorded.organization,
        tool: spec.name,
        effect: recorded.effect,
        lowering: facts.lowering,
        // It is judged as what it was found to be then, and not as two.
        shift: Shift {
            gives: recorded.effect != Effect::Revoke,
            takes: recorded.effect == Effect::Revoke,
        },
        cause,
        needs: spec.needs,
        summary: recorded.summary,
        wanted: recorded.wanted,
        arguments: Value::Null,
        draft: None,
        before: recorded.before,
        after: recorded.after,
        conclusive: recorded.conclusive,
        privileged: recorded.privileged,
        contains: facts.contains,
        ingredients: Vec::new(),
        own: facts.own,
        rows: facts.rows,
        since: recorded.since,
        width: facts.width,
        set_size: facts.set_size,
        called: facts.called,
        expires_at: recorded.expires_at,
        lasts: recorded.lasts,
        upon: recorded.upon,
        warnings: recorded.warnings,
        reason: recorded.reason,
        client: recorded.client,
        read: ReadForRules::default(),
    };
    Some(Recalled { intent, is_whole })
}
