//! `grantor install`: this program as a server of an MCP client.

mod check;
mod start;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::{PossibleValue, PossibleValuesParser};
use serde_json::{Value, json};

use super::paint::{self, BOLD, DIM, GOOD, WAITS, with};
use super::table::{Row, table};
use super::{Global, Ran, setup, status};
use crate::clients::{CLIENTS, Client, Entry, Format, Listing, Replaced, Started};
use crate::config::Config;
use crate::settings;
use crate::text;
pub(super) use start::typed;

pub(super) const AFTER: &str = "\
The client then starts this very program, by its absolute path, with the options given here. No secret is \
written: VS Code asks for what a vendor given by --vendor needs and the configuration file lacks, and keeps it; \
for all others credentials belong in the configuration file. Comments and order of the client's file stay, what \
it was before is kept beside it, and one that does not parse is left alone.

Examples:
  grantor install                               # all clients, and what each starts
  grantor --sandbox install claude-code         # try it with fake vendors
  grantor --tenant odc-prod install vscode --name odc-prod
  grantor install zed --print                   # only show what would be written
  grantor install codex --check                 # start what is there, and shake hands
  grantor install cursor --remove

Goose, JetBrains, LM Studio, Kiro, Cline, Copilot CLI and Junie: it prints what to paste. The files' places on \
macOS and Windows are from the clients' documents; it was tried on Linux.

Exit status: 0 it is so, 1 nothing was written, or what is there does not answer, 2 wrong usage.";

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The client; without one, all are listed with what each starts
    #[arg(value_parser = PossibleValuesParser::new(CLIENTS.iter().map(word)), hide_possible_values = true)]
    client: Option<String>,
    /// The client's file of the project in this folder, which goes to whoever has the project
    #[arg(long, requires = "client")]
    project: bool,
    /// Print what would be written, and where
    #[arg(long, requires = "client", group = "instead")]
    print: bool,
    /// Start what is there and shake hands, where it is this program in your own file; else print it
    #[arg(long, requires = "client", group = "instead")]
    check: bool,
    /// Take the entry out again
    #[arg(long, requires = "client", group = "instead")]
    remove: bool,
    /// What the server is called there
    #[arg(long, value_name = "NAME", default_value = "grantor", value_parser = name)]
    name: String,
}

/// The longest name of a server that every client takes.
const LONGEST_NAME: usize = 40;

fn word(client: &Client) -> PossibleValue {
    PossibleValue::new(client.name).aliases(client.aliases).help(client.title)
}

/// A name that every client and every shell takes for one word.
fn name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins && text.len() <= LONGEST_NAME && text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    Err(format!("at most {LONGEST_NAME} letters, digits, - and _, a letter or digit first"))
}

pub(super) async fn run(global: &Global, arguments: &Arguments) -> Ran {
    let client = arguments.client.as_deref().and_then(Client::named);
    let Some(client) = client else { return list(global) };
    let file = match arguments.project {
        true => {
            let folder = std::path::absolute(".")?;
            let file = client.project_file(&folder);
            Some(file.ok_or_else(|| format!("{} reads no file of a project", client.title))?)
        }
        false => client.user_file(&settings::environment)?,
    };
    let place = Destination { global, client, file, is_project: arguments.project };
    if arguments.check {
        return check::run(&place).await;
    }
    if arguments.remove {
        return remove(&place, &arguments.name);
    }
    let entry = Entry {
        name: arguments.name.clone(),
        command: start::program()?,
        args: start::options(global)?,
        asked: Vec::new(),
    };
    // What nothing starts with is not installed either.
    let config = Config::load(&setup::sources(&global.flags()))?;
    let entry = start::asking(global, client, entry)?;
    match &place.file {
        Some(file) if !arguments.print => {
            let listing = Listing::read(client, file)?;
            install(&place, &listing, &entry)?;
        }
        _ => print(&place, &entry)?,
    }
    start::warn(global, client, &entry, &config);
    Ok(ExitCode::SUCCESS)
}

