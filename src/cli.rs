//! The command line: one file a subcommand.

mod access;
mod call;
mod changes;
mod complete;
mod completions;
mod demo;
mod doctor;
mod dry_run;
mod expire;
mod explained;
mod install;
mod ledger;
mod paint;
mod pairs;
mod person;
mod policy;
mod policy_check;
mod policy_test;
mod question;
mod reconcile;
mod requests;
mod sandbox;
mod serve;
mod setup;
mod slips;
mod somebody;
mod status;
mod table;
mod time;
mod tools;
mod undo;
mod wrapped;

use std::ffi::OsString;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};
use clap_complete::ArgValueCandidates;

use crate::config::{Flags, POLICY};
use crate::guard::Guard;
use crate::invocation::{self, Options};
use crate::settings;
use crate::vendors::VENDORS;

/// Grants access on request, and keeps the people who own that access in control.
///
/// Without a command it serves the Model Context Protocol over stdin and stdout, for an AI
/// assistant to call. Try it without an account: `grantor demo`, then `grantor --sandbox doctor`.
#[derive(Parser)]
#[command(name = "grantor", version, max_term_width = 100, after_help = AFTER)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Option<Command>,
}

const AFTER: &str = "\
Each of --config, --policy, --state-dir, --read-only, --vendor and --tenant has a variable, which it \
wins over: GRANTOR_CONFIG, GRANTOR_POLICY, GRANTOR_STATE_DIR, GRANTOR_READ_ONLY, GRANTOR_VENDORS, \
GRANTOR_TENANTS.

Exit status: 0 done, already so, or previewed; 3 not finished (a person or the vendor's approvers \
have to agree, or nothing can be read back); 1 failed, refused, or left undone; 2 wrong usage.

Every variable can also be set in the configuration file, and every secret X as X_FILE: see the \
README.";

/// The heading of what every command takes.
const GLOBAL: &str = "Options of every command";

#[derive(Args, Clone, Debug, Default, PartialEq)]
struct Global {
    /// Use the five embedded fake vendors instead of real ones
    #[arg(long, global = true, help_heading = GLOBAL, display_order = 101)]
    sandbox: bool,
    /// Configuration file [default: $XDG_CONFIG_HOME/grantor/config.toml]
    #[arg(long, global = true, help_heading = GLOBAL, display_order = 102, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Rules of your own, in Cedar, in place of the built-in ones
    #[arg(long, global = true, help_heading = GLOBAL, display_order = 103, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Where the ledger is kept [default: $XDG_STATE_HOME/grantor]
    #[arg(long, global = true, help_heading = GLOBAL, display_order = 104, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Change nothing: changing tools are not listed and are refused
    #[arg(long, global = true, help_heading = GLOBAL, display_order = 105)]
    read_only: bool,
    /// Only these vendors [default: all that are configured]
    #[arg(long = "vendor", global = true, help_heading = GLOBAL, display_order = 106, value_name = "NAME,…", value_delimiter = ',',
        value_parser = PossibleValuesParser::new(VENDORS.iter().map(|vendor| vendor.name)))]
    vendors: Vec<String>,
    /// Only these tenants [default: all that are configured]
    #[arg(
        long = "tenant",
        global = true, help_heading = GLOBAL,
        display_order = 107,
        value_name = "NAME,…",
        value_delimiter = ',',
        add = ArgValueCandidates::new(complete::tenants)
    )]
    tenants: Vec<String>,
    /// Print JSON, on a terminal too
    #[arg(long = "json", global = true, help_heading = GLOBAL, display_order = 108)]
    as_json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Serve MCP over stdin and stdout (the default), or over HTTP
    #[command(
        after_help = "An MCP client starts it: `grantor install` writes that into the client's \
        configuration. By hand:\n  {\"mcpServers\": {\"grantor\": {\"command\": \"/absolute/path/of/grantor\", \"args\": [\"serve\"]}}}"
    )]
    Serve(serve::Arguments),
    /// Watch an assistant's calls grant access at five fake vendors
    #[command(after_help = "It needs no account and no configuration, and leaves nothing behind.")]
    Demo,
    /// Call one tool, as an assistant would
    Call(call::Arguments),
    /// List the tools that this configuration serves
    Tools(tools::Arguments),
    /// Check each vendor's configuration, credential and reachability; reads only
    #[command(after_help = "Examples:\n  grantor doctor\n  grantor --sandbox doctor\n\n\
        Exit status: 0 all that is configured is well, 1 something is wrong or nothing is configured.")]
    Doctor,
    /// Have an MCP client start this program, or list what each starts
    #[command(after_help = install::AFTER)]
    Install(install::Arguments),
    /// Undo a change by its receipt
    Undo(undo::Arguments),
    /// List what waits for a person; approve, deny or carry it out
    Requests(requests::Arguments),
    /// Take back what was granted for a time that is over, once; for cron or a systemd timer
    #[command(after_help = "Example, a line for cron:\n  */5 * * * *  grantor expire\n\n\
        Exit status: 0 all that was due is taken back, 1 something is left for a person: see stderr.")]
    Expire,
    /// Find out how changes ended whose process died; reads vendors, writes to none
    #[command(
        after_help = "A running server does this by itself. Run it after a crash, where none \
        is running.\n\nExit status: 0 every change has an end, 1 something is left for a person: \
        see stderr."
    )]
    Reconcile,
    /// Run the five fake vendors alone and print the environment that points at them
    Sandbox(sandbox::Arguments),
    /// Show the last lines of the ledger, check that it is whole, or export it
    Ledger(ledger::Arguments),
    /// Check the policy, or explain what it says of a change
    Policy(policy::Arguments),
    /// List what was asked for, approved, refused and done: for whom, by whom, and why
    #[command(after_help = changes::AFTER)]
    Changes(changes::Arguments),
    /// Review who has access: export all of it, or compare two exports
    Access(access::Arguments),
    /// Print a completion script for a shell
    Completions(completions::Arguments),
}

