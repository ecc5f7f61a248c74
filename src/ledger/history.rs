//! What the ledger says happened: each change with its end, where it has one.

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::access::{Access, Outcome};

/// One change that was sent, or was about to be.
#[derive(Clone, Debug, Deserialize)]
pub struct Record {
    pub receipt: String,
    pub time: String,
    pub requester: String,
    pub vendor: String,
    pub tool: String,
    pub summary: String,
    wanted: Access,
    /// The change as arguments of its tool, by ids.
    pub arguments: Value,
    pub before: Vec<Access>,
    /// Rows that were not there before are known not to have been.
    pub conclusive: bool,
    /// The receipt that this change undoes.
    #[serde(default)]
    pub undoes: Option<String>,
    /// How it ended; none while it is open.
    #[serde(skip)]
    pub end: Option<End>,
}

/// How a change ended.
#[derive(Clone, Debug, Deserialize)]
pub struct End {
    pub outcome: Outcome,
    pub after: Vec<Access>,
    /// What the vendor said of a change it holds.
    #[serde(default)]
    pub held: Option<Value>,
}

#[derive(Deserialize)]
struct Line<'a> {
    event: &'a str,
    receipt: &'a str,
}

impl Record {
    /// The access the change was for.
    pub fn wanted(&self) -> Access {
        self.wanted.clone()
    }

    /// Whether this change made a row that a look shows, `{vendor, principal, role, resource}`.
    pub fn granted(&self, row: &Value) -> bool {
        let id = |field: &str| row.pointer(field).and_then(Value::as_str);
        self.outcome() == Some(Outcome::Confirmed)
            && id("/vendor") == Some(&self.vendor)
            && id("/principal/id") == Some(&self.wanted.principal.id)
            && id("/role/id") == Some(&self.wanted.role.id)
            && id("/resource/id") == Some(&self.wanted.resource.id)
    }

    pub fn outcome(&self) -> Option<Outcome> {
        self.end.as_ref().map(|end| end.outcome)
    }
}

/// Every change in the file, oldest first. A line that cannot be read is logged and passed over.
pub(super) fn read(path: &Path) -> io::Result<Vec<Record>> {
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    let (mut records, mut places) = (Vec::<Record>::new(), HashMap::new());
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line?;
        let understood =
            serde_json::from_str::<Line>(&line).is_ok_and(|Line { event, receipt }| {
                match event {
                    "open" => serde_json::from_str::<Record>(&line).map(|record| {
                        places.insert(record.receipt.clone(), records.len());
                        records.push(record);
                    }),
                    "close" => serde_json::from_str::<End>(&line).map(|end| {
                        let place = places.get(receipt).copied();
                        if let Some(record) = place.and_then(|place| records.get_mut(place)) {
                            record.end = Some(end);
                        }
                    }),
                    _ => Ok(()),
                }
                .is_ok()
            });
        if !understood {
            tracing::warn!(line = number + 1, "a line of the ledger cannot be read");
        }
    }
    Ok(records)
}
