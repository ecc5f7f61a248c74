//! The answer to a change of many, short enough to be read whole.
//!
//! What a reader cannot do without stays longest: how each item ended, and what is to be done about
//! those that did not end well, of which none is ever left out. Whatever is left out is counted, with
//! the call that shows it.

use serde::Deserialize as _;
use serde_json::Value;

use crate::access::Outcome;
use crate::json::put;
use crate::tools::MOST_BYTES;

/// Of what an answer takes, what rows that stand beside the items may take.
const ROWS_BYTES: usize = 8_000;
/// What items that ended well may take, where those that did not leave little room.
const WELL_BYTES: usize = 8_000;
/// What a request may take that is shown.
const REQUEST_BYTES: usize = 12_000;
/// What is said of what is left out.
const SAYING: usize = 1_200;
/// The longest note of an item, in characters, where there are too many.
const NOTE: usize = 100;

const ITEMS: [&str; 2] = ["items", "changes"];
const ROWS: [&str; 3] = ["before", "after", "now"];
const DETAILS: [&str; 4] = ["before", "after", "now", "request"];

/// Leaves out what there is no room for, and says so among the warnings.
pub(super) fn fit(body: &mut Value) {
    if body.get("outcome").is_none() || body.get("rows").is_some() {
        return;
    }
    let cuts: [fn(&mut Value) -> Vec<String>; 6] =
        [details_of_the_done, rows, details, request, done, notes];
    let mut said = Vec::new();
    for cut in cuts {
        if length(body) + SAYING * usize::from(!said.is_empty()) <= MOST_BYTES {
            break;
        }
        said.extend(cut(body));
    }
    if said.is_empty() {
        return;
    }
    let mut warnings: Vec<Value> =
        body.get("warnings").and_then(Value::as_array).cloned().unwrap_or_default();
    warnings.extend(said.into_iter().map(Value::from));
    put(body, "warnings", warnings);
}

fn length(value: &Value) -> usize {
    value.to_string().len()
}

fn items(body: &mut Value) -> Option<&mut Vec<Value>> {
    let key = ITEMS.into_iter().find(|key| body.get(*key).is_some_and(Value::is_array))?;
    body.get_mut(key)?.as_array_mut()
}

fn outcome(item: &Value) -> Option<Outcome> {
    Outcome::deserialize(item.get("outcome")?).ok()
}

/// Whether nobody has to do anything about an item; one that cannot be told is none.
fn is_well(item: &Value) -> bool {
    outcome(item).is_some_and(|outcome| !outcome.is_error())
}

fn details_of_the_done(body: &mut Value) -> Vec<String> {
    without_details(body, is_well)
}

fn details(body: &mut Value) -> Vec<String> {
    without_details(body, |_| true)
}

