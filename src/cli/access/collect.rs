//! Reading all access there is: page by page, as fast as the vendors let it, kept on the way.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::at;
use super::report::{FORMAT, Report};
use crate::desk::{AccessRow, Desk, Unread};
use crate::owner_only;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// How long a vendor that has to be waited for is left alone.
const PAUSE: Duration = Duration::from_secs(5);
/// How often in a row nothing may come before it is given up.
const MOST_PAUSES: usize = 60;
/// What was read longer ago is read anew.
const OLDEST: SignedDuration = SignedDuration::from_hours(24);

/// What was read so far, in a file of lines beside the review: a review of thousands takes a while.
pub(super) struct Partial {
    path: PathBuf,
}

/// The first line of that file: whose review it is.
#[derive(PartialEq, Serialize, Deserialize)]
struct Begun {
    format: String,
    begun: String,
    /// What was asked, where it is, by whom and under which rules.
    of: Vec<String>,
}

/// Each other line: a page, and where the next begins.
#[derive(Serialize, Deserialize)]
struct Kept {
    rows: Vec<AccessRow>,
    unread: Vec<Unread>,
    next_cursor: Option<String>,
}

impl Partial {
    pub fn beside(file: &Path) -> Self {
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        Self { path: file.with_file_name(name) }
    }

    pub fn remove(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done.map_err(|error| at(&self.path, &error)),
        }
    }

    /// What an earlier run read of the same vendors, and where it stopped. A line that is not whole was
    /// not written to its end: it counts for nothing, and is cut off.
    fn resume(&self, asked: &[String], of: &[String]) -> Option<(Report, String)> {
        let bytes = owner_only::read(&self.path).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let mut lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let first = lines.next()?;
        let begun: Begun = serde_json::from_str(first).ok()?;
        let age = Timestamp::now().duration_since(begun.begun.parse().ok()?);
        if begun.format != FORMAT || begun.of != of || age > OLDEST {
            return None;
        }
        let mut report = Report { begun: begun.begun, ..blank(asked) };
        let (mut next, mut length) = (None, first.len());
        for line in lines {
            let Ok(kept) = serde_json::from_str::<Kept>(line) else { break };
            length += line.len();
            report.rows.extend(kept.rows);
            report.add_unread(kept.unread);
            next = kept.next_cursor;
        }
        let next = next?;
        owner_only::append(&self.path).and_then(|file| file.set_len(length as u64)).ok()?;
        Some((report, next))
    }

    fn begin(&self, report: &Report, of: &[String]) -> io::Result<()> {
        self.remove()?;
        let (format, begun) = (report.format.clone(), report.begun.clone());
        self.add(&Begun { format, begun, of: of.to_owned() })
    }

    fn add(&self, line: &impl Serialize) -> io::Result<()> {
        let mut written = serde_json::to_vec(line)?;
        written.push(b'\n');
        let added = owner_only::append(&self.path).and_then(|mut file| file.write_all(&written));
        added.map_err(|error| at(&self.path, &error))
    }
}

/// The second that a moment is in. It is never after the moment: what was done between the two would else
/// count as done before the reading began.
fn second_of(moment: Timestamp) -> String {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment).to_string()
}

fn blank(asked: &[String]) -> Report {
    let (format, asked) = (FORMAT.to_owned(), asked.to_owned());
    Report { format, asked, begun: second_of(Timestamp::now()), ..Report::default() }
}

