//! A request for consent, as its lines tell it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::channel::Channel;
use super::consent::{Event, State};
use crate::access::Outcome;
use crate::control::permit::Demand;
use crate::failure::Failure;
use crate::intent::Term;
use crate::json::is_same_set;
use crate::requester::{Caller, Requester};
use crate::text;

/// What a person is asked.
#[derive(Clone, Debug)]
pub struct Asking<'a> {
    /// Of everything a consent is bound to.
    pub digest: &'a str,
    /// When the question lapses.
    pub until: Timestamp,
    pub content: Content,
}

/// What was asked for, and in which words: whoever carries a yes out compares all of it with what is so
/// then. The first release kept less.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Content {
    pub tool: String,
    /// As the client gave them.
    pub arguments: Map<String, Value>,
    pub vendor: Option<String>,
    pub tenant: Option<String>,
    /// The operator's name for it, where it has one beside the vendor's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_name: Option<String>,
    pub organization: Option<String>,
    pub term: Option<Term>,
    /// The client's own claim of what it is.
    pub client: Option<String>,
    /// What the requester's issuer said of them, where they called over a network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<Caller>,
    pub summary: String,
    /// The question in words, as a person is shown it.
    pub question: String,
    /// The time zone that it speaks in, where that is not UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// What the person has to type.
    pub typed: Option<String>,
    /// The rules that asked.
    pub rules: Vec<String>,
    /// Whose yeses it takes; nothing where one is enough.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub demands: Vec<Demand>,
    /// Whether those rules say who approves: then nobody does under others.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub names_approvers: bool,
    /// Each change, as the ledger keeps it.
    pub intents: Vec<Value>,
    /// Which of a set's changes each of those is, counted from one; empty where it is no set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<usize>,
    /// Which of a set's changes give something back where another is not done: none of those above.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub backs: Vec<usize>,
    /// The tenants that a set is for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<AskedAt>,
    /// The hash of the rules in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The request in whose place it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follows: Option<String>,
}

/// A tenant that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedAt {
    /// None in the first release's lines.
    pub vendor: Option<String>,
    /// Where it is: its base URL.
    pub place: String,
    /// The operator's name for it, where it has one beside the vendor's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
}

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    Approved,
    Denied,
    /// Who asked does not want it any more.
    Withdrawn,
    /// The access changed since it was asked. It is read in older lines, and written no more.
    Moved,
}

/// Who answered, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answered {
    pub decision: Decision,
    pub by: String,
    pub how: Channel,
    /// Why not, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When an approval lapses.
    pub until: Option<Timestamp>,
    /// What shows that it was them, where something does.
    pub proof: Option<Value>,
    /// Of a yes, which of the request's demands it counts for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub meets: Vec<usize>,
}

/// A request for consent.
#[derive(Clone, Debug)]
pub struct Request {
    pub receipt: String,
    pub time: Timestamp,
    pub requester: String,
    pub digest: String,
    pub until: Timestamp,
    pub content: Content,
    pub state: State,
    /// The answer that decided it. Where it took the yeses of several, it is by all of them.
    pub answered: Option<Answered>,
    /// Every yes that counts for it, oldest first; those of one channel alone once it is approved.
    pub yeses: Vec<Answered>,
    /// What came of its yes, where nothing was sent on it.
    pub concluded: Option<UnsentConsent>,
    /// Another change of the same access that was sent after the answer, where that was looked for.
    pub overtaken_by: Option<String>,
    /// The request that took its place: it ended this one.
    pub followed_by: Option<String>,
    /// Whether lines since the question are missing or do not hold.
    is_broken: bool,
}

/// What came of a yes on which nothing was sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UnsentConsent {
    pub outcome: Outcome,
    pub note: String,
    /// The request that was made instead, because something had changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub followed_by: Option<String>,
}

/// The line that begins a set which nobody has to be asked about.
pub(super) const SET: &str = "set";
/// The field of an answer that names the request in whose favour it was withdrawn.
pub(super) const FOLLOWED_BY: &str = "followed_by";

/// The line that asks.
#[derive(Deserialize)]
pub(super) struct AskedLine {
    receipt: String,
    time: Timestamp,
    requester: String,
    digest: String,
    until: Timestamp,
    content: Content,
}

