//! Each block of docs/secrets.md, with programs of the same names in place of the real ones.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::harness::{Ran, World, run};

const PAGE: &str = "docs/secrets.md";

/// The blocks of one language, each with its line.
fn blocks(language: &str) -> Vec<String> {
    let text = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let text = std::fs::read_to_string(text).unwrap();
    let (mut found, mut open) = (Vec::new(), None::<String>);
    for line in text.lines() {
        match &mut open {
            None if line == format!("```{language}") => open = Some(String::new()),
            Some(_) if line == "```" => found.extend(open.take()),
            Some(block) => block.push_str(&format!("{line}\n")),
            None => {}
        }
    }
    found
}

/// A folder of programs that stand before all others.
struct Stubs(PathBuf);

impl Stubs {
    fn new(world: &World) -> Self {
        let folder = world.path("stubs");
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn add(&self, name: &str, script: &str) {
        let path = self.0.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    }

    fn path(&self) -> String {
        format!("{}:/usr/bin:/bin", self.0.display())
    }
}

/// A word as the shell takes it.
fn word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The secrets that a block of the configuration file gives, by their variable, with their commands.
fn commands(block: &str) -> Vec<(String, Vec<String>)> {
    let table: toml::Table =
        toml::from_str(block).unwrap_or_else(|error| panic!("{block}: {error}"));
    let mut found = Vec::new();
    for (vendor, section) in &table {
        for (key, value) in section.as_table().unwrap() {
            let command = value["command"].as_array().unwrap_or_else(|| panic!("{key} in {block}"));
            let command = command.iter().map(|word| word.as_str().unwrap().to_owned()).collect();
            found.push((format!("{vendor}_{key}").to_uppercase(), command));
        }
    }
    found
}

/// No secret of the world is in what was printed or kept.
fn hides(world: &World, secrets: &[String], ran: &Ran) {
    let mut said = format!("{}\n{}", ran.stdout, ran.stderr);
    for line in world.ledger() {
        said.push_str(&line.to_string());
    }
    for secret in secrets {
        // A key has lines; each of the long ones is as telling.
        for line in secret.lines().filter(|line| line.len() > 15 && !line.starts_with("-----")) {
            assert!(!said.contains(line), "a secret is shown: {said}");
        }
    }
}

/// The secret of each block comes from the program that the block names, with exactly its arguments, and
/// its vendor takes it.
#[tokio::test]
async fn each_command_of_the_page_gives_its_secret() {
    let blocks = blocks("toml");
    let mut programs = Vec::new();
    for block in &blocks {
        let mut world = World::new().await;
        let stubs = Stubs::new(&world);
        let mut scripts: BTreeMap<String, String> = BTreeMap::new();
        let (mut secrets, mut vendors) = (Vec::new(), Vec::new());
        for (variable, command) in commands(block) {
            let secret = world.variable(&variable).to_owned();
            let file = world.path(&format!("{variable}.secret"));
            std::fs::write(&file, &secret).unwrap();
            let (program, arguments) = command.split_first().unwrap();
            let wanted = arguments.join("\n");
            let script = scripts.entry(program.clone()).or_default();
            script.push_str(&format!(
                "[ \"$(printf '%s\\n' \"$@\")\" = {} ] && {{ cat {}; echo; exit; }}\n",
                word(&wanted),
                word(file.to_str().unwrap())
            ));
            vendors.push(variable.split('_').next().unwrap().to_lowercase());
            secrets.push(secret);
            world = world.unset(&variable);
        }
        for (program, script) in scripts {
            stubs.add(&program, &format!("{script}echo 'not those arguments' >&2\nexit 1\n"));
            programs.push(program);
        }
        let config = world.path("recipe.toml");
        std::fs::write(&config, block).unwrap();
        let config = config.to_str().unwrap().to_owned();
        let mut command = world.command(["--config", &config, "--vendor", &vendors[0], "doctor"]);
        command.env("PATH", stubs.path());
        let ran = run(command).await;
        assert_eq!(ran.status, 0, "{block}: {ran:#?}");
        assert!(!world.sandbox.journal().is_empty(), "{block}: the vendor was asked nothing");
        hides(&world, &secrets, &ran);
    }
    programs.sort();
    assert_eq!(programs, ["op", "pass", "secret-tool", "sops", "vault"]);
}

/// The words of a wrapper's command line, with the home that it names.
fn words(line: &str, home: &Path) -> Vec<String> {
    let line = line.replace("$HOME", home.to_str().unwrap());
    line.split_whitespace().map(|word| word.trim_matches('"').to_owned()).collect()
}

/// `op run` fills the environment from a file of references, and starts Grantor in it.
#[tokio::test]
async fn a_file_of_references_fills_the_environment() {
    let references = blocks("ini").into_iter().find(|block| block.contains("op://")).unwrap();
    let line = blocks("sh").into_iter().find(|block| block.starts_with("op run ")).unwrap();
    let mut world = World::new().await;
    let stubs = Stubs::new(&world);
    let home = world.path("");
    let mut script = String::from(
        "[ \"$1 $2 $3\" = 'run --no-masking --env-file' ] || exit 7\nfile=$4; shift 4\n\
         [ \"$1\" = -- ] || exit 8; shift\n",
    );
    let mut secrets = Vec::new();
    for reference in references.lines().filter(|line| !line.starts_with('#')) {
        let (name, _) = reference.split_once("=op://").unwrap();
        let secret = world.variable(name).to_owned();
        script.push_str(&format!(
            "grep -qxF {} \"$file\" && export {name}={}\n",
            word(reference),
            word(&secret)
        ));
        secrets.push(secret);
        world = world.unset(name);
    }
    stubs.add("op", &format!("{script}exec \"$@\"\n"));
    let path = references.lines().next().unwrap().trim_start_matches("# ~/").to_owned();
    let file = home.join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, &references).unwrap();
    stubs.add("grantor", &format!("exec {} \"$@\"\n", env!("CARGO_BIN_EXE_grantor")));
    // The environment of the world's own program, for another one.
    let mut command = tokio::process::Command::new(stubs.0.join("op"));
    for (name, value) in world.command([] as [&str; 0]).as_std().get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command
        .args(&words(&line, &home)[1..])
        .env("PATH", stubs.path())
        .env("GRANTOR_VENDORS", "dfns");
    let ran = run(command).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
    assert!(!world.sandbox.journal().is_empty());
    hides(&world, &secrets, &ran);
}

