//! Answers of a moment ago, for those who ask the same at about the same time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Answer;

pub(super) struct Lately {
    life: Duration,
    kept: Mutex<HashMap<String, (Instant, Arc<Answer>)>>,
}

/// More are not kept.
const MOST: usize = 64;

impl Lately {
    pub(super) fn lasting(life: Duration) -> Self {
        Self { life, kept: Mutex::default() }
    }

    pub(super) fn get(&self, question: &str) -> Option<Arc<Answer>> {
        let kept = self.kept();
        let young = |(at, _): &&(Instant, Arc<Answer>)| at.elapsed() < self.life;
        kept.get(question).filter(young).map(|(_, answer)| answer.clone())
    }

    /// Keeps a whole answer; one with a trouble in it may be better in a moment.
    pub(super) fn keep(&self, question: String, answer: &Answer) {
        let problems = answer.body.get("problems").and_then(serde_json::Value::as_array);
        if answer.is_error || problems.is_some_and(|problems| !problems.is_empty()) {
            return;
        }
        let mut kept = self.kept();
        if kept.len() >= MOST {
            kept.retain(|_, (at, _)| at.elapsed() < self.life);
        }
        if kept.len() < MOST {
            kept.insert(question, (Instant::now(), Arc::new(answer.clone())));
        }
    }

    pub(super) fn clear(&self) {
        self.kept().clear();
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<String, (Instant, Arc<Answer>)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn answer(body: Value, is_error: bool) -> Answer {
        Answer { body, is_error, outcome: None, pending: None }
    }

    #[test]
    fn whole_answers_are_kept_for_their_life_and_until_something_changes() {
        let lately = Lately::lasting(Duration::from_secs(60));
        let troubled = json!({ "rows": [], "problems": [{ "kind": "unavailable" }] });
        lately.keep("troubled".to_owned(), &answer(troubled, false));
        lately.keep("wrong".to_owned(), &answer(json!({}), true));
        let whole = answer(json!({ "rows": [1], "problems": [] }), false);
        lately.keep("whole".to_owned(), &whole);
        assert!(lately.get("troubled").is_none() && lately.get("wrong").is_none());
        assert_eq!(lately.get("whole").as_deref(), Some(&whole));
        lately.clear();
        assert!(lately.get("whole").is_none());
        let over = Lately::lasting(Duration::ZERO);
        over.keep("whole".to_owned(), &whole);
        assert!(over.get("whole").is_none());
    }
}
