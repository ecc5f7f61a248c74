//! `grantor access export`.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;

use super::collect::{Partial, collect};
use super::report::Report;
use super::{at, html};
use crate::cli::{Ran, paint};
use crate::desk::Desk;
use crate::owner_only;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The form: a table for programs, data, or a page for people
    #[arg(long, value_enum, default_value = "csv", conflicts_with = "as_json")]
    format: Format,
    /// Where to write it [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Csv,
    Json,
    Html,
}

pub(super) async fn run(desk: &Desk, arguments: Arguments, as_json: bool) -> Ran {
    let Arguments { format, output } = arguments;
    let format = if as_json { Format::Json } else { format };
    let partial = output.as_deref().map(Partial::beside);
    let report = collect(desk, partial.as_ref()).await?;
    let written = match format {
        Format::Csv => report.csv()?,
        Format::Json => report.json()?,
        Format::Html => html::page(&report).into_bytes(),
    };
    match &output {
        Some(file) => {
            replace(file, &written)?;
            paint::note(&format!("{} rows are in {}", report.rows.len(), file.display()));
        }
        None => {
            let mut out = io::stdout().lock();
            out.write_all(&written).and_then(|()| out.flush())?;
        }
    }
    if let Some(partial) = &partial {
        partial.remove()?;
    }
    Ok(told(&report))
}

/// Says what could not be read, and what that comes to.
pub(super) fn told(report: &Report) -> ExitCode {
    for one in &report.unread {
        let at = one.place();
        paint::complain(&format!("{at}: {} ({})", one.message, one.hint));
    }
    if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Writes a file whole or not at all.
fn replace(file: &Path, written: &[u8]) -> io::Result<()> {
    // A name that nobody can have put there before.
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", crate::random::id()));
    let new = file.with_file_name(name);
    owner_only::create_new(&new, written)
        .and_then(|()| std::fs::rename(&new, file))
        .map_err(|error| at(file, &error))
}
