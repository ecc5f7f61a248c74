use std::process::ExitCode;

use aws_lc_rs::digest::{SHA256, digest};
use clap_complete::ArgValueCandidates;
use serde_json::Value;

use super::paint::{BOLD, with};
use super::table::{Row, table};
use super::wrapped::of_stdout;
use super::{Global, Ran, complete, explained::explained, paint, setup::Setup};
use crate::catalogue;
use crate::config::Config;
use crate::tools::{TOOLS, meant};

/// Lines of an explanation are no longer than these many columns.
const WIDTH: usize = 80;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  grantor tools --read-only\n  grantor --sandbox tools --json\n  \
    grantor tools grant_asset_role    # its arguments, in words"
)]
pub(super) struct Arguments {
    /// Say what this tool takes, in words
    #[arg(add = ArgValueCandidates::new(complete::tools))]
    tool: Option<String>,
    /// Print a SHA-256 over the definitions, to notice when they change
    #[arg(long, conflicts_with_all = ["as_json", "tool"])]
    hash: bool,
}

pub(super) async fn run(global: &Global, arguments: &Arguments) -> Ran {
    let setup = Setup::load(global).await?;
    setup.warn();
    // What no server would start with serves no tools.
    setup.config.guard()?;
    if let Some(name) = &arguments.tool {
        return tell(name, &setup.config, global.as_json);
    }
    let tools: Vec<_> = catalogue::listed(&setup.config).collect();
    let definitions =
        Value::Array(tools.iter().map(|tool| catalogue::served(tool, &setup.config)).collect());
    if global.as_json {
        paint::raw(format!("{definitions:#}\n").as_bytes())?;
    } else if arguments.hash {
        let hash = digest(&SHA256, definitions.to_string().as_bytes());
        paint::raw(format!("{}\n", crate::text::hex(hash.as_ref())).as_bytes())?;
    } else if !tools.is_empty() {
        let row = |tool: &&catalogue::Tool| Row {
            cells: [with(BOLD, tool.spec.name)],
            text: tool.spec.title.to_owned(),
            more: Vec::new(),
        };
        let rows: Vec<_> = tools.iter().map(row).collect();
        paint::lines(&table(["TOOL"], "WHAT IT DOES", &rows))?;
        paint::note("`grantor tools TOOL` says what one of them takes");
    }
    Ok(ExitCode::SUCCESS)
}

/// One tool, as it is served here, or as it would be.
fn tell(name: &str, config: &Config, as_json: bool) -> Ran {
    let Some(tool) = TOOLS.iter().find(|tool| tool.spec.name == name) else {
        paint::complain(&unknown(name));
        return Ok(ExitCode::from(2));
    };
    let definition = catalogue::served(tool, config);
    if as_json {
        paint::raw(format!("{definition:#}\n").as_bytes())?;
    } else {
        paint::lines(&explained(&definition, width()))?;
    }
    if let catalogue::Found::Off(_, why) = catalogue::find(name, config) {
        paint::note(&why.message);
    }
    Ok(ExitCode::SUCCESS)
}

/// As wide as an explanation may be.
fn width() -> usize {
    of_stdout().map_or(WIDTH, |columns| columns.min(WIDTH))
}

/// That there is no such tool, and which one may have been meant.
pub(super) fn unknown(name: &str) -> String {
    let near = meant(name, &TOOLS.each_ref().map(|one| one.spec.name));
    format!("there is no tool {name:?}{near}; `grantor tools` lists them")
}

/// What a tool takes, whatever is configured.
pub(super) fn help(global: &Global, name: &str) -> Ran {
    let config = Config::load(&super::setup::sources(&global.flags()));
    let Some(tool) = TOOLS.iter().find(|tool| tool.spec.name == name) else {
        paint::complain(&unknown(name));
        return Ok(ExitCode::from(2));
    };
    let definition = match &config {
        Ok(config) => catalogue::served(tool, config),
        Err(_) => catalogue::definition(tool),
    };
    paint::lines(&explained(&definition, width()))?;
    Ok(ExitCode::SUCCESS)
}