impl Cli {
    /// What the process was started with.
    fn read() -> Result<Self, clap::Error> {
        let words: Vec<_> = settings::arguments().collect();
        Self::usual(&words).map_or_else(|| Self::try_parse_from(words), Ok)
    }

    /// What most clients start: a server with no option. To make all commands and options only to find none of them
    /// takes as long as the rest of a start.
    fn usual(words: &[OsString]) -> Option<Self> {
        let command = match words {
            [_] => None,
            [_, only] if only == "serve" => Some(Command::Serve(serve::Arguments::default())),
            _ => return None,
        };
        Some(Self { global: Global::default(), command })
    }

    /// Whether those who call are others than whoever started it.
    fn is_for_others(&self) -> bool {
        matches!(&self.command, Some(Command::Serve(serve)) if !serve.is_over_stdio())
    }
}

impl Command {
    /// What it prints is a protocol, a story or a script.
    fn has_no_data(&self) -> bool {
        matches!(self, Self::Serve(_) | Self::Demo | Self::Completions(_))
    }
}

impl Global {
    /// Keeps what the commands need that messages name.
    fn keep(&self) {
        invocation::keep(&Options {
            sandbox: self.sandbox,
            config: self.config.as_deref(),
            policy: self.policy.as_deref(),
            state_dir: self.state_dir.as_deref(),
        });
    }

    fn flags(&self) -> Flags {
        Flags {
            config: self.config.clone(),
            policy: self.policy.clone(),
            state_dir: self.state_dir.clone(),
            read_only: self.read_only,
            vendors: self.vendors.clone(),
            tenants: self.tenants.clone(),
        }
    }
}

/// How much stack a thread has that works; what of it is not used takes no memory.
const STACK: usize = 8 * 1024 * 1024;

/// How a command ends that was typed wrongly.
const WRONG_USAGE: u8 = 2;

/// What keeps secrets and the ledger to their owner, and the ledger on disk before anything leaves, is Unix's.
const NOT_HERE: &str = "this system is none that Grantor can keep its word on: run it on Linux or macOS, or in the \
    Linux subsystem of Windows";

/// Parses the command line, runs it, and says how it went.
pub fn main() -> ExitCode {
    crate::observe::hush_panics();
    complete::answer();
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(told) => return usage(&told),
    };
    if !cfg!(unix) {
        paint::complain(NOT_HERE);
        return ExitCode::FAILURE;
    }
    if cli.global.policy.is_some() || settings::environment(POLICY).is_some() {
        Guard::expect_rules();
    }
    // The road is long, and rules are judged at its end: Cedar says no where little of the stack is left.
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(workers) = workers(&cli) {
        runtime.worker_threads(workers);
    }
    let runtime = runtime.thread_stack_size(STACK).enable_all().build();
    let run = match runtime {
        Ok(runtime) => {
            let status = runtime.block_on(run(cli));
            runtime.block_on(crate::ledger::parted());
            crate::observe::finish();
            // A read of stdin that blocks must not keep the process alive.
            runtime.shutdown_background();
            status
        }
        Err(error) => Err(error.into()),
    };
    run.unwrap_or_else(|error| {
        paint::complain(&error.to_string());
        ExitCode::FAILURE
    })
}

