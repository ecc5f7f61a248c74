//! A ledger that nobody can read any more is put aside, whole, and what it said of ends is kept.

use std::io::{self, BufReader};
use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::segment;

/// What was put aside.
#[derive(Clone, Debug)]
pub struct SetAside {
    /// The folder, inside the state directory.
    pub folder: String,
    /// Changes with an end that its lines do not say was reached. Nothing vouches for these lines.
    pub due: Vec<Value>,
}

/// Moves every file of the ledger into a folder of its own. One of the others stays as well, where
/// the new ledger is to use it.
pub(super) fn put(dir: &Path, others: &[&str], stays: Option<&str>) -> io::Result<SetAside> {
    let due = due(dir)?;
    let folder = format!("set-aside-{}", Timestamp::now().as_second());
    crate::owner_only::directory(&dir.join(&folder))?;
    let mut names = segment::traces(dir, others)?;
    let segments = segment::segments(dir)?;
    let file_name = |path: &Path| Some(path.file_name()?.to_string_lossy().into_owned());
    names.extend(segments.iter().filter_map(|segment| file_name(&segment.path)));
    for name in names {
        let (from, to) = (dir.join(&name), dir.join(&folder).join(&name));
        if from.is_file() {
            if stays == Some(name.as_str()) {
                std::fs::copy(from, to)?;
            } else {
                std::fs::rename(from, to)?;
            }
        }
    }
    Ok(SetAside { folder, due })
}

/// The ends that the lines name, whoever wrote them.
fn due(dir: &Path) -> io::Result<Vec<Value>> {
    let mut open = Vec::<Value>::new();
    let renamed = segment::traces(dir, &[])?.into_iter();
    let renamed = renamed.map(|name| crate::owner_only::look(&dir.join(name)));
    let segments = segment::segments(dir)?;
    for file in renamed.chain(segments.iter().map(segment::Segment::open)) {
        segment::each_line(BufReader::new(file?), |_, line| {
            let Ok(line) = serde_json::from_str::<Value>(line) else { return Ok(true) };
            let of = |line: &Value, key: &str| line.get(key).cloned().unwrap_or_default();
            if of(&line, "event") == "over" {
                open.retain(|known| of(known, "receipt") != of(&line, "receipt"));
            }
            for back in ["ends", "undoes"] {
                let taken = of(&line, back);
                open.retain(|known| taken.is_null() || of(known, "receipt") != taken);
            }
            if of(&line, "event") == "open" && of(&line, "expires_at").is_string() {
                open.push(json!({
                    "receipt": of(&line, "receipt"),
                    "summary": of(&line, "summary"),
                    "vendor": of(&line, "vendor"),
                    "expires_at": of(&line, "expires_at"),
                }));
            }
            Ok(true)
        })?;
    }
    Ok(open)
}
