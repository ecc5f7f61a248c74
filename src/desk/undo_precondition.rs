//! What taking an earlier change back leaves, and what must still be so for it.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Desk;
use super::overlap::{Back, Moved, Remainder, remaining};
use crate::access::{Access, Named};
use crate::failure::Failure;
use crate::ledger::Record;
use crate::outbound::{CALL, Deadline};
use crate::tools::{Holds, Run, Snapshot, Step, TOOLS};
use crate::vendors::VendorReader;

/// An earlier change that is taken back.
pub(super) struct UndoPrecondition {
    /// The change: before it what is to be left, and after it what must still be there.
    pub record: Record,
    /// What the vendor showed then.
    pub earlier: Vec<Access>,
    /// Until when what is given back was to last.
    pub until: Option<Timestamp>,
    /// What an undo gave back of it since, maybe under another id.
    given_back: Vec<Access>,
    since: Since,
}

/// Who changed the access since, as far as the ledger knows.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Since {
    Nobody,
    /// Others, or a change from here.
    Somebody(Option<String>),
}

/// How a change is to be taken back.
pub(super) enum Outlook {
    Open(Box<UndoPrecondition>),
    /// There is nothing to take back: why.
    Closed(String),
}

/// Where a change writes: one principal's access to one resource, or one role of it.
#[derive(Clone, Debug)]
pub(super) struct AccessPlace {
    principal: Named,
    resource: String,
    role: Option<String>,
}

/// A row as what stands in a place.
#[derive(Clone, Debug)]
pub(super) struct Stands(Access);

pub(super) type Remainders = Vec<(AccessPlace, Remainder<Stands>)>;

impl PartialEq for Stands {
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (&self.0, &other.0);
        one.role.id == other.role.id
            && one.within == other.within
            && one.expires_at == other.expires_at
    }
}

impl AccessPlace {
    fn of(row: &Access, holds: Holds) -> Self {
        Self {
            principal: row.principal.clone(),
            resource: row.resource.id.clone(),
            role: (holds == Holds::Many).then(|| row.role.id.clone()),
        }
    }

    fn is(&self, other: &Self) -> bool {
        self.principal.is(&other.principal)
            && self.resource == other.resource
            && self.role == other.role
    }

    pub(super) fn has(&self, row: &Access) -> bool {
        self.principal.is(&row.principal)
            && self.resource == row.resource.id
            && self.role.as_ref().is_none_or(|role| *role == row.role.id)
    }

    fn holds(&self, rows: &[Access]) -> Option<Stands> {
        rows.iter().find(|row| !row.pending && self.has(row)).cloned().map(Stands)
    }

    /// What a change did here, where it did something.
    fn moved(&self, record: &Record) -> Option<Moved<Stands>> {
        let end = record.end.as_ref().filter(|_| record.may_stand())?;
        let (before, after) = (self.holds(&record.before), self.holds(&end.after));
        if before == after && !self.has(&record.wanted()) {
            let wanted = record.wanted();
            let is_named = self.principal.is(&wanted.principal) && self.role.is_none();
            if !is_named || self.resource != wanted.resource.id {
                return None;
            }
        }
        let back = |of: &Option<String>, is_end| {
            let (of, done) = (of.clone()?, record.takes_back());
            Some(Back { of, is_end, done })
        };
        Some(Moved {
            receipt: record.receipt.clone(),
            at: record.opened(),
            before,
            after,
            until: record.expires_at,
            over: record.over.is_some() || record.ended_by.is_some(),
            back: back(&record.undoes, false).or_else(|| back(&record.ends, true)),
        })
    }
}

/// Where a change wrote.
pub(super) fn places(record: &Record, holds: Holds) -> Vec<AccessPlace> {
    let wanted = record.wanted();
    let after = record.end.as_ref().map(|end| end.after.as_slice()).unwrap_or_default();
    if holds != Holds::List {
        return vec![AccessPlace::of(&wanted, holds)];
    }
    let mut places: Vec<AccessPlace> = Vec::new();
    for row in record.before.iter().chain(after) {
        let place = AccessPlace::of(row, holds);
        let differs = place.holds(&record.before) != place.holds(after);
        if differs && !places.iter().any(|known| known.is(&place)) {
            places.push(place);
        }
    }
    if places.is_empty() && wanted.principal.kind.is_some() {
        places.push(AccessPlace::of(&wanted, holds));
    }
    places
}

/// How many values there are where a tool writes.
pub(super) fn holds(tool: &str) -> Holds {
    match run_of(tool) {
        Some(Run::Change { holds, .. }) => *holds,
        _ => Holds::Many,
    }
}

pub(super) fn run_of(tool: &str) -> Option<&'static Run> {
    TOOLS.iter().find(|known| known.spec.name == tool).map(|known| &known.run)
}

