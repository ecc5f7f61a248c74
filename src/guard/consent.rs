//! A person's yes: the one way from a question to a permission.

use super::{Asked, Permitted};

/// A person approved exactly this change.
#[derive(Debug)]
pub struct Consent {
    /// The receipt of the request that was approved.
    pub(crate) receipt: String,
}

impl Asked {
    pub fn approved(self: Box<Self>, consent: Consent) -> Box<Permitted> {
        let Self { intent, policy, .. } = *self;
        Box::new(Permitted::new(intent, policy, Some(consent.receipt)))
    }
}
