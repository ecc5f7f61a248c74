use std::collections::HashMap;
use std::sync::OnceLock;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use super::look::{LookQuery, Refine, Token, Which, ask};
use super::{Effect, Look, LookContext, Rows, Spec, whose};
use crate::access::Access;
use crate::argument::{Limit, Name, Time};
use crate::failure::{Failure, Kind};
use crate::ledger::{Ledger, Record, Whose};
use crate::outbound::Wire;
use crate::vendors::{Listing, Reach, RoleFilter, Tenant, Whom, access};

/// List who has access, or what somebody can reach: all there is, or what fits all that is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListAccess {
    /// Only this one.
    vendor: Option<Which>,
    /// Id, e-mail or exact name.
    principal: Option<Name>,
    /// Id or exact name.
    role: Option<Name>,
    /// Id, path or exact name.
    resource: Option<Name>,
    /// Only by roles that contain this permission.
    permission: Option<Name>,
    /// Only by privileged roles, or only by others.
    privileged: Option<bool>,
    /// Only what ends before then, at the vendor or by Grantor.
    expires_before: Option<Time>,
    /// Only what was granted here, or only the rest.
    granted_here: Option<bool>,
    /// Default 50.
    limit: Option<Limit>,
    /// next_cursor, for more.
    cursor: Option<Token>,
}

/// A row, with what Grantor knows of it.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    access: Access,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    granted_here: bool,
    /// The change from here that left it.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<String>,
}

/// Which rows are looked for, by what the ledger knows of them.
#[derive(Default)]
struct LedgerFilter {
    before: Option<Timestamp>,
    granted_here: Option<bool>,
}

/// What the ledger knows of the access there is.
struct Known<'a> {
    ledger: &'a Ledger,
    filter: LedgerFilter,
    wire: &'a Wire,
    /// What Grantor takes back, by its ids: several tenants may have something of one id. Read once a row
    /// is from here.
    ends: OnceCell<HashMap<Key, Vec<Record>>>,
    /// Why nothing is known, where the ledger cannot be read.
    unread: OnceLock<Failure>,
}

/// `[principal, role, resource]`, by ids.
type Key = [String; 3];

impl Look for ListAccess {
    const SPEC: Spec = Spec {
        name: "list_access",
        title: "List access",
        effect: Effect::Look,
        vendor: None,
        needs: "reading, as `grantor doctor` lists it",
        docs: "each vendor's lists of assignments",
        example: r#"{"principal": "user@example.com"}"#,
    };

    async fn look(self, context: LookContext<'_>) -> Result<Rows, Failure> {
        let [principal, role, resource, permission] =
            [self.principal, self.role, self.resource, self.permission]
                .map(|name| name.map(Name::into_string));
        let asked = LookQuery::new(self.vendor, self.limit, self.cursor);
        let asked = asked.of_somebody(principal.is_some()).held_by(principal.as_deref());
        let reach = |from, limit| Reach {
            principal: principal.clone().map(Whom::Named),
            role: role.clone(),
            resource: resource.clone(),
            roles: RoleFilter { permission: permission.clone(), privileged: self.privileged },
            from,
            limit,
        };
        let ledger = context.ledger;
        let (before, granted_here) = (self.expires_before.map(Time::timestamp), self.granted_here);
        let filter = LedgerFilter { before, granted_here };
        let known = Known::new(ledger, context.wire, filter);
        let mut rows = ask(context, asked, |_| access, reach, &known).await?;
        rows.troubles = ledger.watched().await;
        rows.ledger = known.unread.into_inner();
        Ok(rows)
    }
}

impl<'a> Known<'a> {
    fn new(ledger: &'a Ledger, wire: &'a Wire, filter: LedgerFilter) -> Self {
        Self { ledger, wire, filter, ends: OnceCell::new(), unread: OnceLock::new() }
    }

    /// What was read of the ledger, or nothing: then that is kept.
    fn read<T: Default>(&self, read: Result<T, Failure>) -> T {
        read.unwrap_or_else(|failure| {
            let _ = self.unread.set(failure);
            T::default()
        })
    }

    async fn ends(&self) -> &HashMap<Key, Vec<Record>> {
        let read = async {
            let mut ends: HashMap<_, Vec<_>> = HashMap::new();
            for record in self.read(self.ledger.standing().await) {
                ends.entry(key(&record.wanted())).or_default().push(record);
            }
            ends
        };
        self.ends.get_or_init(|| read).await
    }

    /// The same rows. A ledger that cannot be read marks nothing; the rows are the vendor's all the same.
    async fn of_rows(&self, tenant: &Tenant, listing: Listing<Access>) -> Listing<Shown> {
        let own = tenant.organization(self.wire).await;
        let keys = listing.rows.iter().map(|row| (whose(tenant, &row.resource.id, &own), key(row)));
        let keys: Vec<_> = keys.collect();
        let mut granted = self.read(self.ledger.granted(keys.clone()).await);
        granted.resize(keys.len(), None);
        let none = HashMap::new();
        let ends = if granted.iter().any(Option::is_some) { self.ends().await } else { &none };
        let mut marks = keys.iter().zip(granted);
        listing.map(|mut access| {
            let (end, receipt) = match marks.next() {
                Some(((whose, key), receipt)) => (end(ends, whose, key), receipt),
                None => (None, None),
            };
            if let Some(end) = end.filter(|end| access.ends_after(*end)) {
                access.expires_at = Some(end.to_string());
            }
            Shown { access, granted_here: receipt.is_some(), receipt }
        })
    }
}

/// When Grantor takes this access of a tenant back.
fn end(ends: &HashMap<Key, Vec<Record>>, whose: &Whose, key: &Key) -> Option<Timestamp> {
    let is_theirs = |record: &&Record| {
        record.tenant == whose.place
            && whose.has(record.tenant_name.as_deref(), record.organization.as_deref())
    };
    ends.get(key)?.iter().find(is_theirs)?.expires_at
}

impl Refine<Access> for Known<'_> {
    type Row = Shown;

    async fn refine(&self, tenant: &Tenant, listing: Listing<Access>) -> Listing<Shown> {
        let mut shown = self.of_rows(tenant, listing).await;
        let LedgerFilter { before, granted_here } = self.filter;
        shown.retain(|row| {
            before.is_none_or(|before| row.ends_before(before))
                && granted_here.is_none_or(|wanted| wanted == row.granted_here)
        });
        let is_asked = before.is_some() || granted_here.is_some();
        if let Some(failure) = self.unread.get().filter(|_| is_asked) {
            let message = format!("what was granted here is not known: {}", failure.message);
            let unread = Failure::new(Kind::Incomplete, message).hint(failure.next_step());
            shown.problem.get_or_insert(unread);
        }
        shown
    }
}

impl Shown {
    /// Whether it ends before then. An end that cannot be read may be near.
    fn ends_before(&self, time: Timestamp) -> bool {
        let end = self.access.expires_at.as_deref().map(str::parse::<Timestamp>);
        end.is_some_and(|end| end.map_or(true, |end| end < time))
    }
}

/// The names by which the ledger finds a row. What is held through a group was granted to the group.
fn key(row: &Access) -> Key {
    let holder = row.via.as_ref().unwrap_or(&row.principal);
    [&holder.id, &row.role.id, &row.resource.id].map(ToOwned::to_owned)
}
