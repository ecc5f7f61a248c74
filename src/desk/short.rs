//! An answer to a change in as few words as a reader can do with: what is said once is not said again,
//! and what nobody has to do anything about is not said. All of it stays in the ledger.

use super::body::{Body, Changed, Item, Row, RowRole};
use crate::access::{Access, Named, Outcome};

impl Body {
    /// The same, short.
    pub(super) fn short(self) -> Self {
        match self {
            Self::Changed(changed) => Self::Changed(Box::new(changed.short())),
            Self::Checked(_) | Self::Unasked(_) | Self::Looked(_) | Self::Listed(_) => self,
        }
    }
}

impl Changed {
    fn short(mut self) -> Self {
        let is_sent = !shows_request(self.outcome);
        self.request.take_if(|_| is_sent);
        self.vendor_status.take_if(|_| is_sent);
        let is_preview = self.outcome == Outcome::Preview;
        self.policy.take_if(|policy| policy.verdict == "allow" && !is_preview);
        let own = Own::of(&self.principal, &self.role, &self.resource);
        let is_of_several = own.resource.is_none() && !self.items.is_empty();
        for rows in [&mut self.before, &mut self.after] {
            // What the first of several read, and the last, is no answer for all of them.
            rows.take_if(|_| is_of_several);
            rows.iter_mut().flatten().for_each(|row| row.leave_out(own));
        }
        self.items.iter_mut().for_each(|item| item.leave_out(own));
        self
    }

    pub fn before(&self) -> Option<Vec<Access>> {
        self.whole(self.before.as_deref())
    }

    pub fn after(&self) -> Option<Vec<Access>> {
        self.whole(self.after.as_deref())
    }

    /// Rows with what they leave out; one that nobody can tell the holder of is none.
    fn whole(&self, rows: Option<&[Row]>) -> Option<Vec<Access>> {
        let own = Own::of(&self.principal, &self.role, &self.resource);
        rows.map(|rows| rows.iter().filter_map(|row| row.whole(own)).collect())
    }
}

/// Whether a reader has to see what was sent, or would be, to do something about it.
fn shows_request(outcome: Outcome) -> bool {
    outcome == Outcome::Preview || outcome.is_error()
}

/// Whose access it is, which, and on what, where an answer or an item says so.
#[derive(Clone, Copy)]
struct Own<'a> {
    principal: Option<&'a Named>,
    role: Option<&'a Named>,
    resource: Option<&'a Named>,
}

impl<'a> Own<'a> {
    fn of(
        principal: &'a Option<Named>,
        role: &'a Option<Named>,
        resource: &'a Option<Named>,
    ) -> Self {
        Self { principal: principal.as_ref(), role: role.as_ref(), resource: resource.as_ref() }
    }

    /// The same for an item, which may say otherwise.
    fn or(self, principal: &'a Option<Named>, resource: &'a Option<Named>) -> Self {
        Self {
            principal: principal.as_ref().or(self.principal),
            role: self.role,
            resource: resource.as_ref().or(self.resource),
        }
    }
}

impl Item {
    /// Leaves out what the answer says, which is for `own`.
    fn leave_out(&mut self, own: Own<'_>) {
        let is_done = matches!(
            self.outcome,
            Outcome::Confirmed | Outcome::AlreadyPresent | Outcome::AlreadyAbsent
        );
        let is_sent = !shows_request(self.outcome);
        self.request.take_if(|_| is_sent);
        self.vendor_status.take_if(|_| is_sent);
        for rows in [&mut self.before, &mut self.after] {
            rows.take_if(|_| is_done);
            let own = own.or(&self.principal, &self.resource);
            rows.iter_mut().flatten().for_each(|row| row.leave_out(own));
        }
        self.resource.take_if(|resource| own.resource.is_some_and(|own| own.is(resource)));
        if let Some(resource) = &mut self.resource {
            // One tool changes things of one kind.
            resource.kind = None;
        }
    }
}

impl Row {
    fn leave_out(&mut self, own: Own<'_>) {
        let is = |own: Option<&Named>, one: &Named| own.is_some_and(|own| own.is(one));
        self.principal.take_if(|one| is(own.principal, one));
        self.resource.take_if(|one| is(own.resource, one));
        // A role is read by its name.
        if self.role.name.is_some() {
            self.role.id.take_if(|id| own.role.is_some_and(|role| role.id == *id));
        }
    }

    fn whole(&self, own: Own<'_>) -> Option<Access> {
        let id = self.role.id.as_ref().or(own.role.map(|role| &role.id))?.clone();
        let role = Named { id, name: self.role.name.clone(), kind: None, email: None };
        Some(Access {
            id: self.id.clone(),
            principal: self.principal.as_ref().or(own.principal)?.clone(),
            role,
            resource: self.resource.as_ref().or(own.resource)?.clone(),
            scope: self.scope.clone(),
            within: self.within.clone(),
            via: self.via.clone(),
            starts_at: self.starts_at.clone(),
            expires_at: self.expires_at.clone(),
            pending: self.pending,
        })
    }
}

