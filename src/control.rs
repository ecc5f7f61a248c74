//! Who may do what, and what is on record.
//!
//! `guard` judges a change, `approvers` says whose signature counts, `ledger` records. What they give
//! each other, and what `outbound` takes, are the tokens of `permit`: a write needs one from each.

pub mod approvers;
pub mod guard;
pub mod intent;
pub mod ledger;
pub mod permit;
pub mod requester;
