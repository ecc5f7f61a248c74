//! The ledger's files: one that grows, and those that were full.
//!
//! `ledger.jsonl` is added to. When it has grown to [`FULL`] it gets the name of its first line's
//! number, and a new one goes on with the chain.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::chain::{Link, Place};

pub(super) const CURRENT: &str = "ledger.jsonl";
/// Bytes after which a new file is begun.
pub(super) const FULL: u64 = 64 * 1024 * 1024;

/// One file of the ledger, known by the number of its first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub first: u64,
    pub path: PathBuf,
}

/// The end of a file.
pub(super) struct Tail {
    /// Of the last line that is one of a ledger.
    pub link: Option<Link>,
    /// Whether the last line has no end: its writer died while writing it.
    pub torn: bool,
}

/// Every file of the ledger in `dir`, in the order they were written.
pub(super) fn segments(dir: &Path) -> io::Result<Vec<Segment>> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut segments = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = name.strip_prefix("ledger-").and_then(|name| name.strip_suffix(".jsonl"));
        if let Some(first) = number.and_then(|number| number.parse().ok()) {
            segments.push(Segment { first, path });
        }
    }
    segments.sort_by_key(|segment| segment.first);
    let path = dir.join(CURRENT);
    if let Some(first) = first_number(&path)? {
        segments.push(Segment { first, path });
    }
    Ok(segments)
}

/// The name of a file that is full.
pub(super) fn full_name(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("ledger-{first:012}.jsonl"))
}

/// The number of a file's first line that has one.
pub(super) fn first_number(path: &Path) -> io::Result<Option<u64>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut first = None;
    each_line(BufReader::new(file), |_, line| {
        first = Place::of(line).map(|place| place.seq);
        Ok(first.is_none())
    })?;
    Ok(first)
}

/// Gives each whole line with the place of its first byte, while `take` wants more; how far it
/// came. What is no UTF-8 is given as far as it can be read.
pub(super) fn each_line(
    mut reader: impl BufRead,
    mut take: impl FnMut(u64, &str) -> io::Result<bool>,
) -> io::Result<u64> {
    let (mut at, mut bytes) = (0, Vec::new());
    loop {
        bytes.clear();
        let read = reader.read_until(b'\n', &mut bytes)?;
        let Some(line) = bytes.strip_suffix(b"\n") else { return Ok(at) };
        let more = take(at, &String::from_utf8_lossy(line))?;
        at += read as u64;
        if !more {
            return Ok(at);
        }
    }
}

/// How a file ends.
pub(super) fn tail(file: &mut File) -> io::Result<Tail> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut window = 16 * 1024;
    loop {
        let from = length.saturating_sub(window);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        Read::by_ref(file).take(length - from).read_to_end(&mut bytes)?;
        let torn = !bytes.is_empty() && !bytes.ends_with(b"\n");
        // What comes before the first end may be half a line.
        let whole: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        let skipped = usize::from(from > 0);
        let lines = whole.iter().take(whole.len() - 1).skip(skipped).rev();
        let link = lines.filter_map(|line| Link::of(&String::from_utf8_lossy(line))).next();
        if link.is_some() || from == 0 {
            return Ok(Tail { link, torn });
        }
        window *= 4;
    }
}

/// The bytes of one line.
pub(super) fn read_at(file: &mut File, at: u64, length: u64) -> io::Result<String> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    String::from_utf8(bytes).map_err(io::Error::other)
}
