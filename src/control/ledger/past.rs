//! What was asked for, refused and done, as a list: which entries are looked for, and what their lines say.
//! All but finding them is pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::standing::{Standing, of_change, of_request};
use super::{Answered, Decision, Record, Request};
use crate::access::{Access, Named};
use crate::text;

/// Which entries are looked for: those that fit all of it.
#[derive(Clone, Debug)]
pub struct Past {
    pub who: Option<Who>,
    /// Who asked, by the name that their lines have.
    pub requester: Option<String>,
    /// Of these vendors alone; of all where none is named.
    pub vendors: Vec<String>,
    /// At these tenants alone; at all where none is named.
    pub tenants: Vec<TenantPlace>,
    pub standing: Option<Standing>,
    /// Asked or sent from then on.
    pub since: Option<Timestamp>,
    /// Asked before then.
    pub until: Option<Timestamp>,
    /// With those that are older than `since` and not finished.
    pub unfinished_too: bool,
    pub now: Timestamp,
    /// Those that come after this one.
    pub after: Option<Position>,
}

/// A tenant as lines name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantPlace {
    /// Its vendor; any where that is not known here.
    pub vendor: Option<String>,
    /// Its base URL; any where that is not known here.
    pub place: Option<String>,
    pub names: Vec<Option<String>>,
}

/// Where an entry is in the list: when it was first written of, and the number of that line. Neither ever
/// changes, whatever is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position(pub i64, pub u64);

/// Whose access it is, by an id, an exact name, an address, or a name with its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who(String);

/// What one receipt tells.
#[derive(Clone, Debug)]
pub struct Entry {
    pub at: Position,
    pub receipt: String,
    /// When it was asked for, refused, or sent without being asked about.
    pub time: Timestamp,
    pub told: Told,
    /// Why its lines are not to be relied on, where they are not.
    pub damage: Option<String>,
}

/// A change, a question, or a refusal.
#[derive(Clone, Debug)]
pub enum Told {
    /// With what a person was asked about it.
    Change(Box<Record>, Option<Box<Request>>),
    Asked(Box<Request>),
    Refused(Box<Refusal>),
}

/// A change that was refused before anybody was asked.
#[derive(Clone, Debug, Deserialize)]
pub struct Refusal {
    pub requester: String,
    #[serde(default)]
    pub vendor: Option<String>,
    #[serde(default)]
    pub tenant: Option<String>,
    #[serde(default)]
    pub tenant_name: Option<String>,
    #[serde(default)]
    pub tool: String,
    #[serde(default)]
    pub summary: String,
    /// Why, in words.
    #[serde(default)]
    pub note: String,
    /// What would do.
    #[serde(default)]
    pub hint: Option<String>,
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default)]
    pub policy: Option<Judged>,
    #[serde(flatten)]
    rows: Rows,
}

impl Refusal {
    /// The rules that said no.
    pub fn rules(&self) -> Vec<String> {
        self.policy.as_ref().map(|judged| judged.rules.clone()).unwrap_or_default()
    }
}

/// What the policy said.
#[derive(Clone, Debug, Deserialize)]
pub struct Judged {
    #[serde(default)]
    pub rules: Vec<String>,
}

/// The access that a line is about.
#[derive(Clone, Debug, Default, Deserialize)]
struct Rows {
    #[serde(default)]
    wanted: Option<Access>,
    #[serde(default)]
    before: Vec<Access>,
    #[serde(default)]
    after: Vec<Access>,
}

/// Some entries, the newest first.
#[derive(Debug, Default)]
pub struct PastPage {
    pub entries: Vec<Entry>,
    /// Whether there are more.
    pub more: bool,
    /// Receipts that were found, and whose lines tell nothing that can be relied on.
    pub unread: Vec<String>,
    /// How many entries there are of whoever is named, whatever else is asked.
    pub named: Option<usize>,
}

impl Past {
    /// All there is.
    pub fn all(now: Timestamp) -> Self {
        Self {
            who: None,
            requester: None,
            vendors: Vec::new(),
            tenants: Vec::new(),
            standing: None,
            since: None,
            until: None,
            unfinished_too: false,
            now,
            after: None,
        }
    }
}

impl Who {
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The words under which an index has whoever is meant.
    pub(super) fn keys(&self) -> Vec<String> {
        let address = text::with_address(&self.0).map(|(_, address)| address);
        [Some(self.0.as_str()), address].into_iter().flatten().map(text::folded).collect()
    }

