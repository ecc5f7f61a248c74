//! Counts for whoever watches the server; of nobody by name.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hyper::Response;

use super::Body;
use super::limits::Limits;

#[derive(Default)]
pub(super) struct Metrics {
    /// Answers by the first digit of their status.
    answers: [AtomicU64; 6],
    /// Tokens that did not count.
    rejected: AtomicU64,
}

impl Metrics {
    /// Counts an answer, and passes it on.
    pub(super) fn counted(&self, answer: Response<Body>) -> Response<Body> {
        let class = usize::from(answer.status().as_u16() / 100);
        if let Some(count) = self.answers.get(class) {
            count.fetch_add(1, Relaxed);
        }
        answer
    }

    pub(super) fn rejected(&self) {
        self.rejected.fetch_add(1, Relaxed);
    }

    /// All counts, as Prometheus reads them.
    pub(super) fn text(&self, limits: &Limits) -> String {
        let mut text = String::from(
            "# HELP grantor_http_responses_total Answers, by the class of their status.\n\
             # TYPE grantor_http_responses_total counter\n",
        );
        for (class, count) in self.answers.iter().enumerate().skip(2) {
            let count = count.load(Relaxed);
            text.push_str(&format!(
                "grantor_http_responses_total{{class=\"{class}xx\"}} {count}\n"
            ));
        }
        text.push_str(&format!(
            "# HELP grantor_http_tokens_rejected_total Tokens that did not count.\n\
             # TYPE grantor_http_tokens_rejected_total counter\n\
             grantor_http_tokens_rejected_total {}\n\
             # HELP grantor_http_requests_in_flight Requests that are worked on.\n\
             # TYPE grantor_http_requests_in_flight gauge\n\
             grantor_http_requests_in_flight {}\n",
            self.rejected.load(Relaxed),
            limits.in_flight()
        ));
        text
    }
}
