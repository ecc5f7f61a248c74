//! An access review: all access there is, a page at a time, each row with what Grantor knows of it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Desk;
use crate::access::Access;
use crate::catalogue::{self, Found};
use crate::failure::Failure;
use crate::outbound::{Urgency, urgent};
use crate::requester::Requester;
use crate::text;
use crate::tools::list_access::ListAccess;
use crate::tools::{Look as _, Problem, Rows, Run};

/// One access, at one tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccessRow {
    pub vendor: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    #[serde(flatten)]
    pub access: Access,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub granted_here: bool,
    /// The change from here that left it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
}

/// What could not be read, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    pub vendor: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    pub kind: String,
    pub message: String,
    pub hint: String,
}

/// Some of the rows, and where the rest begins.
pub struct ReviewPage {
    pub rows: Vec<AccessRow>,
    pub unread: Vec<Unread>,
    pub next_cursor: Option<String>,
    /// Why the page ends here, where a vendor has to be waited for.
    pub waits: Option<String>,
}

impl AccessRow {
    /// Where it is: the tenant, or the vendor where that has but one.
    pub fn place(&self) -> &str {
        self.tenant.as_ref().unwrap_or(&self.vendor)
    }
}

/// As many rows as one page may have.
const ROWS: usize = 500;

impl Desk {
    /// What a review is of: the tenants, where they are and whose, who asks, and the rules. Two pages of one
    /// review have the same.
    pub async fn review_of(&self, requester: &Requester) -> Vec<String> {
        let mut of = vec![requester.name().to_owned(), self.guard.hash().to_owned()];
        of.push(format!("sandbox: {}", self.config.sandbox));
        for tenant in &self.config.tenants {
            let organization = tenant.organization(&self.wire).await;
            of.push(format!("{} {organization:?}", tenant.id.key()));
        }
        of
    }

    /// The rows from `cursor` on, or from the first. The cursors end with the last row there is; a vendor
    /// that has to be waited for leaves its rows to a later page.
    ///
    /// # Errors
    /// The policy does not let this requester look, no vendor is configured, or the cursor is none.
    pub async fn review(
        &self,
        requester: &Requester,
        cursor: Option<&str>,
    ) -> Result<ReviewPage, Failure> {
        let spec = ListAccess::SPEC;
        self.may_look(&spec, requester, None)?;
        let Found::On(tool) = catalogue::find(spec.name, &self.config) else {
            return Err(Failure::invalid("no vendor is configured")
                .hint("`grantor doctor` says what is missing"));
        };
        let Run::Look(look) = tool.run else {
            return Err(Failure::invalid("access cannot be listed"));
        };
        let mut arguments = json!({ "limit": ROWS });
        if let Some(cursor) = cursor {
            crate::json::put(&mut arguments, "cursor", cursor);
        }
        urgent(Urgency::Look, look(arguments, self.look_context(None))).await.and_then(page)
    }
}

fn page(rows: Rows) -> Result<ReviewPage, Failure> {
    let (late, missing): (Vec<_>, Vec<_>) =
        rows.problems.iter().partition(|problem| problem.goes_on);
    let waits = late.first().map(|problem| text::clean(&problem.failure.message));
    let unread = missing.into_iter().map(Unread::of);
    let troubles = rows.troubles.iter().map(|trouble| Unread::of_ledger(&trouble.to_string()));
    let ledger = rows.ledger.iter().map(|failure| Unread::of_ledger(&failure.message));
    let unread = unread.chain(troubles).chain(ledger).collect();
    let next_cursor = rows.next_cursor;
    let rows: Result<Vec<_>, _> = rows.rows.into_iter().map(row).collect();
    let rows = rows.map_err(|error| Failure::invalid(format!("a row is none: {error}")))?;
    Ok(ReviewPage { rows, unread, next_cursor, waits })
}

/// A row, its text cleaned of whatever vendors may have put into it.
fn row(mut row: Value) -> serde_json::Result<AccessRow> {
    text::clean_value(&mut row);
    serde_json::from_value(row)
}

impl Unread {
    /// Where that is, as for a row.
    pub fn place(&self) -> &str {
        self.tenant.as_ref().unwrap_or(&self.vendor)
    }

    /// What the ledger cannot say: then what was granted here is not known to be.
    fn of_ledger(what: &str) -> Self {
        Self {
            vendor: "grantor".to_owned(),
            tenant: None,
            kind: "incomplete".to_owned(),
            message: format!("what was granted here may be more: {}", text::clean(what)),
            hint: "`grantor ledger verify` says more".to_owned(),
        }
    }

    fn of(problem: &Problem) -> Self {
        let failure = &problem.failure;
        Self {
            vendor: problem.vendor.to_owned(),
            tenant: problem.tenant.clone(),
            kind: failure.problem().to_owned(),
            message: text::clean(&failure.message),
            hint: text::clean(failure.next_step()),
        }
    }
}