    /// Whether this is who is meant, as far as a line shows it.
    pub fn is(&self, one: &Named) -> bool {
        let wanted = self.0.as_str();
        let addressed = |address: &str| {
            one.id.eq_ignore_ascii_case(address)
                || one.email.as_ref().is_some_and(|email| email.eq_ignore_ascii_case(address))
        };
        let named = |name: &str| one.name.as_ref().is_some_and(|own| text::same_name(own, name));
        let both = text::with_address(wanted);
        addressed(wanted)
            || named(wanted)
            || both.is_some_and(|(name, address)| named(name) && addressed(address))
    }
}

/// The words under which an index has somebody.
pub(super) fn keys(one: &Named) -> impl Iterator<Item = String> {
    let words = [Some(&one.id), one.name.as_ref(), one.email.as_ref()];
    words.into_iter().flatten().filter(|word| !word.is_empty()).map(|word| text::folded(word))
}

/// Whose access comes, goes or is asked for, each once.
fn concerned<'a>(
    wanted: Option<&'a Access>,
    before: &'a [Access],
    after: &'a [Access],
) -> Vec<&'a Named> {
    let lacks = |rows: &[Access], row: &Access| !rows.iter().any(|other| other.is_still(row));
    let gone = before.iter().filter(|row| lacks(after, row));
    let come = after.iter().filter(|row| lacks(before, row));
    let mut all: Vec<&Named> = Vec::new();
    // Several in one are named in one, without the kind of any; each has a row as well.
    let wanted = wanted.filter(|wanted| wanted.principal.kind.is_some());
    for row in wanted.into_iter().chain(come).chain(gone) {
        if !all.iter().any(|known| known.is(&row.principal)) {
            all.push(&row.principal);
        }
    }
    all
}

impl Rows {
    fn of(line: &Value) -> Self {
        Self::deserialize(line).unwrap_or_default()
    }

    fn concerned(&self) -> Vec<&Named> {
        concerned(self.wanted.as_ref(), &self.before, &self.after)
    }
}

impl Entry {
    /// What the lines of a receipt tell; `record` and `request` are what they say of a change and of a
    /// question, `consent` is the question that the change rests on.
    pub(super) fn of(
        at: Position,
        receipt: &str,
        lines: &[Value],
        damage: Option<String>,
        (record, request): (Option<Record>, Option<Request>),
        consent: Option<Request>,
    ) -> Option<Self> {
        let named = |event: &str| {
            lines.iter().find(|line| line.get("event").and_then(Value::as_str) == Some(event))
        };
        let (time, told) = match (record, request) {
            (Some(record), own) => {
                let time = own.as_ref().map_or_else(|| record.opened(), |own| own.time);
                (time, Told::Change(Box::new(record), own.or(consent).map(Box::new)))
            }
            (None, Some(request)) => (request.time, Told::Asked(Box::new(request))),
            (None, None) => {
                let line = named("refused")?;
                let time = line.get("time")?.as_str()?.parse().ok()?;
                (time, Told::Refused(Box::new(Refusal::deserialize(line).ok()?)))
            }
        };
        Some(Self { at, receipt: receipt.to_owned(), time, told, damage })
    }

    pub fn requester(&self) -> &str {
        match &self.told {
            // Whoever carries a yes out is not who asked.
            Told::Change(_, Some(request)) | Told::Asked(request) => &request.requester,
            Told::Change(record, None) => &record.requester,
            Told::Refused(refusal) => &refusal.requester,
        }
    }

    /// The vendor, where its tenant is, and the operator's name for that.
    pub fn place(&self) -> (&str, Option<&str>, Option<&str>) {
        match &self.told {
            Told::Change(record, _) => {
                (&record.vendor, Some(&record.tenant), record.tenant_name.as_deref())
            }
            Told::Asked(request) => {
                let content = &request.content;
                let vendor = content.vendor.as_deref().unwrap_or_default();
                (vendor, content.asked_at(), content.tenant_name.as_deref())
            }
            Told::Refused(refusal) => {
                let Refusal { vendor, tenant, tenant_name, .. } = refusal.as_ref();
                (vendor.as_deref().unwrap_or_default(), tenant.as_deref(), tenant_name.as_deref())
            }
        }
    }

    /// Whose access it is about.
    pub fn principals(&self) -> Vec<Named> {
        let owned = |all: Vec<&Named>| all.into_iter().cloned().collect();
        match &self.told {
            Told::Change(record, _) => owned(record.concerned()),
            Told::Asked(request) => {
                let rows: Vec<_> = request.content.intents.iter().map(Rows::of).collect();
                let mut all: Vec<Named> = Vec::new();
                for one in rows.iter().flat_map(Rows::concerned) {
                    if !all.iter().any(|known| known.is(one)) {
                        all.push(one.clone());
                    }
                }
                all
            }
            Told::Refused(refusal) => owned(refusal.rows.concerned()),
        }
    }

