use std::io::{self, IsTerminal as _, Read as _};
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::{ArgValueCandidates, ArgValueCompleter};
use serde_json::{Map, Value};

use super::pairs::Known;
use super::tools::{help as tools_help, unknown};
use super::{Cli, Global, Ran, complete, paint, pairs, person, setup::Setup, status};
use crate::access::Outcome;
use crate::desk::{Answer, Body, Call, Desk};
use crate::{input, json, tools};

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  grantor --sandbox call list_roles query=Developer\n  \
    grantor --sandbox call grant_asset_role --dry-run \\\n      \
    userKey=user@example.com roleKey=Developer assetKeys='[\"Orders\",\"Billing\"]'\n  \
    grantor --sandbox call list_access '{\"principal\": \"user@example.com\"}'\n  \
    grantor call assign_environment_role --help    # what this tool takes\n\nA KEY=VALUE is text, or what the \
    tool's schema says: a number, true, a list of one, or JSON. What is further in has a dot: role.name=support.",
    disable_help_flag = true
)]
pub(super) struct Arguments {
    /// The tool's name; `grantor tools` lists them
    #[arg(required_unless_present = "help", add = ArgValueCandidates::new(complete::tools))]
    tool: Option<String>,
    /// Its arguments as KEY=VALUE, or a JSON object, or - to read that from stdin
    #[arg(value_name = "KEY=VALUE|JSON", add = ArgValueCompleter::new(complete::pairs))]
    typed: Vec<String>,
    /// Show exactly what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Why the access is needed; kept in the ledger
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Print help; behind a tool's name, what that tool takes
    #[arg(short, long)]
    help: bool,
}

impl Arguments {
    /// A call that another subcommand stands for.
    pub(super) fn new(tool: &str, json: String, reason: Option<String>) -> Self {
        let tool = Some(tool.to_owned());
        Self { tool, typed: vec![json], dry_run: false, reason, help: false }
    }
}

pub(super) async fn run(global: &Global, arguments: Arguments) -> Ran {
    let Some(tool) = arguments.tool.clone() else { return help() };
    if arguments.help {
        return tools_help(global, &tool);
    }
    let fields = match read(&arguments) {
        Ok(fields) => fields,
        Err(trouble) => {
            paint::complain(&trouble);
            return Ok(ExitCode::from(2));
        }
    };
    let setup = Setup::load(global).await?;
    setup.warn();
    let Setup { config, sandbox: _sandbox } = setup;
    let desk = Desk::new(config)?;
    let progress: Box<dyn Fn(String) + Send + Sync> = if io::stderr().is_terminal() {
        Box::new(|what| paint::note(&what))
    } else {
        Box::new(|_| ())
    };
    let call = Call {
        requester: desk.requester().clone(),
        tool: tool.clone(),
        arguments: fields,
        client: None,
        asked: None,
        progress,
        withdrawn: Box::new(|| false),
        person: person::person(),
    };
    let Ok(answer) = desk.call(call).await else {
        paint::complain(&unknown(&tool));
        return Ok(ExitCode::from(2));
    };
    let shown = show(&answer, global.as_json, tools::changes(&tool))?;
    Ok(ends(&answer, shown))
}

/// The help of this command itself.
fn help() -> Ran {
    let mut command = Cli::command();
    command.build();
    let own = command.find_subcommand_mut("call").map(clap::Command::render_long_help);
    paint::lines(&own.map(|own| own.ansi().to_string()).unwrap_or_default())?;
    Ok(ExitCode::SUCCESS)
}

/// For a person at a terminal, JSON elsewhere. Whether it could be written: where what `is_change`
/// tells of a change cannot, stderr says how that ended. A reader of a mere look may stop early.
pub(super) fn show(answer: &Answer, as_json: bool, is_change: bool) -> io::Result<bool> {
    let as_json = as_json || !io::stdout().is_terminal();
    let shown = if as_json {
        paint::json_text(&format!("{:#}", answer.write()))
    } else {
        paint::folded(&paint::answer(&answer.shown()))
    };
    if is_change && answer.outcome() != Some(Outcome::Preview) {
        return Ok(paint::told(&shown, &gist(&answer.shown().body)));
    }
    match as_json {
        true => paint::raw(shown.as_bytes()),
        false => paint::lines(&shown),
    }
    .map(|()| true)
}

