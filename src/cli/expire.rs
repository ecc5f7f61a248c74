use super::paint::{self, GOOD, WAITS, with};
use super::setup::{self, Setup};
use super::{Global, Ran, status};
use crate::access::Outcome;
use crate::config::Config;
use crate::desk::{Desk, Ending, MaintenanceReport};
use crate::failure::Failure;
use crate::ledger::Trouble;
use crate::text;

pub(super) async fn run(global: &Global) -> Ran {
    let setup = Setup::load(global).await?;
    setup.warn();
    let Setup { config, sandbox: _sandbox } = setup;
    not_read_only(&config)?;
    let desk = Desk::new(config)?;
    setup::warn_of_policy(&desk);
    let _claim = desk.claimed().await?;
    let troubles = desk.ledger().troubles().await?;
    report(&desk.expire().await?, "nothing is due", &troubles)
}

/// # Errors
/// The process is read-only: then it carries nothing out.
pub(super) fn not_read_only(config: &Config) -> Result<(), Failure> {
    if !config.read_only {
        return Ok(());
    }
    Err(Failure::refused("this process is read-only: it carries nothing out")
        .hint("run it without --read-only"))
}

/// One line each: on stdout what is as it should be, on stderr what somebody has to look at.
pub(super) fn report(tended: &[MaintenanceReport], nothing: &str, troubles: &[Trouble]) -> Ran {
    if tended.is_empty() && troubles.is_empty() && super::person::is_here() {
        paint::note(nothing);
    }
    for one in tended {
        let MaintenanceReport { receipt, summary, ending } = one;
        match ending {
            Ending::Left(why) => paint::complain(&format!("left  {receipt}  {summary}: {why}")),
            Ending::Elsewhere(why) => {
                paint::complain(&format!("not for here  {receipt}  {summary}: {why}"));
            }
            Ending::Done(outcome, said) if one.is_left() => {
                paint::complain(&format!("{}  {receipt}  {summary}: {said}", outcome.as_str()));
            }
            Ending::Done(outcome, said) => paint::lines(&line(*outcome, receipt, summary, said))?,
        }
    }
    status::tell(troubles);
    Ok(status::tended(tended, troubles))
}

fn line(outcome: Outcome, receipt: &str, summary: &str, said: &str) -> String {
    let style = if outcome.exit_status() == 0 { GOOD } else { WAITS };
    let (word, told) = (with(style, outcome.as_str()), text::clean(&format!("{summary}: {said}")));
    format!("  {word}  {receipt}  {told}\n")
}
