//! The way from a call over HTTP to the page: the link in its answer and, where the client can open one, the
//! protocol's own request to do so.
//!
//! Whoever calls is led to their own page, where they see how it stands; whoever approves finds it in their list.
//! Nothing hangs on what the client says of it: a request waits as well if nobody follows.

use std::collections::BTreeMap;
use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ElicitRequest, ElicitRequestParams, ErrorCode,
    InputRequest, InputRequiredResult, MetaObject, ProtocolVersion,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};

use serde_json::json;

use super::{Face, http, result};
use crate::desk::{Answer, Desk};
use crate::requester::Requester;

/// The name of the link in `inputRequests`.
const KEY: &str = "page";
const SAYS: &str =
    "This waits for somebody’s approval. Here you can see how it stands, and withdraw it.";
/// What a client of 2025-11-25 is told whose person is to open an address before it calls again.
const URL_ELICITATION_REQUIRED: ErrorCode = ErrorCode(-32042);

/// How a client leads its person to an address.
enum Leads {
    /// Between two calls, the second of which brings back what went out with the first.
    Between,
    /// On an error, after which the very same call comes again and brings nothing.
    OnError,
}

/// What became of a request to whose page a client has led its person, where that is decided.
pub(super) async fn since(
    desk: &Arc<Desk>,
    led: Option<&str>,
    call: &CallToolRequestParams,
    who: &Requester,
) -> Option<Answer> {
    let (desk, state, who) = (desk.clone(), led?.to_owned(), who.clone());
    let (tool, arguments) = (call.name.clone(), call.arguments.clone().unwrap_or_default());
    // A task of its own, as for every call.
    let since = async move { Box::pin(desk.since_led(&state, (&tool, arguments), &who)).await };
    tokio::spawn(since).await.ok()?
}

/// What a client brings back that has led its person to the page.
pub(super) fn led(face: &Face, request: &CallToolRequestParams) -> Option<String> {
    let has_page = matches!(face, Face::Http(Some(_)));
    request.request_state.clone().filter(|_| has_page)
}

/// The answer with the link to where what waits is answered, or the request to lead the client's person there,
/// unless that `is_led` already.
///
/// # Errors
/// That is how a client is asked to lead its person there.
pub(super) async fn answered(
    answer: Answer,
    is_led: bool,
    (face, desk, who, context): (&Face, &Desk, &Requester, &RequestContext<RoleServer>),
    meta: Option<MetaObject>,
) -> Result<CallToolResponse, ErrorData> {
    let Face::Http(place) = face else { return Ok(complete(&answer, meta)) };
    let at = |receipt: &str| place.as_ref().map(|place| place.of_request(receipt));
    let answer = answer.linked(desk.who_answers(), at);
    if let Some(place) = place
        && let Some(receipt) = answer.waits_for().filter(|_| !is_led)
    {
        let url = place.of_request(receipt);
        match leads(context) {
            Some(Leads::Between) => {
                if let Some(state) = desk.led_to(&answer, who).await {
                    return Ok(CallToolResponse::InputRequired(lead(url, state, meta)));
                }
            }
            // Nothing is kept of whom it was told: whose call finds that it waits already has been led.
            Some(Leads::OnError) if answer.asks_anew() => {
                return Err(lead_first(receipt, &url, desk.who_answers()));
            }
            Some(Leads::OnError) | None => {}
        }
    }
    Ok(complete(&answer, meta))
}

pub(super) fn complete(answer: &Answer, meta: Option<MetaObject>) -> CallToolResponse {
    let mut result = result(answer);
    result.meta = meta;
    CallToolResponse::Complete(result)
}

/// Whether a client can lead its person to an address, and how.
fn leads(context: &RequestContext<RoleServer>) -> Option<Leads> {
    let is_modern =
        context.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
    if !is_modern {
        return http::shows_links(context).then_some(Leads::OnError);
    }
    let able = context.client_capabilities().and_then(|able| able.elicitation);
    able.is_some_and(|able| able.url.is_some()).then_some(Leads::Between)
}

/// The error that has a client lead its person there and then call again. A client that shows its text alone has
/// the link as well.
fn lead_first(receipt: &str, url: &str, who_answers: &str) -> ErrorData {
    let says = format!(
        "nothing was sent: it waits for a person’s approval ({who_answers}). Its receipt is {receipt}, and how it \
         stands is seen at {url}: give the requester this link; check_change says how it ended"
    );
    let elicitation =
        json!({ "mode": "url", "elicitationId": receipt, "url": url, "message": SAYS });
    ErrorData::new(URL_ELICITATION_REQUIRED, says, Some(json!({ "elicitations": [elicitation] })))
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