/// The file that a command is about.
pub(super) struct Destination<'a> {
    global: &'a Global,
    client: &'static Client,
    /// None where an entry is pasted.
    file: Option<PathBuf>,
    is_project: bool,
}

impl Destination<'_> {
    /// Its file, or why it has none that could be looked at.
    fn listing(&self) -> Result<Listing, Box<dyn std::error::Error + Send + Sync>> {
        let title = self.client.title;
        let file = self.file.as_ref().ok_or_else(|| {
            format!("{title} keeps its servers where nothing else should write: take it out there")
        })?;
        Ok(Listing::read(self.client, file)?)
    }
}

fn install(
    place: &Destination<'_>,
    listing: &Listing,
    entry: &Entry,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let Destination { client, .. } = place;
    let title = client.title;
    let replaced = listing.with(entry)?.map(|text| listing.replace(&text)).transpose()?;
    let word = match &replaced {
        Some(_) => with(GOOD, "installed"),
        None => with(GOOD, "as it was"),
    };
    let told = match &replaced {
        Some(_) => format!("{title} starts {} from now on", entry.name),
        None => format!("{title} starts {} already", entry.name),
    };
    let file = listing.path().display().to_string();
    let body = json!({ "client": client.name, "file": file, "name": entry.name,
        "changed": replaced.is_some(), "backup": backup(replaced.as_ref()),
        "entry": entry.value(client) });
    if place.global.as_json {
        paint::json(&format!("{body:#}"))?;
        return Ok(());
    }
    let starts = typed(&entry.command, &entry.args);
    let mut shown = format!("  {word}  {told}\n");
    for (title, text) in
        [("file", Some(file)), ("starts", Some(starts)), ("before", backup(replaced.as_ref()))]
    {
        let Some(text) = text else { continue };
        shown.push_str(&format!(
            "  {}  {}\n",
            with(DIM, &format!("{title:<9}")),
            text::clean(&text)
        ));
    }
    if replaced.is_some() {
        let then = with(DIM, &format!("{:<9}", "next"));
        shown.push_str(&format!("  {then}  {}\n", client.then));
        paint::told(&paint::folded(&shown), &told);
    } else {
        paint::lines(&shown)?;
    }
    if let Some(folder) = replaced.and_then(|replaced| replaced.folder) {
        paint::note(&format!("{} was not there: is {title} installed?", folder.display()));
    }
    if place.is_project {
        paint::note(
            "the path is of this machine: whoever else has the project needs one of their own",
        );
    }
    Ok(())
}

fn backup(replaced: Option<&Replaced>) -> Option<String> {
    replaced?.backup.as_ref().map(|path| path.display().to_string())
}

