use std::process::ExitCode;

use serde_json::Value;

use crate::cli::paint::{self, BAD, GOOD, with};
use crate::cli::{Ran, person, status};
use crate::ledger::{Ledger, SetAside, Trouble};
use crate::requester::Requester;
use crate::text;

/// What a person types to accept a ledger as it is, and to put one aside.
const ACCEPT: &str = "accept";
const ASIDE: &str = "set aside";

pub(super) async fn run(ledger: &Ledger, by: &Requester) -> Ran {
    if !person::is_here() {
        paint::complain(
            "accepting takes a person at a terminal: run it where stdin and stderr are one",
        );
        return Ok(ExitCode::from(2));
    }
    match found(ledger).await? {
        Found::Nothing => {
            paint::note("there is nothing to accept: every line holds");
            Ok(ExitCode::SUCCESS)
        }
        Found::Some(troubles) => accept(ledger, &troubles, by).await,
        Found::Unreadable(why) => set_aside(ledger, &why, by).await,
    }
}

enum Found {
    Nothing,
    Some(Vec<Trouble>),
    /// No line can be put behind what there is.
    Unreadable(String),
}

async fn found(ledger: &Ledger) -> Result<Found, Box<dyn std::error::Error + Send + Sync>> {
    let mut troubles = match ledger.troubles().await {
        Ok(troubles) => troubles,
        Err(failure) => return Ok(Found::Unreadable(failure.message)),
    };
    if troubles.iter().any(|trouble| trouble.what == crate::ledger::MOVED) {
        let names: Vec<_> = troubles.iter().map(|trouble| trouble.place.as_str()).collect();
        return Ok(Found::Unreadable(format!(
            "the lines are gone that these are of: {}",
            names.join(", ")
        )));
    }
    // Every line is read: some of it shows nowhere else.
    let audit = ledger.audit(None).await?;
    troubles.extend(audit.troubles());
    troubles.retain(|trouble| !trouble.hash.is_empty());
    troubles.sort_by(|a, b| a.hash.cmp(&b.hash));
    troubles.dedup_by(|a, b| a.hash == b.hash);
    troubles.sort_by(|a, b| (&a.place, &a.what).cmp(&(&b.place, &b.what)));
    Ok(if troubles.is_empty() { Found::Nothing } else { Found::Some(troubles) })
}

async fn accept(ledger: &Ledger, troubles: &[Trouble], by: &Requester) -> Ran {
    for Trouble { place, what, hash } in troubles {
        let short: String = hash.chars().take(16).collect();
        paint::complain(&format!("{}  {} ({short})", text::clean(place), text::clean(what)));
    }
    if !agreed(ACCEPT, "To accept the ledger with these").await? {
        return Ok(ExitCode::FAILURE);
    }
    ledger.accept(troubles, by).await?;
    let breaks = paint::counted(troubles.len() as u64, "break");
    let line = format!("  {}  {breaks}; it goes on\n", with(GOOD, "accepted"));
    let is_told = paint::told(&line, &format!("{breaks} accepted"));
    Ok(status::worst([u8::from(!is_told)]))
}

async fn set_aside(ledger: &Ledger, why: &str, by: &Requester) -> Ran {
    paint::complain(why);
    if !agreed(ASIDE, "To put this ledger aside and begin a new one").await? {
        return Ok(ExitCode::FAILURE);
    }
    let SetAside { folder, due } = ledger.begin_anew(by).await?;
    let line = format!("  {}  in {folder}; a new ledger is begun\n", with(GOOD, "set aside"));
    let mut is_told = paint::told(&line, &format!("the ledger is set aside in {folder}"));
    for end in &due {
        let text =
            |key: &str| text::clean(end.get(key).and_then(Value::as_str).unwrap_or_default());
        let (receipt, summary, end) = (text("receipt"), text("summary"), text("expires_at"));
        let line = format!("  {}  {receipt}  {summary}: ends {end}", with(BAD, "not kept"));
        let what = format!("{receipt} is not kept: {summary}: ends {end}");
        is_told &= paint::told(&format!("{line}; nothing ends it now\n"), &what);
    }
    Ok(status::worst([u8::from(!is_told)]))
}

/// Whether the person types the word.
async fn agreed(word: &'static str, what: &str) -> Result<bool, std::io::Error> {
    paint::complain(&format!("{what}, type: {word}"));
    let typed = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    let typed = typed.await.map_err(std::io::Error::other)??;
    let is_it = typed.trim() == word;
    if !is_it {
        paint::complain("nothing was accepted");
    }
    Ok(is_it)
}
