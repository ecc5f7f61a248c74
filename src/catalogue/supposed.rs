//! A change that nobody asked for, to see what the rules would say of it.

use jiff::Timestamp;
use serde::Deserialize;

use crate::access::{Access, Named};
use crate::argument::{Duration, Time};
use crate::failure::Failure;
use crate::intent::{Cause, History, Holdings, Intent, JudgedPart, NEVER, ReadForRules, Shift};
use crate::text;
use crate::tools::{Effect, TOOLS};
use crate::vendors;

/// What is supposed of a change; everything may be left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Supposed {
    pub grantee: Thing,
    pub role: Thing,
    pub resource: Thing,
    /// What the role allows.
    pub permissions: Vec<String>,
    /// The host of the vendor's base URL.
    pub tenant: Option<String>,
    /// The tenant's name, where it is another than its vendor's.
    pub tenant_name: Option<String>,
    /// The vendor's own customer.
    pub organization: Option<String>,
    pub scope: Option<String>,
    /// Why the role is privileged.
    pub privileged: Option<String>,
    pub own: bool,
    pub width: Option<usize>,
    /// How many changes are asked for as one.
    pub set_size: Option<usize>,
    /// The tool that was called, where another asked for several changes as one.
    pub called: Option<String>,
    /// What each gains or loses, where the call is for several at once.
    pub rows: Vec<Part>,
    /// What the grantee holds besides, as roles on resources.
    pub holds: Vec<Held>,
    /// The grantee holds nothing else; so it is where nothing is said.
    pub holds_all: Option<bool>,
    pub history: Option<History>,
    pub reason: Option<String>,
    pub client: Option<String>,
    pub expires_in: Option<Duration>,
    pub expires_at: Option<Time>,
    /// The receipt it undoes.
    pub undoes: Option<String>,
    /// The receipt whose time has come.
    pub ends: Option<String>,
    /// The receipt whose end moves.
    pub extends: Option<String>,
    pub requester: Option<String>,
    pub changes_this_hour: u32,
    pub now: Option<Time>,
}

/// Somebody or something, by as much as is known of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thing {
    pub id: Option<String>,
    pub name: Option<String>,
    pub kind: Option<String>,
    pub email: Option<String>,
}

/// One of several whose access the call changes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Part {
    pub grantee: Thing,
    pub role: Thing,
    pub permissions: Vec<String>,
    pub privileged: Option<String>,
    pub own: bool,
    /// The access is taken away.
    pub loses: bool,
}

/// A role the grantee holds already.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    pub role: String,
    pub resource: String,
}

impl Supposed {
    /// All that may be said of a change.
    pub const FIELDS: [&str; 27] = [
        "grantee",
        "role",
        "resource",
        "permissions",
        "tenant",
        "tenant_name",
        "organization",
        "scope",
        "privileged",
        "own",
        "width",
        "set_size",
        "called",
        "rows",
        "holds",
        "holds_all",
        "history",
        "reason",
        "client",
        "expires_in",
        "expires_at",
        "undoes",
        "ends",
        "extends",
        "requester",
        "changes_this_hour",
        "now",
    ];

