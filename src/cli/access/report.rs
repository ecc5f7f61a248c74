//! What an access review says, and its form as JSON and as CSV.

use std::io;

use serde::{Deserialize, Serialize};

use crate::desk::{AccessRow, Unread};

/// All access there was, as it was read between two times.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Report {
    pub format: String,
    /// When reading began and ended, RFC 3339.
    pub begun: String,
    pub ended: String,
    /// The vendors, or tenants, that were asked.
    pub asked: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sandbox: bool,
    pub rows: Vec<AccessRow>,
    /// What could not be read.
    pub unread: Vec<Unread>,
}

/// The name of this form; one that begins otherwise is not read.
pub(super) const FORMAT: &str = "grantor-access/1";

const COLUMNS: [&str; 21] = [
    "vendor",
    "tenant",
    "principal_id",
    "principal_name",
    "principal_email",
    "principal_kind",
    "role_id",
    "role_name",
    "resource_id",
    "resource_name",
    "resource_kind",
    "scope",
    "within",
    "via_id",
    "via_name",
    "starts_at",
    "expires_at",
    "pending",
    "granted_here",
    "receipt",
    "unread",
];

impl Report {
    /// Whether all was read that the vendors show at all.
    pub fn is_whole(&self) -> bool {
        self.unread.iter().all(|one| one.kind == "not_listable")
    }

    /// Adds what is not known yet: a vendor says the same on each page.
    pub fn add_unread(&mut self, unread: Vec<Unread>) {
        for one in unread {
            if !self.unread.contains(&one) {
                self.unread.push(one);
            }
        }
    }

    pub fn json(&self) -> io::Result<Vec<u8>> {
        let mut written = serde_json::to_vec_pretty(self)?;
        written.push(b'\n');
        Ok(written)
    }

    /// A line for each row, then one for each thing that could not be read.
    pub fn csv(&self) -> io::Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(COLUMNS)?;
        for row in &self.rows {
            writer.write_record(cells(row).map(|cell| inert(&cell)))?;
        }
        for one in &self.unread {
            let mut cells = COLUMNS.map(|_| String::new());
            let [vendor, tenant, .., unread] = &mut cells;
            *vendor = inert(&one.vendor);
            *tenant = inert(one.tenant.as_deref().unwrap_or_default());
            *unread = inert(&format!("{}: {}", one.kind, one.message));
            writer.write_record(cells)?;
        }
        writer.into_inner().map_err(|error| io::Error::other(error.to_string()))
    }
}

fn cells(row: &AccessRow) -> [String; COLUMNS.len()] {
    let access = &row.access;
    let (principal, role, resource) = (&access.principal, &access.role, &access.resource);
    let or_none = |text: &Option<String>| text.clone().unwrap_or_default();
    let yes = |is_so: bool| if is_so { "yes".to_owned() } else { String::new() };
    let via = access.via.as_ref();
    [
        row.vendor.clone(),
        or_none(&row.tenant),
        principal.id.clone(),
        or_none(&principal.name),
        or_none(&principal.email),
        or_none(&principal.kind),
        role.id.clone(),
        or_none(&role.name),
        resource.id.clone(),
        or_none(&resource.name),
        or_none(&resource.kind),
        access.scope.to_string(),
        or_none(&access.within),
        via.map(|via| via.id.clone()).unwrap_or_default(),
        via.and_then(|via| via.name.clone()).unwrap_or_default(),
        or_none(&access.starts_at),
        or_none(&access.expires_at),
        yes(access.pending),
        yes(row.granted_here),
        or_none(&row.receipt),
        String::new(),
    ]
}

/// A cell that no spreadsheet takes for a formula: names are the vendors', and anybody's.
pub(in crate::cli) fn inert(cell: &str) -> String {
    match cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{cell}"),
        false => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Access, Named};

    fn report() -> Report {
        let named = |id: &str, name: &str| Named::new(id, Some(name.to_owned()), "user");
        let access = Access::of(
            named("u-1", "=HYPERLINK(\"x\")"),
            named("r-1", "Reader, \"all\"\nof it"),
            named("a-1", "Orders"),
            "asset",
        );
        let receipt = Some("gr-1".to_owned());
        let vendor = "dfns".to_owned();
        let row = AccessRow { vendor, tenant: None, access, granted_here: true, receipt };
        let unread = Unread {
            vendor: "redox".to_owned(),
            tenant: None,
            kind: "unavailable".to_owned(),
            message: "it is down".to_owned(),
            hint: "try again".to_owned(),
        };
        Report {
            format: FORMAT.to_owned(),
            rows: vec![row],
            unread: vec![unread],
            ..Report::default()
        }
    }

    /// Read by a reader of its own, cell by cell.
    #[test]
    fn a_line_is_a_row_and_no_cell_is_a_formula() {
        let written = report().csv().unwrap();
        let mut reader = csv::Reader::from_reader(written.as_slice());
        assert_eq!(reader.headers().unwrap(), COLUMNS.as_slice());
        let lines: Vec<_> = reader.records().map(Result::unwrap).collect();
        let cell = |line: usize, name: &str| {
            let at = COLUMNS.iter().position(|column| *column == name).unwrap();
            lines[line][at].to_owned()
        };
        for (line, name, text) in [
            (0, "principal_name", "'=HYPERLINK(\"x\")"),
            (0, "role_name", "Reader, \"all\"\nof it"),
            (0, "resource_id", "a-1"),
            (0, "granted_here", "yes"),
            (0, "receipt", "gr-1"),
            (1, "vendor", "redox"),
            (1, "unread", "unavailable: it is down"),
        ] {
            assert_eq!(cell(line, name), text, "{name}");
        }
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn a_review_is_read_as_it_was_written() {
        let report = report();
        let read: Report = serde_json::from_slice(&report.json().unwrap()).unwrap();
        assert_eq!(read, report);
        assert!(!report.is_whole());
        let mut told = report.clone();
        told.add_unread(report.unread.clone());
        assert_eq!(told.unread.len(), 1);
    }
}