    /// When it was sent, where it was.
    pub fn sent(&self) -> Option<Timestamp> {
        match &self.told {
            Told::Change(record, _) => Some(record.opened()),
            Told::Asked(_) | Told::Refused(_) => None,
        }
    }

    /// How a person answered, where one was asked.
    pub fn answered(&self) -> Option<&Answered> {
        match &self.told {
            Told::Change(_, Some(request)) | Told::Asked(request) => request.answered.as_ref(),
            Told::Change(_, None) | Told::Refused(_) => None,
        }
    }

    pub fn standing(&self, now: Timestamp) -> Standing {
        match &self.told {
            Told::Change(record, _) => of_change(record, now),
            Told::Asked(request) => of_request(request),
            Told::Refused(_) => Standing::Refused,
        }
    }

    /// Each tenant that it is of, as [`place`](Self::place): a set may be of several.
    fn places(&self) -> Vec<(String, Option<String>, Option<String>)> {
        if let Told::Asked(request) = &self.told
            && request.content.is_set()
        {
            let all = request.content.places().into_iter();
            return all
                .map(|at| (at.vendor.unwrap_or_default(), Some(at.place), at.name))
                .collect();
        }
        let (vendor, place, name) = self.place();
        vec![(vendor.to_owned(), place.map(str::to_owned), name.map(str::to_owned))]
    }

    /// Whether it is one of those that are looked for.
    pub(super) fn fits(&self, find: &Past) -> bool {
        let standing = self.standing(find.now);
        let last = self.sent().unwrap_or(self.time).max(self.time);
        let places = self.places();
        let is_recent = find.since.is_none_or(|since| last >= since);
        let is_unfinished = standing.is_unfinished()
            || matches!(&self.told, Told::Change(record, _) if record.end.is_none());
        (is_recent || find.unfinished_too && is_unfinished)
            && find.until.is_none_or(|until| self.time < until)
            && find.standing.is_none_or(|wanted| wanted == standing)
            && find.requester.as_ref().is_none_or(|wanted| wanted == self.requester())
            && (find.vendors.is_empty()
                || places.iter().any(|(vendor, ..)| find.vendors.iter().any(|one| one == vendor)))
            && (find.tenants.is_empty()
                || places.iter().any(|(vendor, place, name)| {
                    find.tenants
                        .iter()
                        .any(|tenant| tenant.is(vendor, place.as_deref(), name.as_deref()))
                }))
            && find.who.as_ref().is_none_or(|who| self.principals().iter().any(|one| who.is(one)))
    }
}

impl TenantPlace {
    /// A tenant of which nothing but its name is known here. One without a name is called as its vendor.
    pub fn called(name: &str) -> Self {
        Self { vendor: None, place: None, names: vec![Some(name.to_owned())] }
    }

    fn is(&self, vendor: &str, place: Option<&str>, name: Option<&str>) -> bool {
        let unnamed = self.vendor.is_none().then_some(vendor);
        let name = name.or(unnamed);
        self.vendor.as_deref().is_none_or(|own| own == vendor)
            && self.place.as_deref().is_none_or(|own| place.is_none_or(|place| place == own))
            && self.names.iter().any(|own| own.as_deref() == name)
    }
}

impl Record {
    /// Whose access it is about.
    fn concerned(&self) -> Vec<&Named> {
        concerned(Some(self.wanted_row()), &self.before, &self.meant)
    }

    /// The receipt of the call for several that it is one of.
    pub fn part_of(&self) -> Option<&str> {
        let whole = self.consent.as_deref()?;
        let own = self.receipt.strip_prefix(whole)?;
        own.starts_with('.').then_some(whole)
    }
}

impl Answered {
    /// Who said yes.
    pub fn approver(&self) -> Option<&str> {
        (self.decision == Decision::Approved).then_some(self.by.as_str())
    }

