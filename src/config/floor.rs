//! What bounds everybody must be written by the administrator alone.

use std::path::Path;

use super::ConfigError;

/// Whether nobody but root can have written this file or put another in its place.
///
/// # Errors
/// Somebody else can, or it cannot be found out: then there is no telling what was set.
pub(super) fn check(path: &Path) -> Result<(), ConfigError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    [Some(path), folder].into_iter().flatten().try_for_each(check_one)
}

#[cfg(unix)]
fn check_one(path: &Path) -> Result<(), ConfigError> {
    use std::os::unix::fs::MetadataExt as _;
    let shown = path.display();
    let found =
        std::fs::metadata(path).map_err(|error| ConfigError(format!("{shown}: {error}")))?;
    match trouble(found.uid(), found.mode()) {
        None => Ok(()),
        Some(trouble) => Err(ConfigError(format!(
            "{shown} bounds everybody on this machine and {trouble}; it does not start rather than \
             trust it: run, as root: chown root '{shown}' && chmod go-w '{shown}', or remove it"
        ))),
    }
}

#[cfg(not(unix))]
fn check_one(path: &Path) -> Result<(), ConfigError> {
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
        for (of_file, of_folder) in [(0o666, 0o755), (0o644, 0o777)] {
            set(&path, of_file);
            set(folder.path(), of_folder);
            let error = check(&path).unwrap_err().to_string();
            assert!(error.contains("root"), "{error}");
        }
    }
}
