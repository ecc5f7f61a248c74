//! `check_change`: what a receipt is of, and where that stands now.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::lag::look_again;
use super::status::holds;
use super::{Answer, Desk};
use crate::access::Outcome;
use crate::failure::Failure;
use crate::json::{put, put_after};
use crate::ledger::Record;
use crate::tools::check_change::CheckChange;
use crate::tools::{MOST_BYTES, parse};

/// How far back a look without a receipt goes.
const RECENT: SignedDuration = SignedDuration::from_hours(24);
/// The most receipts one answer lists.
const MOST: usize = 50;

impl Desk {
    pub(super) async fn check(&self, arguments: Map<String, Value>) -> Answer {
        let receipt = arguments.get("receipt").and_then(Value::as_str).map(str::to_owned);
        let answer = match self.try_check(arguments).await {
            Ok(body) => Answer::new(body, false, None),
            Err(failure) => Answer::unasked(&failure),
        };
        let mut troubles = self.ledger.watched().await;
        // Only whoever asks for it reads a receipt that is settled.
        if let Some(receipt) = receipt
            && !troubles.iter().any(|trouble| trouble.place.contains(&receipt))
            && let Ok(Some(trouble)) = self.ledger.damage_of(&receipt).await
        {
            troubles.push(trouble);
        }
        answer.read_from(troubles)
    }

    async fn try_check(&self, arguments: Map<String, Value>) -> Result<Value, Failure> {
        let CheckChange { receipt } = parse(Value::Object(arguments))?;
        let Some(receipt) = receipt else { return self.lately().await };
        match self.ledger.find(receipt.as_str()).await? {
            Some(record) => self.looked_at(record).await,
            None => self.asked_for(receipt.as_str()).await,
        }
    }

    /// A change as it stands now.
    pub(super) async fn looked_at(&self, record: Record) -> Result<Value, Failure> {
        let record = self.followed_up(record).await?;
        let mut shown = self.shown(&record);
        if record.undone_by.is_some() {
            put(&mut shown, "note", "it was undone");
        } else if record.ended_by.is_some() || record.over.is_some() {
            put(&mut shown, "note", "its time was over, and it was taken back");
        } else if record.end.as_ref().is_none_or(|end| end.outcome.may_stand()) {
            let found = self.status_of(&record).await?;
            self.learn(&record, &found).await;
            put(&mut shown, "outcome", json!(found.outcome));
            let holds = record.held_by.as_ref().map(|by| holds(by, record.is_over()));
            if found.early && holds.is_none() {
                put(&mut shown, "hint", look_again(&record.receipt));
            }
            put(&mut shown, "note", holds.unwrap_or(found.note));
            put(&mut shown, "now", json!(found.shown));
        }
        Ok(shown)
    }

    /// What happened in the last 24 hours, and what is not finished.
    async fn lately(&self) -> Result<Value, Failure> {
        let since = Timestamp::now() - RECENT;
        let (requests, unseen) = self.ledger.asked(since, MOST).await?;
        let (records, left) = self.ledger.recent(since, MOST).await?;
        let requests = requests.iter().map(|request| self.asked_as(request));
        let changes = requests.chain(records.iter().map(|record| self.shown(record)));
        let (mut room, mut changes) = (MOST_BYTES, changes.collect::<Vec<_>>());
        let all = changes.len();
        changes.retain(|change| {
            let rest = room.checked_sub(change.to_string().len());
            room = rest.unwrap_or_default();
            rest.is_some()
        });
        let left = unseen + left + all - changes.len();
        let mut body = json!({ "changes": changes });
        if left > 0 {
            put(&mut body, "note", format!("{left} others are left out: ask for them by receipt"));
        }
        Ok(body)
    }

    /// A change as it was recorded, with its tenant where answers name that.
    pub(super) fn shown(&self, record: &Record) -> Value {
        let mut shown = shown(record);
        if let Some(tenant) = self.config.said(&record.vendor, record.tenant_name.as_deref()) {
            put_after(&mut shown, "vendor", "tenant", tenant);
        }
        shown
    }

    /// Why nothing is found under a receipt: there is none, or its lines do not hold.
    pub(super) async fn not_found(&self, receipt: &str) -> Failure {
        match self.ledger.damage_of(receipt).await {
            Ok(Some(trouble)) => {
                let why = format!("the lines of {receipt} cannot be relied on: {}", trouble.what);
                Failure::refused(why).hint("`grantor ledger verify` says more")
            }
            _ => unknown(receipt),
        }
    }
}

pub(super) fn unknown(receipt: &str) -> Failure {
    Failure::invalid(format!("receipt: the ledger has no change {receipt}"))
        .hint("check_change without a receipt lists those of the last 24 hours")
}

fn shown(record: &Record) -> Value {
    let mut shown = json!({
        "receipt": record.receipt,
        "outcome": record.outcome().unwrap_or(Outcome::Unknown),
        "time": record.time,
        "requester": record.requester,
        "vendor": record.vendor,
        "tool": record.tool,
        "summary": record.summary,
    });
    if record.end.is_none() {
        put(&mut shown, "note", "it was about to be sent, and how it ended was not recorded");
    }
    // What does not stand has no end.
    let end = record.expires_at.filter(|_| record.end.is_none() || record.may_stand());
    let end = end.map(|end| end.to_string());
    let marks = [
        ("expires_at", end.as_ref()),
        ("overdue", record.overdue.as_ref()),
        ("undone_by", record.undone_by.as_ref()),
        ("superseded_by", record.superseded_by.as_ref()),
        ("ended_by", record.ended_by.as_ref()),
        ("ended", record.over.as_ref()),
        ("undoes", record.undoes.as_ref()),
        ("ends", record.ends.as_ref()),
        ("consent", record.consent.as_ref()),
    ];
    for (key, mark) in marks {
        if let Some(mark) = mark {
            put(&mut shown, key, mark.as_str());
        }
    }
    shown
}
