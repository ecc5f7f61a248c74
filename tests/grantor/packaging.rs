//! What packages and manifests rest on: facts of this program, written out for whatever makes them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use base64::Engine as _;
use clap::CommandFactory as _;
use grantor::cli::Cli;
use grantor::clients::{Client, Entry};
use grantor::tools::TOOLS;
use grantor::vendors::{Need, VENDORS, Variable};
use serde_json::{Value, json};

use super::golden;

/// Options that a client with a form for its person asks for, and the variables behind them.
const OPTIONS: [(&str, &str); 2] =
    [("config", "GRANTOR_CONFIG"), ("read-only", "GRANTOR_READ_ONLY")];

#[test]
fn settings_are_written_out_for_manifests() {
    let made = format!("{:#}\n", json!({ "options": options(), "vendors": vendors() }));
    if golden::updating() {
        std::fs::write(root("packaging/facts.json"), made).unwrap();
        return;
    }
    let how = golden::how("settings_are_written_out_for_manifests");
    assert!(read("packaging/facts.json") == made, "packaging/facts.json is stale; {how}");
}

#[test]
fn a_link_has_a_client_start_what_install_would_write() {
    let page = read("docs/install-links.md");
    let is_link = |line: &&str| line.starts_with("vscode:") || line.starts_with("cursor:");
    let mut seen = BTreeMap::new();
    for link in page.lines().filter(is_link) {
        let (client, entry, inputs) = decoded(link);
        let args = entry["args"].as_array().unwrap();
        let vendor =
            args.iter().position(|arg| arg == "--vendor").map(|at| args[at + 1].as_str().unwrap());
        let wanted = wanted(&entry, vendor);
        assert_eq!(entry, wanted.value(client), "{link}");
        assert_eq!(inputs, wanted.inputs(client), "{link}");
        *seen.entry(client.name).or_insert(0) += 1;
    }
    assert_eq!(seen, BTreeMap::from([("cursor", 2), ("vscode", 2 + VENDORS.len())]));
}

#[test]
fn skills_name_tools_and_arguments_that_there_are() {
    let mut words: BTreeSet<String> = TOOLS.iter().map(|tool| tool.spec.name.to_owned()).collect();
    for tool in &TOOLS {
        let folder = tool.spec.vendor.unwrap_or("access");
        let served = read(&format!("tool-schemas/{folder}/{}.json", tool.spec.name));
        fields(&serde_json::from_str(&served).unwrap(), &mut words);
    }
    words.extend(outcomes());
    let mut found = 0;
    for skill in std::fs::read_dir(root("skills")).unwrap() {
        let path = skill.unwrap().path().join("SKILL.md");
        let text = std::fs::read_to_string(&path).unwrap();
        for word in text.split('`').skip(1).step_by(2) {
            let is_name =
                word.contains('_') && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            assert!(!is_name || words.contains(word), "{}: there is no {word}", path.display());
            found += usize::from(is_name);
        }
    }
    assert!(found > 10, "the skills name {found} tools and arguments");
}

/// Adds every name of a field that a schema has, however deep.
fn fields(schema: &Value, names: &mut BTreeSet<String>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        names.extend(properties.keys().cloned());
    }
    match schema {
        Value::Object(all) => all.values().for_each(|one| fields(one, names)),
        Value::Array(all) => all.iter().for_each(|one| fields(one, names)),
        _ => {}
    }
}

/// The words in which a change ends, as README has them.
fn outcomes() -> impl Iterator<Item = String> {
    let text = read("README.md");
    let (_, rest) = text.split_once("### How a change ends").unwrap();
    let (table, _) = rest.split_once("\n\nThe answer").unwrap();
    let words: Vec<String> = table.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    words.into_iter()
}

/// A client, the entry that a link gives it, and what it asks its person for.
fn decoded(link: &str) -> (&'static Client, Value, Option<Value>) {
    if let Some(text) = link.strip_prefix("vscode:mcp/install?") {
        let text = percent_encoding::percent_decode_str(text).decode_utf8().unwrap();
        let mut entry: Value = serde_json::from_str(&text).unwrap();
        let fields = entry.as_object_mut().unwrap();
        assert_eq!(fields.shift_remove("name"), Some(json!("grantor")));
        let inputs = fields.shift_remove("inputs");
        return (Client::named("vscode").unwrap(), entry, inputs);
    }
    let url = url::Url::parse(link).unwrap();
    assert_eq!(
        (url.scheme(), url.host_str(), url.path()),
        ("cursor", Some("anysphere.cursor-deeplink"), "/mcp/install")
    );
    let query: BTreeMap<_, _> = url.query_pairs().collect();
    assert_eq!(query["name"], "grantor");
    let config =
        base64::engine::general_purpose::STANDARD.decode(query["config"].as_bytes()).unwrap();
    (Client::named("cursor").unwrap(), serde_json::from_slice(&config).unwrap(), None)
}

/// What `grantor install` writes with the same command and arguments.
fn wanted(entry: &Value, vendor: Option<&str>) -> Entry {
    let args = entry["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap().to_owned());
    let named = VENDORS.iter().filter(|one| Some(one.name) == vendor);
    let required =
        named.flat_map(|vendor| vendor.variables).filter(|one| one.need == Need::Required);
    Entry {
        name: "grantor".to_owned(),
        command: entry["command"].as_str().unwrap().to_owned(),
        args: args.collect(),
        asked: required.map(|one| (one.name, one.secret)).collect(),
    }
}

fn options() -> Value {
    let command = Cli::command();
    let explained = command.get_after_help().unwrap().to_string();
    let option = |(long, variable): &(&str, &str)| {
        assert!(explained.contains(variable), "`grantor --help` does not name {variable}");
        let option = command.get_arguments().find(|one| one.get_long() == Some(long)).unwrap();
        let is_switch = !option.get_action().takes_values();
        json!({ "variable": variable, "is_switch": is_switch, "help": option.get_help().unwrap().to_string() })
    };
    OPTIONS.iter().map(option).collect()
}

fn vendors() -> Value {
    let vendor = |vendor: &&grantor::vendors::Vendor| {
        json!({ "name": vendor.name, "title": vendor.title,
            "variables": vendor.variables.iter().map(variable).collect::<Vec<_>>() })
    };
    VENDORS.iter().map(vendor).collect()
}

fn variable(variable: &Variable) -> Value {
    let default = match variable.need {
        Need::Default(text) => Some(text),
        Need::Required | Need::Optional => None,
    };
    json!({ "name": variable.name, "is_secret": variable.secret,
        "is_required": variable.need == Need::Required, "default": default, "help": variable.help })
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root(path)).unwrap()
}

fn root(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
