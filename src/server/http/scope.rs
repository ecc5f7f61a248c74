//! What a request asks for, by what it says in its body, and what a token lets its bearer ask for.

use rmcp::model::{ClientJsonRpcMessage, ClientRequest, JsonRpcMessage};

use crate::identity::{Rights, ScopeNames};
use crate::tools;

/// What a token must allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    Read,
    Change,
}

impl Needs {
    /// All scopes of it, as a client should ask for them.
    pub(super) fn scopes(self, names: &ScopeNames) -> Vec<&str> {
        match self {
            Self::Read => vec![&names.read],
            Self::Change => vec![&names.read, &names.change],
        }
    }

    pub(super) fn are_met(self, rights: Rights) -> bool {
        match self {
            Self::Read => rights.may_read(),
            Self::Change => rights.may_change(),
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
