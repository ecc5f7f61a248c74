//! A line that is to be added.

use serde_json::Value;

use crate::control::requester::Requester;
use crate::failure::Failure;

/// A line to add.
pub(super) struct Entry {
    pub event: &'static str,
    pub receipt: String,
    /// Who has it written.
    pub requester: Requester,
    pub content: Value,
    /// Whether it must be on disk before anything else happens.
    pub flush: bool,
    /// Whether it is the first line of its receipt.
    pub begins: bool,
}

impl Entry {
    /// The first line of a receipt.
    pub(super) fn first(
        event: &'static str,
        receipt: &str,
        content: Value,
        requester: &Requester,
    ) -> Self {
        let (receipt, requester) = (receipt.to_owned(), requester.clone());
        Self { event, receipt, requester, content, flush: false, begins: true }
    }

    /// A line after others of its receipt.
    pub(super) fn next(
        event: &'static str,
        receipt: &str,
        content: Value,
        requester: &Requester,
    ) -> Self {
        Self { begins: false, ..Self::first(event, receipt, content, requester) }
    }

    /// Whether it is a yes, which others act on.
    pub(super) fn gives(&self) -> bool {
        let decision = self.content.get("decision").and_then(Value::as_str);
        self.event == "answered" && decision == Some("approved")
    }

    /// Whether it tells what has happened already.
    pub(super) fn comes_after(&self) -> bool {
        matches!(self.event, "close" | "found" | "over" | "overdue" | "concluded")
    }

    /// The same, as long as a line gets.
    ///
    /// # Errors
    /// It is too long, and nothing was sent yet.
    pub(super) fn fitted(self) -> Result<Self, Failure> {
        let content = super::length::fit(self.event, self.content)?;
        Ok(Self { content, ..self })
    }

    pub(super) fn flushed(self) -> Self {
        Self { flush: true, ..self }
    }
}
