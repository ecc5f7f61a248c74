//! What is told of a call outside its answer: nothing that names a person.

use serde_json::Value;

use super::{Answer, UnknownTool};
use crate::observe::CallSummary;

pub(super) fn summarize(answer: &Result<Answer, UnknownTool>) -> CallSummary {
    let Ok(answer) = answer else {
        return CallSummary { is_unknown_tool: true, ..CallSummary::default() };
    };
    let text = |from: &Value, key: &str| Some(from.get(key)?.as_str()?.to_owned());
    let list = |key: &str| answer.body.get(key).and_then(Value::as_array);
    let length = |key: &str| list(key).filter(|_| answer.outcome.is_none()).map(Vec::len);
    let own = text(&answer.body, "receipt").into_iter();
    let items = list("items").into_iter().flatten().filter_map(|item| text(item, "receipt"));
    CallSummary {
        vendor: text(&answer.body, "vendor"),
        outcome: answer.outcome,
        receipts: own.chain(items).collect(),
        rows: length("rows"),
        problems: length("problems"),
        is_error: answer.is_error,
        is_unknown_tool: false,
    }
}
