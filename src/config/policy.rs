//! The policy file: read once, before anything is served.

use std::path::Path;

use super::Config;
use crate::guard::{Guard, PolicyError};

/// The variable that names it.
pub const POLICY: &str = "GRANTOR_POLICY";

impl Config {
    /// The rules in force, and what is declared for them to speak of.
    ///
    /// # Errors
    /// As [`Guard::load`].
    pub fn guard(&self) -> Result<Guard, PolicyError> {
        let guard = Guard::load(self.policy.as_deref(), self.read_only)?;
        Ok(guard.declaring(self.declared.clone()))
    }
}

impl Guard {
    /// The rules in force: of that file, or the built-in ones.
    ///
    /// # Errors
    /// The file cannot be read, or one of its rules does not hold.
    pub fn load(policy: Option<&Path>, read_only: bool) -> Result<Self, PolicyError> {
        let Some(path) = policy else { return Ok(Self::built_in(read_only)) };
        let name = path.display().to_string();
        let read = crate::input::read(path).and_then(|bytes| crate::input::source(&bytes));
        let text = read.map_err(|error| {
            let told = format!(
                "{error}; give another --policy (or GRANTOR_POLICY), or leave it out for the \
                 built-in rules"
            );
            PolicyError::whole(name.clone(), told)
        })?;
        Self::compile(&name, &text, read_only)
    }
}