impl Desk {
    /// How the end of a timed change, or its undo, is to be carried out.
    pub(super) async fn outlook(&self, record: Record, is_end: bool) -> Result<Outlook, Failure> {
        let holds = holds(&record.tool);
        let since = match &record.superseded_by {
            Some(by) if holds == Holds::Many => Since::Somebody(Some(by.clone())),
            _ => Since::Nobody,
        };
        let given_back = match holds {
            Holds::Many => self.ledger.given_back(&record.receipt).await?,
            Holds::One | Holds::List => Vec::new(),
        };
        let earlier = shown_then(&record);
        let mut undoing = UndoPrecondition { record, earlier, until: None, given_back, since };
        if holds == Holds::Many && is_end {
            return Ok(Outlook::Open(Box::new(undoing)));
        }
        let now = crate::clock::now();
        let remainders =
            self.remainders(&undoing.record, &places(&undoing.record, holds), now).await?;
        if !is_end {
            if nothing_is_left(&undoing.record, &remainders) {
                let receipt = &undoing.record.receipt;
                return Ok(Outlook::Closed(format!(
                    "what {receipt} took away was to end, and its time is over: nothing of it is \
                     left to give back"
                )));
            }
            undoing.until = remainders.iter().filter_map(|(_, left)| left.comes_back()).min();
        }
        if holds == Holds::Many {
            return Ok(Outlook::Open(Box::new(undoing)));
        }
        let covered = remainders.iter().find_map(|(_, left)| match left {
            Remainder::Covered(by) => Some(by.clone()),
            _ => None,
        });
        let mut own = remainders;
        own.retain(|(_, left)| !matches!(left, Remainder::Covered(_) | Remainder::Done));
        match covered {
            Some(by) if !is_end => undoing.since = Since::Somebody(Some(by)),
            Some(by) if own.is_empty() => {
                let said = format!("{by} counts there now, and has an end of its own");
                return Ok(Outlook::Closed(said));
            }
            None if own.is_empty() => {
                return Ok(Outlook::Closed("it is taken back already".to_owned()));
            }
            _ => {}
        }
        self.bring_up(&mut undoing, &own).await?;
        Ok(Outlook::Open(Box::new(undoing)))
    }

    /// Puts into the record what is to be left in its own places, and others' rows as they are.
    async fn bring_up(
        &self,
        undoing: &mut UndoPrecondition,
        own: &Remainders,
    ) -> Result<(), Failure> {
        let UndoPrecondition { record, earlier, since, .. } = undoing;
        let is_own = |row: &Access| own.iter().any(|(place, _)| place.has(row));
        if let Some(Run::Change { rebase, .. }) = run_of(&record.tool) {
            let (tenant, _) = self.tenant_of(record).await?;
            let deadline = Deadline::after(CALL);
            let reader = VendorReader {
                tenant,
                wire: &self.wire,
                deadline,
                cache: None,
                earlier,
                notes: None,
            };
            rebase(record, &is_own, &reader).await?;
        }
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (_, left) in own {
            let (value, found) = match left {
                Remainder::To { value, found, .. } => (value, found),
                Remainder::Changed { by, value, found } => {
                    if *since == Since::Nobody {
                        *since = Since::Somebody(by.clone());
                    }
                    (value, found)
                }
                Remainder::Covered(_) | Remainder::Done => continue,
            };
            before.extend(value.clone().map(|row| row.0));
            after.extend(found.clone().map(|row| row.0));
        }
        record.before.retain(|row| !is_own(row));
        record.before.extend(before);
        if let Some(end) = &mut record.end {
            end.after.retain(|row| !is_own(row));
            end.after.extend(after);
        }
        Ok(())
    }

    /// What taking a change back leaves in each place at that time.
    pub(super) async fn remainders(
        &self,
        record: &Record,
        places: &[AccessPlace],
        now: Timestamp,
    ) -> Result<Remainders, Failure> {
        let history = self.history(record, places).await?;
        let one = |place: &AccessPlace| {
            let moved: Vec<_> = history.iter().filter_map(|record| place.moved(record)).collect();
            (place.clone(), remaining(&moved, &record.receipt, now))
        };
        Ok(places.iter().map(one).collect())
    }

    /// The changes that bear on what a change leaves there, from the first of those that overlap it.
    async fn history(
        &self,
        record: &Record,
        places: &[AccessPlace],
    ) -> Result<Vec<Record>, Failure> {
        let holds = holds(&record.tool);
        let here = |other: &Record| self.is_same_tenant(record, other);
        let meets = |other: &Record| {
            let theirs = self::places(other, holds);
            places.iter().any(|place| theirs.iter().any(|other| other.is(place)))
        };
        let mut first = record.opened();
        if holds != Holds::Many {
            let standing = self.ledger.standing().await?;
            let meeting = standing.iter().filter(|other| here(other) && meets(other));
            first = meeting.map(Record::opened).chain([first]).min().unwrap_or(first);
        }
        let rests_on = |record: &Record| -> Vec<String> {
            let back = record.undoes.iter().chain(&record.ends);
            record.upon.iter().chain(back).cloned().collect()
        };
        let (mut seen, mut open) = (Vec::new(), rests_on(record));
        while let Some(receipt) = open.pop() {
            if seen.contains(&receipt) {
                continue;
            }
            if let Some(under) = self.ledger.find(&receipt).await? {
                first = first.min(under.opened());
                open.extend(rests_on(&under));
            }
            seen.push(receipt);
        }
        let mut history = self.ledger.since(first).await?;
        history.retain(|other| here(other) && other.receipt != record.receipt);
        history.push(record.clone());
        history.sort_by_key(Record::opened);
        Ok(history)
    }

