//! What was asked for, refused and done, as a list: the same for an assistant and at a terminal.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::asked_by::Meant;
use super::body::{Checked, Of};
use super::listed::{HistoryRow, Listed};
use super::rights::takes;
use super::visible::Seen;
use super::writing::clean;
use super::{Answer, Desk};
use crate::access::{Named, Outcome};
use crate::argument::{Limit, Moment};
use crate::failure::Failure;
use crate::guard::Right;
use crate::ledger::told_to;
use crate::ledger::{
    Past, PastEntry, PastPage, Position, Refusal, Request, Standing, State, TenantPlace, Told, Who,
};
use crate::requester::Requester;
use crate::text::{self, Word};
use crate::tools::check_change::{self, CheckChange, Token, Wanted, Which};
use crate::tools::{MOST_BYTES, TOOLS, fit, parse, write_cursor};
use crate::vendors::Tenant;

/// How far back a look goes that says nothing of time or of anything else.
const RECENT: SignedDuration = SignedDuration::from_hours(24);
const USUAL: usize = 50;
/// What is said beside the rows, and what stands between two.
const BESIDE: usize = 2_000;
const MARKS: usize = 24;
/// How many entries of a name are looked at for those that an address does not find.
const NAMESAKES: usize = 50;
/// What is sent so soon after it was asked for was sent then, to a reader.
const SOON: SignedDuration = SignedDuration::from_mins(1);

/// What is looked for, when the list of it began, and how much of it is wanted.
struct Sought {
    find: Past,
    begun: Timestamp,
    limit: usize,
}

/// Where a list goes on: behind which entry, and what was now when it began.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    now: Timestamp,
    after: Position,
}

impl Sought {
    /// Without the time that a look has which says nothing.
    fn begin_at_the_first(&mut self) {
        if std::mem::take(&mut self.find.unfinished_too) {
            self.find.since = None;
        }
    }
}

impl Desk {
    /// The history at the vendors and tenants that are named, or at all; it needs none that is configured.
    pub async fn past_changes(
        &self,
        requester: &Requester,
        arguments: Map<String, Value>,
        vendors: &[String],
        tenants: &[String],
    ) -> Answer {
        let listed = async {
            let spec = &check_change::SPEC;
            self.may_look(spec, requester, None)?;
            let tool = TOOLS.iter().find(|tool| tool.spec.name == spec.name);
            let tool = tool.ok_or_else(|| Failure::invalid("this version has no history"))?;
            let asked = parse(Value::Object(fit(tool, arguments)?))?;
            let mut sought = self.sought(&asked, None)?;
            if !vendors.is_empty() || !tenants.is_empty() {
                // What is asked for by its place is asked for from the beginning, as an assistant has it.
                sought.begin_at_the_first();
            }
            sought.find.vendors.extend_from_slice(vendors);
            sought.find.tenants.extend(tenants.iter().map(|name| self.place(name)));
            self.listed(sought, requester).await
        };
        let answer = listed.await.map_or_else(|failure| Answer::unasked(&failure), Answer::listed);
        answer
            .read_from(told_to(requester, self.ledger.watched().await))
            .finish(self.config.sandbox)
    }

    /// The list that a call asks for.
    pub(super) async fn lately(
        &self,
        asked: &CheckChange,
        tenant: Option<&str>,
        by: &Requester,
    ) -> Result<Listed, Failure> {
        self.listed(self.sought(asked, tenant)?, by).await
    }

    fn sought(&self, asked: &CheckChange, tenant: Option<&str>) -> Result<Sought, Failure> {
        let cursor: Option<Cursor> = asked.cursor.as_ref().map(Token::read).transpose()?;
        // Times that count from now count from when the list began.
        let begun = cursor.as_ref().map_or_else(crate::clock::now, |cursor| cursor.now);
        let time = |name: &str, moment: Option<Moment>| {
            let time = moment.map(|moment| moment.at(begun)).transpose();
            time.map_err(|trouble| Failure::invalid(trouble).of(name))
        };
        let (since, until) = (time("since", asked.since)?, time("until", asked.until)?);
        let named = [&asked.principal, &asked.requester].into_iter().any(Option::is_some);
        let is_plain = !named
            && asked.state.is_none()
            && asked.vendor.is_none()
            && tenant.is_none()
            && since.is_none()
            && until.is_none();
        let find = Past {
            who: asked.principal.as_ref().map(|name| Who::new(name.as_str())),
            requester: asked.requester.as_ref().map(|name| name.as_str().trim().to_owned()),
            vendors: asked.vendor.map(Which::name).into_iter().map(str::to_owned).collect(),
            tenants: tenant.into_iter().map(|name| self.place(name)).collect(),
            standing: asked.state.map(|Wanted(standing)| standing),
            since: since.or_else(|| is_plain.then(|| begun - RECENT)),
            until,
            unfinished_too: is_plain,
            now: crate::clock::now(),
            after: cursor.map(|cursor| cursor.after),
        };
        Ok(Sought { find, begun, limit: asked.limit.map_or(USUAL, Limit::get) })
    }

