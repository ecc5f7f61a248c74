//! The ledger's files: one that grows, and those that were full.
//!
//! `lines.jsonl` is added to. When it has grown to [`FULL`] it gets the name of its first line's
//! number, and a new one goes on with the chain. The first release added to `ledger.jsonl`: its
//! lines are read where they are, and a directory in its place keeps such a program from adding to a
//! ledger whose newer lines it would not see.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use crate::control::ledger::chain::LinePosition;

pub(super) const CURRENT: &str = "lines.jsonl";
const FORMER: &str = "ledger.jsonl";
/// What the name of a full file begins with, today's and the first release's.
const FULL_NAMES: [&str; 2] = ["lines-", "ledger-"];
const END: &str = ".jsonl";
/// At least so many stand in the name of a full file.
const DIGITS: usize = 12;
/// Bytes after which a new file is begun.
pub(super) const FULL: u64 = 64 * 1024 * 1024;
/// How much is read at a time from the end of a file.
const WINDOW: u64 = 16 * 1024;

/// One file of the ledger, known by the number of its first line.
#[derive(Debug)]
pub(super) struct Segment {
    pub first: u64,
    pub path: PathBuf,
    /// The file that was added to when it was looked for, whatever it is called by now.
    current: Option<File>,
}

impl Segment {
    pub(super) fn open(&self) -> io::Result<File> {
        let mut file = match &self.current {
            Some(file) => file.try_clone()?,
            None => crate::owner_only::look(&self.path)?,
        };
        file.rewind()?;
        Ok(file)
    }

    pub(super) fn length(&self) -> io::Result<u64> {
        Ok(self.open()?.metadata()?.len())
    }
}

/// Every file of the ledger in `dir`, in the order they were written. A copy that somebody put beside
/// them is none of them, whatever it is called.
pub(super) fn segments(dir: &Path) -> io::Result<Vec<Segment>> {
    // Those that grow first: should one get its other name meanwhile, it is found twice and never
    // missed.
    let mut segments = Vec::new();
    for name in [CURRENT, FORMER] {
        segments.extend(growing(dir, name)?);
    }
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let number = path.file_name().and_then(|name| name.to_str()).and_then(full_number);
        let is_new = |first: &u64| segments.iter().all(|known| known.first != *first);
        if let Some(first) = number.filter(is_new)
            && is_full(&path, first)?
        {
            segments.push(Segment { first, path, current: None });
        }
    }
    segments.sort_by_key(|segment| segment.first);
    Ok(segments)
}

/// The number in the name of a file that is full, as [`full_name`] writes it: a date in such a place
/// has another length.
fn full_number(name: &str) -> Option<u64> {
    let number = FULL_NAMES.iter().find_map(|start| name.strip_prefix(start))?;
    let number = number.strip_suffix(END)?;
    let is_written = number.len() == DIGITS || number.len() > DIGITS && !number.starts_with('0');
    let is_number = is_written && number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|_| is_number)
}

/// Whether a file begins where its name says, or later, its first lines being damaged. One that begins
/// earlier is a copy of another, with a date and a time in its name.
fn is_full(path: &Path, first: u64) -> io::Result<bool> {
    if path.is_dir() {
        return Ok(false);
    }
    // It was there a moment ago: whoever reads it is told.
    let Ok(mut file) = crate::owner_only::look(path) else { return Ok(true) };
    Ok(first_number(&mut file)?.is_none_or(|found| found >= first))
}

/// A file that is added to, where it has a line.
fn growing(dir: &Path, name: &str) -> io::Result<Option<Segment>> {
    let path = dir.join(name);
    let mut file = match crate::owner_only::look(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // Another process may close it at any moment.
        Err(_) if name == FORMER && path.is_dir() => return Ok(None),
        file => file?,
    };
    let first = first_number(&mut file)?;
    Ok(first.map(|first| Segment { first, path, current: Some(file) }))
}

/// The name of a file that is full.
pub(super) fn full_name(dir: &Path, first: u64) -> PathBuf {
    let [start, _] = FULL_NAMES;
    dir.join(format!("{start}{first:0DIGITS$}{END}"))
}

/// Keeps a program of the first release from adding lines: its file gets the name of a full one,
/// and a directory takes its place.
pub(super) fn close_former(dir: &Path) -> io::Result<()> {
    let former = dir.join(FORMER);
    if former.is_dir() {
        return Ok(());
    }
    if let Ok(mut file) = crate::owner_only::look(&former) {
        let first = first_number(&mut file)?.unwrap_or_default();
        let [_, start] = FULL_NAMES;
        std::fs::rename(&former, dir.join(format!("{start}{first:0DIGITS$}{END}")))?;
    }
    crate::owner_only::directory(&former)
}

