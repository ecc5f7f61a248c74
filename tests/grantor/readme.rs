use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use grantor::tools::{TOOLS, Tool};
use grantor::vendors::VENDORS;

use super::golden;

const BEGIN: &str = "<!-- tools -->";
const END: &str = "<!-- /tools -->";

#[test]
fn the_table_of_tools_is_the_catalogue() {
    let text = readme();
    let (before, rest) = text.split_once(BEGIN).expect("README.md marks where the table begins");
    let (kept, after) = rest.split_once(END).expect("README.md marks where the table ends");
    let made = table();
    if golden::updating() {
        std::fs::write(path(), format!("{before}{BEGIN}{made}{END}{after}")).unwrap();
        return;
    }
    let how = golden::how("the_table_of_tools_is_the_catalogue");
    assert!(kept == made, "the table in README.md is stale, it should be{made}{how}");
}

#[test]
fn every_variable_is_in_the_readme() {
    let text = readme();
    for vendor in VENDORS {
        for variable in vendor.variables {
            assert!(text.contains(variable.name), "{} is not in README.md", variable.name);
        }
    }
}

fn table() -> String {
    let mut table =
        String::from("\n| Tool | Vendor | What it does | Vendor permission |\n|---|---|---|---|\n");
    for tool in &TOOLS {
        let name = tool.spec.name;
        let vendor = tool.spec.vendor.map(|name| {
            let known = VENDORS.iter().find(|vendor| vendor.name == name);
            known.unwrap_or_else(|| panic!("there is no vendor {name}"))
        });
        let title = vendor.map_or("all", |vendor| vendor.title);
        let (what, needs) = (what(tool), tool.spec.needs);
        writeln!(table, "| `{name}` | {title} | {what} | {needs} |").unwrap();
    }
    table
}

fn what(tool: &Tool) -> String {
    let schema = tool.schema.clone();
    first_sentence(schema["description"].as_str().unwrap())
}

/// The first sentence of a text, on one line.
pub fn first_sentence(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.split_once(". ") {
        Some((sentence, _)) => format!("{sentence}."),
        None => text,
    }
}

fn readme() -> String {
    std::fs::read_to_string(path()).unwrap()
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")
}
