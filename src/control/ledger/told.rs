//! The lines of a receipt, taken one after the other, and what is wrong with them. Pure.

use serde_json::Value;

use super::chain::{LinePosition, Link};
use super::meaning::understood;

/// The lines of a receipt, and what is wrong with them.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub lines: Vec<Value>,
    /// Why nothing is given on the word of these lines.
    pub damage: Option<String>,
    /// The last of them, as the next one names it.
    pub last: Link,
}

impl Told {
    /// Takes the next line, which holds its seal.
    pub(super) fn take(&mut self, place: &LinePosition, line: &str) {
        if !place.continues(&self.last) {
            self.spoil("a line of it is missing, or there twice");
        }
        self.last = place.own_link(line, &self.last);
        match understood(line) {
            Ok(line) => self.lines.push(line),
            Err(what) => self.spoil(&format!("a line of it {what}")),
        }
    }

    pub(super) fn spoil(&mut self, what: &str) {
        self.damage.get_or_insert_with(|| what.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::control::ledger::chain::Keys;

    #[test]
    fn lines_of_a_receipt_that_do_not_hang_together_give_nothing() {
        let keys = Keys::parse("0123456789abcdef0123456789abcdef").unwrap();
        let line = |event: &str, own: &Link| {
            let line = keys.line(json!({ "event": event, "receipt": "gr-1" }), own, own).unwrap();
            let line = line.trim_end().to_owned();
            let own = LinePosition::of(&line).unwrap().own_link(&line, own);
            (line, own)
        };
        let (first, one) = line("spent", &Link::start());
        let (second, two) = line("over", &one);
        let (third, _) = line("over", &two);
        let (later, _) = line("of a later version", &one);
        for (what, lines, kept, says) in [
            ("all", vec![&first, &second, &third], 3, None),
            ("the second is missing", vec![&first, &third], 2, Some("missing")),
            ("the first is missing", vec![&second], 1, Some("missing")),
            ("the second is there twice", vec![&first, &second, &second], 3, Some("twice")),
            ("the second is not known", vec![&first, &later], 1, Some("does not know")),
        ] {
            let mut told = Told::default();
            lines.iter().for_each(|line| told.take(&LinePosition::of(line).unwrap(), line));
            assert_eq!(told.lines.len(), kept, "{what}");
            let damage = told.damage.unwrap_or_default();
            assert!(damage.contains(says.unwrap_or_default()), "{what}: {damage}");
            assert_eq!(damage.is_empty(), says.is_none(), "{what}: {damage}");
        }
    }
}
