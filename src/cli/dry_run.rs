//! What the rules make of a real call, up to the point of sending it.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::config::Config;
use crate::desk::{Answer, Call, Desk, Person};
use crate::guard::{AskedFor, Circumstances, Guard, Judged, Right};
use crate::intent::Intent;
use crate::requester::Requester;
use crate::tools::undo_change;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A call that is only rehearsed.
pub(super) struct DryRun {
    pub tool: String,
    pub arguments: Map<String, Value>,
    /// Who asks, in place of whom the configuration names.
    pub requester: Option<Requester>,
    pub client: Option<String>,
    /// The time that the rules are to be told.
    pub now: Option<Timestamp>,
    /// Who would see the request, or approve it, where that is the question.
    pub right: Option<(Right, Requester)>,
}

impl DryRun {
    /// Every change that was judged on the way, and what the call answered. Nothing is sent.
    pub(super) async fn judged(
        self,
        config: Config,
        guard: Guard,
    ) -> Result<(Vec<Judged>, Answer), Error> {
        let Self { tool, mut arguments, requester, client, now, right } = self;
        let judged = Arc::new(Mutex::new(Vec::new()));
        let (judge, told) = (guard.clone(), judged.clone());
        let guard = guard.with_witness(Arc::new(move |intent, at| {
            told.lock().unwrap_or_else(PoisonError::into_inner).push(match &right {
                Some((right, who)) => explain_right(&judge, *right, intent, (at, who)),
                None => judge.explain(intent, at),
            });
        }));
        let undoes = tool == undo_change::SPEC.name;
        if !undoes {
            arguments.insert("dry_run".to_owned(), Value::Bool(true));
        }
        let call = Call {
            requester: requester.unwrap_or_else(|| config.requester.clone()),
            tool: tool.clone(),
            arguments,
            client,
            asked: None,
            progress: Box::new(|_| ()),
            withdrawn: Box::new(|| false),
            person: Person::Absent,
        };
        let desk = Desk::with(config, guard).supposing(now);
        let answer = if undoes { desk.try_undo(call).await } else { desk.call(call).await };
        let answer = answer.map_err(|_| format!("there is no tool {tool:?}"))?;
        let judged = std::mem::take(&mut *judged.lock().unwrap_or_else(PoisonError::into_inner));
        Ok((judged, answer))
    }
}

/// What the rules say of somebody who would see what is asked for so, or approve it.
pub(super) fn explain_right(
    guard: &Guard,
    right: Right,
    intent: &Intent,
    (at, who): (&Circumstances<'_>, &Requester),
) -> Judged {
    let asked = AskedFor { intent, by: at.requester, approvals: 0 };
    let theirs = Circumstances { requester: who, ..*at };
    match right {
        Right::See => guard.explain_right(right, asked, &theirs),
        Right::Approve => guard.explain_yes(asked, &theirs),
    }
}
