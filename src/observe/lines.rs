//! Log lines on stderr: stdout is the protocol.

use std::io::{self, Write};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

use crate::invocation;

/// What our own lines are logged under.
const OWN: &str = "grantor";

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Human,
    /// One JSON object a line, for a log collector.
    Json,
}

impl Format {
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "human" => Some(Self::Human),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

pub(super) fn start(filter: Option<&str>, format: Format) -> Result<(), String> {
    let text = filter.unwrap_or("warn");
    let filter = sparing(parse(text)?);
    let colour = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
    let lines = tracing_subscriber::fmt::layer().with_writer(|| Stderr);
    let registry = tracing_subscriber::registry();
    // A second set-up in one process keeps the first subscriber.
    let _ = match format {
        Format::Human => registry.with(lines.with_ansi(colour)).with(filter).try_init(),
        Format::Json => {
            let lines = lines.json().flatten_event(true).with_current_span(false);
            registry.with(lines).with(filter).try_init()
        }
    };
    Ok(())
}

/// Where lines go, with the commands in them as they have to be typed.
struct Stderr;

impl Write for Stderr {
    /// A line comes whole.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(line) {
            Ok(text) if invocation::is_plain() => {
                io::stderr().write_all(invocation::commands(text).as_bytes())?;
            }
            _ => io::stderr().write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Levels, and targets with a level each. The parser takes any other word for a target, which then
/// silences everything else: one that is none of ours has to be given its level.
fn parse(text: &str) -> Result<Targets, String> {
    let is_sound = |part: &str| match part.split_once('=') {
        Some((target, _)) => is_target(target),
        None if part.starts_with(OWN) => is_target(part),
        None => !part.is_empty() && part.parse::<LevelFilter>().is_ok(),
    };
    let filter = text.split(',').all(is_sound).then(|| text.parse().ok()).flatten();
    filter.ok_or_else(|| {
        format!(
            "GRANTOR_LOG: {text:?} is not a filter: give a level (off, error, warn, info, debug or \
             trace), or targets with one, such as grantor=debug,hyper=info"
        )
    })
}

/// Whether something can log under this name.
fn is_target(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-:.".contains(c);
    name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.chars().all(fits)
}

/// In detail other crates log whole messages, with names and all in them: only whoever names such a
/// crate hears that. A level alone is for Grantor's own lines.
fn sparing(filter: Targets) -> Targets {
    match filter.default_level() {
        Some(level) if level > LevelFilter::INFO => {
            let named = filter.iter().any(|(target, _)| target == OWN);
            let filter = filter.with_default(LevelFilter::INFO);
            if named { filter } else { filter.with_target(OWN, level) }
        }
        _ => filter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn a_filter_that_names_nothing_is_refused() {
        for good in
            ["off", "WARN", "info,hyper=trace", "grantor", "grantor::desk=debug", "3", "rmcp=off"]
        {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in
            ["!!", "warning", "inof", "grantor=loud", "info, hyper=info", "=info", "info,", ""]
        {
            let told = parse(bad).err().unwrap_or_default();
            assert!(told.contains("such as grantor=debug"), "{bad:?}: {told:?}");
        }
    }

    #[test]
    fn a_level_alone_is_for_our_own_lines() {
        let check = |text: &str, own: Level, other: Level| {
            let filter = sparing(text.parse().unwrap());
            for (target, most) in [("grantor", own), ("grantor::server", own), ("hyper", other)] {
                for level in [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE] {
                    let wanted = level <= most;
                    assert_eq!(
                        filter.would_enable(target, &level),
                        wanted,
                        "{text} {target} {level}"
                    );
                }
            }
        };
        check("warn", Level::WARN, Level::WARN);
        check("info", Level::INFO, Level::INFO);
        check("debug", Level::DEBUG, Level::INFO);
        check("trace", Level::TRACE, Level::INFO);
        check("trace,grantor=error", Level::ERROR, Level::INFO);
        check("warn,hyper=trace", Level::WARN, Level::TRACE);
    }
}
