//! Whose signature approves a request.

/// Names and the public keys that speak for them.
pub struct Approvers;