    /// All that may be said of one of its parts, where that has parts itself.
    pub fn fields_of(field: &str) -> Option<&'static [&'static str]> {
        match field {
            "grantee" | "role" | "resource" => Some(&["id", "name", "kind", "email"]),
            "rows" => Some(&["grantee", "role", "permissions", "privileged", "own", "loses"]),
            "holds" => Some(&["role", "resource"]),
            "history" => Some(&[
                "extends",
                "extensions",
                "total_minutes",
                "requester_today",
                "grantee_today",
                "undone_minutes",
            ]),
            _ => None,
        }
    }

    /// The time it is supposed to be.
    pub fn now(&self, otherwise: Timestamp) -> Timestamp {
        self.now.map_or(otherwise, Time::timestamp)
    }

    /// The change of `tool` that is supposed.
    ///
    /// # Errors
    /// There is no such tool, or it changes nothing.
    pub fn intent(self, tool: &str, now: Timestamp) -> Result<Intent, Failure> {
        let spec = TOOLS.iter().map(|known| known.spec).find(|spec| spec.name == tool);
        let spec = spec.ok_or_else(|| Failure::invalid(format!("there is no tool {tool:?}")))?;
        let (Effect::Grant | Effect::Revoke, Some(vendor)) = (spec.effect, spec.vendor) else {
            return Err(Failure::invalid(format!("{tool} by itself changes no access"))
                .hint("name the tool whose change is undone, and \"undoes\": a receipt"));
        };
        let wanted = self.wanted(place(tool, vendor));
        let rows: Vec<JudgedPart> = self.rows.iter().map(|part| part.row(&wanted)).collect();
        let wanted = if rows.is_empty() { wanted } else { together(&wanted, &rows) };
        let (before, after) = self.standing(&wanted, spec.effect, &rows);
        let host = self.tenant.as_deref().unwrap_or("tenant.example.com");
        let expires_at = match (self.expires_in, self.expires_at) {
            (Some(duration), _) => duration.after(now),
            (None, at) => at.map(Time::timestamp),
        };
        let history = self.history.map(|history| self.told(history, spec.effect, now, expires_at));
        Ok(Intent {
            organization: self.organization,
            vendor,
            base: format!("https://{host}"),
            tenant: format!("https://{host}"),
            tenant_told: self.tenant_name.clone().unwrap_or_else(|| vendor.to_owned()),
            tenant_name: self.tenant_name.clone(),
            tool: spec.name,
            effect: spec.effect,
            lowering: false,
            shift: shift(spec.effect, &rows),
            cause: match (self.undoes, self.ends, self.extends) {
                (Some(receipt), _, _) => Cause::Undo(receipt),
                (None, Some(receipt), _) => Cause::Expiry(receipt),
                (None, None, Some(receipt)) => Cause::Extension(receipt),
                (None, None, None) => Cause::Request,
            },
            read: ReadForRules {
                holds: Some(Holdings { rows: before.clone(), all: self.holds_all.unwrap_or(true) }),
                history,
            },
            needs: spec.needs,
            summary: format!(
                "suppose: {tool}, {} on {}",
                wanted.role.said(),
                wanted.resource.said()
            ),
            own: self.own || rows.iter().any(|row| row.own),
            privileged: self
                .privileged
                .or_else(|| rows.iter().find_map(|row| row.privileged.clone())),
            contains: self
                .permissions
                .into_iter()
                .chain(rows.iter().flat_map(|row| row.contains.clone()))
                .collect(),
            ingredients: Vec::new(),
            rows,
            wanted,
            arguments: serde_json::Value::Null,
            draft: None,
            before,
            after,
            conclusive: true,
            width: self.width.unwrap_or(1),
            set_size: self.set_size.unwrap_or(1),
            called: self.called.unwrap_or_else(|| tool.to_owned()),
            since: None,
            expires_at,
            lasts: self.expires_in,
            upon: Vec::new(),
            warnings: Vec::new(),
            reason: self.reason.filter(|reason| !text::is_blank(reason)),
            client: self.client,
        })
    }

    /// What was before, with what a real change would say of itself in it.
    fn told(
        &self,
        history: History,
        effect: Effect,
        now: Timestamp,
        until: Option<Timestamp>,
    ) -> History {
        let own = until.map_or(NEVER, |until| until.duration_since(now).as_mins().max(0));
        let total = if effect == Effect::Grant { own } else { 0 };
        History {
            extends: history.extends || self.extends.is_some(),
            total_minutes: if history.total_minutes == 0 { total } else { history.total_minutes },
            undone_minutes: if self.undoes.is_some() { history.undone_minutes } else { NEVER },
            ..history
        }
    }

    fn wanted(&self, place: &str) -> Access {
        Access::of(
            self.grantee.named("somebody", "user"),
            Named { kind: None, ..self.role.named("a-role", "role") },
            self.resource.named("something", place),
            self.scope.clone().unwrap_or_else(|| place.to_owned()),
        )
    }

    /// The rows before and after, with the change as their difference.
    fn standing(
        &self,
        wanted: &Access,
        effect: Effect,
        rows: &[JudgedPart],
    ) -> (Vec<Access>, Vec<Access>) {
        let named = |id: &str| Named { id: id.to_owned(), name: None, kind: None, email: None };
        let held = |held: &Held| Access {
            id: None,
            role: named(&held.role),
            resource: named(&held.resource),
            ..wanted.clone()
        };
        let others: Vec<Access> = self.holds.iter().map(held).collect();
        if !rows.is_empty() {
            let of = |effect: Effect| {
                rows.iter().filter(move |row| row.effect == effect).map(|row| row.wanted.clone())
            };
            return (
                others.iter().cloned().chain(of(Effect::Revoke)).collect(),
                others.iter().cloned().chain(of(Effect::Grant)).collect(),
            );
        }
        let mut with = others.clone();
        with.push(wanted.clone());
        if effect == Effect::Revoke { (with, others) } else { (others, with) }
    }
}

