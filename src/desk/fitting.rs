//! The answer to a change of many, short enough to be read whole.
//!
//! What a reader cannot do without stays longest: how each item ended, and what is to be done about
//! those that did not end well, of which none is ever left out. Whatever is left out is counted, with
//! the call that shows it.

use serde::Serialize;
use serde_json::Value;

use super::body::{Body, Changed, Checked, Item};
use super::writing::clean;
use crate::access::Outcome;
use crate::tools::MOST_BYTES;

/// Of what an answer takes, what rows that stand beside the items may take.
const ROWS_BYTES: usize = 8_000;
/// What items that ended well may take, where those that did not leave little room.
const WELL_BYTES: usize = 8_000;
/// What a request may take that is shown.
const REQUEST_BYTES: usize = 12_000;
/// What is said of what is left out.
const SAYING: usize = 1_200;
/// What shows the rows that are left out.
const NOW: &str = "list_access shows what there is now";
const FEWER: &str = "the same for one vendor at a time, or for fewer, shows the others";
/// The longest note of an item, in characters, where there are too many.
const NOTE: usize = 100;

/// An answer with items.
trait Whole: Serialize {
    type Entry: Entry;

    fn receipt(&self) -> Option<&str>;
    fn entries(&mut self) -> &mut Vec<Self::Entry>;
    /// Cuts the rows beside the items to what there is room for.
    fn cut(&mut self, length: Length) -> Vec<Cut>;
    fn request(&mut self) -> Option<&mut Option<Value>>;
    fn warnings(&mut self) -> &mut Vec<String>;
}

/// What was cut of a list of rows.
struct Cut {
    list: &'static str,
    all: usize,
    kept: usize,
    /// What shows the others.
    see: &'static str,
}

/// One of several.
trait Entry: Serialize {
    fn outcome(&self) -> Outcome;
    fn receipt(&self) -> Option<&str>;
    /// Leaves out the access and the request; whether there were such.
    fn without_details(&mut self) -> bool;
    /// What it says, and what to do about it.
    fn words(&mut self) -> (&mut Option<String>, &mut Option<String>);

    /// Whether nobody has to do anything about it.
    fn is_well(&self) -> bool {
        !self.outcome().is_error()
    }
}

impl Whole for Changed {
    type Entry = Item;

    fn receipt(&self) -> Option<&str> {
        self.receipt.as_deref()
    }

    fn entries(&mut self) -> &mut Vec<Item> {
        &mut self.items
    }

    fn cut(&mut self, length: Length) -> Vec<Cut> {
        let rows = [("before", self.before.as_mut()), ("after", self.after.as_mut())];
        let rows = rows.into_iter().filter_map(|(name, rows)| Some(length.cut(name, NOW, rows?)));
        let rows: Vec<_> = rows.collect();
        let aside = [
            length.cut("left_out", FEWER, &mut self.left_out),
            length.cut("not_known", FEWER, &mut self.not_known),
        ];
        rows.into_iter().chain(aside).collect()
    }

    fn request(&mut self) -> Option<&mut Option<Value>> {
        Some(&mut self.request)
    }

    fn warnings(&mut self) -> &mut Vec<String> {
        &mut self.warnings
    }
}

impl Whole for Checked {
    type Entry = Self;

    fn receipt(&self) -> Option<&str> {
        Some(&self.receipt)
    }

    fn entries(&mut self) -> &mut Vec<Self> {
        &mut self.changes
    }

    fn cut(&mut self, length: Length) -> Vec<Cut> {
        self.now.as_mut().map(|rows| length.cut("now", NOW, rows)).into_iter().collect()
    }

    fn request(&mut self) -> Option<&mut Option<Value>> {
        None
    }

    fn warnings(&mut self) -> &mut Vec<String> {
        &mut self.warnings
    }
}

impl Entry for Item {
    fn outcome(&self) -> Outcome {
        self.outcome
    }

    fn receipt(&self) -> Option<&str> {
        self.receipt.as_deref()
    }

    fn without_details(&mut self) -> bool {
        let rows = [self.before.take(), self.after.take()];
        rows.iter().any(Option::is_some) | self.request.take().is_some()
    }

