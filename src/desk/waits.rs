//! A question that nobody has answered yet, as the answer to a call has it.

use super::question::ConsentQuestion;

/// A question on its way to a person between two calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    pub question: ConsentQuestion,
    pub state: String,
}

/// How a question waits that nobody has answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Waits {
    /// What the client is to ask a person before it calls again.
    pub(super) pending: Option<Pending>,
    /// Whether it is this call that asks: no earlier one has.
    pub(super) is_new: bool,
}
