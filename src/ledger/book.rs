//! The file itself: lines are added under a lock, and read whole.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Record, Request, State};

pub(super) struct Book {
    dir: PathBuf,
    path: PathBuf,
    requester: String,
    process: String,
}

impl Book {
    pub(super) fn new(dir: &Path, requester: String) -> Self {
        let (dir, path) = (dir.to_owned(), dir.join("ledger.jsonl"));
        Self { dir, path, requester, process: crate::random::id() }
    }

    pub(super) fn requester(&self) -> &str {
        &self.requester
    }

    pub(super) fn process(&self) -> &str {
        &self.process
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn line(&self, event: &str, receipt: &str, content: Value) -> String {
        let mut line = json!({
            "event": event,
            "receipt": receipt,
            "time": Timestamp::now().to_string(),
            "requester": self.requester,
            "process": self.process,
        });
        crate::json::extend(&mut line, content);
        format!("{line}\n")
    }

    pub(super) fn append(&self, line: &str, flush: bool) -> io::Result<()> {
        crate::private::directory(&self.dir)?;
        let mut file = crate::private::append(&self.path)?;
        // One lock a line keeps the lines of several processes whole.
        file.lock()?;
        if is_torn(&file)? {
            file.write_all(b"\n")?;
        }
        file.write_all(line.as_bytes())?;
        if flush { file.sync_data() } else { Ok(()) }
    }

    pub(super) fn records(&self) -> io::Result<Vec<Record>> {
        let receipts = self.receipts()?;
        let mut records: Vec<_> =
            receipts.iter().filter_map(|(_, lines)| Record::of(lines)).collect();
        let taken = |field: fn(&Record) -> &Option<String>, of: &str| {
            let took = |other: &&Record| {
                field(other).as_deref() == Some(of)
                    && other.outcome().is_some_and(|outcome| !outcome.is_error())
            };
            records.iter().rev().find(took).map(|other| other.receipt.clone())
        };
        let taken: Vec<_> = records
            .iter()
            .map(|record| {
                let of = &record.receipt;
                (taken(|record| &record.undoes, of), taken(|record| &record.ends, of))
            })
            .collect();
        for (record, (undone_by, ended_by)) in records.iter_mut().zip(taken) {
            (record.undone_by, record.ended_by) = (undone_by, ended_by);
        }
        Ok(records)
    }

    pub(super) fn request(&self, receipt: &str) -> io::Result<Option<Request>> {
        let receipts = self.receipts()?;
        let lines = receipts.iter().find(|(known, _)| known == receipt);
        Ok(lines.and_then(|(_, lines)| Request::of(lines, Timestamp::now())))
    }

    pub(super) fn requests(&self) -> io::Result<Vec<Request>> {
        let (receipts, now) = (self.receipts()?, Timestamp::now());
        let requests = receipts.iter().filter_map(|(_, lines)| Request::of(lines, now));
        let live = |request: &Request| matches!(request.state, State::Waiting | State::Approved);
        Ok(requests.filter(live).collect())
    }

    pub(super) fn seal(&self, purpose: &str, bytes: &[u8]) -> io::Result<[u8; 32]> {
        use aws_lc_rs::hmac;
        crate::private::directory(&self.dir)?;
        let path = self.dir.join("seal.key");
        let key = match std::fs::read(&path) {
            Ok(key) => key,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = format!("{}{}", crate::random::id(), crate::random::id());
                crate::private::write(&path, key.as_bytes())?;
                key.into_bytes()
            }
            Err(error) => return Err(error),
        };
        let mut seal = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &key));
        seal.update(purpose.as_bytes());
        seal.update(&[0]);
        seal.update(bytes);
        seal.sign().as_ref().try_into().map_err(io::Error::other)
    }

    /// The lines of each receipt, oldest first. A line that cannot be read is passed over.
    fn receipts(&self) -> io::Result<Vec<(String, Vec<Value>)>> {
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file?,
        };
        let mut receipts = Vec::<(String, Vec<Value>)>::new();
        for line in BufReader::new(file).lines() {
            let Ok(line) = serde_json::from_str::<Value>(&line?) else {
                tracing::warn!("a line of the ledger cannot be read");
                continue;
            };
            let Some(receipt) = line.get("receipt").and_then(Value::as_str) else { continue };
            match receipts.iter_mut().find(|(known, _)| known == receipt) {
                Some((_, lines)) => lines.push(line),
                None => receipts.push((receipt.to_owned(), vec![line])),
            }
        }
        Ok(receipts)
    }
}

/// Whether the last line has no end: its writer died while writing it.
fn is_torn(mut file: &File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}
