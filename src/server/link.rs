//! The way from a call over HTTP to the page: the link in its answer and, where the client can open one, the
//! protocol's own request to do so.
//!
//! Whoever calls is led to their own page, where they see how it stands; whoever approves finds it in their list.
//! Nothing hangs on what the client says of it: a request waits as well if nobody follows.

use std::collections::BTreeMap;
use std::sync::Arc;

use rmcp::RoleServer;
use rmcp::model::{
    CallToolResponse, ElicitRequest, ElicitRequestParams, InputRequest, InputRequiredResult,
    MetaObject, ProtocolVersion,
};
use rmcp::service::RequestContext;

use super::complete;
use crate::desk::{Answer, Desk};
use crate::page::Place;
use crate::requester::Requester;

/// The name of the link in `inputRequests`.
const KEY: &str = "page";
const SAYS: &str =
    "This waits for somebody’s approval. Here you can see how it stands, and withdraw it.";

/// What became of a request to whose page a client has led its person, where that is decided.
pub(super) async fn since(desk: &Arc<Desk>, led: Option<&str>, who: &Requester) -> Option<Answer> {
    let (desk, state, who) = (desk.clone(), led?.to_owned(), who.clone());
    // A task of its own, as for every call.
    tokio::spawn(async move { Box::pin(desk.since_led(&state, &who)).await }).await.ok()?
}

/// The answer with the link to where what waits is answered.
pub(super) fn linked(place: &Place, answer: Answer) -> Answer {
    answer.linked(|receipt| place.of_request(receipt))
}

/// The same, or the request to lead the client's person there.
pub(super) async fn answered(
    place: &Place,
    answer: Answer,
    (desk, who, context): (&Desk, &Requester, &RequestContext<RoleServer>),
    meta: Option<MetaObject>,
) -> CallToolResponse {
    let answer = linked(place, answer);
    let Some(url) = answer.waits_for().filter(|_| can_lead(context)).map(|to| place.of_request(to))
    else {
        return complete(&answer, meta);
    };
    match desk.led_to(&answer, who).await {
        Some(state) => CallToolResponse::InputRequired(lead(url, state, meta)),
        None => complete(&answer, meta),
    }
}

/// Whether a client can lead its person to an address, between two calls.
fn can_lead(context: &RequestContext<RoleServer>) -> bool {
    let able = context.client_capabilities().and_then(|able| able.elicitation);
    let is_modern =
        context.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
    is_modern && able.is_some_and(|able| able.url.is_some())
}

/// The result that asks the client to lead its person there.
fn lead(url: String, state: String, meta: Option<MetaObject>) -> InputRequiredResult {
    let request = ElicitRequest::new(ElicitRequestParams::UrlElicitationParams {
        meta: None,
        message: SAYS.to_owned(),
        url,
        elicitation_id: String::new(),
    });
    let requests = BTreeMap::from([(KEY.to_owned(), InputRequest::Elicitation(request))]);
    let mut result = InputRequiredResult::new(Some(requests), Some(state));
    result.meta = meta;
    result
}
