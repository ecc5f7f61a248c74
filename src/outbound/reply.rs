//! What came back for one attempt, and what a refusal means.

use std::time::Duration;

use jiff::SignedDuration;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::failure::{Failure, Kind};
use crate::input;
use crate::secret::{Sought, redact};
use crate::text;

/// What came back for one attempt.
#[derive(Clone, Debug)]
pub enum Attempt {
    Reply(Reply),
    /// The request did not leave: no connection, no name, no TLS.
    NotSent(String),
    /// It did not leave because of something here: a setting, or a credential that fits no header.
    Unready(String),
    /// It left, and no whole answer came back.
    Broken(String),
    /// It left, and the answer did not come in time: asking again would only wait again.
    Stalled,
    /// It left, and the answer is longer than any a vendor documents.
    Oversized,
}

#[derive(Clone, Default)]
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
    /// How long the vendor asks to wait, in `Retry-After`.
    pub retry_after: Option<Duration>,
    /// The vendor's own name for this exchange, for its support.
    pub request_id: Option<String>,
    /// How far the vendor's clock is ahead of this machine's, by its `Date`.
    pub ahead: SignedDuration,
    /// What proved who we are: an answer may echo it, and no message may.
    pub(in crate::outbound) secrets: Vec<Sought>,
}

/// Clocks that differ by more than this are named where a credential is refused: what proves who
/// we are may be dated.
const SKEW: SignedDuration = SignedDuration::from_secs(5);

impl Reply {
    /// A plain yes. Any other 2xx is nothing that a vendor documents for all of its calls: an
    /// answer that is only a part, or a promise.
    pub fn is_success(&self) -> bool {
        matches!(self.status, 200 | 201 | 204)
    }

    /// A 2xx that is no plain yes: what it means is for the vendor's documents to say.
    pub fn is_half_success(&self) -> bool {
        (200..300).contains(&self.status) && !self.is_success()
    }

    /// Neither a yes of some kind nor a no: whether a write was done has to be read back.
    pub(super) fn says_nothing(&self) -> bool {
        !(200..300).contains(&self.status) && !self.is_refusal()
    }

    /// A status whose definition says that nothing was done with the request. Others are what
    /// something on the way answers that stopped waiting (408, 425, 499), or may come after the work
    /// (302, 303, 406): to a write they mean as little as no answer.
    pub fn is_refusal(&self) -> bool {
        matches!(self.status, 301 | 307 | 308 | 400..=405 | 407 | 409..=418 | 421..=424)
            || matches!(self.status, 426 | 428 | 429 | 431 | 451)
    }

    /// The body as JSON of the expected shape.
    ///
    /// # Errors
    /// `Garbled`, naming the field that does not fit and nothing of its content.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let mut document = serde_json::Deserializer::from_slice(&self.body);
        serde_path_to_error::deserialize(&mut document).map_err(|error| {
            if let Err(trouble) = input::text(&self.body) {
                return Failure::garbled(format!("the vendor's answer cannot be read: {trouble}"));
            }
            let place = error.path().to_string();
            let place = if place == "." { String::new() } else { format!(" at {place}") };
            Failure::garbled(format!("the vendor's answer is not what it documents{place}"))
                .hint("the vendor may have changed its API, or a proxy answered in its place")
        })
    }

    /// The vendor's own message in quotes, with a leading separator, or nothing.
    pub fn said(&self) -> String {
        self.message().map(|message| format!(": {}", text::quoted(&message))).unwrap_or_default()
    }

    /// What `who` answered, and what may be behind it.
    pub fn describe(&self, who: &str) -> String {
        let mut told = format!("{who} answered {}{}", self.status, self.said());
        if matches!(self.status, 400 | 401) && self.ahead.abs() > SKEW {
            let word = if self.ahead.is_positive() { "behind" } else { "ahead of" };
            let seconds = self.ahead.abs().as_secs();
            told += &format!("; this machine's clock is {seconds} s {word} the vendor's");
        }
        told
    }

    /// The vendor's own message, wherever the common error shapes keep it.
    pub fn message(&self) -> Option<String> {
        const PLACES: [&str; 9] = [
            "/error/message",
            "/error_description",
            "/detail",
            "/message",
            "/title",
            "/response_map/error_list/0/message",
            "/error_list/0/message",
            "/payload/message",
            "/error",
        ];
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        let mut told = PLACES.iter().filter_map(|place| body.pointer(place)?.as_str());
        let found = told.find(|said| !text::is_blank(said));
        found.map(|message| self.shown(message).chars().take(500).collect())
    }

    /// Text of this answer as it may be shown: without what proved who we are.
    pub fn shown(&self, text: &str) -> String {
        text::clean(&redact(text, &self.secrets))
    }

    /// The same as words of the vendor's, inside a sentence of ours.
    pub fn quoted(&self, text: &str) -> String {
        text::quoted(&redact(text, &self.secrets))
    }

    /// The same answer, had it come with this status: some say another in their body.
    #[must_use]
    pub fn with_status(&self, status: u16) -> Self {
        Self { status, ..self.clone() }
    }

    /// An answer that nobody was asked for: to try out what is made of one.
    pub fn made(status: u16, body: Vec<u8>) -> Self {
        Self { status, body: input::unmarked(&body).to_vec(), ..Self::default() }
    }
}

