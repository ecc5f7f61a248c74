//! One grantee's entry on one SnapLogic project space: set, or taken away.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

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
type Wanted = (BTreeSet<&'static str>, bool);

pub(super) struct SpaceEntry {
    wanted: Access,
    space: String,
    /// Whether the caller named a project in it, which the vendor widens to its space.
    narrowed: bool,
    grant_type: GrantType,
    /// None takes the entry away.
    entry: Option<Wanted>,
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
    let group = wanted.principal.kind.as_deref() == Some("group");
    let mut arguments = json!({
        "project_or_space_path": wanted.resource.id,
        "grant_type": if group { GrantType::Group } else { GrantType::User },
        "grantee": wanted.principal.id,
    });
    let Some(earlier) = earlier else {
        return Ok(Inverse { tool: "remove_project_acl", arguments });
    };
    let (letters, inherit) = letters(&earlier.role.id);
    put(&mut arguments, "permission_list", json!(letters));
    put(&mut arguments, "inherit", inherit);
    Ok(Inverse { tool: "set_project_acl", arguments })
}

impl SpaceEntry {
    pub(super) async fn resolve(
        reader: &VendorReader<'_>,
        given: &str,
        grant_type: GrantType,
        grantee: &Name,
        entry: Option<Wanted>,
    ) -> Result<Self, Failure> {
        let path = Path::parse("project_or_space_path", given);
        let configured = reader.tenant.settings.get(snaplogic::ORG);
        // Where the path says no organization, the grantee is looked for in the configured one.
        let Some(org) = path.as_ref().map_or(configured, |path| Some(path.org)) else {
            return Err(path.err().unwrap_or_else(|| Failure::invalid("names no organization")));
        };
        let grantee = match grant_type {
            GrantType::User => snaplogic::user(reader, org, reader.meant(grantee.as_str())).await,
            GrantType::Group => snaplogic::group(reader, org, reader.meant(grantee.as_str())).await,
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

    fn held<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a Access> {
        snapshot.rows.iter().find(|row| self.is_own(row))
    }

    fn warnings(&self, now: &Snapshot) -> Vec<String> {
        let mut warnings = self.left(&now.rows);
        if self.narrowed {
            // It is never sent, so that nobody would see that it says something else.
            warnings.push(format!(
                "the path's third segment is not used: SnapLogic widens a project to {} and its \
                 shared folder, and the whole space is what changes",
                self.wanted.resource.said()
            ));
        }
        if let (Some(own), Some(_)) = (self.held(now), &self.entry) {
            warnings.push(format!(
                "{} is there now; whether SnapLogic replaces or adds is not \
                 documented, and is read back",
                own.role.said()
            ));
        } else if self.held(now).is_none() && !now.conclusive {
            warnings.push(
                "SnapLogic shows this credential too little to tell what is there now: this \
                 cannot be undone from here"
                    .to_owned(),
            );
        }
        warnings
    }
}

/// What is wanted of a grantee on a space, as a row: an entry, or none at all.
fn wanted(space: &str, grantee: &Principal, entry: Option<&Wanted>) -> Access {
    let set = |(letters, inherit): &Wanted| {
        role(&letters.iter().map(|&letter| letter.to_owned()).collect::<BTreeSet<_>>(), *inherit)
    };
    Access {
        id: None,
        principal: grantee.named(),
        role: entry.map_or_else(|| Named::ours(ALL_ACCESS), set),
        resource: Named::new(space, None, "project_space"),
        scope: "project_space".into(),
        within: None,
        via: None,
        starts_at: None,
        expires_at: None,
        pending: false,
    }
}

/// Makes sure that there is such a space, where something else is wrong anyway.
async fn exists(reader: &VendorReader<'_>, path: &Path<'_>) -> Result<(), Failure> {
    let space = path.whole();
    match snaplogic::acl(reader, &space).await {
        Err(failure) if failure.kind == Kind::NotFound => Err(no_such_space(&space)),
        _ => Ok(()),
    }
}

fn no_such_space(space: &str) -> Failure {
    Failure::invalid(format!("there is no {}", text::quote(Word::Id, space)))
        .of("project_or_space_path")
        .hint("paths are case-sensitive; give the space as SnapLogic shows it")
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
    fn left(&self, rows: &[Access]) -> Vec<String> {
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
            let acl = snaplogic::acl(reader, &self.space).await.map_err(|failure| match failure
                .kind
            {
                Kind::NotFound => no_such_space(&self.space),
                _ => failure,
            })?;
            let snapshot = self.standing(acl);
            self.learn_groups(reader, &snapshot.rows).await;
            Ok(snapshot)
        })
    }

    fn plan(&self, now: &Snapshot) -> Result<Plan, Failure> {
        let (own, warnings) = (self.held(now), self.warnings(now));
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
        match (self.held(now), &self.entry) {
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
