//! Which change gives somebody an access that another holds, and which takes one from its holder.
//!
//! Each tool says it of the rows that are its own, by [`Change::gives`](super::Change::gives) and
//! [`Change::takes`](super::Change::takes); what holds at every vendor is said here.

use serde_json::Value;

use super::{Run, TOOLS, Tool};
use crate::access::{Access, Named};
use crate::failure::Failure;
use crate::text::{self, Word};
use crate::vendors::Vendor;

/// What a tool says of giving somebody an access as a row has it.
#[derive(Debug)]
pub enum Gives {
    /// With these arguments, by ids.
    With(Value),
    /// They hold as much already.
    Already,
    /// Not from here: why, and what a person must do.
    Not(Failure),
}

/// What a tool says of taking a row from its holder: its arguments, by ids.
pub type Takes = Result<Value, Failure>;

/// A change that gives an access or takes one, by ids.
pub struct OneChange {
    pub tool: &'static Tool,
    pub arguments: Value,
}

/// How `to` is given what a row says that another holds; none where they hold as much. `held` is what they
/// hold at that tenant.
///
/// # Errors
/// It is not given from here: why, and what a person must do.
pub fn giving(
    vendor: &Vendor,
    row: &Access,
    to: &Named,
    held: &[Access],
) -> Result<Option<OneChange>, Failure> {
    if let Some(group) = &row.via {
        return Err(Failure::refused(through(group)).hint(format!(
            "nothing is copied through a group: add {} to it at {}, if they are to have all that it gives",
            to.label(),
            vendor.title
        )));
    }
    if let Some(why) = not_yet(row) {
        return Err(Failure::refused(why).hint("ask for it by itself when that is settled"));
    }
    if let Some(own) = held.iter().find(|own| is_of_same(own, row)) {
        return lacks(own, row, to).map_or(Ok(None), Err);
    }
    let there = held.iter().filter(|own| own.resource.id == row.resource.id && own.via.is_none());
    let there: Vec<_> = there.cloned().collect();
    for tool in of_vendor(vendor) {
        let Run::Change { gives, .. } = tool.run else { continue };
        match gives(row, to, &there) {
            None => {}
            Some(Gives::With(arguments)) => return Ok(Some(OneChange { tool, arguments })),
            Some(Gives::Already) => return Ok(None),
            Some(Gives::Not(failure)) => return Err(failure),
        }
    }
    Err(by_nobody(vendor, row))
}

/// How a row is taken from its holder. `there` is all that is held on that resource, for tools that write a
/// whole list.
///
/// # Errors
/// It is not taken from here: why, and what a person must do.
pub fn taking(vendor: &Vendor, row: &Access, there: &[Access]) -> Result<OneChange, Failure> {
    let (who, title) = (row.principal.label(), vendor.title);
    if let Some(group) = &row.via {
        return Err(Failure::refused(through(group)).hint(format!(
            "have {who} removed from the group at {title}; taken from the group, every member loses it"
        )));
    }
    if row.pending {
        return Err(Failure::refused("it waits for approval at the vendor, and is no access yet")
            .hint(format!("an approver denies it at {title}")));
    }
    for tool in of_vendor(vendor) {
        let Run::Change { takes, .. } = tool.run else { continue };
        if let Some(taken) = takes(row, there) {
            return taken.map(|arguments| OneChange { tool, arguments });
        }
    }
    Err(by_nobody(vendor, row))
}

/// Whether a tool must be told all that is held on a resource before it takes one row of it.
pub fn takes_from_list(vendor: &Vendor) -> bool {
    let writes_lists =
        |tool: &Tool| matches!(tool.run, Run::Change { holds: super::Holds::List, .. });
    of_vendor(vendor).any(writes_lists)
}

fn of_vendor(vendor: &Vendor) -> impl Iterator<Item = &'static Tool> {
    let name = vendor.name;
    TOOLS.iter().filter(move |tool| tool.spec.vendor == Some(name))
}

/// Whether both rows are of one role on one resource, whoever holds them.
fn is_of_same(one: &Access, other: &Access) -> bool {
    one.role.id == other.role.id && one.resource.id == other.resource.id
}

