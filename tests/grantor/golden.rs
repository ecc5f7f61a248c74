use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Compares the files below `folder` with what they should hold, by their path in it: none may be
/// missing, stale or superfluous. `UPDATE_GOLDEN=1` rewrites them instead.
pub fn check(folder: &str, test: &str, expected: &BTreeMap<String, String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let present = files(&root, &root);
    if updating() {
        for path in present.iter().filter(|path| !expected.contains_key(*path)) {
            std::fs::remove_file(root.join(path)).unwrap();
        }
        for (path, text) in expected {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        return;
    }
    let mut troubles = Vec::new();
    for path in &present {
        if !expected.contains_key(path) {
            troubles.push(format!("{folder}/{path} is superfluous"));
        }
    }
    for (path, text) in expected {
        match std::fs::read_to_string(root.join(path)) {
            Err(_) => troubles.push(format!("{folder}/{path} is missing")),
            Ok(kept) if kept != *text => {
                troubles
                    .push(format!("{folder}/{path} is stale, {}", first_difference(&kept, text)));
            }
            Ok(_) => {}
        }
    }
    assert!(troubles.is_empty(), "{}\n{}", troubles.join("\n"), how(test));
}

/// The command that rewrites what a test compares.
pub fn how(test: &str) -> String {
    format!("if that is meant: UPDATE_GOLDEN=1 cargo test --test grantor {test}")
}

#[expect(clippy::disallowed_methods, reason = "a variable of the tests, not of the product")]
pub fn updating() -> bool {
    std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1")
}

fn files(root: &Path, folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut found: Vec<String> = paths.flat_map(|path| below(root, path)).collect();
    found.sort();
    found
}

fn below(root: &Path, path: PathBuf) -> Vec<String> {
    if path.is_dir() {
        return files(root, &path);
    }
    vec![path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/")]
}

fn first_difference(kept: &str, made: &str) -> String {
    let differs = |(_, (kept, made)): &(usize, (&str, &str))| kept != made;
    match (1..).zip(kept.lines().zip(made.lines())).find(differs) {
        Some((line, (kept, made))) => format!("line {line}:\n  kept {kept}\n  made {made}"),
        None => "one is longer than the other".to_owned(),
    }
}