/// What a unit loads is what its variables name, and Grantor reads it there.
#[tokio::test]
async fn a_unit_hands_its_credentials_in_as_files() {
    let unit = blocks("ini").into_iter().find(|block| block.contains("LoadCredential")).unwrap();
    let mut world = World::new().await;
    let folder = world.path("credentials");
    std::fs::create_dir_all(&folder).unwrap();
    let values = |key: &str| -> Vec<String> {
        let own = unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        own.map(str::to_owned).collect()
    };
    let loaded: Vec<String> = values("LoadCredential")
        .iter()
        .map(|one| one.split_once(':').unwrap().0.to_owned())
        .collect();
    let mut secrets = Vec::new();
    for setting in values("Environment") {
        let (name, path) = setting.split_once('=').unwrap();
        let credential = path.strip_prefix("%d/").unwrap();
        assert!(loaded.iter().any(|one| one == credential), "{credential} is not loaded");
        let variable = name.strip_suffix("_FILE").unwrap();
        let secret = world.variable(variable).to_owned();
        let file = folder.join(credential);
        std::fs::write(&file, &secret).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o400)).unwrap();
        world = world.unset(variable).set(name, file.to_str().unwrap());
        secrets.push(secret);
    }
    assert_eq!(loaded.len(), secrets.len());
    assert!(values("ExecStart")[0].ends_with("/grantor expire"));
    let world = world.argument("--vendor").argument("dfns");
    let expired = world.run(&["expire"]).await;
    assert_eq!(expired.status, 0, "{expired:#?}");
    let ran = world.run(&["doctor"]).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
    assert!(!world.sandbox.journal().is_empty());
    hides(&world, &secrets, &ran);
}