/// That a new role would take the place of one that somebody holds.
pub(super) fn replaces(own: &Access, tool: &str) -> Failure {
    let (who, role) = (own.principal.label(), own.role.said());
    Failure::refused(format!("{who} holds {role} there, and it would take the place of that"))
        .hint(format!("{tool} by itself, where the new one is to stand in place of the old one"))
}

fn through(group: &Named) -> String {
    format!("it is held through the group {}", group.said())
}

fn by_nobody(vendor: &Vendor, row: &Access) -> Failure {
    let (title, scope) = (vendor.title, text::quote(Word::Vendor, &row.scope));
    Failure::refused(format!("no tool changes access of the kind {scope}"))
        .hint(format!("whoever administers {title} changes it there"))
}

/// Why what a row says is no access yet.
fn not_yet(row: &Access) -> Option<String> {
    if row.pending {
        return Some("it waits for approval at the vendor, and is no access yet".to_owned());
    }
    let start = row.starts_at.as_deref()?;
    Some(format!("it begins at {} only, and is no access yet", text::quoted(start)))
}

/// What somebody who has a row of this role lacks of it all the same.
fn lacks(own: &Access, row: &Access, to: &Named) -> Option<Failure> {
    let who = to.label();
    if let Some(group) = &own.via {
        let group = group.said();
        return Some(
            Failure::refused(format!("{who} holds it already, through the group {group}"))
                .hint("grant it by itself, where it is to stay without the group"),
        );
    }
    if let Some(why) = not_yet(own) {
        return Some(
            Failure::refused(format!("{who} has it already: {why}"))
                .hint("wait for that, or take it away and grant it anew"),
        );
    }
    let end = own.expires_at.as_deref()?;
    let longer = row.expires_at.as_deref().is_none_or(|other| later(other, end));
    longer.then(|| {
        Failure::refused(format!("{who} holds it already, until {}", text::quoted(end)))
            .hint("nobody's end is moved by a copy: move it by itself")
    })
}

