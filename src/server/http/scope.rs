//! What a request asks for, by what it says in its body, and what a token lets its bearer ask for.

use std::collections::BTreeSet;

use rmcp::model::{ClientJsonRpcMessage, ClientRequest, JsonRpcMessage};

use crate::tools;

pub(super) const READ: &str = "grantor:read";
/// Whoever may change may look as well.
pub(super) const CHANGE: &str = "grantor:change";

/// What a token must allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    Read,
    Change,
}

impl Needs {
    /// All scopes of it, as a client should ask for them.
    pub(super) fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::Read => &[READ],
            Self::Change => &[READ, CHANGE],
        }
    }
}

/// Whether it calls a tool that changes something; a dry run does not, and is held to the same.
pub(super) fn needs(message: &ClientJsonRpcMessage) -> Needs {
    match message {
        JsonRpcMessage::Request(request) => match &request.request {
            ClientRequest::CallToolRequest(call) if tools::changes(&call.params.name) => {
                Needs::Change
            }
            _ => Needs::Read,
        },
        _ => Needs::Read,
    }
}

pub(super) fn may(scopes: &BTreeSet<String>, needs: Needs) -> bool {
    match needs {
        Needs::Read => may_read(scopes),
        Needs::Change => scopes.contains(CHANGE),
    }
}

pub(super) fn may_read(scopes: &BTreeSet<String>) -> bool {
    scopes.contains(READ) || scopes.contains(CHANGE)
}
