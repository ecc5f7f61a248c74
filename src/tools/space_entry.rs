//! One grantee's entry on one SnapLogic project space: set, or taken away.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::giving::{Gives, replaces};
use super::step::OWN_LOSS;
use super::{Given, Inverse, Plan, Snapshot, Step, Verification, WriteReply};
use crate::access::{ALL_ACCESS, Access, Named, Outcome, Principal};
use crate::argument::Name;
use crate::failure::{Failure, Kind};
use crate::json::put;
use crate::ledger::Record;
use crate::outbound::{Reply, refusal};
use crate::text::{self, Word};
use crate::vendors::VendorReader;
use crate::vendors::snaplogic::space::{Path, letters, role};
use crate::vendors::snaplogic::{self, Caller, Entry, Memberships};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(inline)]
pub(super) enum GrantType {
    User,
    Group,
}

/// What an entry is to be: its letters, and whether it reaches the assets inside.
type WantedLetters = (BTreeSet<&'static str>, bool);

pub(super) struct SpaceEntry {
    wanted: Access,
    space: String,
    /// Whether the caller named a project in it, which the vendor widens to its space.
    narrowed: bool,
    grant_type: GrantType,
    /// None takes the entry away.
    entry: Option<WantedLetters>,
    caller: Caller,
    grantee: Principal,
    org: String,
    /// Which groups of the space the grantee is in, where their own access is taken away.
    through: Mutex<Memberships>,
}

/// What was there before, as a change; where the vendor showed too little, it is not known.
pub(super) fn inverse(record: &Record) -> Result<Inverse, Failure> {
    let wanted = record.wanted();
    let earlier = record.before.iter().find(|row| {
        row.principal.id == wanted.principal.id && row.principal.kind == wanted.principal.kind
    });
    if earlier.is_none() && !record.conclusive {
        return Err(Failure::refused(
            "what was there before is not known: SnapLogic showed this \
            credential too little to tell",
        )
        .hint("set or remove the access by hand"));
    }
    let mut arguments = arguments(&wanted);
    let Some(earlier) = earlier else {
        return Ok(Inverse { tool: "remove_project_acl", arguments });
    };
    let (letters, inherit) = letters(&earlier.role.id);
    put(&mut arguments, "permission_list", json!(letters));
    put(&mut arguments, "inherit", inherit);
    Ok(Inverse { tool: "set_project_acl", arguments })
}

/// A grantee and a space, by ids, as arguments of either tool.
pub(super) fn arguments(row: &Access) -> Value {
    json!({
        "project_or_space_path": row.resource.id,
        "grant_type": if is_group(&row.principal) { GrantType::Group } else { GrantType::User },
        "grantee": row.principal.id,
    })
}

/// How somebody is given the permissions of a row: a list that holds all of theirs takes its place.
pub(super) fn gives(tool: &str, row: &Access, to: &Named, there: &[Access]) -> Gives {
    let (letters, inherit) = letters(&row.role.id);
    if let Some(other) = letters.iter().find(|letter| !["R", "W", "X"].contains(letter)) {
        let other = text::quote(Word::Vendor, other);
        let hint = "whoever administers SnapLogic sets it there";
        return Gives::Not(
            Failure::refused(format!("{other} is not granted from here")).hint(hint),
        );
    }
    if let Some(own) = there.first() {
        let [theirs, wanted] = [own, row].map(|row| parts(&row.role.id));
        if theirs.is_superset(&wanted) {
            return Gives::Already;
        }
        if !wanted.is_superset(&theirs) {
            return Gives::Not(replaces(own, tool));
        }
    }
    let mut arguments = arguments(&Access { principal: to.clone(), ..row.clone() });
    put(&mut arguments, "permission_list", json!(letters));
    put(&mut arguments, "inherit", inherit);
    Gives::With(arguments)
}

impl SpaceEntry {
    pub(super) async fn resolve(
        reader: &VendorReader<'_>,
        given: &str,
        grant_type: GrantType,
        grantee: &Name,
        entry: Option<WantedLetters>,
    ) -> Result<Self, Failure> {
        let path = Path::parse("project_or_space_path", given);
        let configured = reader.tenant.settings.get(snaplogic::ORG);
        // Where the path says no organization, the grantee is looked for in the configured one.
        let Some(org) = path.as_ref().map_or(configured, |path| Some(path.org)) else {
            return Err(path.err().unwrap_or_else(|| Failure::invalid("names no organization")));
        };
        let grantee = match grant_type {
            GrantType::User => {
                snaplogic::user(reader, org, reader.reference(grantee.as_str())).await
            }
            GrantType::Group => {
                snaplogic::group(reader, org, reader.reference(grantee.as_str())).await
            }
        };
        let path = match path {
            Ok(path) if grantee.is_err() => exists(reader, &path).await.map(|()| path),
            path => path,
        };
        let (path, grantee) = Failure::both(path, grantee)?;
        let space = path.changeable()?;
        let wanted = wanted(&space, &grantee, entry.as_ref());
        let narrowed = path.project.is_some();
        let caller = Caller::of(reader).await;
        let (org, through) = (path.org.to_owned(), Mutex::default());
        Ok(Self { wanted, space, narrowed, grant_type, entry, caller, grantee, org, through })
    }

    /// The list as rows, and whether it is more than the caller's own view.
    fn standing(&self, acl: Vec<Entry>) -> Snapshot {
        let rows: Vec<Access> = acl.into_iter().map(|entry| self.row(entry)).collect();
        let subjects = rows.iter().map(|row| row.principal.id.as_str());
        let conclusive = self.caller.sees_others(subjects);
        Snapshot { rows, conclusive, ..Snapshot::default() }
    }

    /// Learns which of the groups on the list the grantee is in, each once: who keeps access through
    /// one has not lost it.
    async fn learn_groups(&self, reader: &VendorReader<'_>, rows: &[Access]) {
        if self.entry.is_some() || self.grant_type == GrantType::Group {
            return;
        }
        let known = || self.through.lock().unwrap_or_else(PoisonError::into_inner);
        let groups = rows.iter().map(|row| &row.principal).filter(|one| is_group(one));
        let groups: BTreeSet<String> = groups.map(|group| group.id.clone()).collect();
        let fresh: Vec<_> = groups.into_iter().filter(|group| !known().knows(group)).collect();
        if !fresh.is_empty() {
            let found = snaplogic::memberships(reader, &self.org, &self.grantee, fresh).await;
            known().add(found);
        }
    }

    fn row(&self, entry: Entry) -> Access {
        let (kind, wanted) = (entry.kind(), &self.wanted.principal);
        let role = role(&entry.perms, entry.inherit);
        let principal = if entry.is_of(wanted) {
            wanted.clone()
        } else {
            Named::new(entry.subject, None, kind)
        };
        Access { id: None, principal, role, ..self.wanted.clone() }
    }

    fn is_of_system_group(&self) -> Option<String> {
        let group = &self.wanted.principal.id;
        let system = self.grant_type == GrantType::Group
            && snaplogic::SYSTEM_GROUPS.iter().any(|system| system.eq_ignore_ascii_case(group));
        system.then(|| format!("{group} is a system group of the whole environment"))
    }

    fn is_own(&self, row: &Access) -> bool {
        let wanted = &self.wanted.principal;
        row.principal.id == wanted.id && row.principal.kind == wanted.kind
    }

    fn current_row<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a Access> {
        snapshot.rows.iter().find(|row| self.is_own(row))
    }

    fn warnings(&self, now: &Snapshot) -> Vec<String> {
        let mut warnings = self.remaining(&now.rows);
        if self.narrowed {
            // It is never sent, so that nobody would see that it says something else.
            warnings.push(format!(
                "the path's third segment is not used: SnapLogic widens a project to {} and its \
                 shared folder, and the whole space is what changes",
                self.wanted.resource.said()
            ));
        }
        if let (Some(own), Some(_)) = (self.current_row(now), &self.entry) {
            warnings.push(format!(
                "{} is there now; whether SnapLogic replaces or adds is not \
                 documented, and is read back",
                own.role.said()
            ));
        } else if self.current_row(now).is_none() && !now.conclusive {
            warnings.push(
                "SnapLogic shows this credential too little to tell what is there now: this \
                 cannot be undone from here"
                    .to_owned(),
            );
        }
        if self.entry.is_none() && self.is_self() {
            warnings.push(OWN_LOSS.to_owned());
        }
        warnings
    }
}

/// What is wanted of a grantee on a space, as a row: an entry, or none at all.
fn wanted(space: &str, grantee: &Principal, entry: Option<&WantedLetters>) -> Access {
    let set = |(letters, inherit): &WantedLetters| {
        role(&letters.iter().map(|&letter| letter.to_owned()).collect::<BTreeSet<_>>(), *inherit)
    };
    Access::of(
        grantee.named(),
        entry.map_or_else(|| Named::ours(ALL_ACCESS), set),
        Named::new(space, None, "project_space"),
        "project_space",
    )
}

/// Makes sure that there is such a space, where something else is wrong anyway.
async fn exists(reader: &VendorReader<'_>, path: &Path<'_>) -> Result<(), Failure> {
    let space = path.whole();
    match snaplogic::acl(reader, &space).await {
        Err(failure) if failure.kind == Kind::NotFound => Err(no_such_space(reader, &space).await),
        _ => Ok(()),
    }
}

async fn no_such_space(reader: &VendorReader<'_>, space: &str) -> Failure {
    let none = Failure::invalid(format!("there is no {}", text::quote(Word::Id, space)))
        .of("project_or_space_path")
        .hint("paths are case-sensitive; give the space as SnapLogic shows it");
    snaplogic::offering_spaces(reader, none, "project_or_space_path", space).await
}

fn is_group(named: &Named) -> bool {
    named.kind.as_deref() == Some("group")
}

impl Step for SpaceEntry {
    fn wanted(&self) -> &Access {
        &self.wanted
    }

    fn summary(&self) -> String {
        let Access { principal, role, resource, .. } = &self.wanted;
        let (principal, role, space) = (principal.label(), role.said(), resource.label());
        match self.entry {
            Some(_) => format!("grant {role} on {space} to {principal}"),
            None => format!("remove {role} on {space} from {principal}"),
        }
    }

    fn arguments(&self) -> Value {
        let mut arguments = json!({
            "project_or_space_path": self.space,
            "grant_type": self.grant_type,
            "grantee": self.wanted.principal.id,
        });
        if let Some((letters, inherit)) = &self.entry {
            put(&mut arguments, "permission_list", json!(letters));
            put(&mut arguments, "inherit", *inherit);
        }
        arguments
    }

    fn already_outcome(&self) -> Outcome {
        if self.entry.is_some() { Outcome::AlreadyPresent } else { Outcome::AlreadyAbsent }
    }

    fn privileged(&self) -> Option<String> {
        self.is_of_system_group().filter(|_| self.entry.is_some())
    }

    fn contains(&self) -> Vec<String> {
        let letters = self.entry.iter().flat_map(|(letters, _)| letters);
        letters.map(|&letter| letter.to_owned()).collect()
    }

    fn is_self(&self) -> bool {
        self.grant_type == GrantType::User && self.caller.is(&self.wanted.principal.id)
    }

    fn given(&self, now: &[Access], left: &[Access]) -> Given {
        let own = |rows: &[Access]| rows.iter().find(|row| self.is_own(row)).cloned();
        let (now, left) = (own(now), own(left));
        let Some(row) = left else { return Given::default() };
        let (wanted, inherit) = letters(&row.role.id);
        let (there, reaches) = now.as_ref().map(|row| letters(&row.role.id)).unwrap_or_default();
        if wanted.iter().all(|letter| there.contains(letter)) && (reaches || !inherit) {
            return Given::default();
        }
        let contains = wanted.into_iter().map(str::to_owned).collect();
        let privileged = self.is_of_system_group();
        Given { rows: vec![row], privileged, own: self.is_self(), contains }
    }

    /// The other rows only tell how much the vendor shows.
    fn is_relevant(&self, row: &Access) -> bool {
        self.is_own(row)
    }

    /// What the groups on the list leave to whoever loses their own entry; and where that is not
    /// seen.
    fn remaining(&self, rows: &[Access]) -> Vec<String> {
        if self.entry.is_some() || self.grant_type == GrantType::Group {
            return Vec::new();
        }
        let known = self.through.lock().unwrap_or_else(PoisonError::into_inner);
        let (who, space) = (self.wanted.principal.label(), self.wanted.resource.label());
        let groups = || rows.iter().filter(|row| is_group(&row.principal));
        let of = groups().filter(|row| known.of.contains(&row.principal.id));
        let mut left: Vec<_> = of
            .map(|row| {
                let (role, group) = (row.role.said(), row.principal.said());
                format!("access is left: {who} has {role} on {space} through the group {group}")
            })
            .collect();
        let unread = groups().filter(|row| known.unread.contains(&row.principal.id));
        let unread: Vec<_> = unread.map(|row| text::exact(&row.principal.id)).collect();
        let subjects = rows.iter().map(|row| row.principal.id.as_str());
        if !unread.is_empty() {
            left.push(format!(
                "access may be left: what {who} has on {space} through a group is not seen, because \
                 the members of {} cannot be read",
                unread.join(", ")
            ));
        } else if !self.caller.sees_others(subjects) {
            left.push(format!(
                "access may be left: what {who} has on {space} through a group is not seen, because \
                 SnapLogic may show this credential only its own entries"
            ));
        }
        left
    }

    fn against(&self, was: &Access, is: &Access) -> Option<Ordering> {
        let [was, is] = [was, is].map(|row| parts(&row.role.id));
        match (is.is_superset(&was), was.is_superset(&is)) {
            (true, true) => Some(Ordering::Equal),
            (true, false) => Some(Ordering::Greater),
            (false, true) => Some(Ordering::Less),
            (false, false) => None,
        }
    }

    fn goes(&self, was: &Access, is: &Access) -> Option<String> {
        let [was, is] = [was, is].map(|row| parts(&row.role.id));
        let lost: Vec<_> = was.difference(&is).copied().collect();
        (!lost.is_empty()).then(|| lost.join(", "))
    }

    fn current<'a>(
        &'a self,
        reader: &'a VendorReader<'a>,
    ) -> BoxFuture<'a, Result<Snapshot, Failure>> {
        Box::pin(async move {
            let acl = match snaplogic::acl(reader, &self.space).await {
                Err(failure) if failure.kind == Kind::NotFound => {
                    return Err(no_such_space(reader, &self.space).await);
                }
                acl => acl?,
            };
            let snapshot = self.standing(acl);
            self.learn_groups(reader, &snapshot.rows).await;
            Ok(snapshot)
        })
    }

    fn plan(&self, now: &Snapshot) -> Result<Plan, Failure> {
        let (own, warnings) = (self.current_row(now), self.warnings(now));
        let reached = match (own, &self.entry) {
            (Some(row), Some(_)) => row.role.id == self.wanted.role.id,
            (None, None) => now.conclusive,
            _ => false,
        };
        if reached {
            return Ok(Plan::Already { outcome: self.already_outcome(), warnings });
        }
        let others = now.rows.iter().filter(|row| !self.is_own(row)).cloned();
        let (draft, after) = match &self.entry {
            Some((letters, inherit)) => {
                let draft = snaplogic::GRANT.draft(&[("project_or_space_path", &self.space)])?;
                let body = json!({
                    "grant_type": self.grant_type,
                    "grantee": self.wanted.principal.id,
                    "permission_list": letters,
                    "inherit": inherit,
                });
                (draft.body(body), others.chain([self.wanted.clone()]).collect())
            }
            None => {
                let draft = snaplogic::REVOKE.draft(&[("project_path", &self.space)])?;
                let draft = draft.typed().with("grant_type", self.grant_type.as_str());
                (draft.with("grantee", &self.wanted.principal.id), others.collect())
            }
        };
        Ok(Plan::Send { draft, after, warnings })
    }

    /// The status is the answer, but the library's error shape may hide under a 200.
    fn interpret(&self, reply: &Reply) -> WriteReply {
        let inner = snaplogic::inner_status(reply).filter(|_| reply.is_success());
        match inner {
            Some(500..) => {
                WriteReply::Garbled("the answer carries a failure of the vendor's own".to_owned())
            }
            Some(status @ 400..) => self.refused(&reply.with_status(status)),
            _ if reply.status < 300 => WriteReply::by_status(reply),
            _ => self.refused(reply),
        }
    }

    fn verify(&self, _: &Snapshot, now: &Snapshot) -> Verification {
        match (self.current_row(now), &self.entry) {
            (Some(row), Some(_)) if row.role.id == self.wanted.role.id => Verification::There,
            (Some(row), _) => Verification::Elsewise(format!("{} is there", row.role.said())),
            (None, _) if !now.conclusive => Verification::CannotTell,
            (None, None) => Verification::There,
            (None, Some(_)) => Verification::Elsewise("the grantee is not listed".to_owned()),
        }
    }
}