/// What shows that there was a ledger here, though it has no file now: the names of what was left.
pub(super) fn traces(dir: &Path, others: &[&str]) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if is_renamed(&name) || others.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The names of files that look like the ledger's and are none of them: copies, exports, other
/// programs' rotations.
pub(super) fn passed_over(dir: &Path, segments: &[Segment]) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_own = name == CURRENT || segments.iter().any(|segment| segment.path == path);
        if name.contains(END) && !is_own && !path.is_dir() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Whether a file has lines that were added to once, under a name that a rotation of logs gave it.
pub(super) fn is_renamed(name: &str) -> bool {
    [CURRENT, FORMER].iter().any(|file| name.strip_prefix(file).is_some_and(|end| !end.is_empty()))
}

/// The number of a file's first line that has one.
pub(super) fn first_number(file: &mut File) -> io::Result<Option<u64>> {
    let mut first = None;
    each_line(BufReader::new(file), |_, line| {
        first = LinePosition::of(line).map(|place| place.seq);
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

/// Whether the last line has no end: its writer died while writing it.
pub(super) fn is_torn(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// How much of a file is whole lines.
pub(super) fn whole_length(file: &mut File, length: u64) -> io::Result<u64> {
    let mut end = length;
    while end > 0 {
        let from = end.saturating_sub(WINDOW);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        Read::by_ref(file).take(end - from).read_to_end(&mut bytes)?;
        if let Some(last) = bytes.iter().rposition(|byte| *byte == b'\n') {
            return Ok(from + last as u64 + 1);
        }
        end = from;
    }
    Ok(0)
}

/// Gives each whole line from the last one back, while `take` wants more.
pub(super) fn each_line_back(
    file: &mut File,
    mut take: impl FnMut(&str) -> bool,
) -> io::Result<()> {
    let mut end = file.seek(SeekFrom::End(0))?;
    // What was read of a line whose beginning is not, the last part first.
    let (mut rest, mut is_ended) = (Vec::<Vec<u8>>::new(), false);
    while end > 0 {
        let from = end.saturating_sub(WINDOW);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        Read::by_ref(file).take(end - from).read_to_end(&mut bytes)?;
        if from > 0 && !bytes.contains(&b'\n') {
            rest.push(bytes);
            end = from;
            continue;
        }
        rest.drain(..).rev().for_each(|part| bytes.extend(part));
        let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        if !is_ended && lines.len() > 1 {
            // What comes after the last end is no whole line.
            lines.pop();
            is_ended = true;
        }
        let skipped = usize::from(from > 0);
        for line in lines.iter().skip(skipped).rev().filter(|_| is_ended) {
            if !take(&String::from_utf8_lossy(line)) {
                return Ok(());
            }
        }
        rest.extend(lines.first().map(|line| line.to_vec()));
        end = from;
    }
    Ok(())
}

/// The bytes of one line, as far as they can be read.
pub(super) fn read_at(file: &mut File, at: u64, length: u64) -> io::Result<String> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The line that begins at a byte, without its end, and without what comes after it before `end`.
pub(super) fn line_at(file: &mut File, at: u64, end: u64) -> io::Result<String> {
    let text = read_at(file, at, end.saturating_sub(at))?;
    Ok(text.split('\n').next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_given_from_the_last_one_back() {
        let long = "x".repeat(50_000);
        let cases: [(&str, Vec<&str>); 7] = [
            ("", vec![]),
            ("torn", vec![]),
            ("a\n", vec!["a"]),
            ("a\nb\ntorn", vec!["b", "a"]),
            ("a\n\nb\n", vec!["b", "", "a"]),
            (&format!("a\n{long}\nb\n"), vec!["b", &long, "a"]),
            (&format!("{long}\n{long}"), vec![&long]),
        ];
        for (text, expected) in cases {
            let mut file = tempfile::tempfile().unwrap();
            io::Write::write_all(&mut file, text.as_bytes()).unwrap();
            let mut lines = Vec::new();
            each_line_back(&mut file, |line| {
                lines.push(line.to_owned());
                true
            })
            .unwrap();
            assert!(lines == expected, "{} lines of {} bytes", lines.len(), text.len());
            assert_eq!(is_torn(&mut file).unwrap(), !text.is_empty() && !text.ends_with('\n'));
            let whole = text.rfind('\n').map_or(0, |at| at as u64 + 1);
            assert_eq!(whole_length(&mut file, text.len() as u64).unwrap(), whole);
        }
    }
}
