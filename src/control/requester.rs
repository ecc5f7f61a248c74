//! Who asks.

/// Who has a call made: the rules know them by this name, the ledger's lines bear it, and a question to a
/// person says it. Today it is the user of the operating system whom the process runs as, at every face. A
/// face that serves several people makes one for each call, of what it has checked of them: over HTTP, the
/// issuer and the subject of a token, and never what a client says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requester {
    name: String,
}

impl Requester {
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}