    /// Who said no.
    pub fn denier(&self) -> Option<&str> {
        let is = self.decision == Decision::Denied && self.how.is_a_persons();
        is.then_some(self.by.as_str())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::standing::tests::change;
    use super::*;

    fn named(id: &str, name: &str, email: &str) -> Named {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Named { email: some(email), ..Named::new(id, some(name), "user") }
    }

    #[test]
    fn somebody_is_meant_by_id_name_address_or_both() {
        let alex = named("b1E0-1", "Alex Kim", "alex.kim@example.com");
        let jose = named("u-2", "Jos\u{e9} D\u{ed}az", "");
        let bridged = named(r"HARBOR\akim", "Alex Kim", "");
        for (text, is) in [
            ("b1e0-1", [true, false, false]),
            ("Alex Kim", [true, false, true]),
            (" Alex  Kim\n", [true, false, true]),
            ("ALEX.KIM@example.com", [true, false, false]),
            ("Alex Kim <alex.kim@example.com>", [true, false, false]),
            ("Alex Kim (b1E0-1)", [true, false, false]),
            ("Bo Kim <alex.kim@example.com>", [false, false, false]),
            ("Alex Kim <a.kim@example.com>", [false, false, false]),
            (r"Alex Kim <HARBOR\akim>", [false, false, true]),
            (r"harbor\akim", [false, false, true]),
            ("Jose\u{301} Di\u{301}az", [false, true, false]),
            ("Jose Diaz", [false, false, false]),
            ("Alex", [false, false, false]),
        ] {
            let who = Who::new(text);
            let all = [&alex, &jose, &bridged];
            assert_eq!(all.map(|one| who.is(one)), is, "{text}");
            // Whatever is meant is found by a word that the index has of it.
            for (one, _) in all.iter().zip(is).filter(|(_, is)| *is) {
                let words: Vec<_> = keys(one).collect();
                assert!(who.keys().iter().any(|key| words.contains(key)), "{text}: {words:?}");
            }
        }
    }

    fn row(who: &str, role: &str) -> Access {
        Access::of(named(who, "", ""), named(role, "", ""), named("it", "", ""), "asset")
    }

    #[test]
    fn a_change_is_about_those_whose_access_comes_or_goes() {
        let list = |names: &[&str]| names.iter().map(|who| row(who, "r")).collect::<Vec<_>>();
        let mut several = row("ada, bo", "r");
        several.principal.kind = None;
        for (wanted, before, after, about) in [
            (row("ada", "r"), list(&["bo"]), list(&["bo", "ada"]), "ada"),
            (row("ada", "r"), list(&["ada", "bo"]), list(&["bo"]), "ada"),
            (row("ada", "r"), list(&[]), list(&[]), "ada"),
            (several.clone(), list(&["cy"]), list(&["cy", "ada", "bo"]), "ada bo"),
            (several, list(&["cy", "di"]), list(&["cy", "ada", "bo"]), "ada bo di"),
            (row("ada", "r"), list(&["ada", "cy"]), list(&["ada"]), "ada cy"),
        ] {
            let all = concerned(Some(&wanted), &before, &after);
            let all: Vec<_> = all.iter().map(|one| one.id.as_str()).collect();
            assert_eq!(all.join(" "), about);
        }
    }

    #[test]
    fn a_part_names_its_whole() {
        for (receipt, consent, whole) in [
            ("gr-1", None, None),
            ("gr-1", Some("gr-1"), None),
            ("gr-1.2", Some("gr-1"), Some("gr-1")),
            ("gr-12", Some("gr-1"), None),
            ("gr-3", Some("gr-1"), None),
        ] {
            let record = change(None, &json!({ "receipt": receipt, "consent": consent }));
            assert_eq!(record.part_of(), whole, "{receipt} {consent:?}");
        }
    }

    #[test]
    fn a_tenant_is_known_by_its_name_wherever_it_is_configured() {
        let configured = |names: &[Option<&str>]| TenantPlace {
            vendor: Some("dfns".to_owned()),
            place: Some("https://one".to_owned()),
            names: names.iter().map(|name| name.map(str::to_owned)).collect(),
        };
        let one = Some("https://one");
        for (place, vendor, at, name, is) in [
            (configured(&[None]), "dfns", one, None, true),
            (configured(&[None]), "dfns", one, Some("a"), false),
            (configured(&[None]), "redox", one, None, false),
            (configured(&[Some("a"), None]), "dfns", one, None, true),
            (configured(&[Some("a")]), "dfns", Some("https://two"), Some("a"), false),
            (configured(&[Some("a")]), "dfns", None, Some("a"), true),
            (TenantPlace::called("a"), "dfns", one, Some("a"), true),
            (TenantPlace::called("a"), "dfns", one, None, false),
            (TenantPlace::called("dfns"), "dfns", one, None, true),
            (TenantPlace::called("dfns"), "redox", one, None, false),
        ] {
            assert_eq!(place.is(vendor, at, name), is, "{place:?} {vendor} {at:?} {name:?}");
        }
    }
}
