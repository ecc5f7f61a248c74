//! The head kept beside the lines: the last line that had to be on disk.
//!
//! Lines alone cannot show that the last of them were cut off. The head names one by its number and
//! its hash, under a seal; it is written anew with each line that is flushed.

use std::io::{self, Write as _};
use std::path::Path;

use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::control::ledger::chain::{Kept, Keys, Link};
use crate::text::hex;

pub(super) const NAME: &str = "ledger.head";
const PURPOSE: &str = "ledger head";
/// Longer than any head: each is written over the one before it, in one piece.
const LENGTH: usize = 256;

pub(super) fn read(dir: &Path, keys: &Keys) -> io::Result<Kept> {
    match crate::owner_only::read(&dir.join(NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Kept::Missing),
        Ok(bytes) => Ok(parse(&bytes, keys).map_or(Kept::Wrong, Kept::At)),
        Err(error) => Err(error),
    }
}

fn parse(bytes: &[u8], keys: &Keys) -> Option<Link> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut words = text.split_whitespace();
    let (seq, hash, seal) = (words.next()?.parse().ok()?, words.next()?, words.next()?);
    let link = Link { seq, hash: hash.to_owned() };
    let made = keys.seals(PURPOSE, said(&link).as_bytes());
    let same =
        |made: &[u8; 32]| verify_slices_are_equal(hex(made).as_bytes(), seal.as_bytes()).is_ok();
    made.iter().any(same).then_some(link)
}

pub(super) fn write(dir: &Path, keys: &Keys, link: &Link) -> io::Result<()> {
    let seal = hex(&keys.seal(PURPOSE, said(link).as_bytes())?);
    let mut text = format!("{} {seal}", said(link));
    while text.len() + 1 < LENGTH {
        text.push(' ');
    }
    text.push('\n');
    let path = dir.join(NAME);
    let is_new = !path.exists();
    let mut file = crate::owner_only::open(&path)?;
    file.write_all(text.as_bytes())?;
    if is_new {
        file.sync_all()?;
    }
    Ok(())
}

fn said(link: &Link) -> String {
    format!("{} {}", link.seq, link.hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_believed_under_its_own_seal_alone() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::parse("0123456789abcdef0123456789abcdef").unwrap();
        let other = Keys::parse("fedcba9876543210fedcba9876543210").unwrap();
        assert_eq!(read(dir.path(), &keys).unwrap(), Kept::Missing);
        let link = Link { seq: 1_000_000, hash: "a".repeat(64) };
        write(dir.path(), &keys, &link).unwrap();
        let later = Link { seq: 7, hash: "b".repeat(64) };
        write(dir.path(), &keys, &later).unwrap();
        assert_eq!(read(dir.path(), &keys).unwrap(), Kept::At(later.clone()));
        assert_eq!(read(dir.path(), &other).unwrap(), Kept::Wrong);
        let path = dir.path().join(NAME);
        let changed = std::fs::read_to_string(&path).unwrap().replacen('7', "6", 1);
        for text in ["", "7", &changed] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read(dir.path(), &keys).unwrap(), Kept::Wrong, "{text:?}");
        }
    }
}
