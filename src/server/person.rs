//! How a client's person is asked, in the era the client speaks.
//!
//! Up to 2025-11-25 the server asks with `elicitation/create` while the call waits. Since
//! 2026-07-28 the call is answered with the question, and repeated by the client with the answer.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use rmcp::model::{
    CallToolRequestParams, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction,
    ElicitationSchema, InputRequest, InputRequiredResult, MetaObject, ProtocolVersion,
};
use rmcp::service::{Peer, RequestContext};
use rmcp::{ErrorData, RoleServer};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::desk::{ClientAnswer, ConsentQuestion, Consult, Pending, Person, PersonReply};
use crate::ledger::Channel;

/// A person behind a client that can be asked while a call waits.
struct Elicitation {
    peer: Peer<RoleServer>,
    patience: Duration,
    withdrawn: CancellationToken,
    /// Cancelled when the client will say nothing more.
    input_ended: CancellationToken,
}

/// The name of the question in `inputRequests`, and of what the person types in its form.
const KEY: &str = "consent";
const TYPED: &str = "grantee";
/// How long a question waits: clients give up on a silent call after a minute, and wait longer for
/// one that shows progress.
const SILENT: Duration = Duration::from_secs(50);
const PROGRESSING: Duration = Duration::from_secs(300);

/// How the person behind a request can be asked.
pub(super) fn person(
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
    patience: Option<Duration>,
    input_ended: &CancellationToken,
) -> Person {
    let elicitation = context.client_capabilities().and_then(|able| able.elicitation);
    // An empty object, too, means forms.
    let forms = elicitation.is_some_and(|able| able.form.is_some() || able.url.is_none());
    let version = context.protocol_version();
    match version {
        Some(version) if forms && version >= ProtocolVersion::V_2026_07_28 => {
            Person::Between(client_answer(request))
        }
        Some(version) if forms && version >= ProtocolVersion::V_2025_06_18 => {
            let progressing = context.meta.get_progress_token().is_some();
            let usual = if progressing { PROGRESSING } else { SILENT };
            Person::Here(Box::new(Elicitation {
                peer: context.peer.clone(),
                patience: patience.unwrap_or(usual),
                withdrawn: context.ct.clone(),
                input_ended: input_ended.clone(),
            }))
        }
        _ => Person::Absent,
    }
}

/// The result that asks the client to ask its person.
pub(super) fn input_required(
    pending: &Pending,
    meta: Option<MetaObject>,
) -> Result<InputRequiredResult, ErrorData> {
    let request = ElicitRequest::new(form(&pending.question)?);
    let requests = BTreeMap::from([(KEY.to_owned(), InputRequest::Elicitation(request))]);
    let mut result = InputRequiredResult::new(Some(requests), Some(pending.state.clone()));
    result.meta = meta;
    Ok(result)
}

fn client_answer(request: &CallToolRequestParams) -> Option<ClientAnswer> {
    let state = request.request_state.clone()?;
    let response = request.input_responses.as_ref().and_then(|all| all.get(KEY)).cloned();
    let result = response.and_then(|response| serde_json::from_value(response).ok());
    Some(ClientAnswer { state, reply: result.as_ref().map_or(PersonReply::Silence, reply) })
}

fn reply(result: &ElicitResult) -> PersonReply {
    match result.action {
        ElicitationAction::Accept => {
            let typed = result.content.as_ref().and_then(|content| content.get(TYPED));
            PersonReply::Yes(typed.and_then(Value::as_str).map(str::to_owned))
        }
        ElicitationAction::Cancel => PersonReply::Closed,
        // Declined, or a word of a later revision.
        _ => PersonReply::No,
    }
}

/// The form: to accept it is to agree. A name to be typed has no default.
fn form(question: &ConsentQuestion) -> Result<ElicitRequestParams, ErrorData> {
    let mut schema = json!({ "type": "object", "properties": {} });
    if let Some(name) = &question.typed {
        let about = format!("Type “{name}” to agree");
        schema = json!({
            "type": "object",
            "properties": {
                TYPED: { "type": "string", "title": "To agree", "description": about },
            },
            "required": [TYPED],
        });
    }
    let requested_schema: ElicitationSchema = serde_json::from_value(schema)
        .map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    let message = question.text.clone();
    Ok(ElicitRequestParams::FormElicitationParams { meta: None, message, requested_schema })
}

impl Consult for Elicitation {
    fn ask<'a>(&'a self, question: &'a ConsentQuestion) -> BoxFuture<'a, PersonReply> {
        Box::pin(async move {
            let Ok(form) = form(question) else { return PersonReply::Silence };
            let asking = self.peer.create_elicitation_with_timeout(form, Some(self.patience));
            tokio::select! {
                // What was said last counts.
                biased;
                // No answer and a broken one are no consent.
                answer = asking => answer.as_ref().map_or(PersonReply::Silence, reply),
                () = self.withdrawn.cancelled() => PersonReply::Silence,
                () = self.input_ended.cancelled() => PersonReply::Silence,
            }
        })
    }

    fn means(&self) -> Channel {
        Channel::Elicitation
    }
}