/// A body may hold a token, so it does not print.
impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reply({}, {} bytes)", self.status, self.body.len())
    }
}

/// What a vendor's refusal means for the one who asked.
pub fn refusal(reply: &Reply, host: &str) -> Failure {
    let (kind, hint) = match reply.status {
        401 => (
            Kind::NotPermitted,
            "the credential is not accepted: it may have expired, been revoked, or belong to \
                 another region",
        ),
        403 => (Kind::NotPermitted, "the credential lacks a permission for this"),
        404 => (
            Kind::NotFound,
            "check the id: the vendor does not know it, or does not show it \
                 to this credential",
        ),
        429 => (Kind::RateLimited, "the vendor asks to slow down; try again in a minute"),
        500.. => (Kind::Unavailable, "the vendor has trouble of its own; try again later"),
        200..=299 => (
            Kind::Garbled,
            "the vendor does not document this answer: it may have changed its API, or a proxy \
                 answered in its place",
        ),
        300..=399 => (Kind::Rejected, "redirects are not followed: check the configured URL"),
        _ => (Kind::Rejected, "the vendor did not accept the request as it stands"),
    };
    let failure = Failure::new(kind, reply.describe(host)).hint(hint);
    let mut failure = if reply.status == 401 { failure.for_doctor() } else { failure };
    failure.status = Some(reply.status);
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9110 and RFC 8470 define these; what nobody defines may come from anything on the way.
    #[test]
    fn only_a_status_that_says_that_nothing_was_done_is_a_no() {
        let reply = |status| Reply { status, ..Reply::default() };
        for status in [
            301, 307, 308, 400, 401, 402, 403, 404, 405, 407, 409, 410, 411, 412, 413, 414, 415,
            416, 417, 421, 422, 423, 424, 426, 428, 429, 431, 451,
        ] {
            assert!(reply(status).is_refusal() && !reply(status).says_nothing(), "{status}");
        }
        for status in [
            0, 100, 103, 300, 302, 303, 304, 305, 406, 408, 419, 420, 425, 430, 440, 444, 449, 450,
            460, 463, 494, 498, 499, 500, 502, 503, 504, 520, 524, 599, 600, 999,
        ] {
            assert!(!reply(status).is_refusal() && reply(status).says_nothing(), "{status}");
        }
        for status in [200, 201, 202, 204, 206] {
            assert!(!reply(status).is_refusal() && !reply(status).says_nothing(), "{status}");
        }
    }

    #[test]
    fn clocks_that_differ_are_named_where_a_credential_is_refused() {
        for (status, ahead, told) in [
            (401, 7_200, "it answered 401; this machine's clock is 7200 s behind the vendor's"),
            (400, -7_200, "it answered 400; this machine's clock is 7200 s ahead of the vendor's"),
            (401, 2, "it answered 401"),
            (500, 7_200, "it answered 500"),
        ] {
            let ahead = SignedDuration::from_secs(ahead);
            let reply = Reply { status, ahead, ..Reply::default() };
            assert_eq!(reply.describe("it"), told);
        }
    }

    #[test]
    fn an_echoed_secret_is_taken_out_however_it_is_written() {
        let echo = r#"{"message":"bad s3cr\/t, s3cr\u002ft, s3cr%2Ft and czNjci90"}"#;
        let reply = Reply {
            status: 200,
            body: echo.into(),
            secrets: vec![Sought::of(&"s3cr/t".into())],
            ..Reply::default()
        };
        let hidden = "bad [REDACTED], [REDACTED], [REDACTED] and [REDACTED]";
        assert_eq!(reply.message().as_deref(), Some(hidden));
    }

    #[test]
    fn the_vendors_message_is_found_in_every_documented_shape() {
        for (body, message) in [
            (r#"{"error":{"message":"no such role"}}"#, Some("no such role")),
            (r#"{"error":"invalid_client","error_description":"bad secret"}"#, Some("bad secret")),
            (r#"{"title":"Forbidden","detail":"lacks it"}"#, Some("lacks it")),
            (
                r#"{"response_map":{"error_list":[{"message":"gone"}]},"http_status_code":404}"#,
                Some("gone"),
            ),
            (r#"{"message":"bridge"}"#, Some("bridge")),
            ("<html>", None),
        ] {
            let reply = Reply { status: 400, body: body.into(), ..Reply::default() };
            assert_eq!(reply.message().as_deref(), message, "{body}");
        }
    }
}
