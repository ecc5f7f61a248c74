//! The question about several changes as one: a table, each line what one person gains or loses, then what
//! is left out, warnings, and ids.

use super::prepare::Prepared;
use super::question::{Item, below, changed, dedup, stripped, who};
use super::task::ChangeContext;
use super::zone::Zone;
use crate::access::{Access, Named};
use crate::intent::{Cause, Intent};
use crate::text::{self, Word};
use crate::tools::Effect;

/// How lines say when access ends.
struct Saying<'a> {
    zone: &'a Zone,
    /// Some of it ends: what does not says so.
    ends: bool,
}

/// What stands before a line, and what warnings call it.
enum Number {
    Change(usize),
    /// What is made where that change is not done.
    InsteadOf(usize),
}

/// One line of the table.
struct Line<'a> {
    whom: &'a Named,
    /// What goes, and what comes.
    gone: Vec<&'a Access>,
    come: Vec<&'a Access>,
}

const WITHOUT_END: &str = ", without an end";

/// So many changes, as a person types it who agrees.
pub(super) fn counted(count: usize) -> String {
    if count == 1 { "1 change".to_owned() } else { format!("{count} changes") }
}

/// All of it, in lines that a person reads in this order.
pub(super) fn table(
    (context, zone): (&ChangeContext, &Zone),
    prepared: &[Prepared<'_>],
    items: &[Item<'_>],
    why: &[&str],
    typed: Option<&str>,
) -> String {
    let wanted = items.iter().filter(|item| !item.task.request.is_fallback);
    let count = counted(wanted.count());
    let mut lines = vec![format!("{} asks for your consent to {count}:", who(context))];
    let says = Saying { zone, ends: items.iter().any(|item| item.intent.expires_at.is_some()) };
    for (number, item) in numbered(items) {
        lines.extend(told(&number, item, &says));
    }
    for one in prepared {
        let Some(conflict) = one.conflict() else { continue };
        lines.push(format!("Left out: {}: {}", one.task.step.summary(), conflict.message));
    }
    lines.extend(context.aside.lines());
    lines.extend(lasting(items).map(str::to_owned));
    lines.extend(warnings(items));
    lines.extend(places(items));
    lines.extend(below(context, items, why));
    if let Some(typed) = typed {
        lines.push(format!("To agree, type how many there are, without quotes: “{typed}”"));
    }
    stripped(&lines)
}

/// That what is given stays, where nothing ends it.
fn lasting(items: &[Item<'_>]) -> Option<&'static str> {
    let stays = |Item { task, intent }: &&Item<'_>| {
        task.request.tool.spec.effect == Effect::Grant
            && !parts(&intent.before, &intent.after).iter().all(|line| line.come.is_empty())
            && matches!(intent.cause, Cause::Request | Cause::Extension(_))
            && intent.expires_at.is_none()
    };
    let grants = |Item { task, .. }: &&Item<'_>| task.request.tool.spec.effect == Effect::Grant;
    if items.iter().any(|item| item.intent.expires_at.is_some()) {
        return Some("Ends: as the lines say; Grantor then takes it back, without asking again");
    }
    let any = items.iter().filter(grants).any(|item| stays(&item));
    any.then_some("Ends: never")
}

/// Where that is that the lines only name.
fn places(items: &[Item<'_>]) -> Option<String> {
    let place = |Item { intent, .. }: &Item<'_>| {
        format!("{} is {}", at(intent), text::strip(&intent.tenant))
    };
    let places: Vec<_> = items.iter().map(place).collect();
    let places = dedup(places.iter().map(String::as_str));
    (!places.is_empty()).then(|| format!("Where: {}", places.join("; ")))
}

/// What a line calls the tenant.
pub(super) fn at(intent: &Intent) -> String {
    match &intent.tenant_name {
        Some(name) => format!("{} {}", intent.vendor, text::quote(Word::Id, name)),
        None => intent.vendor.to_owned(),
    }
}

/// Each item with its number, as a person counts them who agrees.
fn numbered<'i>(
    items: &'i [Item<'i>],
) -> impl Iterator<Item = (Number, &'i Item<'i>)> + Clone + 'i {
    items.iter().scan(0, |count, item| {
        *count += usize::from(!item.task.request.is_fallback);
        let number = match item.task.request.is_fallback {
            true => Number::InsteadOf(*count),
            false => Number::Change(*count),
        };
        Some((number, item))
    })
}

impl Number {
    fn before_a_line(&self) -> String {
        match self {
            Self::Change(number) => format!("{number}."),
            Self::InsteadOf(number) => format!("   if {number} is not done:"),
        }
    }

