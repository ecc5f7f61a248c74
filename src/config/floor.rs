//! What bounds everybody must be written by the administrator alone.

use std::path::{Path, PathBuf};

use super::ConfigError;

/// More links than a path has that leads anywhere.
#[cfg(unix)]
const MOST_LINKS: usize = 40;

/// Whether nobody but root can have written this file or put another in its place: on the whole way
/// to it, links and what they lead to among it.
///
/// # Errors
/// Somebody else can, or it cannot be found out: then there is no telling what was set.
#[cfg(unix)]
pub(super) fn check(path: &Path) -> Result<(), ConfigError> {
    use std::os::unix::fs::MetadataExt as _;
    let error = |at: &Path, error: &dyn std::fmt::Display| {
        ConfigError(format!("{}: {error}", at.display()))
    };
    let parts = |path: &Path| path.iter().rev().map(ToOwned::to_owned).collect::<Vec<_>>();
    let whole = std::path::absolute(path).map_err(|trouble| error(path, &trouble))?;
    let (mut at, mut left, mut links) = (PathBuf::new(), parts(&whole), 0);
    while let Some(part) = left.pop() {
        if part == ".." {
            at.pop();
            continue;
        }
        let next = at.join(part);
        let found = std::fs::symlink_metadata(&next).map_err(|trouble| error(&next, &trouble))?;
        let (owner, mode) = (found.uid(), found.mode());
        if found.is_symlink() {
            links += 1;
            let target = std::fs::read_link(&next).map_err(|trouble| error(&next, &trouble))?;
            if links > MOST_LINKS {
                return Err(error(&next, &"it leads to itself"));
            }
            judge(path, &next, trouble(owner, 0))?;
            left.extend(parts(&target));
            continue;
        }
        // Who may write a folder may put other files in it; where it is sticky, only their own.
        let sticky = found.is_dir() && left.len() > 1 && mode & STICKY != 0;
        judge(path, &next, trouble(owner, if sticky { 0 } else { mode }))?;
        at = next;
    }
    Ok(())
}

#[cfg(unix)]
const STICKY: u32 = 0o1000;

#[cfg(unix)]
fn judge(path: &Path, at: &Path, trouble: Option<&str>) -> Result<(), ConfigError> {
    let Some(trouble) = trouble else { return Ok(()) };
    let (shown, at_shown) = (path.display(), at.display());
    let what = if at == path { String::new() } else { format!("{at_shown}, on the way to it, ") };
    Err(ConfigError(format!(
        "{shown} bounds everybody on this machine, and {what}{trouble}; it does not start rather than \
         trust it: keep it where root alone writes, as root: chown root '{at_shown}' && chmod go-w \
         '{at_shown}', or remove it"
    )))
}

#[cfg(not(unix))]
pub(super) fn check(path: &Path) -> Result<(), ConfigError> {
    let shown = path.display();
    Err(ConfigError(format!("{shown}: who may write it cannot be found out on this system")))
}

#[cfg(unix)]
fn trouble(owner: u32, mode: u32) -> Option<&'static str> {
    const ROOT: u32 = 0;
    const GROUP_OR_OTHERS_WRITE: u32 = 0o022;
    if owner != ROOT {
        Some("does not belong to root")
    } else if mode & GROUP_OR_OTHERS_WRITE != 0 {
        Some("can be written by others than root")
    } else {
        None
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    #[test]
    fn only_root_may_have_written_it() {
        for (owner, mode, trusted) in [
            (0, 0o100_644, true),
            (0, 0o040_755, true),
            (0, 0o100_600, true),
            (0, 0o100_664, false),
            (0, 0o100_646, false),
            (0, 0o041_777, false),
            (1000, 0o100_644, false),
            (1000, 0o100_600, false),
        ] {
            assert_eq!(trouble(owner, mode).is_none(), trusted, "{owner} {mode:o}");
        }
    }

    /// As whoever runs the tests: root is trusted until others may write, anybody else never.
    #[test]
    fn the_file_and_its_folder_are_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, "").unwrap();
        let set = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set(&path, 0o644);
        set(folder.path(), 0o755);
        let is_root = std::fs::metadata(&path).unwrap().uid() == 0;
        assert_eq!(check(&path).is_ok(), is_root);
        for (of_file, of_folder) in [(0o666, 0o755), (0o644, 0o777), (0o644, 0o1777)] {
            set(&path, of_file);
            set(folder.path(), of_folder);
            let error = check(&path).unwrap_err().to_string();
            assert!(error.contains("root"), "{error}");
        }
    }

    /// A link is as good as every place on the way to what it leads to.
    #[test]
    fn where_a_link_leads_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let set = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set(folder.path(), 0o755);
        for name in ["root", "open", "open/inner"] {
            std::fs::create_dir(at(name)).unwrap();
            set(&at(name), 0o755);
        }
        for name in ["root/real.toml", "open/real.toml", "open/inner/real.toml"] {
            std::fs::write(at(name), "").unwrap();
            set(&at(name), 0o644);
        }
        set(&at("open"), 0o777);
        let link = |target: &str, name: &str| {
            std::os::unix::fs::symlink(target, at(name)).unwrap();
        };
        link("root/real.toml", "good");
        link("open/real.toml", "file_in_open");
        link("open/inner/real.toml", "folder_in_open");
        link("../root/real.toml", "open/hop");
        link("open/hop", "hops_through_open");
        link("open", "folder_link");
        link("nowhere", "dangling");
        link("itself", "itself");
        if std::fs::metadata(folder.path()).unwrap().uid() == 0 {
            check(&at("good")).unwrap();
            std::os::unix::fs::chown(at("root/real.toml"), Some(1000), None).unwrap();
            check(&at("good")).unwrap_err();
        }
        let bad = ["file_in_open", "folder_in_open", "hops_through_open", "folder_link/real.toml"];
        for name in bad.into_iter().chain(["dangling", "itself"]) {
            let error = check(&at(name)).unwrap_err().to_string();
            assert!(error.contains(folder.path().to_str().unwrap()), "{name}: {error}");
        }
    }
}
