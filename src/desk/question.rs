//! What a person is asked: everything that would happen, in plain words.

use jiff::Timestamp;

use super::PersonReply;
use super::prepare::{Next, Prepared};
use super::task::{ChangeContext, Task};
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

    /// The question about the changes that are not there already.
    pub(super) fn about(context: &ChangeContext, prepared: &[Prepared<'_>]) -> Self {
        let mut items = Vec::new();
        let (mut typed, mut why) = (None, Vec::new());
        for Prepared { task, next, .. } in prepared {
            let intent = match next {
                Next::Judged(Verdict::Ask(asked)) => {
                    if asked.typed() {
                        typed = Some(to_be_typed(&asked.intent().wanted.principal));
                    }
                    why.push(asked.why());
                    asked.intent()
                }
                Next::Judged(Verdict::Allow(permitted)) => permitted.intent(),
                Next::Judged(Verdict::Deny(_)) | Next::Already(..) | Next::Conflict(_) => continue,
            };
            items.push(Item { task, intent });
        }
        let summary: Vec<_> = items.iter().map(|item| item.intent.summary.as_str()).collect();
        let summary = text::clean(&summary.join("; "));
        let text = lines(context, &items, &why, typed.as_deref());
        Self { summary, text, typed }
    }
}

/// A change that a person is asked about, among others.
struct Item<'a> {
    task: &'a Task<'a>,
    intent: &'a Intent,
}

fn lines(context: &ChangeContext, items: &[Item<'_>], why: &[&str], typed: Option<&str>) -> String {
    let mut lines = vec![format!("{} asks for your consent:", who(context))];
    for Item { task, intent } in items {
        let step = task.step.as_ref();
        lines.push(format!("• {} — at {}, {}", intent.summary, intent.vendor, intent.tenant));
        let (before, after) = changed(step, intent);
        lines.push(format!("  before: {}", rows(step, &before, None)));
        lines.push(format!("  after: {}", rows(step, &after, Some(intent))));
    }
    let first = items.first();
    lines.extend(first.map(circumstances).unwrap_or_default());
    let warnings = items.iter().flat_map(|item| &item.intent.warnings);
    for warning in dedup(warnings.map(String::as_str)) {
        lines.push(format!("Warning: {warning}"));
    }
    lines.extend(dedup(why.iter().copied()).into_iter().map(|why| format!("Policy: {why}")));
    lines.extend(ids(items));
    if let Some(reason) = first.and_then(|item| item.task.request.reason.as_ref()) {
        let says = if context.client.is_some() { "The assistant says" } else { "The reason given" };
        lines.push(format!("{says}: {}", text::quote(Word::Reason, reason)));
    }
    if let Some(name) = typed {
        lines.push(format!("To agree, type the name of who gets it, without quotes: “{name}”"));
    }
    // Nothing is cut here: a person agrees to what they see. Names and reasons were, each by itself.
    lines.iter().map(|line| text::strip(line)).collect::<Vec<_>>().join("\n")
}

/// The rows before and after; where a whole list is set, those of whoever gains or loses something.
fn changed(step: &dyn Step, intent: &Intent) -> (Vec<Access>, Vec<Access>) {
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
            let told = format!("{label} is {id}");
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

fn who(context: &ChangeContext) -> String {
    let requester = text::quote(Word::Id, &context.requester);
    match &context.client {
        Some(client) if !text::is_blank(client) => {
            format!("An assistant ({}), for {requester},", text::quote(Word::Client, client))
        }
        Some(_) => format!("An assistant, for {requester},"),
        None => format!("Grantor, for {requester},"),
    }
}

/// What holds for all items of a call alike.
fn circumstances(Item { task, intent }: &Item<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(lasts) = intent.lasts {
        let words = lasts.words();
        lines.push(format!(
            "Ends: {words} after the grant; Grantor then takes it back, without asking again"
        ));
    } else if let Some(end) = intent.expires_at {
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
fn rows(step: &dyn Step, rows: &[Access], of: Option<&Intent>) -> String {
    let lasts = |at: &String| {
        let (intent, end) = of.and_then(|intent| Some((intent, intent.expires_at?)))?;
        intent.lasts.filter(|_| end.to_string() == *at)
    };
    let row = |row: &Access| {
        let pending = if row.pending { " (pending)" } else { "" };
        let when = |word: &str, at: &Option<String>| match at {
            Some(at) if let Some(lasts) = lasts(at) => format!(" for {}", lasts.words()),
            Some(at) => format!(" {word} {}", time(at)),
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

/// A time that is none is the vendor's words.
fn time(text: &str) -> String {
    if text.parse::<Timestamp>().is_ok() { text.to_owned() } else { text::quoted(text) }
}

fn dedup<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for text in texts.filter(|text| !text.is_empty()) {
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    seen
}