    fn words(&mut self) -> (&mut Option<String>, &mut Option<String>) {
        (&mut self.note, &mut self.hint)
    }
}

impl Entry for Checked {
    fn outcome(&self) -> Outcome {
        self.outcome
    }

    fn receipt(&self) -> Option<&str> {
        Some(&self.receipt)
    }

    fn without_details(&mut self) -> bool {
        self.now.take().is_some()
    }

    fn words(&mut self) -> (&mut Option<String>, &mut Option<String>) {
        (&mut self.note, &mut self.hint)
    }
}

/// Leaves out what there is no room for, and says so among the warnings.
pub(super) fn fit(body: &mut Body, sandbox: bool) {
    match body {
        Body::Changed(changed) => fit_whole(changed.as_mut(), sandbox),
        Body::Checked(checked) => fit_whole(checked.as_mut(), sandbox),
        // Rows have a cursor, and a list what it leaves out.
        Body::Looked(_) | Body::Unasked(_) | Body::Listed(_) => {}
    }
}

fn fit_whole<W: Whole>(body: &mut W, sandbox: bool) {
    let length = Length { sandbox };
    let cuts: [fn(&mut W, Length) -> Vec<String>; 6] =
        [details_of_the_done, rows, details, request, done, notes];
    let mut said = Vec::new();
    for cut in cuts {
        if length.of(body) + SAYING * usize::from(!said.is_empty()) <= MOST_BYTES {
            break;
        }
        said.extend(cut(body, length));
    }
    body.warnings().extend(said);
}

/// How long something is when it leaves.
#[derive(Clone, Copy)]
struct Length {
    sandbox: bool,
}

impl Length {
    fn of(self, part: &impl Serialize) -> usize {
        clean(part, self.sandbox).to_string().len()
    }

    fn cut<T: Serialize>(self, list: &'static str, see: &'static str, rows: &mut Vec<T>) -> Cut {
        let (all, kept) = (rows.len(), self.fitting(rows.iter(), ROWS_BYTES));
        rows.truncate(kept);
        Cut { list, all, kept, see }
    }

    /// How many of the first there is room for.
    fn fitting<'a, T: Serialize + 'a>(
        self,
        parts: impl IntoIterator<Item = &'a T>,
        room: usize,
    ) -> usize {
        let lengths = parts.into_iter().scan(0, |sum, part| {
            *sum += self.of(part) + 1;
            Some(*sum)
        });
        lengths.take_while(|sum| *sum <= room).count()
    }
}

fn details_of_the_done<W: Whole>(body: &mut W, _: Length) -> Vec<String> {
    without_details(body, W::Entry::is_well)
}

fn details<W: Whole>(body: &mut W, _: Length) -> Vec<String> {
    without_details(body, |_| true)
}

fn without_details<W: Whole>(body: &mut W, of: fn(&W::Entry) -> bool) -> Vec<String> {
    let whole = body.receipt().map(str::to_owned);
    let (mut count, mut own) = (0, false);
    for item in body.entries().iter_mut().filter(|item| of(item)) {
        if item.without_details() {
            count += 1;
            own |= item.receipt().is_some_and(|own| Some(own) != whole.as_deref());
        }
    }
    let see = if own {
        "check_change with the receipt of one shows it"
    } else {
        "a dry run of fewer at a time, or list_access, shows it"
    };
    let said = format!("of {count} items the access and the request are left out here: {see}");
    (count > 0).then_some(said).into_iter().collect()
}

fn rows<W: Whole>(body: &mut W, length: Length) -> Vec<String> {
    let cuts = body.cut(length).into_iter().filter(|cut| cut.kept < cut.all);
    let said = |Cut { list, all, kept, see }| {
        format!("of {all} rows of {list} only the first {kept} are here: {see}")
    };
    cuts.map(said).collect()
}

fn request<W: Whole>(body: &mut W, length: Length) -> Vec<String> {
    let is_long = |request: &mut Value| length.of(request) > REQUEST_BYTES;
    let left_out = body.request().and_then(|request| request.take_if(is_long));
    let said = "the request is left out, for its length: a dry run of fewer at a time shows it";
    left_out.map(|_| said.to_owned()).into_iter().collect()
}

