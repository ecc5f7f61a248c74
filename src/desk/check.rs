//! `check_change`: what a receipt is of, and where that stands now.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::body::{Checked, Listed, Marks, Of};
use super::lag::look_again;
use super::status::holds;
use super::{Answer, Call, Desk};
use crate::access::Outcome;
use crate::failure::Failure;
use crate::ledger::Record;
use crate::requester::Requester;
use crate::tools::check_change::CheckChange;
use crate::tools::{MOST_BYTES, parse};

/// How far back a look without a receipt goes.
const RECENT: SignedDuration = SignedDuration::from_hours(24);
/// The most receipts one answer lists.
const MOST: usize = 50;

impl Desk {
    pub(super) async fn check(&self, call: Call) -> Answer {
        let Call { arguments, requester, .. } = call;
        let receipt = arguments.get("receipt").and_then(Value::as_str).map(str::to_owned);
        let answer = self.try_check(arguments, &requester).await;
        let answer = answer.unwrap_or_else(|failure| Answer::unasked(&failure));
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

    async fn try_check(
        &self,
        arguments: Map<String, Value>,
        by: &Requester,
    ) -> Result<Answer, Failure> {
        let CheckChange { receipt } = parse(Value::Object(arguments))?;
        let Some(receipt) = receipt else { return self.lately().await.map(Answer::listed) };
        let checked = match self.ledger.find(receipt.as_str()).await? {
            Some(record) => self.looked_at(record, by).await,
            None => self.asked_for(receipt.as_str(), by).await,
        };
        checked.map(Answer::checked)
    }

    /// A change as it stands now.
    pub(super) async fn looked_at(
        &self,
        record: Record,
        by: &Requester,
    ) -> Result<Checked, Failure> {
        let record = self.followed_up(record, by).await?;
        let shown = self.shown(&record);
        if record.undone_by.is_some() {
            return Ok(shown.noted("it was undone"));
        }
        if record.ended_by.is_some() || record.over.is_some() {
            return Ok(shown.noted("its time was over, and it was taken back"));
        }
        if record.end.as_ref().is_some_and(|end| !end.outcome.may_stand()) {
            return Ok(shown);
        }
        let found = self.status_of(&record).await?;
        self.learn(&record, &found, by).await;
        let holds = record.held_by.as_ref().map(|by| holds(by, record.is_over(Timestamp::now())));
        let is_early = found.early && holds.is_none();
        Ok(Checked {
            outcome: found.outcome,
            hint: is_early.then(|| look_again(&record.receipt)),
            note: Some(holds.unwrap_or(found.note)),
            now: Some(found.shown),
            ..shown
        })
    }

    /// What happened in the last 24 hours, and what is not finished.
    async fn lately(&self) -> Result<Listed, Failure> {
        let since = Timestamp::now() - RECENT;
        let (requests, unseen) = self.ledger.asked(since, MOST).await?;
        let (records, left) = self.ledger.recent(since, MOST).await?;
        let requests = requests.iter().map(|request| self.asked_as(request));
        let changes = requests.chain(records.iter().map(|record| self.shown(record)));
        let (mut room, mut changes) = (MOST_BYTES, changes.collect::<Vec<_>>());
        let all = changes.len();
        changes.retain(|change| {
            let rest = room.checked_sub(json!(change).to_string().len());
            room = rest.unwrap_or_default();
            rest.is_some()
        });
        let left = unseen + left + all - changes.len();
        let note =
            (left > 0).then(|| format!("{left} others are left out: ask for them by receipt"));
        Ok(Listed { changes, note, warnings: Vec::new() })
    }

    /// A change as it was recorded, with its tenant where answers name that.
    pub(super) fn shown(&self, record: &Record) -> Checked {
        let tenant = self.config.said(&record.vendor, record.tenant_name.as_deref());
        shown(record).at(tenant.map(str::to_owned))
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

fn shown(record: &Record) -> Checked {
    let open = "it was about to be sent, and how it ended was not recorded";
    // What does not stand has no end.
    let end = record.expires_at.filter(|_| record.end.is_none() || record.may_stand());
    Checked {
        receipt: record.receipt.clone(),
        outcome: record.outcome().unwrap_or(Outcome::Unknown),
        time: record.time.clone(),
        requester: record.requester.clone(),
        of: Some(Of::new(record.vendor.clone())),
        tool: record.tool.clone(),
        summary: record.summary.clone(),
        note: record.end.is_none().then(|| open.to_owned()),
        marks: Marks {
            expires_at: end.map(|end| end.to_string()),
            overdue: record.overdue.clone(),
            undone_by: record.undone_by.clone(),
            superseded_by: record.superseded_by.clone(),
            ended_by: record.ended_by.clone(),
            ended: record.over.clone(),
            undoes: record.undoes.clone(),
            ends: record.ends.clone(),
            consent: record.consent.clone(),
            ..Marks::default()
        },
        hint: None,
        now: None,
        changes: Vec::new(),
        warnings: Vec::new(),
    }
}

impl Checked {
    pub(super) fn noted(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }
}
