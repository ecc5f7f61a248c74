use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use grantor::tools::{TOOLS, Tool};
use grantor::vendors::VENDORS;

use super::golden;
use super::harness::{World, bare, run_any};
use super::terminal::Terminal;

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

/// The pages that belong to README.md, by their folder.
fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The blocks of one language in a page.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let begins = format!("\n```{language}\n");
    text.split(&begins).skip(1).map(|rest| rest.split("\n```").next().unwrap().to_owned()).collect()
}

/// A vendor's page names each of its settings and no other vendor's, and its section of the configuration
/// file is made of them.
#[test]
fn each_vendor_has_a_page_with_its_own_settings() {
    for vendor in VENDORS {
        let file = format!("vendors/{}.md", vendor.name);
        let page = page(&file);
        assert!(readme().contains(&format!("docs/{file}")), "{file} is not linked");
        for other in VENDORS {
            for variable in other.variables {
                let is_own = other.name == vendor.name;
                let named = page.contains(&format!("`{}`", variable.name));
                assert_eq!(named, is_own, "{} in {file}", variable.name);
            }
        }
        let section = blocks(&page, "toml").concat();
        let section: toml::Table = toml::from_str(&section).unwrap();
        assert_eq!(section.keys().collect::<Vec<_>>(), [vendor.name], "{file}");
        let tables = vendor.tables.iter().map(|table| table.name.to_owned());
        let known =
            vendor.variables.iter().map(|one| one.name[vendor.name.len() + 1..].to_lowercase());
        let known: Vec<_> = known.chain(tables).collect();
        for key in section[vendor.name].as_table().unwrap().keys() {
            assert!(known.contains(key), "{file} sets {key}, which nobody reads");
        }
    }
}

/// The commands of a vendor's page work as they stand, and change nothing.
#[cfg(unix)]
#[tokio::test]
async fn the_commands_of_each_vendors_page_work() {
    for vendor in VENDORS {
        let world = World::new().await;
        let lines = blocks(&page(&format!("vendors/{}.md", vendor.name)), "sh").concat();
        assert!(lines.contains("doctor") && lines.contains("--dry-run"), "{}", vendor.name);
        for line in lines.lines() {
            let rest = line.strip_prefix("grantor ").unwrap_or_else(|| panic!("{line}"));
            let own = world.command([] as [&str; 0]);
            let mut shell = tokio::process::Command::new("/bin/sh");
            shell.env_clear();
            for (name, value) in own.as_std().get_envs() {
                shell.env(name, value.unwrap_or_default());
            }
            shell.arg("-c").arg(format!("{} {rest}", env!("CARGO_BIN_EXE_grantor")));
            let ran = run_any(&mut shell).await;
            assert_eq!(ran.status, 0, "{line}: {ran:#?}");
        }
        assert!(world.writes().is_empty(), "{}", vendor.name);
    }
}

/// The first grant is asked about at the terminal where it is made, and is there then.
#[tokio::test]
async fn the_first_grant_takes_a_yes_at_its_terminal() {
    let text = readme();
    let (_, after) = text.split_once("<!-- first grant -->").unwrap();
    let world = World::asking().await;
    let mut seen = Vec::new();
    for line in blocks(after, "sh")[0].lines().filter_map(|line| line.strip_prefix("grantor ")) {
        let words: Vec<_> = line.split_whitespace().collect();
        if words.contains(&"grant_asset_role") {
            let mut terminal = Terminal::start(world.command(&words));
            terminal.shows("Type yes").await;
            terminal.types("yes").await;
            seen.push(terminal.ends().await);
        } else {
            let ran = world.run(&words).await;
            seen.push((ran.status, ran.stdout));
        }
    }
    assert_eq!(seen.iter().map(|(status, _)| *status).collect::<Vec<_>>(), [0; 3], "{seen:#?}");
    assert!(seen[1].1.contains("confirmed") && seen[2].1.contains("Developer"), "{seen:#?}");
    assert_eq!(world.writes().len(), 1);
}

/// What is there to paste is what `grantor install` writes or prints.
#[tokio::test]
async fn what_is_pasted_into_a_client_is_what_install_would_write() {
    let home = tempfile::tempdir().unwrap();
    let ask = async |arguments: &[&str]| {
        let mut command = bare(home.path());
        // What else is set for a test's children would be in the entry.
        command.env_remove("GRANTOR_POLICY").env_remove("GRANTOR_STATE_DIR").args(arguments);
        run_any(&mut command).await
    };
    let listed = ask(&["install"]).await.stdout;
    let clients: Vec<_> =
        listed.lines().skip(1).filter_map(|l| l.split_whitespace().next()).collect();
    assert!(clients.len() > 10, "{listed}");
    let kept = page("clients.md");
    let mut made = String::new();
    let mut named = Vec::new();
    for (number, part) in kept.split("<!-- client ").enumerate() {
        if number == 0 {
            made.push_str(part);
            continue;
        }
        let (name, rest) = part.split_once(" -->\n```").unwrap();
        let (language, rest) = rest.split_once('\n').unwrap();
        let (_, rest) = rest.split_once("```\n").unwrap();
        let ran = ask(&["--sandbox", "install", name, "--print"]).await;
        assert_eq!(ran.status, 0, "{ran:#?}");
        let shown = ran.stdout.replace(env!("CARGO_BIN_EXE_grantor"), "/absolute/path/of/grantor");
        made.push_str(&format!(
            "<!-- client {name} -->\n```{language}\n{}\n```\n{rest}",
            shown.trim_end()
        ));
        named.push(name);
    }
    assert_eq!(named, clients, "each client has its block");
    if golden::updating() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/clients.md");
        std::fs::write(path, made).unwrap();
        return;
    }
    let how = golden::how("what_is_pasted_into_a_client_is_what_install_would_write");
    assert!(kept == made, "docs/clients.md is stale, it should be\n{made}{how}");
}
