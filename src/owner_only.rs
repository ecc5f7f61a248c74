//! Files that only their owner may read.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::input;

/// Makes a directory and those above it, 0700 where they are new.
pub(crate) fn directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Says of which path an error is, and what to do about it.
pub(crate) fn describe(path: &Path, error: &io::Error) -> io::Error {
    let path = path.display();
    let told = format!("{path}: {error}; make it writable, or set --state-dir");
    io::Error::new(error.kind(), told)
}

/// For reading and writing, as it is, or empty if there is none.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    opened(options().write(true).read(true), path)
}

/// For adding lines at the end, and for looking at what is there.
pub(crate) fn append(path: &Path) -> io::Result<File> {
    opened(options().read(true).append(true), path)
}

/// For reading alone.
pub(crate) fn look(path: &Path) -> io::Result<File> {
    opened(OpenOptions::new().read(true), path)
}

/// All of it.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    input::rest(&mut look(path)?)
}

/// Of the many files of a state directory, one that is no file is named.
fn opened(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    input::open_with(options, path).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => {
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        }
        _ => error,
    })
}

/// A file that was not there before, with this content.
pub(crate) fn create_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = options().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// What accounts other than the owner's may get at in a state directory, with the command that
/// mends each.
#[cfg(unix)]
pub(crate) fn warnings(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<_> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    let open = |path: &Path| crate::secret::readable_by_others(path);
    let folder = open(dir)
        .then(|| format!("{} is open to others; run: {}", dir.display(), mend("700", dir)));
    let files = files.iter().filter(|path| open(path)).take(MOST_WARNINGS);
    let file = |path: &PathBuf| {
        format!("{} can be read or changed by others; run: {}", path.display(), mend("600", path))
    };
    folder.into_iter().chain(files.map(file)).collect()
}

#[cfg(not(unix))]
pub(crate) fn warnings(_: &Path) -> Vec<String> {
    Vec::new()
}

/// More of them have one cause, which the first ones show.
#[cfg(unix)]
const MOST_WARNINGS: usize = 8;

/// The command that gives a file these permissions, as a shell reads it.
pub(crate) fn mend(mode: &str, path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%,:".contains(c);
    if !path.is_empty() && !path.starts_with('-') && path.chars().all(plain) {
        return format!("chmod {mode} {path}");
    }
    format!("chmod {mode} -- '{}'", path.replace('\'', r"'\''"))
}

/// Whether accounts other than the owner's may write the file.
#[cfg(unix)]
pub(crate) fn writable_by_others(file: &File) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().map_or(true, |meta| meta.permissions().mode() & 0o022 != 0)
}

#[cfg(not(unix))]
pub(crate) fn writable_by_others(_: &File) -> bool {
    false
}

/// Puts a file in another's place at once: whoever reads finds the one or the other whole, also after the power
/// was cut.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let mut file = opened(options().write(true).truncate(true), &beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    match path.parent() {
        #[cfg(unix)]
        Some(folder) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

/// Replaces the content.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    opened(options().write(true).truncate(true), path)?.write_all(bytes)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_a_command_is_one_word() {
        for (path, command) in [
            ("/a/b.pem", "chmod 600 /a/b.pem"),
            ("/a b/it's", r"chmod 600 -- '/a b/it'\''s'"),
            ("$(x)", "chmod 600 -- '$(x)'"),
            ("-R", "chmod 600 -- '-R'"),
        ] {
            assert_eq!(mend("600", Path::new(path)), command);
        }
    }
}