    /// A tenant by its name: as it is configured, or else as lines name one.
    fn place(&self, name: &str) -> TenantPlace {
        let is = |tenant: &&Tenant| tenant.id.word() == name;
        match self.config.tenants.iter().find(is) {
            Some(Tenant { id, .. }) => TenantPlace {
                vendor: Some(id.vendor.to_owned()),
                place: Some(id.place.clone()),
                names: id.names(),
            },
            None => TenantPlace::called(name),
        }
    }

    async fn listed(&self, sought: Sought, by: &Requester) -> Result<Listed, Failure> {
        let Sought { mut find, begun, limit } = sought;
        let meant = self.meant_by(&find, by).await?;
        let told = meant.told(&find);
        if let Meant::Only(name) = meant {
            find.requester = Some(name);
        }
        let Seen { mut page, goes_on } = self.seen_of(find.clone(), limit, by).await?;
        for entry in &mut page.entries {
            self.hide_in(entry, by).await?;
        }
        let (mut changes, mut warnings) = (Vec::new(), Vec::new());
        let (mut room, mut goes_on, mut last) = (MOST_BYTES - BESIDE, goes_on, None);
        for entry in &page.entries {
            let row = self.row(entry, find.now);
            let length = clean(&row, self.config.sandbox).to_string().len() + MARKS;
            if length > room && !changes.is_empty() {
                goes_on = last;
                break;
            }
            room = room.saturating_sub(length);
            last = Some(entry.at);
            let receipt = &entry.receipt;
            warnings.extend(
                entry
                    .damage
                    .as_ref()
                    .map(|damage| format!("the lines of {receipt} cannot be relied on: {damage}")),
            );
            changes.push(row);
        }
        warnings.extend(page.unread.iter().map(|receipt| {
            format!("{receipt} is missing from this list: its lines cannot be read or relied on")
        }));
        let next_cursor = goes_on.map(|after| write_cursor(&Cursor { now: begun, after }));
        let note = match &find.who {
            Some(who) => self.who_is_meant(who, &find, &page, by).await?,
            None => None,
        };
        let note =
            [told, note].into_iter().flatten().reduce(|one, other| format!("{one}; {other}"));
        Ok(Listed { changes, next_cursor, note, warnings })
    }

    /// What is to be known of whoever was named: nobody, several, or somebody whom not every vendor shows
    /// by an address.
    async fn who_is_meant(
        &self,
        who: &Who,
        find: &Past,
        page: &PastPage,
        by: &Requester,
    ) -> Result<Option<String>, Failure> {
        let said = text::quote(Word::Caller, who.as_str());
        if page.named == Some(0) {
            return Ok(Some(format!(
                "nothing that is recorded here names {said}: names are compared as they were recorded, and \
                 some vendors show no addresses; find_principals shows how somebody is called where"
            )));
        }
        let meant = meant(who, &page.entries);
        if let [one, another, ..] = meant.as_slice()
            && !who.as_str().contains('@')
        {
            let count = meant.len();
            return Ok(Some(format!(
                "{said} may be {count} different ones here, such as {} and {}: give the address or the id \
                 of the one that is meant",
                one.label(),
                another.label()
            )));
        }
        if find.after.is_some() {
            return Ok(None);
        }
        let Some(Named { name: Some(name), email: Some(_), .. }) = meant.first() else {
            return Ok(None);
        };
        let namesakes = Past { who: Some(Who::new(name)), ..find.clone() };
        let namesakes = self.seen_of(namesakes, NAMESAKES, by).await?.page;
        let by_name = |entry: &&PastEntry| {
            let all = entry.principals();
            !all.iter().any(|one| who.is(one)) && all.iter().any(|one| one.email.is_none())
        };
        let mut vendors: Vec<_> = namesakes
            .entries
            .iter()
            .filter(by_name)
            .map(|entry| entry.place().0.to_owned())
            .collect();
        vendors.sort_unstable();
        vendors.dedup();
        Ok((!vendors.is_empty()).then(|| {
            format!(
                "at {}, {} is recorded without an address, and those changes are not among these: ask \
                 by the name too",
                vendors.join(", "),
                text::quoted(name)
            )
        }))
    }

