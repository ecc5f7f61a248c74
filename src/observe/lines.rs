//! Log lines on stderr: stdout is the protocol.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

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
    let filter: Targets =
        text.parse().map_err(|_| format!("GRANTOR_LOG: {text:?} is not a filter such as info"))?;
    let filter = sparing(filter);
    let colour = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
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

/// In detail other crates log whole messages, with names and all in them: only whoever names such a
/// crate hears that. A level alone is for Grantor's own lines.
fn sparing(filter: Targets) -> Targets {
    const OWN: &str = "grantor";
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
