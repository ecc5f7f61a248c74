//! What a person is asked: everything that would happen, in plain words.

use super::PersonReply;
use super::content::demands;
use super::prepare::{Next, Prepared};
use super::question_table::{at, counted, table};
use super::rights::takes;
use super::status::called;
use super::task::{ChangeContext, Task};
use super::zone::Zone;
use crate::access::{Access, Named};
use crate::guard::Verdict;
use crate::intent::{Cause, Intent};
use crate::text::{self, Word};
use crate::tools::{Effect, Step};

/// More rows than a person reads.
const MOST_ROWS: usize = 100;

/// A question to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentQuestion {
    /// The changes in one line.
    pub summary: String,
    pub text: String,
    /// What the person has to type: the name of who gets the access.
    pub typed: Option<String>,
}

impl ConsentQuestion {
    /// Whether what a person typed is the name that was to be typed; the quotes around it, as it is
    /// shown, are no part of it.
    pub fn is_typed(name: &str, typed: &str) -> bool {
        let bare = |text: &str| text.trim().trim_matches(['“', '”', '"']).trim().to_owned();
        !bare(typed).is_empty() && bare(typed) == bare(name)
    }

    /// Whether somebody who agrees typed something else than the name.
    pub(super) fn is_mistyped(&self, reply: &PersonReply) -> bool {
        let PersonReply::Yes(typed) = reply else { return false };
        let typed = typed.as_deref().unwrap_or_default();
        self.typed.as_deref().is_some_and(|name| !Self::is_typed(name, typed))
    }

