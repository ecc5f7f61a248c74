//! What is told of a panic.

use std::io::Write as _;
use std::panic::PanicHookInfo;

/// A message that was put together may hold whatever the program had in hand, a credential as well:
/// only one that is part of the program is told, and the place always.
pub(super) fn told(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let words = panic.payload().downcast_ref::<&'static str>();
    let words = words.unwrap_or(&"in words that may hold a secret, and are not told");
    if tracing::dispatcher::has_been_set() {
        tracing::error!(target: "grantor", place, words, "Grantor failed inside");
    } else {
        // Where even this cannot be written, nobody is there to read it.
        let _ = writeln!(std::io::stderr(), "grantor failed inside: {place}: {words}");
    }
}