impl Part {
    fn row(&self, of: &Access) -> JudgedPart {
        JudgedPart {
            effect: if self.loses { Effect::Revoke } else { Effect::Grant },
            wanted: Access {
                principal: self.grantee.named("somebody", "user"),
                role: Named { kind: None, ..self.role.named("a-role", "role") },
                ..of.clone()
            },
            privileged: self.privileged.clone(),
            contains: self.permissions.clone(),
            own: self.own,
        }
    }
}

/// Whether somebody gains and somebody loses: each of several by itself.
fn shift(effect: Effect, rows: &[JudgedPart]) -> Shift {
    let any = |wanted: Effect| match rows {
        [] => effect == wanted,
        rows => rows.iter().any(|row| row.effect == wanted),
    };
    Shift { gives: any(Effect::Grant), takes: any(Effect::Revoke) }
}

/// The kind of what a tool gives access to.
pub(super) fn place(tool: &str, vendor: &str) -> &'static str {
    let kinds = vendors::named(vendor).map_or(&[][..], |vendor| vendor.resource_kinds);
    let named = kinds.iter().find(|kind| tool.contains(&format!("_{kind}_")));
    named.or(kinds.first()).copied().unwrap_or("asset")
}

/// The access that all rows together stand for; one that gains is called by its own kind.
fn together(of: &Access, rows: &[JudgedPart]) -> Access {
    let gaining: Vec<_> = rows.iter().filter(|row| row.effect == Effect::Grant).collect();
    let join = |part: &dyn Fn(&Access) -> String| {
        gaining.iter().map(|row| part(&row.wanted)).collect::<Vec<_>>().join(", ")
    };
    let kind = match gaining.as_slice() {
        [only] => only.wanted.principal.kind.clone(),
        _ => None,
    };
    let named = |id: String, name: String, kind| Named { id, name: Some(name), kind, email: None };
    let principal = named(
        join(&|row| row.principal.id.clone()),
        join(&|row| row.principal.bare().to_owned()),
        kind,
    );
    let role =
        named(join(&|row| row.role.id.clone()), join(&|row| row.role.bare().to_owned()), None);
    Access { principal, role, ..of.clone() }
}

impl Thing {
    fn named(&self, id: &str, kind: &str) -> Named {
        let Self { id: known, name, kind: said, email } = self.clone();
        let id = known.or_else(|| name.clone()).unwrap_or_else(|| id.to_owned());
        Named { id, name, kind: Some(said.unwrap_or_else(|| kind.to_owned())), email }
    }
}
