//! Files that only their owner may read.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Makes a directory and those above it, 0700 where they are new.
pub(crate) fn directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Says of which path an error is, and what to do about it.
pub(crate) fn told(path: &Path, error: &io::Error) -> io::Error {
    let path = path.display();
    let told = format!("{path}: {error}; make it writable, or set --state-dir");
    io::Error::new(error.kind(), told)
}

/// For reading and writing, as it is, or empty if there is none.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    options().write(true).read(true).open(path)
}

/// For adding lines at the end, and for looking at what is there.
pub(crate) fn append(path: &Path) -> io::Result<File> {
    options().read(true).append(true).open(path)
}

/// A file that was not there before, with this content.
pub(crate) fn create_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = options().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
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

/// Replaces the content.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    options().write(true).truncate(true).open(path)?.write_all(bytes)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