    fn in_a_warning(&self) -> String {
        match self {
            Self::Change(number) => number.to_string(),
            Self::InsteadOf(number) => format!("if {number} is not done"),
        }
    }
}

/// The lines of one change: each of those whose access it changes.
fn told(number: &Number, Item { task, intent }: &Item<'_>, says: &Saying<'_>) -> Vec<String> {
    let (number, at) = (number.before_a_line(), at(intent));
    let (before, after) = changed(task.step.as_ref(), intent);
    let mut lines: Vec<_> = parts(&before, &after)
        .into_iter()
        .map(|line| format!("{number} {} — {at}{}", line.words(), says.until(intent, &line)))
        .collect();
    if lines.is_empty() {
        lines.push(format!("{number} {} — {at}{}", intent.summary, says.ends(intent)));
    }
    if let Some(receipt) = intent.cause.undoes() {
        lines.push(format!("   undoes {receipt}"));
    }
    if let Some(privilege) = &intent.privileged {
        lines.push(format!("   privileged: {privilege}"));
    }
    lines
}

/// Who gains and loses something between the two, in the order of their rows.
fn parts<'a>(before: &'a [Access], after: &'a [Access]) -> Vec<Line<'a>> {
    let mut lines: Vec<Line<'a>> = Vec::new();
    let differs = |row: &&Access, others: &[Access]| !others.iter().any(|it| it.is_still(row));
    let gone = before.iter().filter(|row| differs(row, after)).map(|row| (row, false));
    let come = after.iter().filter(|row| differs(row, before)).map(|row| (row, true));
    for (row, comes) in gone.chain(come) {
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        if comes {
            come.push(row);
        } else {
            gone.push(row);
        }
        match lines.iter_mut().find(|line| line.whom.is(&row.principal)) {
            Some(line) => {
                line.gone.append(&mut gone);
                line.come.append(&mut come);
            }
            None => lines.push(Line { whom: &row.principal, gone, come }),
        }
    }
    lines
}

impl Line<'_> {
    fn words(&self) -> String {
        let all = |rows: &[&Access]| {
            let rows = rows.iter().map(|row| {
                let pending = if row.pending { " (pending)" } else { "" };
                format!("{} on {}{pending}", row.role.said(), row.resource.label())
            });
            rows.collect::<Vec<_>>().join(", ")
        };
        let whom = self.whom.label();
        match (self.gone.as_slice(), self.come.as_slice()) {
            (gone, []) => format!("− {whom}: {}", all(gone)),
            ([], come) => format!("+ {whom}: {}", all(come)),
            (gone, come) => format!("± {whom}: {} in place of {}", all(come), all(gone)),
        }
    }
}

impl Saying<'_> {
    /// When what comes begins and ends.
    fn until(&self, intent: &Intent, line: &Line<'_>) -> String {
        let Some(row) = line.come.first() else { return String::new() };
        let start = row.starts_at.as_ref().map(|at| format!(", from {}", self.zone.tell(at)));
        let own = row.expires_at.as_ref().filter(|_| intent.expires_at.is_none());
        let end = match own {
            Some(at) => format!(", until {}", self.zone.tell(at)),
            None if self.ends && intent.expires_at.is_none() => WITHOUT_END.to_owned(),
            None => self.ends(intent),
        };
        format!("{}{end}", start.unwrap_or_default())
    }

    /// When a change ends, where it does.
    fn ends(&self, intent: &Intent) -> String {
        match (intent.lasts, intent.expires_at) {
            (Some(lasts), _) => format!(", for {} from then", lasts.words()),
            (None, Some(end)) => format!(", until {}", self.zone.tell(&end.to_string())),
            (None, None) if intent.cause.extends().is_some() => WITHOUT_END.to_owned(),
            (None, None) => String::new(),
        }
    }
}

/// Each warning once, with the changes that it is of.
fn warnings(items: &[Item<'_>]) -> Vec<String> {
    let all = items.iter().flat_map(|item| item.intent.warnings.iter().map(String::as_str));
    let of = |warning: &str| {
        let own = numbered(items);
        let own = own.filter(|(_, item)| item.intent.warnings.iter().any(|it| it == warning));
        let numbers: Vec<_> = own.map(|(number, _)| number.in_a_warning()).collect();
        match numbers.len() == items.len() {
            true => format!("Warning: {warning}"),
            false => format!("Warning ({}): {warning}", numbers.join(", ")),
        }
    };
    let all = dedup(all).into_iter().map(of);
    all.map(|line| text::strip(&line)).collect()
}