/// How many threads work beside the one that starts, which works as well where there is one client: each is there
/// before the first answer. Over HTTP that one only waits, and there are as many as the machine has cores.
fn workers(cli: &Cli) -> Option<usize> {
    const MOST: usize = 4;
    if cli.is_for_others() {
        return None;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Some(cores.saturating_sub(1).clamp(1, MOST))
}

/// What the command line itself comes to: help or a version to stdout, or what is wrong with it.
fn usage(told: &clap::Error) -> ExitCode {
    if told.use_stderr() {
        let _ = told.print();
        if let Some(hint) = slips::hint(told) {
            paint::note(&hint);
        }
        return ExitCode::from(WRONG_USAGE);
    }
    match paint::lines(&told.render().ansi().to_string()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            paint::complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

type Ran = Result<ExitCode, Box<dyn std::error::Error + Send + Sync>>;

/// Puts a future in a place of its own, and makes it in a frame of its own: no command takes room, which costs a start
/// time, for the largest of them.
#[inline(never)]
fn boxed<F: Future>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    Box::pin(make())
}

async fn run(cli: Cli) -> Ran {
    // Who calls over a network can run no command here, and is told nothing of this machine's folders.
    if !cli.is_for_others() {
        cli.global.keep();
    }
    if cli.global.as_json && cli.command.as_ref().is_none_or(Command::has_no_data) {
        paint::complain("--json is of no use here: this prints no data of its own");
        return Ok(ExitCode::from(2));
    }
    match cli.command.unwrap_or_else(|| Command::Serve(serve::Arguments::default())) {
        Command::Serve(arguments) => boxed(|| serve::run(&cli.global, arguments)).await,
        Command::Demo => boxed(demo::run).await,
        Command::Call(arguments) => boxed(|| call::run(&cli.global, arguments)).await,
        Command::Tools(arguments) => boxed(|| tools::run(&cli.global, &arguments)).await,
        Command::Doctor => boxed(|| doctor::run(&cli.global)).await,
        Command::Install(arguments) => boxed(|| install::run(&cli.global, &arguments)).await,
        Command::Undo(arguments) => boxed(|| undo::run(&cli.global, arguments)).await,
        Command::Requests(arguments) => boxed(|| requests::run(&cli.global, arguments)).await,
        Command::Expire => boxed(|| expire::run(&cli.global)).await,
        Command::Reconcile => boxed(|| reconcile::run(&cli.global)).await,
        Command::Sandbox(arguments) => boxed(|| sandbox::run(&cli.global, &arguments)).await,
        Command::Ledger(arguments) => boxed(|| ledger::run(&cli.global, arguments)).await,
        Command::Policy(arguments) => boxed(|| policy::run(&cli.global, arguments)).await,
        Command::Changes(arguments) => boxed(|| changes::run(&cli.global, arguments)).await,
        Command::Access(arguments) => boxed(|| access::run(&cli.global, arguments)).await,
        Command::Completions(arguments) => completions::run(&arguments),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is known without the whole command line is what the whole command line says.
    #[test]
    fn a_server_with_no_option_is_the_same_however_it_is_read() {
        for words in [&["grantor"][..], &["grantor", "serve"]] {
            let usual = Cli::usual(&words.iter().map(OsString::from).collect::<Vec<_>>()).unwrap();
            let parsed = Cli::try_parse_from(words).unwrap();
            assert_eq!(usual.global, parsed.global, "{words:?}");
            let served = |cli: Cli| match cli.command {
                None => None,
                Some(Command::Serve(arguments)) => Some(arguments),
                Some(_) => panic!("{words:?} is another command"),
            };
            assert_eq!(served(usual), served(parsed), "{words:?}");
        }
    }

    #[test]
    fn anything_else_is_read_as_a_whole() {
        for words in [
            &["grantor", "doctor"][..],
            &["grantor", "serve", "--read-only"],
            &["grantor", "--help"],
        ] {
            let words: Vec<_> = words.iter().map(OsString::from).collect();
            assert!(Cli::usual(&words).is_none(), "{words:?}");
        }
    }
}
