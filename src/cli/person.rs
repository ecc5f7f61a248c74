//! A person at a terminal.

use std::io::{IsTerminal as _, Write as _};

use futures_util::future::BoxFuture;

use super::paint;
use crate::desk::{Consult, Person, Question, Reply};

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
pub(super) fn ask(question: &Question) -> Reply {
    let prompt = match &question.typed {
        Some(_) => "Type the name to agree, or press Enter to say no: ",
        None => "Type yes to agree: ",
    };
    let text = format!("{}\n{}", question.text, paint::with(paint::BOLD, prompt));
    let mut out = anstream::stderr();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        return Reply::Silence;
    }
    let mut line = String::new();
    match std::io::stdin().read_line(&mut line) {
        Ok(read) if read > 0 => said(line.trim(), question),
        _ => Reply::Silence,
    }
}

fn said(line: &str, question: &Question) -> Reply {
    match question.typed {
        Some(_) if !line.is_empty() => Reply::Yes(Some(line.to_owned())),
        None if line.eq_ignore_ascii_case("yes") => Reply::Yes(None),
        _ => Reply::No,
    }
}

impl Consult for Terminal {
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Reply> {
        let question = question.clone();
        Box::pin(async move {
            let asked = tokio::task::spawn_blocking(move || ask(&question)).await;
            asked.unwrap_or(Reply::Silence)
        })
    }

    fn means(&self) -> &'static str {
        "terminal"
    }
}
