//! Answers that say little: a status, and a few words or an error of the protocol.

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use rmcp::ErrorData;
use rmcp::model::{ErrorCode, RequestId, ServerJsonRpcMessage};
use serde_json::Value;

use super::Body;

/// What an error is called that a status says: to whoever may not do this, and of a session that there is not. The
/// protocol names none for either, and its SDKs say these.
pub(super) const FORBIDDEN: ErrorCode = ErrorCode(-32000);
pub(super) const NO_SESSION: ErrorCode = ErrorCode(-32001);

/// A refusal in the protocol's own form: to a message that was read, under its id.
pub(super) fn refusal(
    status: StatusCode,
    (code, why, more): (ErrorCode, &'static str, Option<Value>),
    id: Option<RequestId>,
) -> Response<Body> {
    wrong(status, id, ErrorData::new(code, why, more))
}

/// An error in the protocol's own form.
pub(super) fn wrong(status: StatusCode, id: Option<RequestId>, error: ErrorData) -> Response<Body> {
    let said = ServerJsonRpcMessage::error(error, id);
    json(status, serde_json::to_vec(&said).unwrap_or_default())
}

pub(super) fn json(status: StatusCode, body: Vec<u8>) -> Response<Body> {
    typed(status, "application/json", body)
}

pub(super) fn plain(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    typed(status, "text/plain; charset=utf-8", body)
}

pub(super) fn typed(
    status: StatusCode,
    kind: &'static str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    let mut response = Response::new(Full::new(body.into()).boxed());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [("content-type", kind), ("cache-control", "no-store")] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A refusal that says when to try again, in seconds.
pub(super) fn later(status: StatusCode, wait: u64, body: &'static str) -> Response<Body> {
    let mut response = plain(status, body);
    response.headers_mut().insert(RETRY_AFTER, wait.into());
    response
}
