//! What is wrong with the ledger, for those who only read it: looked at now and then.

use std::time::Instant;

use tokio::sync::Mutex;

use super::{Ledger, Trouble};
use crate::requester::Requester;

/// What was found last.
#[derive(Default)]
pub(super) struct Watched(Mutex<Option<Found>>);

struct Found {
    troubles: Vec<Trouble>,
    /// Before then nobody looks again.
    next: Instant,
}

/// How many times as long as a look took nobody looks again: the newest file is read whole each
/// time, and may be large.
const REST: u32 = 50;
/// More troubles have one cause, which the first ones show.
const MOST: usize = 10;
/// What is to be done about them.
const WAY_ON: &str = "what these lines of the ledger say is not acted on, and an approval from before \
    them is asked for anew; `grantor ledger verify` says more, and `grantor ledger accept` accepts \
    the ledger as it is";

impl Ledger {
    /// What cannot be acted on, as it was a moment ago; that nothing can be read is among it.
    pub async fn watched(&self) -> Vec<Trouble> {
        let mut found = self.watched.0.lock().await;
        let begun = Instant::now();
        if let Some(found) = found.as_ref().filter(|found| begun < found.next) {
            return found.troubles.clone();
        }
        let troubles = self.troubles().await.unwrap_or_else(|failure| {
            let (place, hash) = (String::new(), String::new());
            vec![Trouble { place, what: failure.to_string(), hash }]
        });
        let next = Instant::now() + begun.elapsed() * REST;
        *found = Some(Found { troubles: troubles.clone(), next });
        troubles
    }
}

/// What may be said of troubles to whoever asks. Where they are may name what others asked for, which a caller over a
/// network may not see.
pub fn told_to(who: &Requester, troubles: Vec<Trouble>) -> Vec<Trouble> {
    if who.caller().is_none() || troubles.is_empty() {
        return troubles;
    }
    if troubles.iter().any(Trouble::is_of_all) {
        let what = "where it is kept does not answer".to_owned();
        return vec![Trouble { place: String::new(), what, hash: String::new() }];
    }
    let what = format!("{} of its lines or files cannot be acted on", troubles.len());
    vec![Trouble { place: "the ledger".to_owned(), what, hash: String::new() }]
}

/// In one sentence, for whoever changes something on the word of a ledger that is damaged.
pub fn warned(troubles: &[Trouble]) -> Option<String> {
    let first = troubles.first()?;
    let more = match troubles.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    if first.is_of_all() {
        return Some(format!(
            "the ledger that this rests on could not be read ({first}): what it would add is not known"
        ));
    }
    Some(format!(
        "the ledger that this rests on is damaged ({first}{more}): what such lines say is not \
         acted on; tell an administrator, to whom `grantor ledger verify` says more"
    ))
}

/// In sentences: the first of them, how many more there are, and what to do. Nothing where nothing
/// is wrong.
pub fn describe(troubles: &[Trouble]) -> Vec<String> {
    let mut told: Vec<_> = troubles.iter().take(MOST).map(Trouble::to_string).collect();
    if troubles.len() > MOST {
        told.push(format!("and {} more", troubles.len() - MOST));
    }
    // Where nothing at all can be read, that says what to do.
    // And a caller, who is told of no line, has no command to run.
    if troubles.iter().any(|trouble| !trouble.place.is_empty() && !trouble.hash.is_empty()) {
        told.push(WAY_ON.to_owned());
    }
    told
}
