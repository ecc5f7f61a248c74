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
#[derive(Debug)]
pub(super) struct Segment {
    pub first: u64,
    pub path: PathBuf,
    /// The file that was added to when it was looked for, whatever it is called by now.
    current: Option<File>,
}

/// The end of a file.
pub(super) struct Tail {
    /// Of the last line that is one of a ledger.
    pub link: Option<Link>,
    /// Whether the last line has no end: its writer died while writing it.
    pub torn: bool,
}

impl Segment {
    pub(super) fn open(&self) -> io::Result<File> {
        let mut file = match &self.current {
            Some(file) => file.try_clone()?,
            None => File::open(&self.path)?,
        };
        file.rewind()?;
        Ok(file)
    }

    pub(super) fn length(&self) -> io::Result<u64> {
        Ok(self.open()?.metadata()?.len())
    }
}

/// Every file of the ledger in `dir`, in the order they were written.
pub(super) fn segments(dir: &Path) -> io::Result<Vec<Segment>> {
    // The one that grows first: should it get its other name meanwhile, it is found twice and
    // never missed.
    let current = current(dir)?;
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut segments: Vec<_> = current.into_iter().collect();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = name.strip_prefix("ledger-").and_then(|name| name.strip_suffix(".jsonl"));
        let number = number.and_then(|number| number.parse().ok());
        let is_new = |first: &u64| segments.iter().all(|known| known.first != *first);
        if let Some(first) = number.filter(is_new) {
            segments.push(Segment { first, path, current: None });
        }
    }
    segments.sort_by_key(|segment| segment.first);
    Ok(segments)
}

/// The file that is added to, where it has a line.
fn current(dir: &Path) -> io::Result<Option<Segment>> {
    let path = dir.join(CURRENT);
    let mut file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let first = first_number(&mut file)?;
    Ok(first.map(|first| Segment { first, path, current: Some(file) }))
}

/// The name of a file that is full.
pub(super) fn full_name(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("ledger-{first:012}.jsonl"))
}

/// The number of a file's first line that has one.
pub(super) fn first_number(file: &mut File) -> io::Result<Option<u64>> {
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no ordinary file"));
    }
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