    /// One entry, as it is listed.
    fn row(&self, entry: &PastEntry, now: Timestamp) -> HistoryRow {
        let mut row = match &entry.told {
            Told::Change(record, _) => {
                let Checked { outcome, tool, summary, note, marks, .. } = self.shown(record);
                HistoryRow {
                    reason: record.reason.clone(),
                    of: record.part_of().map(str::to_owned),
                    ends_at: marks.expires_at.clone().filter(|_| marks.undone_by.is_none()),
                    ..HistoryRow::new(outcome, tool, summary, note, marks)
                }
            }
            Told::Asked(request) => {
                let Checked { outcome, tool, summary, note, marks, hint, .. } =
                    self.asked_as(request);
                let content = &request.content;
                let reason = content.arguments.get("reason").and_then(Value::as_str);
                let reason = reason.filter(|reason| !text::is_blank(reason));
                let end = content.term.filter(|term| term.lasts.is_none());
                let is_live = request.state.is_live();
                HistoryRow {
                    reason: reason.map(str::to_owned),
                    hint,
                    ends_at: end
                        .and_then(|term| term.until)
                        .filter(|_| is_live)
                        .map(|end| end.to_string()),
                    ..HistoryRow::new(outcome, tool, summary, note, marks)
                }
            }
            Told::Refused(refusal) => {
                let Refusal { tool, summary, note, hint, reason, .. } = refusal.as_ref();
                let (tool, summary) = (tool.clone(), summary.clone());
                HistoryRow {
                    reason: reason.clone(),
                    rules: refusal.rules(),
                    hint: hint.clone(),
                    ..HistoryRow::new(
                        Outcome::Refused,
                        tool,
                        summary,
                        Some(note.clone()),
                        Default::default(),
                    )
                }
            }
        };
        let (vendor, _, name) = entry.place();
        let tenant = self.config.said(vendor, name).map(str::to_owned);
        row.receipt = entry.receipt.clone();
        row.at = seconds(entry.time);
        let is_late = |sent: &Timestamp| sent.duration_since(entry.time) >= SOON;
        row.sent_at = entry.sent().filter(is_late).map(seconds);
        row.state = entry.standing(now).as_str().to_owned();
        row.of_vendor = (!vendor.is_empty()).then(|| Of::new(vendor.to_owned()).at(tenant));
        row.requester = entry.requester().to_owned();
        row.principal = match <[Named; 1]>::try_from(entry.principals()) {
            Ok([only]) => Some(only),
            Err(_) => None,
        };
        // What came to nothing says why.
        if let (Told::Change(record, _), Standing::Refused) = (&entry.told, entry.standing(now)) {
            row.note = record.end.as_ref().and_then(|end| end.note.clone());
        }
        if let Some(answered) = entry.answered() {
            row.marks.approved_by = answered.approver().map(str::to_owned);
        }
        if row.outcome == Outcome::PendingVendorApproval {
            row.marks.waits_for = Some("the vendor's approvers".to_owned());
        }
        // Said by other fields of a row.
        (row.marks.expires_at, row.marks.consent) = (None, None);
        row
    }

    /// By whom a question waits, in words.
    pub(super) fn waits_for(&self, request: &Request) -> Option<String> {
        if request.state != State::Waiting {
            return None;
        }
        let approvers = self.approvers.as_ref().map(|approvers| approvers.all().join(", "));
        Some(match (takes(&request.content.demands), approvers) {
            (Some(takes), Some(names)) => {
                format!("the yes of {takes}, by the approvers' keys: {names}")
            }
            (Some(takes), None) => format!("the yes of {takes}"),
            (None, Some(names)) => format!("one of the approvers: {names}"),
            (None, None) if request.content.caller.is_some() => {
                if self.guard.rules_on(Right::Approve) {
                    "somebody whom the rules let approve it".to_owned()
                } else {
                    "somebody at the machine that Grantor runs on".to_owned()
                }
            }
            (None, None) => {
                "any person at a terminal of this machine, or at the client that asked".to_owned()
            }
        })
    }

    /// A change that was refused before anybody was asked, by its receipt.
    pub(super) fn refused(&self, entry: &PastEntry) -> Option<Checked> {
        let Told::Refused(refusal) = &entry.told else { return None };
        let HistoryRow {
            receipt, outcome, at, requester, tool, summary, note, marks, hint, ..
        } = self.row(entry, crate::clock::now());
        let (vendor, _, name) = entry.place();
        let tenant = self.config.said(vendor, name).map(str::to_owned);
        let of = refusal.vendor.clone().map(|vendor| Of::new(vendor).at(tenant));
        let (now, changes, remaining, warnings) = (None, Vec::new(), Vec::new(), Vec::new());
        let time = at;
        Some(Checked {
            receipt,
            outcome,
            time,
            requester,
            of,
            tool,
            summary,
            note,
            marks,
            hint,
            now,
            changes,
            remaining,
            warnings,
        })
    }
}

/// Whoever may be meant among those that entries are about, each once.
fn meant(who: &Who, entries: &[PastEntry]) -> Vec<Named> {
    let mut all: Vec<Named> = Vec::new();
    for one in entries.iter().flat_map(PastEntry::principals).filter(|one| who.is(one)) {
        // One person has an id at each vendor, and one address at most of them.
        let is_same = |known: &Named| match (&known.email, &one.email) {
            (Some(own), Some(other)) => own.eq_ignore_ascii_case(other),
            _ => known.id == one.id,
        };
        if !all.iter().any(is_same) {
            all.push(one);
        }
    }
    all
}

fn seconds(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}