impl Content {
    /// The first release kept neither the policy nor the tenant of the whole.
    pub fn is_of_first_release(&self) -> bool {
        self.policy.is_none()
    }

    /// Whether it is several changes as one.
    pub fn is_set(&self) -> bool {
        !self.numbers.is_empty()
    }

    /// The tenants that it was asked for, where those were kept.
    pub fn places(&self) -> Vec<AskedAt> {
        let of_one = |place: &str| AskedAt {
            vendor: self.vendor.clone(),
            place: place.to_owned(),
            name: self.tenant_name.clone(),
            organization: self.organization.clone(),
        };
        match self.is_set() {
            true => self.places.clone(),
            false => self.asked_at().map(of_one).into_iter().collect(),
        }
    }

    /// The one tenant that it was asked for, where it is no set and that was kept.
    pub fn asked_at(&self) -> Option<&str> {
        match self.is_of_first_release() {
            true => self.intents.first()?.get("tenant")?.as_str(),
            false => self.tenant.as_deref(),
        }
    }

    /// Whether both ask for the same, in the same words; `other` need not know what it follows.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.question == other.question
            && (other.follows.is_none() || self.follows == other.follows)
            && is_same_set(&self.arguments, &other.arguments)
    }

    /// Whether both ask for one thing, whatever was so when each was asked, by whichever client and
    /// under whichever rules: the same call, or another that comes to the same changes.
    pub(super) fn is_for_the_same(&self, other: &Self) -> bool {
        let is_same_call =
            self.tool == other.tool && is_same_set(&self.arguments, &other.arguments);
        let (own, others) = (self.changes(), other.changes());
        self.vendor == other.vendor
            && self.asked_at() == other.asked_at()
            && self.tenant_name == other.tenant_name
            && self.organization == other.organization
            && self.places == other.places
            && (is_same_call || (!own.is_empty() && own == others))
    }

    /// The changes by what they come to: by ids, with their reason and how long they last. Those of a set
    /// in their order.
    fn changes(&self) -> Vec<String> {
        let end = self.term.map(|term| match term.lasts {
            Some(lasts) => json!({ "lasts": lasts }),
            None => json!({ "until": term.until }),
        });
        let of = |intent: &Value| {
            let fields = ["tool", "arguments", "undoes", "reason"].map(|name| intent.get(name));
            let own = intent.get("expires_at").filter(|_| self.is_set());
            json!([fields, end, own]).to_string()
        };
        let mut changes: Vec<_> = self.intents.iter().map(of).collect();
        if !self.is_set() {
            changes.sort_unstable();
        }
        changes
    }
}

impl Answered {
    /// Somebody's word, without a reason, an end or a proof.
    pub fn new(decision: Decision, by: impl Into<String>, how: Channel) -> Self {
        let (reason, until, proof, meets) = (None, None, None, Vec::new());
        Self { decision, by: by.into(), how, reason, until, proof, meets }
    }
}

/// The yeses as one answer, where they are all that is demanded, and those of them that count: of one channel
/// with the last. It is good for as long as the last.
fn agreed(demands: &[Demand], yeses: &[Answered]) -> Option<(Answered, Vec<Answered>)> {
    let last = yeses.last()?;
    let mut counted: Vec<&Answered> = Vec::new();
    for yes in yeses.iter().filter(|yes| yes.how == last.how) {
        match counted.iter_mut().find(|known| known.by == yes.by) {
            Some(known) => *known = yes,
            None => counted.push(yes),
        }
    }
    let is_met = |(index, demand): (usize, &Demand)| {
        counted.iter().filter(|yes| yes.meets.contains(&index)).count() >= demand.people
    };
    if !demands.iter().enumerate().all(is_met) {
        return None;
    }
    let by = counted.iter().map(|yes| yes.by.as_str()).collect::<Vec<_>>().join(", ");
    Some((Answered { by, ..last.clone() }, counted.into_iter().cloned().collect()))
}