fn remove(place: &Destination<'_>, name: &str) -> Ran {
    let listing = place.listing()?;
    let Destination { client, global, .. } = place;
    let replaced = listing.without(name)?.map(|text| listing.replace(&text)).transpose()?;
    let title = client.title;
    let file = text::clean(&listing.path().display().to_string());
    if global.as_json {
        let body = json!({ "client": client.name, "file": file, "name": name,
            "changed": replaced.is_some(), "backup": backup(replaced.as_ref()) });
        paint::json(&format!("{body:#}"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let told = match &replaced {
        Some(_) => format!("{title} starts {name} no longer; {file}"),
        None => format!("{title} has no server called {name}; {file}"),
    };
    let word = with(GOOD, if replaced.is_some() { "removed" } else { "as it was" });
    let mut shown = format!("  {word}  {told}\n");
    if let Some(backup) = backup(replaced.as_ref()) {
        shown.push_str(&format!("  {}   {}\n", with(DIM, "before"), text::clean(&backup)));
    }
    let is_told = paint::told(&paint::folded(&shown), &told);
    Ok(status::worst([u8::from(!is_told)]))
}

/// What to paste, alone on stdout; where to, on stderr.
fn print(place: &Destination<'_>, entry: &Entry) -> std::io::Result<()> {
    let Destination { client, file, global, .. } = place;
    let pasted = client.pasted(entry);
    if global.as_json {
        let file = file.as_ref().map(|file| file.display().to_string());
        let body = json!({ "client": client.name, "file": file, "name": entry.name,
            "changed": false, "then": client.then, "entry": entry.value(client), "paste": pasted });
        return paint::json(&format!("{body:#}"));
    }
    paint::raw(pasted.as_bytes())?;
    match file {
        Some(file) => {
            paint::note(&format!("it belongs in {}; then: {}", file.display(), client.then));
        }
        None => {
            paint::note(&format!("{} is not written to: paste this {}", client.title, client.then));
        }
    }
    if client.format == Format::Yaml {
        paint::note("under `extensions:` where that is there already");
    }
    Ok(())
}

/// A client, its file, and what there is about this program.
pub(super) struct Found {
    pub client: &'static Client,
    pub file: Option<PathBuf>,
    pub is_there: bool,
    /// Servers that are this program, started in whatever way.
    pub servers: Vec<(String, Started)>,
    pub trouble: Option<String>,
}

/// What every client's own file has of this program.
pub(super) fn found() -> Vec<Found> {
    CLIENTS.iter().map(look).collect()
}

fn look(client: &'static Client) -> Found {
    let mut found =
        Found { client, file: None, is_there: false, servers: Vec::new(), trouble: None };
    let listed = client.user_file(&settings::environment).and_then(|file| {
        let Some(path) = file else { return Ok(()) };
        found.file = Some(path.clone());
        let listing = Listing::read(client, &path)?;
        found.is_there = listing.is_there();
        let servers = listing.servers()?;
        found.servers = servers.into_iter().filter(|(_, started)| started.is_grantor()).collect();
        Ok(())
    });
    found.trouble = listed.err().map(|trouble| trouble.to_string());
    found
}

fn list(global: &Global) -> Ran {
    let all = found();
    let program = std::env::current_exe()?;
    if global.as_json {
        let body: Vec<Value> = all.iter().map(|one| told(one, &program)).collect();
        paint::json(&format!("{:#}", Value::Array(body)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let row = |found: &Found, line: String| Row {
        cells: [with(BOLD, found.client.name)],
        text: line,
        more: Vec::new(),
    };
    let of = |found| lines(found, &program).into_iter().map(move |line| row(found, line));
    let rows: Vec<_> = all.iter().flat_map(of).collect();
    paint::lines(&table(["CLIENT"], "STARTS", &rows))?;
    paint::note(
        "`grantor install` with a name of these has that client start it, with the options given here",
    );
    Ok(ExitCode::SUCCESS)
}

/// What a client starts of this program, in words.
pub(super) fn lines(found: &Found, program: &std::path::Path) -> Vec<String> {
    if let Some(trouble) = &found.trouble {
        return vec![with(WAITS, &text::clean(trouble))];
    }
    if found.file.is_none() {
        return vec![with(DIM, "by pasting what it prints")];
    }
    if found.servers.is_empty() {
        let why =
            if found.is_there { "nothing of it" } else { "nothing: it has no file of servers" };
        return vec![with(DIM, why)];
    }
    let line = |(name, started): &(String, Started)| {
        let fault = started.fault(program);
        let whose = fault.map(|fault| format!("  {}", with(WAITS, fault))).unwrap_or_default();
        let starts = text::clean(&typed(&started.command, &started.args));
        format!("{}: {starts}{whose}", text::clean(name))
    };
    found.servers.iter().map(line).collect()
}

/// The same as data.
pub(super) fn told(found: &Found, program: &std::path::Path) -> Value {
    let server = |(name, started): &(String, Started)| {
        let Started { command, args, .. } = started;
        json!({ "name": name, "command": command, "args": args,
            "this_program": started.is_program(program) })
    };
    json!({
        "client": found.client.name,
        "title": found.client.title,
        "file": found.file.as_ref().map(|file| file.display().to_string()),
        "there": found.is_there,
        "servers": found.servers.iter().map(server).collect::<Vec<_>>(),
        "trouble": found.trouble,
    })
}
