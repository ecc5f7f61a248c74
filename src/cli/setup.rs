//! From flags to a configuration, with the sandbox started where it is asked for.

use std::path::Path;

use super::{Global, paint};
use crate::config::{self, Config, Flags, Sources};
use crate::sandbox::{Options, Sandbox};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A configuration, and the sandbox that lives as long as it does.
pub(super) struct Setup {
    pub config: Config,
    pub sandbox: Option<Sandbox>,
}

impl Setup {
    pub(super) async fn load(global: &Global) -> Result<Self, Error> {
        let flags = global.flags();
        let mut sources = sources(&flags);
        let sandbox = if global.sandbox {
            let state = Some(config::state_dir(&sources)?.join("sandbox"));
            Some(Sandbox::start(Options { state, ..Options::default() }).await?)
        } else {
            None
        };
        let environment = sandbox.as_ref().map(Sandbox::environment);
        sources.sandbox = environment.as_deref();
        let config = Config::load(&sources)?;
        log(&config)?;
        Ok(Self { config, sandbox })
    }

    /// Says on stderr what is left out and what should be mended.
    pub(super) fn warn(&self) {
        for unready in self.config.unready.iter().filter(|unready| !unready.absent) {
            let troubles = unready.troubles.join("; ");
            paint::complain(&format!("{} is left out: {troubles}", unready.vendor.name));
        }
        if self.config.tenants.is_empty() {
            paint::complain("no vendor is configured: no tool is served; run `grantor doctor`");
        }
        for warning in &self.config.warnings {
            paint::complain(warning);
        }
    }
}

/// Flags, this process's environment, and the machine's floor.
pub(super) fn sources(flags: &Flags) -> Sources<'_> {
    let floor = Some(Path::new(config::FLOOR));
    Sources { flags, environment: &config::environment, floor, sandbox: None }
}

/// Logs go to stderr: stdout is the protocol.
fn log(config: &Config) -> Result<(), Error> {
    use tracing_subscriber::filter::Targets;
    use tracing_subscriber::prelude::*;
    let text = config.log.as_deref().unwrap_or("warn");
    let filter: Targets =
        text.parse().map_err(|_| format!("GRANTOR_LOG: {text:?} is not a filter such as info"))?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    // A second set-up in one process keeps the first subscriber.
    let _ = tracing_subscriber::registry().with(lines).with(filter).try_init();
    Ok(())
}
