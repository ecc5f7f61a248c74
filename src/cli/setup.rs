//! From flags to a configuration, with the sandbox started where it is asked for.

use std::path::Path;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Global, paint};
use crate::config::{self, Config, Flags, Sources};
use crate::desk::Desk;
use crate::observe::{self, Format};
use crate::sandbox::{Options, Sandbox};
use crate::settings;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A configuration, and the sandbox that lives as long as it does.
pub(super) struct Setup {
    pub config: Config,
    pub sandbox: Option<Sandbox>,
}

impl Setup {
    pub(super) async fn load(global: &Global) -> Result<Self, Error> {
        let setup = Self::unkeyed(global).await?;
        setup.config.has_key_for_store()?;
        Ok(setup)
    }

    /// The same for whoever seals nothing.
    pub(super) async fn unkeyed(global: &Global) -> Result<Self, Error> {
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
        observe::start(config.log.as_deref(), config.log_format)?;
        #[cfg(feature = "otel")]
        observe::export(crate::outbound::Courier::new(tokio::runtime::Handle::current()))?;
        Ok(Self { config, sandbox })
    }

    /// Says on stderr what is left out and what should be mended.
    pub(super) fn warn(&self) {
        let half = self.config.unready.iter().filter(|unready| !unready.absent);
        // Where no other is ready, the sentence about all of them says it.
        for unready in half.filter(|_| !self.config.tenants.is_empty()) {
            let troubles = unready.troubles.join("; ");
            self.complain(&format!("{} is left out: {troubles}", unready.word()));
        }
        if let Some(why) = self.config.nobody() {
            self.complain(&format!("no tool is served, because {why}; run `grantor doctor`"));
        }
        for warning in &self.config.warnings {
            self.complain(warning);
        }
    }

    fn complain(&self, what: &str) {
        complain(self.config.log_format, what);
    }
}

/// Says on stderr what is to be known of the rules in force.
pub(super) fn warn_of_policy(desk: &Desk) {
    say_of_policy(desk.config().log_format, &desk.policy_warnings()());
}

/// The same once nobody waits: the rules are in force, and what is to be known of them takes as long to find as
/// they took to read.
pub(super) fn warn_of_policy_after(desk: &Desk, busy: CancellationToken) -> JoinHandle<()> {
    let (find, format) = (desk.policy_warnings(), desk.config().log_format);
    tokio::spawn(async move {
        busy.cancelled().await;
        let _ = tokio::task::spawn_blocking(move || say_of_policy(format, &find())).await;
    })
}

fn say_of_policy(format: Format, warnings: &[String]) {
    for warning in warnings {
        complain(format, &format!("policy: {warning}"));
    }
}

/// A log collector reads lines of one kind.
fn complain(format: Format, what: &str) {
    match format {
        Format::Human => paint::complain(what),
        Format::Json => tracing::warn!(target: "grantor", "{what}"),
    }
}

/// Flags, this process's environment, and the machine's floor.
pub(super) fn sources(flags: &Flags) -> Sources<'_> {
    let floor = Some(Path::new(config::FLOOR));
    Sources { flags, environment: &settings::environment, floor, sandbox: None }
}