impl Request {
    /// The request that a receipt's lines tell of, oldest first; none if nothing was asked.
    /// `is_broken`: whether the ledger has a break after the question; `overtaken_by`: another
    /// change of the same access that was sent after the answer.
    pub(super) fn of(
        lines: &[Value],
        is_broken: bool,
        overtaken_by: Option<String>,
        now: Timestamp,
    ) -> Option<Self> {
        let mut state = State::Unasked;
        let (mut asked, mut answered) = (None::<AskedLine>, None::<Answered>);
        let mut yeses = Vec::new();
        let (mut concluded, mut followed_by) = (None, None);
        for line in lines {
            let event = match line.get("event").and_then(Value::as_str) {
                Some("asked") => {
                    let read = AskedLine::deserialize(line).ok();
                    asked = asked.or(read);
                    Event::Asked
                }
                Some("answered") => match Answered::deserialize(line) {
                    Ok(read) => {
                        let decision = read.decision;
                        let demands = asked.as_ref().map_or(&[][..], |of| &of.content.demands);
                        if state.takes(decision) && decision == Decision::Approved {
                            yeses.push(read);
                            match agreed(demands, &yeses) {
                                Some((by_all, counted)) => {
                                    (answered, yeses) = (Some(by_all), counted);
                                    Event::Answered(decision)
                                }
                                None => Event::AnsweredInPart,
                            }
                        } else {
                            if state.takes(decision) {
                                answered = Some(read);
                                let next = line.get(FOLLOWED_BY).and_then(Value::as_str);
                                followed_by = next.map(str::to_owned);
                            }
                            Event::Answered(decision)
                        }
                    }
                    Err(_) => Event::LineDamaged,
                },
                Some("spent") => Event::Spent,
                Some(SET) => {
                    asked = asked.or(AskedLine::deserialize(line).ok());
                    Event::Begun
                }
                Some("concluded") => {
                    concluded = UnsentConsent::deserialize(line).ok();
                    continue;
                }
                Some("open") => Event::Opened,
                Some("close") => Event::Closed,
                Some("found") => Event::Found,
                _ => continue,
            };
            state = state.after(event);
        }
        let AskedLine { receipt, time, requester, digest, until, content } = asked?;
        if is_broken {
            state = state.after(Event::LineDamaged);
        }
        if overtaken_by.is_some() {
            state = state.after(Event::Overtaken);
        }
        let end = match state {
            State::Approved => answered.as_ref().and_then(|answered| answered.until),
            _ => Some(until),
        };
        if end.is_none_or(|end| end < now) {
            state = state.after(Event::Lapsed);
        }
        Some(Self {
            receipt,
            time,
            requester,
            digest,
            until,
            content,
            state,
            answered,
            yeses,
            concluded,
            overtaken_by,
            followed_by,
            is_broken,
        })
    }

    /// Whether it may still be acted on, and is what this requester asks for with `content`, whatever was
    /// so when each was asked.
    pub(super) fn is_for_the_same(&self, requester: &str, content: &Content) -> bool {
        self.state.is_live() && self.requester == requester && self.content.is_for_the_same(content)
    }

    /// # Errors
    /// It is not in a state that lets it be answered so.
    pub(super) fn may_be(&self, decision: Decision) -> Result<(), Failure> {
        if self.state.takes(decision) { Ok(()) } else { Err(self.not_so()) }
    }

    /// # Errors
    /// There is no consent to use.
    pub(super) fn may_be_spent(&self) -> Result<(), Failure> {
        match self.state {
            State::Approved => Ok(()),
            _ => Err(self.not_so()),
        }
    }

    /// # Errors
    /// Its yes was not taken, or another change of the same access came between.
    pub(super) fn may_be_opened(&self) -> Result<(), Failure> {
        let refused = |why: String| {
            Err(Failure::refused(why).hint("call again: the person is asked about what is so now"))
        };
        match (&self.overtaken_by, self.state) {
            _ if self.is_broken => {
                refused("the ledger was damaged since a person agreed".to_owned())
            }
            (Some(by), _) => {
                refused(format!("the access was changed by {by} since a person agreed"))
            }
            (None, State::Spent) => Ok(()),
            (None, _) => Err(self.not_so()),
        }
    }

    /// Who asked, as far as that was kept.
    pub fn requester(&self) -> Requester {
        Requester::known(&self.requester, self.content.caller.as_ref())
    }

    /// How it stands, after "the request".
    pub fn words(&self) -> String {
        let words = self.state.words();
        match &self.followed_by {
            Some(next) => format!("{words}: {next} asks for the same in its place"),
            None => words.to_owned(),
        }
    }