/// All access there is. Where a file keeps what was read, it goes on with what an earlier run left.
pub(super) async fn collect(desk: &Desk, partial: Option<&Partial>) -> Result<Report, Error> {
    let config = desk.config();
    let asked: Vec<_> = config.tenants.iter().map(|one| one.id.word().to_owned()).collect();
    let of = desk.review_of(desk.requester()).await;
    let (mut report, mut cursor) = match partial.and_then(|partial| partial.resume(&asked, &of)) {
        Some((report, next)) => (report, Some(next)),
        None => {
            let report = blank(&asked);
            partial.map(|partial| partial.begin(&report, &of)).transpose()?;
            (report, None)
        }
    };
    let progress = bar();
    let mut pauses = 0;
    loop {
        progress.set_message(format!("{} rows", report.rows.len()));
        let page = desk.review(desk.requester(), cursor.as_deref()).await?;
        let has_moved = !page.rows.is_empty() || page.next_cursor != cursor;
        pauses = if has_moved { 0 } else { pauses + 1 };
        let kept = Kept { rows: page.rows, unread: page.unread, next_cursor: page.next_cursor };
        if let Some(partial) = partial {
            partial.add(&kept)?;
        }
        report.rows.extend(kept.rows);
        report.add_unread(kept.unread);
        cursor = kept.next_cursor;
        if cursor.is_none() {
            break;
        }
        if let Some(why) = page.waits {
            if pauses >= MOST_PAUSES {
                let on = match partial {
                    Some(_) => "the same command goes on where this one stopped",
                    None => "with -o a review goes on where it stopped",
                };
                return Err(format!("{why}; {on}").into());
            }
            progress.set_message(format!("{} rows; waiting: {why}", report.rows.len()));
            tokio::time::sleep(PAUSE).await;
        }
    }
    progress.finish_and_clear();
    report.ended = second_of(Timestamp::now());
    report.sandbox = config.sandbox;
    Ok(report)
}

/// A sign of life at a terminal; elsewhere there is none.
fn bar() -> ProgressBar {
    let progress = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} reading access: {msg} ({elapsed})") {
        progress.set_style(style);
    }
    progress.enable_steady_tick(Duration::from_millis(120));
    progress
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Access, Named};

    fn row(id: &str) -> AccessRow {
        let named = |id: &str| Named::new(id, None, "user");
        let access = Access::of(named(id), named("r"), named("a"), "asset");
        let vendor = "dfns".to_owned();
        AccessRow { vendor, tenant: None, access, granted_here: false, receipt: None }
    }

    /// Half a line is none, and another configuration's review is not gone on with.
    #[test]
    fn what_was_read_is_gone_on_with() {
        let dir = tempfile::tempdir().unwrap();
        let partial = Partial::beside(&dir.path().join("review.csv"));
        assert!(partial.path.ends_with("review.csv.partial"));
        let asked = ["dfns".to_owned()];
        assert!(partial.resume(&asked, &asked).is_none());
        let report = blank(&asked);
        partial.begin(&report, &asked).unwrap();
        for (id, next) in [("u-1", "c-1"), ("u-2", "c-2")] {
            let next_cursor = Some(next.to_owned());
            partial.add(&Kept { rows: vec![row(id)], unread: Vec::new(), next_cursor }).unwrap();
        }
        let half = r#"{"rows":[],"unread":[],"next"#;
        let whole = std::fs::read_to_string(&partial.path).unwrap();
        std::fs::write(&partial.path, format!("{whole}{half}")).unwrap();
        let (read, next) = partial.resume(&asked, &asked).unwrap();
        assert_eq!((read.rows, next.as_str()), (vec![row("u-1"), row("u-2")], "c-2"));
        assert_eq!(
            std::fs::read_to_string(&partial.path).unwrap(),
            whole,
            "half a line is cut off"
        );
        assert_eq!(read.begun, report.begun);
        assert!(partial.resume(&asked, &["redox".to_owned()]).is_none());
        partial.remove().unwrap();
        partial.remove().unwrap();
        assert!(!partial.path.exists());
    }

    #[test]
    fn a_second_begins_no_later_than_what_is_in_it() {
        for (moment, second) in [
            ("2026-11-28T06:30:00Z", "2026-11-28T06:30:00Z"),
            ("2026-11-28T06:30:00.499Z", "2026-11-28T06:30:00Z"),
            ("2026-11-28T06:30:00.999999Z", "2026-11-28T06:30:00Z"),
        ] {
            assert_eq!(second_of(moment.parse().unwrap()), second);
        }
    }
}
