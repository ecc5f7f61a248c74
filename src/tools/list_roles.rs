use std::collections::BTreeMap;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Effect, Look, Problem, Room, Rows, Spec};
use crate::access::Role;
use crate::argument::{Limit, Name};
use crate::failure::{Failure, Kind};
use crate::json::extend;
use crate::vendors::{Asker, Find, Listing, Place, Tenant};

/// List the roles that can be granted. Asks every configured vendor at once, or one; what a vendor
/// cannot list is said under `problems`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListRoles {
    /// Ask this vendor only: outsystems, dfns, redox, snaplogic or centrasite.
    vendor: Option<Name>,
    /// Part of a role's name, letter case aside.
    query: Option<Name>,
    /// The most rows to answer, 50 if left out.
    limit: Option<Limit>,
    /// `next_cursor` of an earlier answer, to go on after it.
    #[schemars(length(min = 1, max = 4096))]
    cursor: Option<String>,
}

type Answer = Result<Listing<Role>, Failure>;

/// Where each vendor's list goes on; a vendor that is not named is done.
#[derive(Default, Serialize, Deserialize)]
struct Cursor(BTreeMap<String, Place>);

const USUAL: usize = 50;

impl Look for ListRoles {
    const SPEC: Spec = Spec {
        name: "list_roles",
        title: "List roles",
        effect: Effect::Look,
        vendor: None,
        docs: "each vendor's list of roles",
        example: r#"{"vendor": "outsystems", "query": "dev"}"#,
    };

    async fn look(self, room: Room<'_>) -> Result<Rows, Failure> {
        let limit = self.limit.map_or(USUAL, Limit::get);
        let from = self.cursor.as_deref().map(Cursor::read).transpose()?;
        let tenants = self.tenants(&room, from.as_ref())?;
        let query = self.query.as_ref().map(Name::as_str);
        let (wire, deadline) = (room.wire, room.deadline);
        let asked = tenants.iter().map(|&tenant| {
            let place = from.as_ref().and_then(|cursor| cursor.0.get(tenant.vendor.name).cloned());
            let find = Find { query, from: place.unwrap_or_default(), limit };
            async move {
                let ask = Asker { tenant, wire, deadline, memo: None };
                let from = find.from.clone();
                (tenant.vendor.name, from, (tenant.vendor.roles)(&ask, find).await)
            }
        });
        Ok(gather(futures_util::future::join_all(asked).await, limit))
    }
}

impl ListRoles {
    fn tenants<'a>(
        &self,
        room: &Room<'a>,
        from: Option<&Cursor>,
    ) -> Result<Vec<&'a Tenant>, Failure> {
        let wanted = self.vendor.as_ref().map(Name::as_str);
        let left = |tenant: &&Tenant| {
            let name = tenant.vendor.name;
            wanted.is_none_or(|wanted| wanted == name)
                && from.is_none_or(|cursor| cursor.0.contains_key(name))
        };
        let tenants: Vec<_> = room.tenants.iter().filter(left).collect();
        if !tenants.is_empty() {
            return Ok(tenants);
        }
        let ready: Vec<_> = room.tenants.iter().map(|tenant| tenant.vendor.name).collect();
        let wanted = wanted.unwrap_or("any vendor");
        Err(Failure::invalid(format!("vendor: {wanted} is not configured here")).hint(format!(
            "configured are: {}; `grantor doctor` says what is missing",
            ready.join(", ")
        )))
    }
}

/// One answer from all: rows in the vendors' order, at most `limit`, and a cursor for the rest.
fn gather(answers: Vec<(&'static str, Place, Answer)>, limit: usize) -> Rows {
    let mut all = Rows { asked: answers.len(), ..Rows::default() };
    let mut cursor = Cursor::default();
    for (vendor, from, answer) in answers {
        match answer {
            Err(failure) => all.problems.push(Problem { vendor, failure, partial: false }),
            Ok(listing) => {
                if listing.rows.len() > limit.saturating_sub(all.rows.len()) {
                    // A place inside the rows is not known, so all of them are asked for again.
                    cursor.0.insert(vendor.to_owned(), from);
                } else {
                    all.rows.extend(listing.rows.iter().map(|role| row(vendor, role)));
                    cursor.0.extend(listing.next.map(|next| (vendor.to_owned(), next)));
                    let problem = |failure| Problem { vendor, failure, partial: true };
                    all.problems.extend(listing.problem.map(problem));
                }
            }
        }
    }
    all.next_cursor = (!cursor.0.is_empty()).then(|| cursor.write());
    all
}

fn row(vendor: &str, role: &Role) -> Value {
    let mut row = json!({ "vendor": vendor });
    extend(&mut row, json!(role));
    row
}

impl Cursor {
    fn read(text: &str) -> Result<Self, Failure> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(|| {
            Failure::new(Kind::Invalid, "cursor: this is not a cursor of an earlier answer")
                .hint("pass next_cursor back as it came, or leave cursor out")
        })
    }

    fn write(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&self.0).unwrap_or_default())
    }
}