    /// The timed changes that stand where a change is to write, the latest first.
    pub(super) async fn upon(&self, foreseen: &Record) -> Result<Vec<String>, Failure> {
        let holds = holds(&foreseen.tool);
        let places = places(foreseen, holds);
        let here = |other: &Record| self.is_same_tenant(foreseen, other);
        let meets = |other: &Record| {
            let theirs = self::places(other, self::holds(&other.tool));
            here(other) && places.iter().any(|place| theirs.iter().any(|other| other.is(place)))
        };
        let mut standing = match holds {
            Holds::Many => {
                let wanted = foreseen.wanted();
                let key = super::prepare::key(&wanted);
                self.ledger.timed(&self.whose(foreseen), key).await?.into_iter().collect()
            }
            Holds::One | Holds::List => self.ledger.standing().await?,
        };
        standing.retain(meets);
        standing.sort_by_key(Record::opened);
        Ok(standing.into_iter().rev().map(|record| record.receipt).collect())
    }
}

/// Whether what a change took away would have ended by now, all of it.
fn nothing_is_left(record: &Record, remainders: &Remainders) -> bool {
    let took = |(place, left): &(AccessPlace, Remainder<Stands>)| match left {
        Remainder::To { value, found, .. } => {
            let before = place.holds(&record.before);
            (value == found, value == found && before.is_some() && before != *value)
        }
        _ => (false, false),
    };
    let took: Vec<_> = remainders.iter().map(took).collect();
    took.iter().all(|(same, _)| *same) && took.iter().any(|(_, gone)| *gone)
}

impl Remainder<Stands> {
    /// Until when this lasts, where it comes back.
    fn comes_back(&self) -> Option<Timestamp> {
        match self {
            Self::To { value, until, found } if value != found => *until,
            _ => None,
        }
    }

    /// The row that is left.
    pub(super) fn row(&self) -> Option<Access> {
        match self {
            Self::To { value, .. } | Self::Changed { value, .. } => {
                value.as_ref().map(|row| row.0.clone())
            }
            Self::Covered(_) | Self::Done => None,
        }
    }
}

impl UndoPrecondition {
    /// What is given back ends when it was to end.
    ///
    /// # Errors
    /// That time is over.
    pub(super) fn keep_end(&self, arguments: &mut Map<String, Value>) -> Result<(), Failure> {
        let there = arguments.get("expires_at").and_then(Value::as_str);
        let end = there.and_then(|end| end.parse().ok()).or(self.until);
        let Some(end) = end else { return Ok(()) };
        if end <= crate::clock::now() {
            let receipt = &self.record.receipt;
            return Err(Failure::refused(format!(
                "what {receipt} took away was to end at {end}: nothing of it is left to give back"
            )));
        }
        arguments.insert("expires_at".to_owned(), end.to_string().into());
        Ok(())
    }

    /// # Errors
    /// The access is not as the change left it: somebody changed it since.
    pub(super) fn check(&self, step: &dyn Step, now: &Snapshot) -> Result<(), Failure> {
        let after = self.record.end.as_ref().map(|end| end.after.as_slice()).unwrap_or_default();
        let left: Vec<_> = after.iter().filter(|row| step.is_in_scope(row)).collect();
        let there: Vec<_> = now.rows.iter().filter(|row| step.is_in_scope(row)).collect();
        let as_left = |row: &&Access| {
            let told = |row: &Access| (row.within.clone(), row.expires_at.clone());
            let ours = |other: &Access| {
                let given = self.given_back.iter().any(|it| it.is(other) && it.id == other.id);
                row.id == other.id || given
            };
            there.iter().any(|other| row.is(other) && told(row) == told(other) && ours(other))
        };
        let same = left.len() == there.len() && left.iter().all(as_left);
        let by = match &self.since {
            Since::Somebody(Some(by)) => format!(", by {by}"),
            Since::Nobody if same => return Ok(()),
            Since::Nobody | Since::Somebody(None) => String::new(),
        };
        let receipt = &self.record.receipt;
        Err(Failure::refused(format!("the access was changed since {receipt}{by}"))
            .hint("look at it with list_access, and grant or revoke what should be so"))
    }
}

/// The rows that a change met, and the one it was for: ids and names as the vendor gave them.
pub(super) fn shown_then(record: &Record) -> Vec<Access> {
    record.before.iter().cloned().chain([record.wanted()]).collect()
}