    /// The same, and who decided it, for whoever comes too late to.
    pub fn words_to_the_late(&self) -> String {
        match self.decided_by().filter(|_| self.followed_by.is_none()) {
            Some(by) => format!("{} (by {by})", self.state.words()),
            None => self.words(),
        }
    }

    /// Who decided how it stands, and where they did.
    fn decided_by(&self) -> Option<String> {
        let answered = self.answered.as_ref()?;
        let is_theirs = match self.state {
            State::Approved | State::Spent => answered.decision == Decision::Approved,
            State::Denied => answered.decision == Decision::Denied,
            State::Withdrawn => answered.decision == Decision::Withdrawn,
            _ => false,
        };
        let place = answered.how.place().filter(|_| is_theirs)?;
        Some(format!("{}, {place}", text::quoted(&answered.by)))
    }

    fn not_so(&self) -> Failure {
        let hint = match self.state {
            State::Approved => "it is about to be carried out: check_change says how it ends",
            State::Spent => "check_change says how it ended; undo_change takes back what was done",
            _ => "ask for the change again",
        };
        let words = self.words_to_the_late();
        Failure::refused(format!("request {} {words}", self.receipt)).hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Yeses as "WHO:CHANNEL:DEMANDS", against two of one group and one of another.
    #[test]
    fn several_yeses_are_enough_where_each_demand_has_its_people_by_one_channel() {
        let demand = |people, of: &str| Demand { people, of: Some(of.to_owned()) };
        let demands = [demand(2, "a"), demand(1, "b")];
        let yes = |text: &str| {
            let [who, how, meets] =
                <[&str; 3]>::try_from(text.split(':').collect::<Vec<_>>()).unwrap();
            let meets = meets.chars().map(|digit| digit as usize - '0' as usize).collect();
            Answered { meets, ..Answered::new(Decision::Approved, who, how.into()) }
        };
        for (yeses, by) in [
            ("ada:page:0", ""),
            ("ada:page:0 ben:page:0", ""),
            ("ada:page:0 ben:page:0 eve:page:1", "ada, ben, eve"),
            // One person may be of both groups, and is one of each.
            ("ada:page:01 ben:page:0", "ada, ben"),
            ("ada:page:01", ""),
            // However often somebody says it, and at the same moment at two places.
            ("ada:page:01 ada:page:01", ""),
            ("ada:page:0 ada:page:0 eve:page:1", ""),
            ("ada:page:0 ben:page:0 ada:page:01", "ada, ben"),
            // Yeses of two kinds do not count together, and those of the last do.
            ("ada:page:01 ben:signature:0", ""),
            ("eve:signature:1 ada:page:01 ben:page:0", "ada, ben"),
            ("ada:page:01 ben:signature:01 eve:signature:0", "ben, eve"),
        ] {
            let all: Vec<_> = yeses.split(' ').map(yes).collect();
            let found = agreed(&demands, &all);
            assert_eq!(found.map(|(one, _)| one.by).unwrap_or_default(), by, "{yeses}");
        }
        let one = agreed(&[], &[yes("ada:terminal:")]).unwrap();
        assert_eq!(
            (one.0.by.as_str(), one.1.len()),
            ("ada", 1),
            "one is enough where nothing is demanded"
        );
    }

    /// One grant, as the command line asks for it.
    fn content(edit: impl FnOnce(&mut Content)) -> Content {
        let mut content = Content {
            tool: "grant_asset_role".to_owned(),
            arguments: fields(json!({ "userKey": "Ada", "assetKeys": ["Orders"] })),
            vendor: Some("outsystems".to_owned()),
            tenant: Some("https://one.example".to_owned()),
            question: "Grantor, for root, asks".to_owned(),
            intents: vec![intent("a-1")],
            policy: Some("p".to_owned()),
            ..Content::default()
        };
        edit(&mut content);
        content
    }

    fn intent(asset: &str) -> Value {
        json!({ "tool": "grant_asset_role", "arguments": { "userKey": "u-1", "assetKeys": [asset] },
            "reason": null, "undoes": null, "before": [], "client": null })
    }

    fn fields(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    fn term(minutes: Option<i64>) -> Term {
        let from = Timestamp::UNIX_EPOCH;
        let until = minutes.map(|minutes| from + jiff::SignedDuration::from_mins(minutes));
        Term::new(from, until, None)
    }

    #[test]
    fn two_questions_are_for_the_same_whatever_was_so_and_whoever_asks() {
        type Edit = fn(&mut Content);
        let cases: [(&str, Edit, bool); 15] = [
            ("nothing else", |_| (), true),
            ("through a client", |content| content.client = Some("raw".to_owned()), true),
            ("in other words", |content| content.question.push_str(" you"), true),
            ("under other rules", |content| content.policy = Some("q".to_owned()), true),
            ("in place of another", |content| content.follows = Some("gr-1".to_owned()), true),
            (
                "after the access moved",
                |content| content.intents = vec![json!({ "before": ["row"] })],
                true,
            ),
            ("by ids", |content| content.arguments = fields(json!({ "userKey": "u-1" })), true),
            (
                "at another time",
                |content| content.term = Some(Term { from: Timestamp::MAX, ..term(None) }),
                true,
            ),
            ("of another tenant", |content| content.tenant = Some("two".to_owned()), false),
            ("of another there", |content| content.tenant_name = Some("b".to_owned()), false),
            ("of another customer", |content| content.organization = Some("o".to_owned()), false),
            ("of another vendor", |content| content.vendor = Some("dfns".to_owned()), false),
            (
                "of another asset",
                |content| {
                    content.arguments = fields(json!({ "userKey": "Ada", "assetKeys": ["B"] }));
                    content.intents = vec![intent("a-2")];
                },
                false,
            ),
            (
                "for another reason",
                |content| {
                    content.arguments.insert("reason".to_owned(), "T-1".into());
                    content.intents = vec![json!({ "tool": "grant_asset_role", "reason": "T-1" })];
                },
                false,
            ),
            (
                "for a time",
                |content| {
                    content.arguments.insert("expires_in".to_owned(), "PT1H".into());
                    content.term = Some(term(Some(60)));
                },
                false,
            ),
        ];
        let one = content(|content| content.term = Some(term(None)));
        for (what, edit, same) in cases {
            let other = content(|content| {
                content.term = Some(term(None));
                edit(content);
            });
            assert_eq!(one.is_for_the_same(&other), same, "{what}");
            assert_eq!(other.is_for_the_same(&one), same, "{what}, the other way round");
        }
        let none = || content(|content| content.intents.clear());
        let other = Content { arguments: Map::new(), ..none() };
        assert!(!none().is_for_the_same(&other), "no change is like another that is none");
    }

    #[test]
    fn what_is_live_for_the_same_is_the_same_requesters_and_not_over() {
        let now = Timestamp::UNIX_EPOCH;
        let until = (now + jiff::SignedDuration::from_hours(1)).to_string();
        let asked = json!({ "event": "asked", "receipt": "gr-1", "time": now.to_string(),
            "requester": "ada", "digest": "d", "until": until, "content": content(|_| ()) });
        let answered = |decision: &str| {
            json!({ "event": "answered", "decision": decision, "by": "bob", "how": "terminal",
                "until": until })
        };
        let another = content(|content| content.vendor = Some("dfns".to_owned()));
        for (answers, requester, asked_for, is) in [
            (vec![], "ada", content(|_| ()), true),
            (vec!["approved"], "ada", content(|_| ()), true),
            (vec!["denied"], "ada", content(|_| ()), false),
            (vec!["approved", "withdrawn"], "ada", content(|_| ()), false),
            (vec![], "eve", content(|_| ()), false),
            (vec![], "ada", another, false),
        ] {
            let answers = answers.iter().map(|decision| answered(decision));
            let lines: Vec<_> = [asked.clone()].into_iter().chain(answers).collect();
            let request = Request::of(&lines, false, None, now).unwrap();
            let found = request.is_for_the_same(requester, &asked_for);
            assert_eq!(found, is, "{lines:?} for {requester}");
        }
    }

    #[test]
    fn the_same_question_is_the_same_request_whatever_it_follows() {
        let following =
            |receipt: Option<&str>| content(|content| content.follows = receipt.map(str::to_owned));
        for (known, asked, same) in [
            (None, None, true),
            (Some("gr-1"), None, true),
            (Some("gr-1"), Some("gr-1"), true),
            (Some("gr-1"), Some("gr-2"), false),
            (None, Some("gr-1"), false),
        ] {
            assert_eq!(following(known).is(&following(asked)), same, "{known:?} {asked:?}");
        }
    }
}