impl From<&Access> for Row {
    fn from(access: &Access) -> Self {
        let one = access.clone();
        Self {
            id: one.id,
            principal: Some(one.principal),
            role: RowRole { id: Some(one.role.id), name: one.role.name },
            resource: Some(one.resource),
            scope: one.scope,
            within: one.within,
            via: one.via,
            starts_at: one.starts_at,
            expires_at: one.expires_at,
            pending: one.pending,
        }
    }
}

/// All of these, with all that they say.
pub(super) fn rows(access: &[Access]) -> Vec<Row> {
    access.iter().map(Row::from).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn short(body: Value) -> Value {
        json!(serde_json::from_value::<Body>(body).unwrap().short())
    }

    fn change(outcome: &str) -> Value {
        let [ada, bo] = ["ada", "bo"].map(|id| json!({ "id": id, "name": id, "kind": "user" }));
        let [dev, test] = ["dev", "test"].map(|id| json!({ "id": id, "name": id }));
        let [one, two] = ["one", "two"].map(|id| json!({ "id": id, "name": id, "kind": "asset" }));
        let row = |principal: &Value, role: &Value, resource: &Value| json!({ "principal": principal, "role": role, "resource": resource, "scope": "asset" });
        json!({ "outcome": outcome, "summary": "s", "principal": ada, "role": dev, "resource": one,
            "before": [], "after": [row(&ada, &dev, &one), row(&bo, &test, &one), row(&ada, &dev, &two)],
            "request": { "method": "POST" }, "vendor_status": 200 })
    }

    /// Of each row only what the answer has not said, and of a change that went well not its request.
    #[test]
    fn nothing_is_said_twice() {
        let told = short(change("confirmed"));
        assert_eq!(told["before"], json!([]), "read, and nothing there");
        let rows = json!([
            { "role": { "name": "dev" }, "scope": "asset" },
            { "principal": { "id": "bo", "name": "bo", "kind": "user" },
                "role": { "id": "test", "name": "test" }, "scope": "asset" },
            { "role": { "name": "dev" }, "scope": "asset",
                "resource": { "id": "two", "name": "two", "kind": "asset" } },
        ]);
        assert_eq!(told["after"], rows);
        let whole: Changed = serde_json::from_value(change("confirmed")).unwrap();
        let read: Changed = serde_json::from_value(told).unwrap();
        assert_eq!(read.after().unwrap().len(), 3);
        for (read, whole) in read.after().unwrap().iter().zip(whole.after().unwrap()) {
            assert!(read.is_still(&whole), "{read:?} {whole:?}");
        }
    }

    #[test]
    fn a_request_is_shown_where_somebody_has_to_look_at_it() {
        for (outcome, shown) in [
            ("preview", true),
            ("confirmed", false),
            ("already_absent", false),
            ("pending_vendor_approval", false),
            ("awaiting_consent", false),
            ("rejected", true),
            ("mismatch", true),
            ("unknown", true),
        ] {
            let told = short(change(outcome));
            assert_eq!(told.get("request").is_some(), shown, "{outcome}");
            assert_eq!(told.get("vendor_status").is_some(), shown, "{outcome}");
        }
    }

    /// Of several, those that were done are told in a line, and the others with all that helps.
    #[test]
    fn of_several_those_that_were_not_done_are_told_in_full() {
        let item = |outcome: &str| {
            let mut item = change(outcome);
            for field in ["summary", "principal", "role"] {
                item.as_object_mut().unwrap().remove(field);
            }
            item
        };
        let whole = change("rejected");
        let told = short(json!({ "outcome": "rejected", "summary": "s", "role": whole["role"],
            "principal": whole["principal"], "items": [item("confirmed"), item("rejected")] }));
        let own = json!({ "id": "one", "name": "one" });
        assert_eq!(told["items"][0], json!({ "resource": own, "outcome": "confirmed" }));
        assert_eq!(
            told["items"][1]["after"][0],
            json!({ "role": { "name": "dev" }, "scope": "asset" })
        );
        assert!(told["items"][1]["request"].is_object() && told["items"][1]["before"].is_array());
    }

    /// What is empty is left out, and what was not read is not there.
    #[test]
    fn absent_is_not_read() {
        let told = short(json!({ "outcome": "invalid", "summary": "s", "warnings": [] }));
        assert_eq!(told, json!({ "outcome": "invalid", "summary": "s" }));
    }
}