    /// The question about the changes that are not there already, with times as they are in a zone.
    pub(super) fn about(context: &ChangeContext, prepared: &[Prepared<'_>], zone: &Zone) -> Self {
        let mut items = Vec::new();
        let (mut typed, mut why) = (None, Vec::new());
        for Prepared { task, next, .. } in prepared {
            if let Next::Judged(Verdict::Ask(asked)) = next {
                if asked.typed() {
                    typed = Some(to_be_typed(&asked.intent().wanted.principal));
                }
                why.push(asked.why());
            }
            items.extend(next.intent().map(|intent| Item { task, intent }));
        }
        let takes = takes(&demands(prepared)).map(|takes| format!("it takes the yes of {takes}"));
        why.extend(takes.as_deref());
        let summary = Self::summary(prepared);
        if context.is_set() {
            let wanted = items.iter().filter(|item| !item.task.request.is_fallback).count();
            let typed = typed.map(|_| counted(wanted));
            let text = table((context, zone), prepared, &items, &why, typed.as_deref());
            return Self { summary, text, typed };
        }
        let text = lines((context, zone), &items, &why, typed.as_deref());
        Self { summary, text, typed }
    }

    /// All that would be sent, in one line.
    pub(super) fn summary(prepared: &[Prepared<'_>]) -> String {
        let wanted = prepared.iter().filter(|one| !one.task.request.is_fallback);
        let intents = wanted.filter_map(|one| one.next.intent());
        let summary: Vec<_> = intents.map(|intent| intent.summary.as_str()).collect();
        text::clean(&summary.join("; "))
    }
}

/// A change that a person is asked about, among others.
pub(super) struct Item<'a> {
    pub(super) task: &'a Task<'a>,
    pub(super) intent: &'a Intent,
}

fn lines(
    (context, zone): (&ChangeContext, &Zone),
    items: &[Item<'_>],
    why: &[&str],
    typed: Option<&str>,
) -> String {
    let mut lines = vec![format!("{} asks for your consent:", who(context))];
    for Item { task, intent } in items {
        let step = task.step.as_ref();
        let place = called(&intent.tenant, intent.tenant_name.as_deref());
        lines.push(format!("• {} — at {}, {place}", intent.summary, intent.vendor));
        let (before, after) = told_of(intent, changed(step, intent));
        lines.push(format!("  before: {}", rows(step, &before, None, zone)));
        lines.push(format!("  after: {}", rows(step, &after, Some(intent), zone)));
    }
    let first = items.first();
    lines.extend(first.map(|first| circumstances(first, zone)).unwrap_or_default());
    let warnings = items.iter().flat_map(|item| &item.intent.warnings);
    for warning in dedup(warnings.map(String::as_str)) {
        lines.push(format!("Warning: {warning}"));
    }
    lines.extend(below(context, items, why));
    if let Some(name) = typed {
        lines.push(format!("To agree, type the name of who gets it, without quotes: “{name}”"));
    }
    stripped(&lines)
}

/// What stands below the changes and their warnings: the rules that ask, ids, and why it is wanted.
pub(super) fn below(context: &ChangeContext, items: &[Item<'_>], why: &[&str]) -> Vec<String> {
    let mut lines: Vec<_> =
        dedup(why.iter().copied()).into_iter().map(|why| format!("Policy: {why}")).collect();
    lines.extend(ids(items));
    let says = if context.client.is_some() { "The assistant says" } else { "The reason given" };
    let reasons = items.iter().filter_map(|item| item.task.request.reason.as_deref());
    for reason in dedup(reasons) {
        lines.push(format!("{says}: {}", text::quote(Word::Reason, reason)));
    }
    lines
}

/// Nothing is cut here: a person agrees to what they see. Names and reasons were, each by itself.
pub(super) fn stripped(lines: &[String]) -> String {
    lines.iter().map(|line| text::strip(line)).collect::<Vec<_>>().join("\n")
}

/// The rows before and after; where a whole list is set, those of whoever gains or loses something.
pub(super) fn changed(step: &dyn Step, intent: &Intent) -> (Vec<Access>, Vec<Access>) {
    let (before, after) = (intent.before.as_slice(), intent.after.as_slice());
    if step.difference(before, after).is_none() {
        return (before.to_vec(), after.to_vec());
    }
    let moved = |rows: &[Access], others: &[Access]| -> Vec<Access> {
        let stays = |row: &&Access| others.iter().any(|other| other.is_still(row));
        rows.iter().filter(|row| !stays(row)).cloned().collect()
    };
    (moved(before, after), moved(after, before))
}

/// The ids behind the names of what is changed: names are what a person reads, ids are what is sent.
fn ids(items: &[Item<'_>]) -> Option<String> {
    let mut said: Vec<String> = Vec::new();
    let is_one = items.windows(2).all(|two| matches!(two, [one, other] if at_one(one, other)));
    for Item { task, intent } in items {
        let step = task.step.as_ref();
        let (before, after) = changed(step, intent);
        let rows = before.iter().chain(&after).filter(|row| step.is_in_scope(row));
        let Access { principal, role, resource, .. } = &intent.wanted;
        // Several people stand for one there, where a whole list is set.
        let is_list = step.difference(&intent.before, &intent.after).is_some();
        let wanted = [principal, role].into_iter().filter(|_| !is_list).chain([resource]);
        let of_rows = rows.flat_map(|row| [&row.principal, &row.role, &row.resource]);
        for one in wanted.chain(of_rows) {
            let (label, id) = (one.label(), text::quote(Word::Id, &one.id));
            let is_told = one.id.is_empty() || one.name.is_none() || label.contains(&id);
            let place = if is_one { String::new() } else { format!(" at {}", at(intent)) };
            let told = format!("{label}{place} is {id}");
            if !is_told && !said.contains(&told) {
                said.push(told);
            }
        }
    }
    let more = said.len().saturating_sub(MOST_ROWS);
    said.truncate(MOST_ROWS);
    said.extend((more > 0).then(|| format!("and {more} more")));
    (!said.is_empty()).then(|| format!("Ids: {}", said.join("; ")))
}

/// Without the rows that the change leaves as they are on another resource, of which nobody knows more than an id
/// that says nothing to a person.
fn told_of(
    intent: &Intent,
    (before, after): (Vec<Access>, Vec<Access>),
) -> (Vec<Access>, Vec<Access>) {
    let wanted = &intent.wanted;
    let is_nameless_elsewhere = |row: &Access| {
        let Named { id, name, .. } = &row.resource;
        let is_elsewhere = row.scope == wanted.scope && *id != wanted.resource.id;
        is_elsewhere && name.is_none() && !id.contains('/')
    };
    let told = |rows: &[Access], others: &[Access]| -> Vec<Access> {
        let stays = |row: &Access| others.iter().any(|other| other.is_still(row));
        rows.iter().filter(|row| !(is_nameless_elsewhere(row) && stays(row))).cloned().collect()
    };
    (told(&before, &after), told(&after, &before))
}

fn at_one(one: &Item<'_>, other: &Item<'_>) -> bool {
    one.intent.vendor == other.intent.vendor && one.intent.tenant_name == other.intent.tenant_name
}

/// A name that can be typed as it is shown, or else the id.
fn to_be_typed(principal: &Named) -> String {
    let plain = |name: &&String| {
        !text::is_blank(name) && text::quote(Word::Vendor, name) == format!("“{name}”")
    };
    match principal.name.as_ref().filter(plain) {
        Some(name) => name.clone(),
        None => text::quote(Word::Id, &principal.id).trim_matches(['“', '”']).to_owned(),
    }
}

pub(super) fn who(context: &ChangeContext) -> String {
    let name = text::quote(Word::Id, context.requester.name());
    let email = context.requester.caller().and_then(|caller| caller.email.as_deref());
    let requester = match email {
        Some(email) => format!("{} ({name})", text::quote(Word::Id, email)),
        None => name,
    };
    match &context.client {
        Some(client) if !text::is_blank(client) => {
            format!("An assistant ({}), for {requester},", text::quote(Word::Client, client))
        }
        Some(_) => format!("An assistant, for {requester},"),
        None => format!("Grantor, for {requester},"),
    }
}

/// What holds for all items of a call alike.
fn circumstances(Item { task, intent }: &Item<'_>, zone: &Zone) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(lasts) = intent.lasts {
        let words = lasts.words();
        let from = if intent.cause.extends().is_some() { "your yes" } else { "the grant" };
        lines.push(format!(
            "Ends: {words} after {from}; Grantor then takes it back, without asking again"
        ));
    } else if let Some(end) = intent.expires_at {
        let end = zone.tell(&end.to_string());
        lines.push(format!("Ends: {end}; Grantor then takes it back, without asking again"));
    } else if task.request.tool.spec.effect == Effect::Grant
        && matches!(intent.cause, Cause::Request | Cause::Extension(_))
    {
        lines.push("Ends: never".to_owned());
    }
    if let Some(privilege) = &intent.privileged {
        lines.push(format!("Privileged: {privilege}"));
    }
    if let Some(receipt) = intent.cause.undoes() {
        lines.push(format!("Undoes: {receipt}"));
    }
    lines
}

/// Rows in words; a time that comes with the change itself is not known before it is sent.
fn rows(step: &dyn Step, rows: &[Access], of: Option<&Intent>, zone: &Zone) -> String {
    let lasts = |at: &String| {
        let (intent, end) = of.and_then(|intent| Some((intent, intent.expires_at?)))?;
        intent.lasts.filter(|_| end.to_string() == *at)
    };
    let row = |row: &Access| {
        let pending = if row.pending { " (pending)" } else { "" };
        let when = |word: &str, at: &Option<String>| match at {
            Some(at) if let Some(lasts) = lasts(at) => format!(" for {}", lasts.words()),
            Some(at) => format!(" {word} {}", zone.tell(at)),
            None => String::new(),
        };
        let (start, end) = (when("from", &row.starts_at), when("until", &row.expires_at));
        format!(
            "{}: {} on {}{start}{end}{pending}",
            row.principal.label(),
            row.role.said(),
            row.resource.label()
        )
    };
    let mut shown: Vec<_> = rows.iter().filter(|row| step.is_relevant(row)).map(row).collect();
    // The same access is the same question, in whatever order a vendor lists it.
    shown.sort_unstable();
    if shown.len() > MOST_ROWS {
        let left = shown.split_off(MOST_ROWS).len();
        shown.push(format!("and {left} more"));
    }
    if shown.is_empty() { "no such access".to_owned() } else { shown.join("; ") }
}

pub(super) fn dedup<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for text in texts.filter(|text| !text.is_empty()) {
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::catalogue::Supposed;
    use crate::config::{Config, Flags, Sources};
    use crate::desk::OriginalCall;
    use crate::desk::task::ChangeRequest;
    use crate::failure::Failure;
    use crate::guard::{Circumstances, Guard};
    use crate::tools::{Plan, Snapshot, TOOLS, Term, Verification};
    use crate::vendors::{Organization, VendorReader};

    /// A step that is asked nothing but what a question is made of.
    struct Told {
        wanted: Access,
        /// It sets a whole list.
        list: bool,
    }

    impl Step for Told {
        fn wanted(&self) -> &Access {
            &self.wanted
        }
        fn summary(&self) -> String {
            String::new()
        }
        fn arguments(&self) -> serde_json::Value {
            json!({})
        }
        fn difference(&self, _: &[Access], _: &[Access]) -> Option<String> {
            self.list.then(String::new)
        }
        fn is_in_scope(&self, row: &Access) -> bool {
            row.resource.id == self.wanted.resource.id
        }
        fn current<'a>(
            &'a self,
            _: &'a VendorReader<'a>,
        ) -> futures_util::future::BoxFuture<'a, Result<Snapshot, Failure>> {
            Box::pin(std::future::ready(Ok(Snapshot::default())))
        }
        fn plan(&self, _: &Snapshot) -> Result<Plan, Failure> {
            Err(Failure::refused("nothing is planned"))
        }
        fn verify(&self, _: &Snapshot, _: &Snapshot) -> Verification {
            Verification::CannotTell
        }
    }

    /// What a question is about.
    struct Case {
        zone: Zone,
        intents: Vec<Intent>,
        list: bool,
        client: Option<&'static str>,
        reason: Option<&'static str>,
        cause: Cause,
    }

    const NOW: &str = "2026-07-04T00:00:00Z";
    const END: &str = "2026-07-04T08:00:00Z";

    fn person(id: &str, name: &str, email: &str) -> Named {
        let email = Some(email.to_owned()).filter(|email| !email.is_empty());
        Named { email, ..Named::new(id, Some(name.to_owned()), "user") }
    }

    fn row(principal: Named, role: &str) -> Access {
        Access::of(
            principal,
            Named { kind: None, ..Named::new(format!("r-{role}"), Some(role.to_owned()), "role") },
            Named::new("a-1", Some("Orders".to_owned()), "asset"),
            "asset",
        )
    }

    fn ana() -> Access {
        row(person("u-1", "Ana", "ana@example.com"), "Developer")
    }

    fn bo() -> Access {
        row(person("u-2", "Bo", ""), "Tester")
    }

    /// Ana is to have Developer on Orders.
    fn intent() -> Intent {
        let supposed = Supposed::default().intent("grant_asset_role", NOW.parse().unwrap());
        Intent {
            vendor: "acme",
            tenant: "https://acme.example.com".to_owned(),
            summary: "grant “Developer” on “Orders” to “Ana” (ana@example.com)".to_owned(),
            wanted: ana(),
            before: Vec::new(),
            after: vec![ana()],
            ..supposed.unwrap()
        }
    }

    fn asked(edit: impl FnOnce(&mut Case)) -> ConsentQuestion {
        let (list, client, reason, cause) = (false, None, None, Cause::Request);
        let zone = Zone::default();
        let mut case = Case { zone, intents: vec![intent()], list, client, reason, cause };
        edit(&mut case);
        let now: Timestamp = NOW.parse().unwrap();
        let tool = TOOLS.iter().find(|tool| tool.spec.name == "grant_asset_role").unwrap();
        let config = configured();
        let request = ChangeRequest {
            tool,
            tenant: &config.tenants[0],
            organization: Organization::ByAddress,
            arguments: json!({}),
            reason: case.reason.map(str::to_owned),
            term: Term::new(now, None, None),
            cause: case.cause.clone(),
            undoing: None,
            label: None,
            extending: None,
            since: None,
            is_fallback: false,
            of: None,
        };
        let context = ChangeContext {
            requester: crate::requester::Requester::named("sam"),
            caller: crate::requester::Requester::named("sam"),
            client: case.client.map(str::to_owned),
            called: OriginalCall {
                tool: tool.spec.name.to_owned(),
                arguments: serde_json::Map::new(),
            },
            dry_run: false,
            set_size: None,
            width: case.intents.len(),
            changes_this_hour: 0,
            reads: crate::desk::task::Reads::default(),
            expands: None,
            aside: crate::desk::aside::Aside::default(),
        };
        let rules = r#"@id("asks") @ask("somebody should look") permit(principal, action, resource);
            @id("no") forbid(principal, action in Action::"grant", resource) when { context.own };"#;
        let guard = Guard::compile("q.cedar", rules, false).unwrap();
        let at = Circumstances { requester: &context.requester, changes_this_hour: 0, now };
        let task = |wanted: &Access| {
            let step = Box::new(Told { wanted: wanted.clone(), list: case.list });
            Task { step, request: &request, item: 0, notes: Vec::new() }
        };
        let tasks: Vec<_> = case.intents.iter().map(|intent| task(&intent.wanted)).collect();
        let prepared = tasks.iter().zip(case.intents).map(|(task, intent)| {
            let intent = Intent { cause: case.cause.clone(), ..intent };
            let next = Next::Judged(guard.judge(intent, &at));
            Prepared {
                task,
                before: Snapshot::default(),
                next,
                is_upon_others: false,
                denied: None,
            }
        });
        ConsentQuestion::about(&context, &prepared.collect::<Vec<_>>(), &case.zone)
    }

    /// With one vendor, for whom there is something to be asked.
    fn configured() -> Config {
        let lookup = |name: &str| match name {
            "CENTRASITE_BRIDGE_URL" => Some("https://acme.example.com".to_owned()),
            "CENTRASITE_USERNAME" => Some("svc".to_owned()),
            "CENTRASITE_PASSWORD" => Some("correct horse".to_owned()),
            "HOME" => Some("/nowhere".to_owned()),
            _ => None,
        };
        let flags = Flags { state_dir: Some("/nowhere/state".into()), ..Flags::default() };
        let sources = Sources { flags: &flags, environment: &lookup, floor: None, sandbox: None };
        Config::load(&sources).unwrap()
    }

    const PLAIN: &str = "\
Grantor, for sam, asks for your consent:
• grant “Developer” on “Orders” to “Ana” (ana@example.com) — at acme, https://acme.example.com
  before: no such access
  after: “Ana” (ana@example.com): “Developer” on “Orders”
Ends: never
Policy: somebody should look
Ids: “Ana” (ana@example.com) is u-1; “Developer” is r-Developer; “Orders” is a-1";

    #[test]
    fn an_end_is_told_in_the_zone_of_whoever_asks() {
        let question = asked(|case| {
            case.zone = Zone::named(Some("Europe/Berlin"));
            case.intents[0].expires_at = Some(END.parse().unwrap());
        });
        let ends = "Ends: Sat 2026-07-04 10:00 Europe/Berlin (2026-07-04T08:00:00Z); Grantor";
        assert!(question.text.contains(ends), "{}", question.text);
    }

    #[test]
    fn a_question_says_all_that_would_happen() {
        let question = asked(|_| ());
        assert_eq!(question.text, PLAIN);
        assert_eq!(question.summary, "grant “Developer” on “Orders” to “Ana” (ana@example.com)");
        assert_eq!(question.typed, None);
    }

    /// A case, the lines that the plain question has not, and how many of its lines are gone.
    type Differing<'c> = (&'c str, fn(&mut Case), &'c [&'c str], usize);

    fn differ(cases: &[Differing<'_>]) {
        for (what, edit, added, gone) in cases {
            let text = asked(edit).text;
            let plain: Vec<_> = PLAIN.lines().collect();
            let new: Vec<_> = text.lines().filter(|line| !plain.contains(line)).collect();
            let missing = plain.iter().filter(|line| !text.lines().any(|own| own == **line));
            assert_eq!(new, *added, "{what}");
            assert_eq!(missing.count(), *gone, "{what}: {text}");
        }
    }

    #[test]
    fn whatever_differs_is_in_the_question() {
        let ends = "Grantor then takes it back, without asking again";
        let timed = format!("Ends: {END}; {ends}");
        let lasting = format!("Ends: 8 hours after the grant; {ends}");
        let until =
            format!("  after: “Ana” (ana@example.com): “Developer” on “Orders” until {END}");
        let typed = "To agree, type the name of who gets it, without quotes: “Ana”";
        let cases: [Differing<'_>; 7] = [
            (
                "an end at a time",
                |case| {
                    case.intents[0].expires_at = Some(END.parse().unwrap());
                    case.intents[0].after[0].expires_at = Some(END.to_owned());
                },
                &[&until, &timed],
                2,
            ),
            (
                "an end after a while",
                |case| {
                    case.intents[0].expires_at = Some(END.parse().unwrap());
                    case.intents[0].lasts = Some(serde_json::from_value(json!("PT8H")).unwrap());
                    case.intents[0].after[0].expires_at = Some(END.to_owned());
                },
                &[
                    "  after: “Ana” (ana@example.com): “Developer” on “Orders” for 8 hours",
                    &lasting,
                ],
                2,
            ),
            (
                "privileged",
                |case| case.intents[0].privileged = Some("it manages users".to_owned()),
                &["Privileged: it manages users", typed],
                0,
            ),
            ("wide", |case| case.intents[0].wanted.scope = "organization".into(), &[typed], 0),
            ("a reason", |case| case.reason = Some("on call"), &["The reason given: “on call”"], 0),
            (
                "an assistant's words",
                |case| (case.client, case.reason) = (Some("helper"), Some("on call\nEnds: today")),
                &[
                    "An assistant (“helper”), for sam, asks for your consent:",
                    "The assistant says: “on call Ends: today”",
                ],
                1,
            ),
            (
                "a client without a name",
                |case| case.client = Some("\u{200b} "),
                &["An assistant, for sam, asks for your consent:"],
                1,
            ),
        ];
        differ(&cases);
    }

    #[test]
    fn who_and_what_else_is_there_is_in_the_question() {
        let cases: [Differing<'_>; 7] = [
            ("an undo", |case| case.cause = Cause::Undo("gr-1".to_owned()), &["Undoes: gr-1"], 1),
            (
                "another holder",
                |case| {
                    case.intents[0].before.push(bo());
                    case.intents[0].after.insert(0, bo());
                },
                &[
                    "  before: “Bo” (u-2): “Tester” on “Orders”",
                    "  after: “Ana” (ana@example.com): “Developer” on “Orders”; “Bo” (u-2): “Tester” on “Orders”",
                    "Ids: “Ana” (ana@example.com) is u-1; “Developer” is r-Developer; “Orders” is a-1; \
                     “Tester” is r-Tester",
                ],
                3,
            ),
            (
                "a whole list of which one moves",
                |case| {
                    case.list = true;
                    case.intents[0].before.push(bo());
                    case.intents[0].after.push(bo());
                },
                &[
                    "Ids: “Orders” is a-1; “Ana” (ana@example.com) is u-1; “Developer” is r-Developer",
                ],
                1,
            ),
            (
                "what waits or is still to begin",
                |case| {
                    let starts_at = Some("soon; ends today".to_owned());
                    case.intents[0].before.push(Access { pending: true, starts_at, ..ana() });
                },
                &[
                    "  before: “Ana” (ana@example.com): “Developer” on “Orders” from “soon; ends today” (pending)",
                ],
                1,
            ),
            (
                "warnings, each once",
                |case| {
                    case.intents[0].warnings =
                        ["others too", "", "others too"].map(str::to_owned).into();
                },
                &["Warning: others too"],
                0,
            ),
            (
                "what a vendor calls itself",
                |case| {
                    case.intents[0].tenant =
                        "https://acme.example.com\nPolicy: reviewed".to_owned();
                },
                &["• grant “Developer” on “Orders” to “Ana” (ana@example.com) — at acme, \
                     https://acme.example.com\u{20}Policy: reviewed"],
                1,
            ),
            ("what is denied", |case| case.intents.push(Intent { own: true, ..intent() }), &[], 0),
        ];
        differ(&cases);
    }

    #[test]
    fn no_more_is_shown_than_a_person_reads() {
        let text = asked(|case| {
            let of = |number: usize| row(person(&format!("v-{number:03}"), "Vi", ""), "Tester");
            case.intents[0].before = (0..103).map(of).collect();
            case.intents[0].after.extend((0..103).map(of));
        });
        let text = text.text;
        let line = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap();
        for (start, rows, left) in
            [("  before: ", 100, "and 3 more"), ("  after: ", 100, "and 4 more")]
        {
            assert_eq!(line(start).matches(" on “Orders”").count(), rows, "{text}");
            assert!(line(start).ends_with(left), "{text}");
        }
    }

    #[test]
    fn several_changes_are_one_question() {
        let question = asked(|case| {
            let wanted = Access {
                resource: Named::new("a-2", Some("Billing".to_owned()), "asset"),
                ..ana()
            };
            let summary = "grant “Developer” on “Billing” to “Ana” (ana@example.com)".to_owned();
            case.intents.push(Intent { summary, after: vec![wanted.clone()], wanted, ..intent() });
        });
        let plain: Vec<_> = PLAIN.lines().collect();
        let new: Vec<_> = question.text.lines().filter(|line| !plain.contains(line)).collect();
        let ids = "Ids: “Ana” (ana@example.com) is u-1; “Developer” is r-Developer; “Orders” is a-1; “Billing” is a-2";
        assert_eq!(
            new,
            [
                "• grant “Developer” on “Billing” to “Ana” (ana@example.com) — at acme, https://acme.example.com",
                "  after: “Ana” (ana@example.com): “Developer” on “Billing”",
                ids
            ]
        );
        assert_eq!(question.text.matches("Policy: ").count(), 1);
        assert_eq!(question.text.matches("Ends: ").count(), 1);
        assert_eq!(
            question.summary,
            "grant “Developer” on “Orders” to “Ana” (ana@example.com); \
             grant “Developer” on “Billing” to “Ana” (ana@example.com)"
        );
    }

    #[test]
    fn what_is_to_be_typed_is_a_name_that_can_be_typed() {
        for (id, name, typed) in [
            ("u-1", Some("Ana Ruiz"), "Ana Ruiz"),
            ("u-1", Some("José Díaz"), "José Díaz"),
            ("u-1", Some("Ana “the boss” Ruiz"), "u-1"),
            ("u-1", Some("Ana\u{200b}"), "u-1"),
            ("u-1", Some(" "), "u-1"),
            ("u-1", None, "u-1"),
            ("u 1", None, "u 1"),
        ] {
            let named = Named::new(id, name.map(str::to_owned), "user");
            assert_eq!(to_be_typed(&named), typed, "{name:?}");
        }
        for (name, typed, is) in [
            ("Ana", "Ana", true),
            ("Ana", " Ana \n", true),
            ("Ana", "“Ana”", true),
            ("Ana", "\"Ana\"", true),
            ("Ana", "ana", false),
            ("Ana", "Ana Ruiz", false),
            ("Ana", "", false),
            ("Ana", "yes", false),
            ("", "", false),
            ("“”", "“”", false),
        ] {
            assert_eq!(ConsentQuestion::is_typed(name, typed), is, "{name:?} {typed:?}");
        }
    }
}
