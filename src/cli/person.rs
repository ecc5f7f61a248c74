//! A person at a terminal.

use std::io::{IsTerminal as _, Write as _};

use futures_util::future::BoxFuture;

use super::paint;
use super::question::{laid_out, width};
use crate::desk::{ConsentQuestion, Consult, Person, PersonReply};
use crate::ledger::Channel;

/// Asks on stderr and reads the answer from stdin.
pub(super) struct Terminal;

/// Whoever sits here; nobody does where stdin or stderr is a pipe.
pub(super) fn person() -> Person {
    if is_here() { Person::Here(Box::new(Terminal)) } else { Person::Absent }
}

pub(super) fn is_here() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Shows a question and reads one line.
pub(super) fn ask(question: &ConsentQuestion) -> PersonReply {
    let prompt = match &question.typed {
        Some(_) => "Type it to agree, or press Enter to leave it: ",
        None => "Type yes to agree, or press Enter to leave it: ",
    };
    let shown = laid_out(&question.text, width());
    let text = format!("{shown}{}", paint::with(paint::BOLD, prompt));
    let mut out = anstream::stderr();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        return PersonReply::Silence;
    }
    let mut line = String::new();
    match std::io::stdin().read_line(&mut line) {
        Ok(read) if read > 0 => said(line.trim(), question),
        _ => PersonReply::Silence,
    }
}

/// What a line says. Where yes or no is asked for, a slip of the hand is neither; where a name is to be
/// typed, another name is told to be another.
fn said(line: &str, question: &ConsentQuestion) -> PersonReply {
    let is = |word: &str| line.eq_ignore_ascii_case(word);
    match &question.typed {
        Some(name)
            if !line.is_empty()
                && (ConsentQuestion::is_typed(name, line) || !(is("no") || is("n"))) =>
        {
            PersonReply::Yes(Some(line.to_owned()))
        }
        None if is("yes") => PersonReply::Yes(None),
        _ if is("no") || is("n") => PersonReply::No,
        _ => PersonReply::Closed,
    }
}

impl Consult for Terminal {
    fn ask<'a>(&'a self, question: &'a ConsentQuestion) -> BoxFuture<'a, PersonReply> {
        let question = question.clone();
        Box::pin(async move {
            let asked = tokio::task::spawn_blocking(move || ask(&question)).await;
            asked.unwrap_or(PersonReply::Silence)
        })
    }

    fn means(&self) -> Channel {
        Channel::Terminal
    }
}
