//! `check_change`: what a receipt is of, and where that stands now.

use serde_json::{Map, Value};

use super::body::{Checked, Marks, Of};
use super::lag::look_again;
use super::status::holds;
use super::{Answer, Call, Desk};
use crate::access::Outcome;
use crate::failure::Failure;
use crate::ledger::{PastEntry, Record, told_to};
use crate::requester::Requester;
use crate::tools::check_change::{CheckChange, with_others};
use crate::tools::parse;

impl Desk {
    pub(super) async fn check(&self, call: Call, tenant: Option<&str>) -> Answer {
        let Call { arguments, requester, .. } = call;
        let receipt = arguments.get("receipt").and_then(Value::as_str).map(str::to_owned);
        let answer = self.try_check(arguments, tenant, &requester).await;
        let answer = answer.unwrap_or_else(|failure| Answer::unasked(&failure));
        let mut troubles = told_to(&requester, self.ledger.watched().await);
        // Only whoever asks for it reads a receipt that is settled.
        if let Some(receipt) = receipt
            && self.may_see(&receipt, &requester).await.unwrap_or(false)
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
        tenant: Option<&str>,
        by: &Requester,
    ) -> Result<Answer, Failure> {
        let asked: CheckChange = parse(Value::Object(arguments))?;
        let Some(receipt) = &asked.receipt else {
            return self.lately(&asked, tenant, by).await.map(Answer::listed);
        };
        if tenant.is_some() {
            return Err(with_others());
        }
        self.seen(receipt.as_str(), by).await?;
        let checked = match self.ledger.find(receipt.as_str()).await? {
            Some(record) => {
                let entry = self.ledger.entry(receipt.as_str()).await?;
                let checked = self.looked_at(record, by).await;
                checked.map(|checked| checked.asked_by(entry.as_ref()))
            }
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
        let holds =
            record.held_by.as_ref().map(|by| holds(by, record.is_over(crate::clock::now())));
        let is_early = found.early && holds.is_none();
        Ok(Checked {
            outcome: found.outcome,
            hint: is_early.then(|| look_again(&record.receipt)),
            note: Some(holds.unwrap_or(found.note)),
            now: Some(found.shown),
            ..shown
        })
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
        remaining: Vec::new(),
        warnings: Vec::new(),
    }
}

impl Checked {
    /// With who asked for it, where somebody else carried out what was approved.
    fn asked_by(self, entry: Option<&PastEntry>) -> Self {
        match entry {
            Some(entry) => Self { requester: entry.requester().to_owned(), ..self },
            None => self,
        }
    }

    pub(super) fn noted(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }
}
