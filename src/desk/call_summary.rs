//! What is told of a call outside its answer: nothing that names a person.

use super::body::Body;
use super::{Answer, UnknownTool};
use crate::observe::CallSummary;
use crate::text;

pub(super) fn summarize(answer: &Result<Answer, UnknownTool>) -> CallSummary {
    let Ok(answer) = answer else {
        return CallSummary { is_unknown_tool: true, ..CallSummary::default() };
    };
    let found = match &answer.body {
        Body::Looked(found) => Some(found),
        Body::Changed(_) | Body::Unasked(_) | Body::Checked(_) | Body::Listed(_) => None,
    };
    CallSummary {
        vendor: answer.body.of().map(|of| text::clean(&of.vendor)),
        outcome: answer.outcome(),
        receipts: answer.receipts().collect(),
        rows: found.map(|found| found.rows.len()),
        problems: found.map(|found| found.problems.len()),
        is_error: answer.is_error(),
        is_unknown_tool: false,
    }
}
