//! What is told of a call outside its answer: nothing that names a person.

use serde_json::Value;

use super::{Answer, UnknownTool};
use crate::observe::CallSummary;

pub(super) fn summarize(answer: &Result<Answer, UnknownTool>) -> CallSummary {
    let Ok(answer) = answer else {
        return CallSummary { is_unknown_tool: true, ..CallSummary::default() };
    };
    let list = |key: &str| answer.body.get(key).and_then(Value::as_array);
    let length = |key: &str| list(key).filter(|_| answer.outcome.is_none()).map(Vec::len);
    CallSummary {
        vendor: answer.body.get("vendor").and_then(Value::as_str).map(str::to_owned),
        outcome: answer.outcome,
        receipts: answer.receipts().map(str::to_owned).collect(),
        rows: length("rows"),
        problems: length("problems"),
        is_error: answer.is_error,
        is_unknown_tool: false,
    }
}