fn without_details(body: &mut Value, of: fn(&Value) -> bool) -> Vec<String> {
    let whole = body.get("receipt").cloned();
    let Some(items) = items(body) else { return Vec::new() };
    let (mut count, mut own) = (0, false);
    for item in items.iter_mut().filter(|item| of(item)) {
        let Some(fields) = item.as_object_mut() else { continue };
        let before = fields.len();
        fields.retain(|key, _| !DETAILS.contains(&key.as_str()));
        if fields.len() < before {
            count += 1;
            own |= fields.get("receipt").is_some_and(|own| Some(own) != whole.as_ref());
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

fn rows(body: &mut Value) -> Vec<String> {
    let mut said = Vec::new();
    for key in ROWS {
        let Some(rows) = body.get_mut(key).and_then(Value::as_array_mut) else { continue };
        let (all, kept) = (rows.len(), fitting(rows, ROWS_BYTES));
        rows.truncate(kept);
        if kept < all {
            let rows = format!("of {all} rows of {key} only the first {kept} are here");
            said.push(format!("{rows}: list_access shows what there is now"));
        }
    }
    said
}

/// How many of the first there is room for.
fn fitting(rows: &[Value], room: usize) -> usize {
    let lengths = rows.iter().scan(0, |sum, row| {
        *sum += length(row) + 1;
        Some(*sum)
    });
    lengths.take_while(|sum| *sum <= room).count()
}

fn request(body: &mut Value) -> Vec<String> {
    let is_long = body.get("request").is_some_and(|request| length(request) > REQUEST_BYTES);
    if is_long && let Some(fields) = body.as_object_mut() {
        fields.shift_remove("request");
    }
    let said = "the request is left out, for its length: a dry run of fewer at a time shows it";
    is_long.then(|| said.to_owned()).into_iter().collect()
}

/// Leaves out items that ended well, the last of them first.
fn done(body: &mut Value) -> Vec<String> {
    let Some(items) = items(body) else { return Vec::new() };
    let well: Vec<Value> = items.iter().filter(|item| is_well(item)).cloned().collect();
    let kept = fitting(&well, WELL_BYTES);
    let mut left = kept;
    items.retain(|item| {
        let stays = !is_well(item) || left > 0;
        left -= usize::from(is_well(item) && stays);
        stays
    });
    let mut counts: Vec<(Outcome, usize)> = Vec::new();
    for outcome in well.iter().skip(kept).filter_map(outcome) {
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
fn notes(body: &mut Value) -> Vec<String> {
    let Some(items) = items(body) else { return Vec::new() };
    let mut any = false;
    for fields in items.iter_mut().filter_map(Value::as_object_mut) {
        any |= fields.shift_remove("hint").is_some();
        let Some(Value::String(note)) = fields.get_mut("note") else { continue };
        if let Some((end, _)) = note.char_indices().nth(NOTE) {
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
        let row = json!({ "vendor": "one", "role": { "id": "r", "name": "Developer" } });
        json!({
            "resource": { "id": format!("asset-{number}"), "name": format!("Asset {number}") },
            "outcome": outcome,
            "before": vec![row.clone(); rows],
            "after": vec![row; rows],
            "receipt": format!("gr-1.{number}"),
            "note": "x".repeat(words),
            "hint": "y".repeat(words),
        })
    }

    fn answer(list: &str, items: Vec<Value>) -> Value {
        json!({ "outcome": "confirmed", "warnings": ["as before"], list: items })
    }

    fn said(body: &Value) -> Vec<&str> {
        body["warnings"].as_array().unwrap().iter().map(|said| said.as_str().unwrap()).collect()
    }

    #[test]
    fn what_fits_is_left_as_it_is() {
        let rows = json!({ "rows": [{ "name": "x".repeat(MOST_BYTES) }], "outcome": "invalid" });
        let list = json!({ "changes": [{ "name": "x".repeat(MOST_BYTES) }] });
        let one = json!({ "outcome": "confirmed", "after": [1], "items": [] });
        for body in [answer("items", vec![item(1, "confirmed", 9, 9)]), rows, list, one] {
            let mut fitted = body.clone();
            fit(&mut fitted);
            assert_eq!(fitted, body);
        }
    }

    /// However long it was, it fits; no item that did not end well is gone, and all others are counted.
    #[test]
    fn an_answer_for_many_fits_and_hides_nothing_that_went_wrong() {
        for list in ITEMS {
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
                let mut body = answer(list, items);
                fit(&mut body);
                let case = format!("{list} {well} {wrong} {rows} {words}");
                assert!(length(&body) <= MOST_BYTES, "{case}: {}", length(&body));
                let items = body[list].as_array().unwrap();
                let is = |outcome| items.iter().filter(|item| item["outcome"] == outcome).count();
                assert_eq!(is("rejected"), wrong, "{case}");
                let said = said(&body);
                assert!(said.len() > 1 && said[0] == "as before", "{case}: {said:?}");
                let hidden = well - is("confirmed");
                let counted = said.iter().any(|said| said.contains(&format!("{hidden} confirmed")));
                assert_eq!(counted, hidden > 0, "{case}: {said:?}");
                for item in items {
                    assert!(item["receipt"].is_string() && item["resource"].is_object());
                }
            }
        }
    }

    #[test]
    fn what_went_wrong_keeps_its_details_longer() {
        let mut items: Vec<_> = (0..40).map(|number| item(number, "confirmed", 20, 0)).collect();
        items.push(item(40, "mismatch", 20, 60));
        let mut body = answer("items", items);
        fit(&mut body);
        let items = body["items"].as_array().unwrap();
        let with_rows = items.iter().filter(|item| item.get("after").is_some());
        let with_rows: Vec<_> = with_rows.map(|item| item["outcome"].clone()).collect();
        assert_eq!((items.len(), with_rows), (41, vec![json!("mismatch")]));
        let told = said(&body);
        assert!(told[1].starts_with("of 40 items") && told[1].contains("check_change"), "{told:?}");
    }

    /// A list of one asset is as long as the vendor keeps it.
    #[test]
    fn rows_of_one_change_are_counted() {
        let row = json!({ "principal": { "id": "somebody", "name": "Some Body" } });
        let mut body = json!({
            "outcome": "preview",
            "before": vec![row.clone(); 2_000],
            "after": vec![row.clone(); 3],
            "request": { "method": "POST", "body": vec![row; 1_000] },
        });
        fit(&mut body);
        assert!(length(&body) <= MOST_BYTES);
        let kept = body["before"].as_array().unwrap().len();
        assert!(kept > 50 && body["after"].as_array().unwrap().len() == 3);
        let told = said(&body);
        assert!(told[0].starts_with(&format!("of 2000 rows of before only the first {kept}")));
        assert!(told[1].contains("the request is left out") && body.get("request").is_none());
    }
}
