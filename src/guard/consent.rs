//! A person's yes: the one way from a question to a permission.

use super::{Asked, Permitted};
use crate::ledger::Spent;

impl Asked {
    /// `spent` is on disk already, so that no consent serves twice.
    pub fn approved(self: Box<Self>, spent: &Spent) -> Box<Permitted> {
        let Self { intent, policy, .. } = *self;
        Box::new(Permitted::new(intent, policy, Some(spent.receipt().to_owned())))
    }
}