/// Whether a time is later than another; one that cannot be read may be.
fn later(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(str::parse::<jiff::Timestamp>);
    one.ok().zip(other.ok()).is_none_or(|(one, other)| one > other)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::vendors::VENDORS;

    /// Somebody with an id and a kind.
    pub(in crate::tools) fn somebody(id: &str, kind: &str) -> Named {
        Named::new(id, None, kind)
    }

    /// "role on resource", of a kind of scope, with "via GROUP", "from TIME" or "until TIME" behind it, or
    /// "pending".
    pub(in crate::tools) fn row(who: &Named, scope: &'static str, text: &str) -> Access {
        let (role, rest) = text.split_once(" on ").unwrap();
        let words: Vec<&str> = rest.split(' ').collect();
        let after = |word: &str| words.iter().skip_while(|w| **w != word).nth(1).copied();
        let text = |word| after(word).map(str::to_owned);
        Access {
            via: after("via").map(|group| Named::new(group, None, "group")),
            starts_at: text("from"),
            expires_at: text("until"),
            within: text("in"),
            pending: words.contains(&"pending"),
            ..Access::of(
                who.clone(),
                Named { kind: None, ..Named::new(role, None, "role") },
                Named::new(words[0], None, scope),
                scope,
            )
        }
    }

    /// What giving comes to, in a line: "tool {arguments}", "already", or why not.
    pub(in crate::tools) fn given(vendor: &Vendor, row: &Access, held: &[Access]) -> String {
        given_to(vendor, row, &somebody("sam", "user"), held)
    }

    pub(in crate::tools) fn given_to(
        vendor: &Vendor,
        row: &Access,
        to: &Named,
        held: &[Access],
    ) -> String {
        match giving(vendor, row, to, held) {
            Ok(Some(change)) => told(&change),
            Ok(None) => "already".to_owned(),
            Err(failure) => not(&failure),
        }
    }

    /// The same of taking.
    pub(in crate::tools) fn taken(vendor: &Vendor, row: &Access, there: &[Access]) -> String {
        taking(vendor, row, there).map_or_else(|failure| not(&failure), |change| told(&change))
    }

    fn told(change: &OneChange) -> String {
        // What leaves here goes straight to the tool: it must fit what that reads.
        let fitted = crate::tools::fit(change.tool, change.arguments.as_object().unwrap().clone());
        assert!(fitted.is_ok(), "{fitted:?}");
        format!("{} {}", change.tool.spec.name, change.arguments)
    }

    fn not(failure: &Failure) -> String {
        assert!(failure.hint.is_some(), "it is not said what a person must do: {failure}");
        format!("not: {}", failure.message)
    }

    /// Every vendor, with each kind of row that it lists: nothing falls between the tools.
    const ROWS: [(&str, &str, &str); 7] = [
        ("outsystems", "asset", "developer on orders"),
        ("outsystems", "organization", "developer on organization"),
        ("dfns", "organization", "pm-1 on organization"),
        ("redox", "organization", "r-admin on 4271"),
        ("redox", "environment", "r-engineer on env-1"),
        ("snaplogic", "project_space", "R,X on /acme/Orders"),
        ("centrasite", "asset", "Modify on a-1"),
    ];

    #[test]
    fn every_kind_of_row_is_one_tools_own() {
        let ana = somebody("ana", "user");
        for vendor in VENDORS {
            assert!(ROWS.iter().any(|(name, ..)| *name == vendor.name), "{}", vendor.name);
        }
        for (name, scope, text) in ROWS {
            let vendor = crate::vendors::named(name).unwrap();
            let row = row(&ana, scope, text);
            let counted = of_vendor(vendor).fold((0, 0), |(gives, takes), tool| match tool.run {
                Run::Change { gives: give, takes: take, .. } => (
                    gives + usize::from(give(&row, &ana, &[]).is_some()),
                    takes + usize::from(take(&row, &[]).is_some()),
                ),
                _ => (gives, takes),
            });
            assert_eq!(counted, (1, 1), "{name} {scope}");
        }
    }

    /// What is held through a group, waits, or has not begun is nobody's to copy; whoever takes it is told
    /// where.
    #[test]
    fn what_is_not_somebodys_own_yet_is_not_copied() {
        let ana = somebody("ana", "user");
        for (name, scope, text) in ROWS {
            let vendor = crate::vendors::named(name).unwrap();
            let of = |more: &str| row(&ana, scope, &format!("{text}{more}"));
            let through = "not: it is held through the group devs";
            let waits = "not: it waits for approval at the vendor, and is no access yet";
            let begins = "not: it begins at “2099-01-01T00:00:00Z” only, and is no access yet";
            assert_eq!(given(vendor, &of(" via devs"), &[]), through);
            assert_eq!(taken(vendor, &of(" via devs"), &[]), through);
            assert_eq!(given(vendor, &of(" pending"), &[]), waits);
            assert_eq!(taken(vendor, &of(" pending"), &[]), waits);
            assert_eq!(given(vendor, &of(" from 2099-01-01T00:00:00Z"), &[]), begins);
        }
        let odd = row(&ana, "galaxy", "r on x");
        let odd = taken(crate::vendors::named("dfns").unwrap(), &odd, &[]);
        assert!(odd.starts_with("revoke_permission"), "Dfns has one kind: {odd}");
    }

    #[test]
    fn who_holds_it_already_is_given_nothing() {
        let (ana, sam) = (somebody("ana", "user"), somebody("sam", "user"));
        let vendor = crate::vendors::named("dfns").unwrap();
        let of = |who: &Named, more: &str| {
            row(who, "organization", &format!("pm-1 on organization{more}"))
        };
        let end = " until 2099-01-01T00:00:00Z";
        let given_it = r#"assign_permission {"permissionId":"pm-1","identityId":"sam"}"#;
        for (from, own, told) in [
            ("", None, given_it),
            ("", Some(""), "already"),
            (end, Some(""), "already"),
            (end, Some(end), "already"),
            ("", Some(end), "not: sam holds it already, until “2099-01-01T00:00:00Z”"),
            (
                " until 2099-02-01T00:00:00Z",
                Some(end),
                "not: sam holds it already, until “2099-01-01T00:00:00Z”",
            ),
            ("", Some(" via devs"), "not: sam holds it already, through the group devs"),
            (
                "",
                Some(" pending"),
                "not: sam has it already: it waits for approval at the vendor, and is no access yet",
            ),
        ] {
            let held: Vec<_> = own.map(|own| of(&sam, own)).into_iter().collect();
            assert_eq!(given(vendor, &of(&ana, from), &held), told, "{from} {own:?}");
        }
    }
}