/// What a permission list holds: its letters, and its reach where that goes further.
fn parts(role: &str) -> BTreeSet<&str> {
    let (letters, inherit) = letters(role);
    letters.into_iter().chain(inherit.then_some("all assets inside")).collect()
}

impl SpaceEntry {
    fn refused(&self, reply: &Reply) -> WriteReply {
        match self.entry {
            Some(_) if reply.is_refusal() => WriteReply::No(refusal(reply, "SnapLogic")),
            Some(_) => WriteReply::by_status(reply),
            None => WriteReply::of_removal(reply, "SnapLogic"),
        }
    }
}

impl GrantType {
    fn as_str(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Group => "GROUP",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tables::{expected, found, heard, moved, planned, record, undone, warned};
    use super::*;
    use crate::intent::Shift;

    /// Ada's, or a group's, entry on /acme/Orders: "R,X inherit"; none is to take it away.
    fn step(grant_type: GrantType, grantee: &str, entry: Option<&str>) -> SpaceEntry {
        let grantee = match grant_type {
            GrantType::User => Principal::user(grantee, None, Some(grantee.to_owned())),
            GrantType::Group => {
                let kind = crate::access::PrincipalKind::Group;
                Principal { kind, ..Principal::user(grantee, Some(grantee.to_owned()), None) }
            }
        };
        let entry = entry.map(|entry| -> WantedLetters {
            let inherit = entry.ends_with(" inherit");
            let of = |letter: &&'static str| entry.split([',', ' ']).any(|one| one == *letter);
            (["R", "W", "X"].into_iter().filter(of).collect(), inherit)
        });
        SpaceEntry {
            wanted: wanted("/acme/Orders", &grantee, entry.as_ref()),
            space: "/acme/Orders".to_owned(),
            narrowed: false,
            grant_type,
            entry,
            caller: Caller::new(vec!["svc@example.com".to_owned()], true),
            grantee,
            org: "acme".to_owned(),
            through: Mutex::default(),
        }
    }

    const ADA: &str = "ada@example.com";

    fn set(entry: &str) -> SpaceEntry {
        step(GrantType::User, ADA, Some(entry))
    }

    fn remove() -> SpaceEntry {
        step(GrantType::User, ADA, None)
    }

    /// A list as SnapLogic shows it: "USER ada@example.com R,W inherit".
    fn listed(step: &SpaceEntry, rows: &[&str]) -> Snapshot {
        let entry = |row: &&str| -> Entry {
            let words: Vec<_> = row.split(' ').collect();
            serde_json::from_value(json!({
                "subject_type": words[0],
                "subject": words[1],
                "perms": words[2].split(',').collect::<Vec<_>>(),
                "inherit": words.len() > 3,
            }))
            .unwrap()
        };
        step.standing(rows.iter().map(entry).collect())
    }

    #[test]
    fn an_entry_is_set_in_the_body_and_removed_in_the_query() {
        let post = |kind: &str, who: &str, rest: &str| {
            format!(
                r#"POST /api/1/rest/public/assetapi/acl/acme/Orders {{"grant_type":"{kind}","grantee":"{who}",{rest}}}"#
            )
        };
        let delete = "DELETE /api/1/rest/public/assetapi/acl/acme/Orders?grant_type=USER&grantee=ada%40example.com";
        let group = || step(GrantType::Group, "devs", Some("R"));
        let read = r#""permission_list":["R"],"inherit":false"#;
        for (step, acl, plan) in [
            (set("R"), &[][..], post("USER", ADA, read)),
            (set("X,R"), &[], post("USER", ADA, r#""permission_list":["R","X"],"inherit":false"#)),
            (
                set("R,W,X inherit"),
                &[],
                post("USER", ADA, r#""permission_list":["R","W","X"],"inherit":true"#),
            ),
            (set("R"), &["USER ada@example.com R"], "already_present".to_owned()),
            // The letter case of an address says nothing.
            (set("R"), &["USER Ada@Example.com R"], "already_present".to_owned()),
            (set("R,X"), &["USER ada@example.com X,R"], "already_present".to_owned()),
            (set("R"), &["USER ada@example.com R inherit"], post("USER", ADA, read)),
            (set("R"), &["USER ada@example.com R,W"], post("USER", ADA, read)),
            (set("R"), &["GROUP ada@example.com R"], post("USER", ADA, read)),
            (group(), &["USER devs R"], post("GROUP", "devs", read)),
            (group(), &["GROUP Devs R"], post("GROUP", "devs", read)),
            (group(), &["GROUP devs R"], "already_present".to_owned()),
            (remove(), &["USER ada@example.com R"], delete.to_owned()),
            (remove(), &["USER bo@example.com R"], "already_absent".to_owned()),
            (remove(), &["GROUP ada@example.com R"], "already_absent".to_owned()),
            // Nobody else is shown, so that nobody can tell.
            (remove(), &[], delete.to_owned()),
            (remove(), &["USER svc@example.com R,W,X"], delete.to_owned()),
        ] {
            assert_eq!(planned(&step, &listed(&step, acl)), plan, "{acl:?}");
        }
        let acl = ["USER bo@example.com R", "USER ada@example.com R,W inherit"];
        let [set, removed] = [set("R"), remove()];
        let ada = "ada@example.com: R on /acme/Orders";
        let bo = "bo@example.com: R on /acme/Orders";
        assert_eq!(expected(&set, &listed(&set, &acl)), [bo, ada]);
        assert_eq!(expected(&removed, &listed(&removed, &acl)), [bo]);
        let typed = removed.plan(&listed(&removed, &acl));
        assert!(
            matches!(typed, Ok(Plan::Send { draft, .. }) if draft.typed && draft.body.is_none())
        );
    }

    #[test]
    fn what_is_read_back_is_the_grantees_own_entry() {
        for (step, acl, seen) in [
            (set("R,X"), &["USER ada@example.com X,R"][..], "there"),
            (
                set("R,X"),
                &["USER ada@example.com R,X inherit"],
                "elsewise: “Read & Execute, and all assets inside” is there",
            ),
            (set("R,X"), &["USER ada@example.com R,W,X"], "elsewise: “Full Access” is there"),
            (set("R"), &["USER bo@example.com R"], "elsewise: the grantee is not listed"),
            (
                set("R"),
                &["GROUP ada@example.com R", "GROUP devs R"],
                "elsewise: the grantee is not listed",
            ),
            // A list that may be the caller's own view proves no absence.
            (set("R"), &["USER svc@example.com R"], "cannot tell"),
            (set("R"), &[], "cannot tell"),
            (remove(), &["USER bo@example.com R"], "there"),
            (remove(), &["GROUP devs R,W,X"], "there"),
            (remove(), &["USER ada@example.com W"], "elsewise: “W” is there"),
            (remove(), &["USER svc@example.com R"], "cannot tell"),
            (remove(), &[], "cannot tell"),
        ] {
            let now = listed(&step, acl);
            assert_eq!(found(&step, &Snapshot::default(), &now), seen, "{acl:?}");
        }
    }

    #[test]
    fn a_status_may_hide_inside_a_200() {
        let inner = |status: u16| {
            format!(
                r#"{{"response_map":{{"error_list":[{{"message":"no"}}]}},"http_status_code":{status}}}"#
            )
        };
        for (status, body, set_is, removed_is) in [
            (200, String::new(), "yes", "yes"),
            (201, String::new(), "yes", "yes"),
            (204, String::new(), "yes", "yes"),
            (200, r#"{"response_map":{},"http_status_code":200}"#.to_owned(), "yes", "yes"),
            (200, r#"{"success":{}}"#.to_owned(), "yes", "yes"),
            (200, "<html>".to_owned(), "nothing", "nothing"),
            (200, inner(400), "no", "no"),
            (200, inner(403), "no", "no"),
            (200, inner(404), "no", "exists"),
            (200, inner(408), "nothing", "nothing"),
            (200, inner(500), "nothing", "nothing"),
            (200, inner(503), "nothing", "nothing"),
            (202, String::new(), "nothing", "nothing"),
            (302, String::new(), "nothing", "nothing"),
            (400, inner(400), "no", "no"),
            (403, String::new(), "no", "no"),
            (404, String::new(), "no", "exists"),
            (404, inner(200), "no", "exists"),
            (409, String::new(), "no", "no"),
            (500, inner(404), "nothing", "nothing"),
            (504, String::new(), "nothing", "nothing"),
        ] {
            assert_eq!(heard(&set("R"), status, &body), set_is, "{status} {body}");
            assert_eq!(heard(&remove(), status, &body), removed_is, "{status} {body}");
        }
    }

    #[test]
    fn the_environments_own_groups_are_privileged_to_grant_to() {
        for (grant_type, grantee, privileged) in [
            (GrantType::Group, "admins", true),
            (GrantType::Group, "Members", true),
            (GrantType::Group, "devs", false),
            (GrantType::Group, "admins2", false),
            (GrantType::User, "admins", false),
        ] {
            let granted = step(grant_type, grantee, Some("R"));
            assert_eq!(granted.privileged().is_some(), privileged, "{grantee}");
            assert_eq!(step(grant_type, grantee, None).privileged(), None, "{grantee}");
        }
        for (grant_type, grantee, own) in [
            (GrantType::User, "svc@example.com", true),
            (GrantType::User, "SVC@example.com", true),
            (GrantType::User, ADA, false),
            (GrantType::Group, "svc@example.com", false),
        ] {
            assert_eq!(step(grant_type, grantee, Some("R")).is_self(), own, "{grantee}");
        }
        for (grantee, own) in [("svc@example.com", true), (ADA, false)] {
            let removing = step(GrantType::User, grantee, None);
            let rows = listed(&removing, &[&format!("USER {grantee} R")]);
            let told = warned(&removing, &rows);
            assert_eq!(told.iter().any(|one| one == OWN_LOSS), own, "{told:?}");
        }
        assert_eq!(set("X,R").contains(), ["R", "X"]);
    }

    #[test]
    fn what_groups_leave_is_told_where_it_is_seen_and_where_it_is_not() {
        let acl = ["USER ada@example.com R", "GROUP devs R,W,X", "GROUP ops R"];
        let through = "access is left: ada@example.com has “Full Access” on /acme/Orders through the group devs";
        let unread = "access may be left: what ada@example.com has on /acme/Orders through a group is not \
                      seen, because the members of ops cannot be read";
        let own_view = "access may be left: what ada@example.com has on /acme/Orders through a group is not \
                        seen, because SnapLogic may show this credential only its own entries";
        let known = |of: &[&str], unread: &[&str]| {
            let [of, unread] =
                [of, unread].map(|all| all.iter().map(|&one| one.to_owned()).collect());
            Memberships { of, unread, ..Memberships::default() }
        };
        for (acl, known, told) in [
            (&acl[..], known(&[], &[]), &[][..]),
            (&acl, known(&["devs"], &[]), &[through]),
            (&acl, known(&[], &["ops"]), &[unread]),
            (&acl, known(&["devs"], &["ops"]), &[through, unread]),
            (&acl[..1], known(&["devs"], &["ops"]), &[]),
            (&["USER svc@example.com R"], known(&[], &[]), &[own_view]),
        ] {
            let step = SpaceEntry { through: Mutex::new(known), ..remove() };
            assert_eq!(step.remaining(&listed(&step, acl).rows), told, "{acl:?}");
        }
        // Whoever is given something, and a group, loses nothing that could be left.
        for step in [set("R"), step(GrantType::Group, "devs", None)] {
            assert_eq!(step.remaining(&listed(&step, &acl).rows), Vec::<String>::new());
        }
    }

    #[test]
    fn what_a_reader_should_know_goes_with_the_plan() {
        let widened = "the path's third segment is not used: SnapLogic widens a project to /acme/Orders and its \
                       shared folder, and the whole space is what changes";
        let adds = "“Read & Write” is there now; whether SnapLogic replaces or adds is not documented, and is \
                    read back";
        let blind = "SnapLogic shows this credential too little to tell what is there now: this cannot be \
                     undone from here";
        let others = "USER bo@example.com R";
        for (narrowed, acl, told) in [
            (false, &[others][..], &[][..]),
            (true, &[others], &[widened]),
            (false, &[others, "USER ada@example.com R,W"], &[adds]),
            (true, &["USER svc@example.com R"], &[widened, blind]),
        ] {
            let step = SpaceEntry { narrowed, ..set("R") };
            assert_eq!(warned(&step, &listed(&step, acl)), told, "{acl:?}");
        }
    }

    #[test]
    fn letters_and_reach_are_more_less_or_neither() {
        for (was, is, gives, takes, goes) in [
            ("R", "R,W", true, false, None),
            ("R,W", "R", false, true, Some("W")),
            ("R inherit", "R", false, true, Some("all assets inside")),
            ("R", "R inherit", true, false, None),
            ("R,W", "R,X", true, true, Some("W")),
            ("R,W,X inherit", "R", false, true, Some("W, X, all assets inside")),
            ("R,X", "X,R", false, false, None),
        ] {
            let step = set("R");
            let rows = |entry: &str| listed(&step, &[&format!("USER {ADA} {entry}")]).rows;
            let (was, is) = (rows(was), rows(is));
            let shift = Shift { gives, takes };
            assert_eq!(moved(&step, &was, &is), (shift, goes.map(str::to_owned)), "{was:?} {is:?}");
        }
    }

    #[test]
    fn an_end_gives_what_stands_there_no_more() {
        for (now, left, gives, contains) in [
            (&["R"][..], &["R,W"][..], true, &["R", "W"][..]),
            (&["R,W"], &["R"], false, &[]),
            (&["R,W"], &["R inherit"], true, &["R"]),
            (&["R,W inherit"], &["R"], false, &[]),
            (&[], &["R"], true, &["R"]),
            (&["R"], &[], false, &[]),
        ] {
            let step = set("R");
            let rows = |entries: &[&str]| {
                let rows: Vec<_> =
                    entries.iter().map(|entry| format!("USER {ADA} {entry}")).collect();
                listed(&step, &rows.iter().map(String::as_str).collect::<Vec<_>>()).rows
            };
            let given = step.given(&rows(now), &rows(left));
            assert_eq!(
                (
                    !given.rows.is_empty(),
                    given.contains.iter().map(String::as_str).collect::<Vec<_>>()
                ),
                (gives, contains.to_vec()),
                "{now:?}"
            );
        }
        let admins = step(GrantType::Group, "admins", Some("R"));
        let left = listed(&admins, &["GROUP admins R,W,X"]).rows;
        assert!(admins.given(&[], &left).privileged.is_some());
    }

    #[test]
    fn an_entry_is_undone_by_what_was_there_where_that_is_known() {
        let target = r#""project_or_space_path":"/acme/Orders","grant_type":"USER","grantee":"ada@example.com""#;
        for (before, conclusive, undoes) in [
            (&[][..], true, format!("remove_project_acl {{{target}}}")),
            (&["GROUP ada@example.com R"], true, format!("remove_project_acl {{{target}}}")),
            (
                &["USER bo@example.com R", "USER ada@example.com R,W inherit"],
                true,
                format!(r#"set_project_acl {{{target},"permission_list":["R","W"],"inherit":true}}"#),
            ),
            (
                &["USER ada@example.com X"],
                false,
                format!(r#"set_project_acl {{{target},"permission_list":["X"],"inherit":false}}"#),
            ),
            (
                &[],
                false,
                "Refused: what was there before is not known: SnapLogic showed this credential too little \
                 to tell"
                    .to_owned(),
            ),
        ] {
            let step = set("R");
            let before = listed(&step, before).rows;
            let inverse = undone(inverse(&record(step.wanted(), &before, conclusive)));
            assert_eq!(inverse, undoes, "{before:?}");
        }
        assert_eq!(set("R").summary(), "grant “Read Only” on /acme/Orders to ada@example.com");
        assert_eq!(remove().summary(), "remove all access on /acme/Orders from ada@example.com");
        let arguments = format!(r#"{{{target},"permission_list":["R"],"inherit":false}}"#);
        assert_eq!(set("R").arguments().to_string(), arguments);
    }

    /// A list takes the place of one that it holds all of, and of no other.
    #[test]
    fn permissions_on_a_space_are_given_where_nothing_is_lost_by_it() {
        use super::super::giving::tests::{given_to, row, somebody, taken};
        let vendor = &snaplogic::VENDOR;
        let scope = "project_space";
        let of = |kind: &str, letters: &str, inherit: bool| {
            let (kind, letters) =
                (kind.to_uppercase(), json!(letters.split(',').collect::<Vec<_>>()));
            format!(
                r#"set_project_acl {{"project_or_space_path":"/acme/Orders","grant_type":"{kind}","grantee":"sam","permission_list":{letters},"inherit":{inherit}}}"#
            )
        };
        let replaced = "not: sam holds W there, and it would take the place of that".to_owned();
        for kind in ["user", "group"] {
            let [ana, sam] = ["ana", "sam"].map(|id| somebody(id, kind));
            for (wanted, own, told) in [
                ("R,X", None, of(kind, "R,X", false)),
                ("R,X+inherit", None, of(kind, "R,X", true)),
                ("R,X", Some("R"), of(kind, "R,X", false)),
                ("R,X", Some("R,W,X+inherit"), "already".to_owned()),
                ("R,X", Some("W"), replaced.clone()),
                ("O,R", None, "not: “O” is not granted from here".to_owned()),
            ] {
                let at = |who, role: &str| row(who, scope, &format!("{role} on /acme/Orders"));
                let held: Vec<_> = own.map(|own| at(&sam, own)).into_iter().collect();
                assert_eq!(
                    given_to(vendor, &at(&ana, wanted), &sam, &held),
                    told,
                    "{wanted} {own:?}"
                );
            }
            let gone = format!(
                r#"remove_project_acl {{"project_or_space_path":"/acme/Orders","grant_type":"{}","grantee":"ana"}}"#,
                kind.to_uppercase()
            );
            assert_eq!(taken(vendor, &row(&ana, scope, "R,X on /acme/Orders"), &[]), gone);
        }
    }
}