/// How a change ended, in a few words, and where there is more.
fn gist(body: &Body) -> String {
    let all: Vec<(Option<&String>, Outcome, &str)> = match body {
        Body::Changed(body) if body.items.is_empty() => {
            vec![(body.receipt.as_ref(), body.outcome, &body.summary)]
        }
        Body::Changed(body) => {
            body.items.iter().map(|item| (item.receipt.as_ref(), item.outcome, "")).collect()
        }
        Body::Checked(body) => vec![(Some(&body.receipt), body.outcome, &body.summary)],
        Body::Unasked(body) => vec![(None, body.outcome, &body.summary)],
        Body::Looked(_) | Body::Listed(_) => Vec::new(),
    };
    let one = |(receipt, outcome, summary): &(Option<&String>, Outcome, &str)| match receipt {
        Some(receipt) => format!("the change is {receipt}: {}", outcome.as_str()),
        None => format!("it is {}: {summary}", outcome.as_str()),
    };
    let told = all.iter().map(one).collect::<Vec<_>>().join("; ");
    let has_receipt = all.iter().any(|(receipt, ..)| receipt.is_some());
    let more = "; `grantor call check_change` with its receipt says more";
    told + if has_receipt { more } else { "" }
}

/// How a command ends that ends with this answer, written or not; what of the ledger cannot be
/// relied on is said.
pub(super) fn ends(answer: &Answer, is_written: bool) -> ExitCode {
    ends_as(answer, answer.outcome(), is_written)
}

/// The same where what it tells ended so.
pub(super) fn ends_as(answer: &Answer, outcome: Option<Outcome>, is_written: bool) -> ExitCode {
    let troubles = answer.troubles();
    status::tell(troubles);
    let own = outcome.map_or(u8::from(answer.is_error()), Outcome::exit_status);
    status::worst([own, status::of(troubles), u8::from(!is_written)])
}

/// A tool's arguments: none, as given, or from stdin.
///
/// # Errors
/// Wrong usage, in words.
pub(super) fn object(json: Option<&str>) -> Result<Map<String, Value>, String> {
    let mut bytes = json.unwrap_or("{}").as_bytes().to_vec();
    if bytes == b"-" {
        bytes.clear();
        io::stdin().read_to_end(&mut bytes).map_err(|error| format!("stdin: {error}"))?;
    }
    let such =
        "give one such as '{\"query\": \"Developer\"}', in single quotes, or - to read stdin";
    let text = input::text(&bytes).map_err(|trouble| format!("the arguments: {trouble}"))?;
    match json::read(text.as_bytes()) {
        Ok((_, doubled)) if !doubled.is_empty() => {
            let doubled = doubled.join(", ");
            Err(format!("the arguments are given twice: {doubled}; give each key once"))
        }
        Ok((Value::Object(fields), _)) => Ok(fields),
        Ok(_) => Err(format!("the arguments are not a JSON object; {such}")),
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            Err(format!("the arguments are not JSON at line {line}, column {column}; {such}"))
        }
    }
}

fn read(arguments: &Arguments) -> Result<Map<String, Value>, String> {
    let tool = arguments.tool.as_deref().unwrap_or_default();
    let mut fields = pairs::read(&arguments.typed, &Known::of(tool))?;
    let flags = [
        ("dry_run", "--dry-run", arguments.dry_run.then_some(Value::Bool(true))),
        ("reason", "--reason", arguments.reason.clone().map(Value::String)),
    ];
    for (name, flag, value) in flags {
        let Some(value) = value else { continue };
        let is_same =
            |there: &Value| *there == value || value == true && there.as_str() == Some("true");
        let there = fields.get(name).filter(|there| !is_same(there));
        if there.is_some_and(|there| !there.is_null()) {
            return Err(format!("{name} is in the arguments, and {flag} says otherwise: give one"));
        }
        fields.insert(name.to_owned(), value);
    }
    Ok(fields)
}
