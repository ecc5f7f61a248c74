//! Counts for whoever watches the server; of nobody by name.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hyper::Response;
use jiff::Timestamp;

use super::Body;
use super::limits::Limits;
use crate::notify::Backlog;

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

/// What is told of one endpoint: the name of a metric, its kind, what it counts, and that.
type Told = (&'static str, &'static str, &'static str, fn(&Backlog, Timestamp) -> u64);

const NOTICES: [Told; 5] = [
    (
        "grantor_notices_waiting",
        "gauge",
        "Notices that were not taken yet; where there are very many, at least so many.",
        |of, _| u64::try_from(of.waits).unwrap_or(u64::MAX),
    ),
    (
        "grantor_notices_oldest_seconds",
        "gauge",
        "For how long the oldest of them has waited; 0 where none does.",
        |of, now| {
            let waited = of.oldest.map(|oldest| now.duration_since(oldest).as_secs());
            waited.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0)
        },
    ),
    ("grantor_notices_told_total", "counter", "Notices that were taken.", |of, _| of.told),
    ("grantor_notices_failed_total", "counter", "Tries that failed.", |of, _| of.failed),
    (
        "grantor_notices_given_up_total",
        "counter",
        "Notices that were given up, after three days.",
        |of, _| of.given_up,
    ),
];

/// How those who are told what has happened stand, by their names in the configuration.
pub(super) fn notices(backlogs: &[(&str, Backlog)], now: Timestamp) -> String {
    let mut text = String::new();
    for (name, kind, help, count) in NOTICES.iter().filter(|_| !backlogs.is_empty()) {
        text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        for (endpoint, backlog) in backlogs {
            let count = count(backlog, now);
            text.push_str(&format!("{name}{{endpoint=\"{endpoint}\"}} {count}\n"));
        }
    }
    text
}
