//! Paths in settings: what they count from.

use std::path::{Path, PathBuf};

use crate::input;

type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

const HOME: &str = "HOME";

/// A path with the home directory in place of a leading `~/`.
///
/// # Errors
/// There is no home directory.
pub(super) fn expanded(path: &Path, env: Environment<'_>) -> Result<PathBuf, String> {
    if names_a_variable(path) {
        let trouble = "variables are not filled in here; write the path out, or begin it with ~/";
        return Err(trouble.to_owned());
    }
    let Ok(rest) = path.strip_prefix("~") else { return Ok(path.to_owned()) };
    let home = env(HOME).map(PathBuf::from).filter(|home| home.is_absolute());
    let usual = || directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned());
    let home = home
        .or_else(usual)
        .ok_or_else(|| "there is no home directory; give an absolute path".to_owned())?;
    Ok(home.join(rest))
}

/// Whether a shell was to fill something in: a folder of that name would be made in its place.
fn names_a_variable(path: &Path) -> bool {
    path.iter().filter_map(|part| part.to_str()).any(|part| {
        let percent = part.strip_prefix('%').and_then(|rest| rest.strip_suffix('%'));
        part.contains("${") || part.strip_prefix('$').or(percent).is_some_and(input::is_variable)
    })
}

/// The path that a variable names. One that counts from wherever a process happens to start would
/// be another file for each of them. No error repeats it: a secret may have been put in its place.
///
/// # Errors
/// It is neither absolute nor begins with `~/`.
pub(super) fn of_environment(name: &str, env: Environment<'_>) -> Result<Option<PathBuf>, String> {
    let Some(text) = env(name) else { return Ok(None) };
    if let Some(trouble) = input::odd_path(&text) {
        return Err(format!("{name} {trouble}"));
    }
    let path = expanded(Path::new(&text), env).map_err(|trouble| format!("{name}: {trouble}"))?;
    if path.is_absolute() {
        return Ok(Some(path));
    }
    Err(format!(
        "{name} must be an absolute path or begin with ~/: anything else would be another place for \
         each directory that Grantor is started in"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_the_environment_is_one_place() {
        for (text, path) in [
            ("/srv/state", Some("/srv/state")),
            ("~/state", Some("/home/ada/state")),
            ("~", Some("/home/ada")),
            ("~eve/state", None),
            ("state", None),
            ("Zx9-SuperSecretValue-77aa", None),
            ("./state", None),
            ("../state", None),
            ("a~/state", None),
            ("/home/$USER/state", None),
            ("/home/${USER}/state", None),
            ("/srv/%USER%/state", None),
            ("/srv/a$b/state$", Some("/srv/a$b/state$")),
            ("", None),
            (" ", None),
            ("/srv/state ", None),
            (" /srv/state", None),
            ("\"/srv/state\"", None),
            ("file:///srv/state", None),
            ("/srv/the state", Some("/srv/the state")),
        ] {
            let env = |name: &str| match name {
                HOME => Some("/home/ada".to_owned()),
                _ => Some(text.to_owned()),
            };
            let found = of_environment("GRANTOR_STATE_DIR", &env);
            match path {
                Some(path) => assert_eq!(found, Ok(Some(path.into())), "{text:?}"),
                None => {
                    let trouble = found.unwrap_err();
                    assert!(trouble.contains("GRANTOR_STATE_DIR"), "{text:?}: {trouble}");
                    // A secret may stand where its path should.
                    let words: Vec<_> = text.split('/').filter(|word| word.len() > 5).collect();
                    let repeats = words.iter().any(|word| trouble.contains(word));
                    assert!(!repeats, "{text:?}: {trouble}");
                }
            }
        }
        assert_eq!(of_environment("GRANTOR_STATE_DIR", &|_| None), Ok(None));
    }
}
