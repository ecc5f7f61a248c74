//! Files that are read, which a pipe or a device must not stand in the place of: opening one waits for
//! somebody to write, and reading it may never end.
//!
//! What a shell hands in as `<(…)` is a pipe as well, below `/dev/fd`: it is read, but not for ever.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long whoever writes into a pipe may keep its reader waiting.
const LONGEST: Duration = Duration::from_secs(10);
/// How much is read of a pipe: what is handed in through one is small.
const MOST: usize = 1024 * 1024;
/// How often it is looked at meanwhile.
const PAUSE: Duration = Duration::from_millis(5);

/// The content of a file.
///
/// # Errors
/// It is neither a regular file nor a pipe that is handed in, or it cannot be read.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    rest(&mut open(path)?)
}

/// What is left to be read of a file that was opened here.
///
/// # Errors
/// It cannot be read, or it is a pipe that nobody closes.
#[expect(clippy::disallowed_methods, reason = "a pipe is read before anything is served, or apart")]
pub(crate) fn rest(file: &mut File) -> io::Result<Vec<u8>> {
    let (mut bytes, started) = (Vec::new(), Instant::now());
    if file.metadata()?.is_file() {
        file.read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    let mut chunk = [0; 4096];
    while bytes.len() <= MOST && started.elapsed() <= LONGEST {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(bytes),
            Ok(count) => bytes.extend(chunk.iter().take(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(PAUSE),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let told = format!("it is a pipe that does not end within {LONGEST:?} and {MOST} bytes");
    Err(io::Error::new(io::ErrorKind::TimedOut, told))
}

/// A file to be read.
///
/// # Errors
/// It is neither a regular file nor a pipe that is handed in, or it cannot be opened.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    open_with(OpenOptions::new().read(true), path)
}

/// A file to be used as `options` say. Nothing waits for the other end of a pipe.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_with(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let fits = |kind: FileType| match odd(kind) {
        Some(what) if !(is_pipe(kind) && is_handed(path)) => Err(no_file(what)),
        _ => Ok(()),
    };
    // Opening some devices does something already.
    if let Ok(found) = std::fs::metadata(path) {
        fits(found.file_type())?;
    }
    #[cfg(unix)]
    {
        let flags = rustix::fs::OFlags::NONBLOCK.bits();
        std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags.cast_signed());
    }
    let file = options.open(path)?;
    fits(file.metadata()?.file_type())?;
    Ok(file)
}

fn no_file(what: &str) -> io::Error {
    let told = format!("it is {what}, not a regular file: name one, or put one in its place");
    io::Error::new(io::ErrorKind::InvalidInput, told)
}

/// Whether a path names what this process was started with, as a shell does for `<(…)`.
fn is_handed(path: &Path) -> bool {
    ["/dev/fd", "/dev/stdin", "/proc"].iter().any(|folder| path.starts_with(folder))
}

/// What it is that is no regular file.
fn odd(kind: FileType) -> Option<&'static str> {
    if kind.is_file() {
        return None;
    }
    Some(if kind.is_dir() {
        "a directory"
    } else if is_pipe(kind) {
        "a pipe"
    } else {
        other(kind)
    })
}

#[cfg(unix)]
fn is_pipe(kind: FileType) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&kind)
}

#[cfg(not(unix))]
fn is_pipe(_: FileType) -> bool {
    false
}

#[cfg(unix)]
fn other(kind: FileType) -> &'static str {
    if std::os::unix::fs::FileTypeExt::is_socket(&kind) { "a socket" } else { "a device" }
}

#[cfg(not(unix))]
fn other(_: FileType) -> &'static str {
    "a device"
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn what_is_no_file_is_named_and_waited_for_by_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let made = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
        assert!(made.success());
        std::fs::create_dir(at("folder")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        std::fs::write(at("file"), "text").unwrap();
        for name in ["pipe", "folder", "socket", "file"] {
            std::os::unix::fs::symlink(at(name), at(&format!("link-{name}"))).unwrap();
            for path in [at(name), at(&format!("link-{name}"))] {
                let read = read(&path).map_err(|error| error.to_string());
                let what = match name {
                    "file" => {
                        assert_eq!(read.unwrap(), b"text");
                        continue;
                    }
                    "folder" => "a directory",
                    name => &format!("a {name}"),
                };
                let told = read.unwrap_err();
                assert!(told.starts_with(&format!("it is {what}, not a regular file")), "{told}");
                let adding = open_with(OpenOptions::new().append(true).read(true), &path);
                assert!(adding.unwrap_err().to_string().contains(what));
            }
        }
        let told = read(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(told.contains("a device"), "{told}");
        let missing = read(&at("missing")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_pipe_that_a_shell_hands_in_is_read_to_its_end() {
        let (reader, mut writer) = io::pipe().unwrap();
        let path = format!("/dev/fd/{}", reader.as_raw_fd());
        let writing = std::thread::spawn(move || {
            writer.write_all(b"sec").unwrap();
            writer.write_all(b"ret").unwrap();
        });
        assert_eq!(read(Path::new(&path)).unwrap(), b"secret");
        writing.join().unwrap();
        // One that never ends is given up.
        let (reader, mut writer) = io::pipe().unwrap();
        let path = format!("/dev/fd/{}", reader.as_raw_fd());
        let writing = std::thread::spawn(move || while writer.write_all(&[0; 4096]).is_ok() {});
        let told = read(Path::new(&path)).unwrap_err().to_string();
        assert!(told.contains("does not end"), "{told}");
        drop(reader);
        writing.join().unwrap();
    }
}