/// Leaves out items that ended well, the last of them first.
fn done<W: Whole>(body: &mut W, length: Length) -> Vec<String> {
    let items = body.entries();
    let well = items.iter().filter(|item| item.is_well());
    let outcomes: Vec<_> = well.clone().map(Entry::outcome).collect();
    let kept = length.fitting(well, WELL_BYTES);
    let mut left = kept;
    items.retain(|item| {
        let stays = !item.is_well() || left > 0;
        left -= usize::from(item.is_well() && stays);
        stays
    });
    let mut counts: Vec<(Outcome, usize)> = Vec::new();
    for outcome in outcomes.into_iter().skip(kept) {
        match counts.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, count)) => *count += 1,
            None => counts.push((outcome, 1)),
        }
    }
    let told: Vec<_> =
        counts.iter().map(|(outcome, count)| format!("{count} {}", outcome.as_str())).collect();
    let said = format!(
        "items that ended well are left out, {}; all others are here: check_change without a \
         receipt, and list_access, show them",
        told.join(", ")
    );
    (!counts.is_empty()).then_some(said).into_iter().collect()
}

/// Shortens what each item says. What is to be done about the worst of them stands beside them all.
fn notes<W: Whole>(body: &mut W, _: Length) -> Vec<String> {
    let mut any = false;
    for item in body.entries() {
        let (note, hint) = item.words();
        any |= hint.take().is_some();
        if let Some(note) = note
            && let Some((end, _)) = note.char_indices().nth(NOTE)
        {
            note.truncate(end);
            note.push('…');
            any = true;
        }
    }
    let said = "what each item says is shortened: check_change with its receipt says more";
    any.then(|| said.to_owned()).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(number: usize, outcome: &str, rows: usize, words: usize) -> Value {
        let one = json!({ "id": "r", "name": "Developer" });
        let row = json!({ "principal": one, "role": one, "resource": one, "scope": "asset" });
        json!({
            "resource": { "id": format!("asset-{number}"), "name": format!("Asset {number}") },
            "outcome": outcome,
            "before": vec![row.clone(); rows],
            "after": vec![row.clone(); rows],
            "now": vec![row; rows * 2],
            "receipt": format!("gr-1.{number}"),
            "note": "x".repeat(words),
            "hint": "y".repeat(words),
            "time": "now", "requester": "ada", "tool": "t", "summary": "s",
        })
    }

    /// An answer to a change, or to a look at a request for several.
    fn answer(list: &str, items: Vec<Value>) -> Body {
        let body = json!({ "outcome": "confirmed", "warnings": ["as before"], list: items,
            "receipt": "gr-1", "time": "now", "requester": "ada", "tool": "t", "summary": "s" });
        read(body, list == "items")
    }

    fn read(body: Value, is_change: bool) -> Body {
        match is_change {
            true => Body::Changed(serde_json::from_value(body).unwrap()),
            false => Body::Checked(serde_json::from_value(body).unwrap()),
        }
    }

    fn written(body: &Body) -> Value {
        match body {
            Body::Changed(body) => clean(body, false),
            Body::Checked(body) => clean(body, false),
            other => panic!("{other:?}"),
        }
    }

    fn fitted(mut body: Body) -> Value {
        fit(&mut body, false);
        written(&body)
    }

    fn said(body: &Value) -> Vec<&str> {
        body["warnings"].as_array().unwrap().iter().map(|said| said.as_str().unwrap()).collect()
    }

    #[test]
    fn what_fits_is_left_as_it_is() {
        for list in ["items", "changes"] {
            let body = answer(list, vec![item(1, "confirmed", 9, 9)]);
            assert_eq!(fitted(body.clone()), written(&body));
        }
        let long = vec![json!({ "name": "x".repeat(MOST_BYTES) })];
        let found = crate::desk::body::Looked { rows: long, ..Default::default() };
        let (mut body, found) = (Body::Looked(found.clone()), Body::Looked(found));
        fit(&mut body, false);
        assert_eq!(body, found);
    }

    /// However long it was, it fits; no item that did not end well is gone, and all others are counted.
    #[test]
    fn an_answer_for_many_fits_and_hides_nothing_that_went_wrong() {
        for list in ["items", "changes"] {
            for (well, wrong, rows, words) in [
                (50, 0, 12, 0),
                (47, 3, 20, 40),
                (0, 50, 20, 40),
                (0, 100, 0, 3_000),
                (60, 40, 50, 3_000),
                (400, 60, 1, 10),
            ] {
                let of = |outcome| move |number| item(number, outcome, rows, words);
                let items = (0..well).map(of("confirmed"));
                let items: Vec<_> = items.chain((0..wrong).map(of("rejected"))).collect();
                let body = fitted(answer(list, items));
                let case = format!("{list} {well} {wrong} {rows} {words}");
                let length = body.to_string().len();
                assert!(length <= MOST_BYTES, "{case}: {length}");
                let items = body[list].as_array().unwrap();
                let is = |outcome| items.iter().filter(|item| item["outcome"] == outcome).count();
                assert_eq!(is("rejected"), wrong, "{case}");
                let said = said(&body);
                assert!(said.len() > 1 && said[0] == "as before", "{case}: {said:?}");
                let hidden = well - is("confirmed");
                let counted = said.iter().any(|said| said.contains(&format!("{hidden} confirmed")));
                assert_eq!(counted, hidden > 0, "{case}: {said:?}");
                for item in items {
                    let named = if list == "items" { &item["resource"] } else { &item["summary"] };
                    assert!(item["receipt"].is_string() && !named.is_null());
                }
            }
        }
    }

    #[test]
    fn what_went_wrong_keeps_its_details_longer() {
        let mut items: Vec<_> = (0..40).map(|number| item(number, "confirmed", 20, 0)).collect();
        items.push(item(40, "mismatch", 20, 60));
        let body = fitted(answer("items", items));
        let items = body["items"].as_array().unwrap();
        let with_rows = items.iter().filter(|item| item.get("after").is_some());
        let with_rows: Vec<_> = with_rows.map(|item| item["outcome"].clone()).collect();
        assert_eq!((items.len(), with_rows), (41, vec![json!("mismatch")]));
        let told = said(&body);
        assert!(told[1].starts_with("of 40 items") && told[1].contains("check_change"), "{told:?}");
    }

    /// What nobody does from here may be much, and is counted.
    #[test]
    fn what_is_left_out_of_a_set_is_counted() {
        let out = json!({ "vendor": "redox", "summary": "x".repeat(300), "why": "w", "hint": "h" });
        let body = json!({ "outcome": "partly_done", "summary": "s", "left_out": vec![out; 400] });
        let body = fitted(read(body, true));
        assert!(body.to_string().len() <= MOST_BYTES);
        let kept = body["left_out"].as_array().unwrap().len();
        let told = said(&body);
        let counted = format!("of 400 rows of left_out only the first {kept} are here");
        assert!(kept > 10 && told[0].starts_with(&counted), "{kept} {told:?}");
    }

    /// A list of one asset is as long as the vendor keeps it.
    #[test]
    fn rows_of_one_change_are_counted() {
        let one = json!({ "id": "somebody", "name": "Some Body" });
        let row = json!({ "principal": one, "role": one, "resource": one, "scope": "asset" });
        let body = json!({
            "outcome": "preview",
            "summary": "s",
            "before": vec![row.clone(); 2_000],
            "after": vec![row.clone(); 3],
            "request": { "method": "POST", "body": vec![row; 1_000] },
        });
        let body = fitted(read(body, true));
        assert!(body.to_string().len() <= MOST_BYTES);
        let kept = body["before"].as_array().unwrap().len();
        assert!(kept > 20 && body["after"].as_array().unwrap().len() == 3);
        let told = said(&body);
        assert!(told[0].starts_with(&format!("of 2000 rows of before only the first {kept}")));
        assert!(told[1].contains("the request is left out") && body.get("request").is_none());
    }
}
