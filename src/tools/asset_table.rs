//! The permissions of one CentraSite asset, set or combined as one table.

mod entry;

use std::cmp::Ordering;

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};

use super::step::OWN_LOSS;
use super::{Effect, Given, Part, Plan, Snapshot, Step, Verification, WriteReply};
use crate::access::{Access, Named, Outcome, PrincipalKind, Resource};
use crate::failure::Failure;
use crate::intent::{JudgedPart, Shift};
use crate::json::put;
use crate::outbound::{Reply, refusal};
use crate::text;
use crate::vendors::VendorReader;
use crate::vendors::centrasite::{self, Holding, Level, PermissionEntry, Permissions};
pub(super) use entry::WantedEntry;
use entry::{covers, difference, full_for_everybody, is_everybody, is_same, level, may_own};

/// All entries of one call: CentraSite sets them together.
pub(super) struct AssetTable {
    pub wanted: Access,
    pub asset: Resource,
    pub entries: Vec<WantedEntry>,
    /// Who is on the list and not among the entries that replace it.
    pub losing: Vec<Named>,
    /// Who Grantor's own credential signs in as.
    pub username: Option<String>,
    pub replace: bool,
    pub propagate: bool,
    pub propagate_profiles: bool,
}

/// The row all entries together stand for.
pub(super) fn wanted(asset: &Resource, entries: &[WantedEntry]) -> Access {
    let join = |part: &dyn Fn(&WantedEntry) -> String| {
        entries.iter().map(part).collect::<Vec<_>>().join(", ")
    };
    let ids = join(&|entry| entry.principal.id.clone());
    let names = join(&|entry| entry.principal.named().bare().to_owned());
    let levels = join(&|entry| entry.level.as_str().to_owned());
    let kind = match entries {
        [only] => Some(only.principal.kind.as_str().to_owned()),
        _ => None,
    };
    Access::of(
        Named { id: ids, name: Some(names), kind, email: None },
        Named { id: levels.clone(), name: Some(levels), kind: None, email: None },
        asset.named(),
        "asset",
    )
}

/// Whether a user signs in with this name.
pub(super) fn is_called(principal: &Named, username: &str) -> bool {
    let names = [Some(principal.id.as_str()), principal.name.as_deref()];
    principal.kind.as_deref() == Some(PrincipalKind::User.as_str())
        && names.into_iter().flatten().any(|name| name.eq_ignore_ascii_case(username))
}

/// What somebody holds, as a row like the others of this change.
pub(super) fn row(held: &PermissionEntry, like: &Access) -> Access {
    let principal = Named::new(&held.principal.id, None, held.principal.kind.as_str());
    Access { id: None, principal, role: Holding::of(held).role(), ..like.clone() }
}

impl AssetTable {
    /// Learns who is on the list, where what is asked for depends on it: who loses access, and who
    /// is given what they have.
    pub(super) async fn look_ahead(&mut self, reader: &VendorReader<'_>) -> Result<(), Failure> {
        let delicate = |entry: &WantedEntry| entry.own || entry.is_full_for_everybody();
        if !self.replace && !self.entries.iter().any(delicate) {
            return Ok(());
        }
        // Names may be remembered, access may not.
        let now = VendorReader { cache: None, ..*reader };
        let there = centrasite::permissions(&now, &self.asset.id).await?;
        for entry in &mut self.entries {
            entry.already = there.permissions.iter().any(|held| entry.is_covered_by(held));
        }
        if self.replace {
            let others = there.permissions.iter().map(|held| self.row(held));
            let others = others.filter(|row| !self.entries.iter().any(|entry| entry.is(row)));
            let mut others: Vec<_> = others.map(|row| row.principal).collect();
            centrasite::name(reader, others.iter_mut().collect()).await;
            self.losing = others;
        }
        Ok(())
    }

    fn row(&self, held: &PermissionEntry) -> Access {
        let mut row = row(held, &self.wanted);
        let entries = self.entries.iter().map(|entry| entry.principal.named());
        let mut known = entries.chain(self.losing.iter().cloned());
        if let Some(known) = known.find(|known| known.is(&row.principal)) {
            row.principal = known;
        }
        row
    }

    fn standing(&self, permissions: &Permissions) -> Snapshot {
        let rows = permissions.permissions.iter().map(|held| self.row(held)).collect();
        Snapshot { rows, conclusive: true, version: permissions.version(), notes: Vec::new() }
    }

    /// The list as the documented rule makes it: replaced, or combined so that the higher wins.
    fn expected(&self, now: &Snapshot) -> Vec<Access> {
        let mut rows = if self.replace { Vec::new() } else { now.rows.clone() };
        for entry in &self.entries {
            let held = rows.iter_mut().find(|row| entry.is(row));
            let Some(row) = held else {
                rows.push(self.row(&entry.permission_entry()));
                continue;
            };
            let there = Holding::parse(&row.role.id);
            row.role = there.combined(&Holding::of(&entry.permission_entry())).role();
        }
        rows
    }

    fn warnings(&self, now: &Snapshot, after: &[Access]) -> Vec<String> {
        let mut warnings = Vec::new();
        if now.rows.is_empty() {
            warnings.push(
                "nothing is set now, and an empty list cannot be set: this cannot be undone from here"
                    .to_owned(),
            );
        }
        for entry in &self.entries {
            let there = now
                .rows
                .iter()
                .find(|row| entry.is(row))
                .map(|row| Holding::parse(&row.role.id).level);
            if let Some(level) = there.filter(|level| !self.replace && *level > entry.level) {
                warnings.push(format!(
                    "{} keeps {}: combining never lowers a permission; use \
                     removeExistingPermission with the whole list",
                    entry.principal.named().label(),
                    level.as_str()
                ));
            }
        }
        warnings.extend(self.remaining(after));
        let gone = |row: &&Access| !after.iter().any(|kept| is_same(kept, row));
        let username = self.username.as_deref();
        let is_own = |row: &Access| username.is_some_and(|name| is_called(&row.principal, name));
        if now.rows.iter().filter(gone).any(is_own) {
            warnings.push(OWN_LOSS.to_owned());
        }
        for row in now.rows.iter().filter(gone) {
            warnings.push(format!(
                "{} loses {}: the whole list is replaced (an owner keeps Full)",
                row.principal.label(),
                row.role.said()
            ));
        }
        if self.replace {
            warnings.push(
                "a role such as Manage Assets may reach the asset whatever is set on it".to_owned(),
            );
        }
        if self.propagate || self.propagate_profiles {
            warnings
                .push("dependent objects change too (which ones, only CentraSite knows); an undo or an end takes \
                 nothing back there".to_owned());
        }
        warnings
    }

    /// A row of somebody who is asked for, and holds more than that.
    fn more_than_asked<'r>(&self, now: &'r Snapshot) -> Option<&'r Access> {
        let entry = |row: &Access| self.entries.iter().find(|entry| entry.is(row));
        let more = |row: &&Access| {
            let wanted = entry(row).map(|entry| Holding::of(&entry.permission_entry()));
            wanted.is_some_and(|wanted| !wanted.covers(&Holding::parse(&row.role.id)))
        };
        now.rows.iter().filter(|_| !self.replace).find(more)
    }

    /// Passed on to dependents, what stands on the asset already is given there.
    fn new_entries(&self) -> impl Iterator<Item = &WantedEntry> {
        let passed_on = self.propagate || self.propagate_profiles;
        self.entries.iter().filter(move |entry| passed_on || !entry.already)
    }

    fn gains(&self, entry: &WantedEntry) -> JudgedPart {
        JudgedPart {
            effect: Effect::Grant,
            wanted: Access {
                principal: entry.principal.named(),
                role: level(entry.level),
                ..self.wanted.clone()
            },
            privileged: entry.privileged(),
            contains: vec![entry.level.as_str().to_owned()],
            own: entry.own,
        }
    }

    fn loses(&self, row: &Access) -> JudgedPart {
        let held = Holding::parse(&row.role.id).level;
        let entry = self.entries.iter().find(|entry| entry.is(row));
        JudgedPart {
            effect: Effect::Revoke,
            wanted: Access { role: level(held), ..row.clone() },
            privileged: None,
            contains: vec![held.as_str().to_owned()],
            own: entry.is_some_and(|entry| entry.own),
        }
    }

    fn body(&self) -> Value {
        let entry = |entry: &WantedEntry| {
            let mut body = json!({});
            put(&mut body, entry.principal.kind.as_str(), entry.principal.id.as_str());
            put(&mut body, "permission", json!(entry.level));
            if !entry.profiles.is_empty() {
                put(&mut body, "profilePermissions", json!(entry.profiles));
            }
            body
        };
        json!({
            "userGroupAssetPermission": self.entries.iter().map(entry).collect::<Vec<_>>(),
            "removeExistingPermission": self.replace,
            "propagatePermissionsToDependentObjects": self.propagate,
            "propagateProfilePermissions": self.propagate_profiles,
        })
    }
}

impl Step for AssetTable {
    fn wanted(&self) -> &Access {
        &self.wanted
    }

    fn summary(&self) -> String {
        let entry = |entry: &WantedEntry| {
            let (who, role) =
                (entry.principal.named().label(), Holding::of(&entry.permission_entry()).role());
            format!("{} for {who}", role.said())
        };
        let entries = self.entries.iter().map(entry).collect::<Vec<_>>().join(", ");
        let set = format!("set on {}: {entries}", self.wanted.resource.label());
        if self.losing.is_empty() {
            return set;
        }
        let losing = self.losing.iter().map(Named::label).collect::<Vec<_>>().join(", ");
        format!("{set}; who is not an owner loses access: {losing}")
    }

    fn difference(&self, before: &[Access], after: &[Access]) -> Option<String> {
        difference(&self.wanted.resource, before, after)
    }

    fn arguments(&self) -> Value {
        let mut arguments = self.body();
        put(&mut arguments, "asset", self.asset.id.as_str());
        arguments
    }

    fn privileged(&self) -> Option<String> {
        self.new_entries().find_map(WantedEntry::privileged)
    }

    fn contains(&self) -> Vec<String> {
        let mut levels: Vec<_> = self.entries.iter().map(|entry| entry.level).collect();
        levels.sort_unstable();
        levels.dedup();
        levels.into_iter().map(|level| level.as_str().to_owned()).collect()
    }

    fn is_self(&self) -> bool {
        self.new_entries().any(|entry| entry.own)
    }

    /// Passed on to dependents, what an entry says is given anew, whatever stands on the asset.
    fn rows(&self, before: &[Access], after: &[Access], all: bool) -> Vec<JudgedPart> {
        let all = all || self.propagate || self.propagate_profiles;
        let gained = |entry: &&WantedEntry| {
            let held = |rows: &[Access]| rows.iter().find(|row| entry.is(row)).cloned();
            all || match (held(before), held(after)) {
                (Some(old), Some(new)) => !covers(&old, &new),
                (_, new) => new.is_some(),
            }
        };
        let lost = |row: &&Access| !after.iter().any(|new| is_same(new, row) && covers(new, row));
        let gains = self.entries.iter().filter(gained).map(|entry| self.gains(entry));
        gains.chain(before.iter().filter(lost).map(|row| self.loses(row))).collect()
    }

    fn parts(&self, outcome: Outcome, before: &[Access], after: &[Access]) -> Vec<Part> {
        if self.entries.len() < 2 {
            return Vec::new();
        }
        self.entries.iter().map(|entry| entry.part(self, outcome, before, after)).collect()
    }

    /// Whoever loses their entry may be in a group that keeps one. Who is in which group the bridge
    /// does not show, but for the one that everybody is in.
    fn remaining(&self, rows: &[Access]) -> Vec<String> {
        let stays = |one: &&Named| {
            rows.iter().any(|row| row.principal.id == one.id && row.principal.kind == one.kind)
        };
        let users = self.losing.iter().filter(|one| one.kind.as_deref() == Some("user"));
        if users.filter(|one| !stays(one)).count() == 0 {
            return Vec::new();
        }
        let is_group = |row: &&Access| row.principal.kind.as_deref() == Some("group");
        let groups: Vec<_> = rows.iter().filter(is_group).collect();
        let everyone = |row: &&&Access| centrasite::is_everyone(&row.principal);
        if let Some(row) = groups.iter().find(everyone) {
            let (group, role) = (row.principal.label(), row.role.said());
            return vec![format!("access is left: {group} keeps {role}, and everybody is in it")];
        }
        let names: Vec<_> = groups.iter().map(|row| row.principal.label()).collect();
        let (may, who) =
            ("access may be left through a group", "CentraSite does not show its members");
        let some = (!names.is_empty()).then(|| format!("{may}: {} ({who})", names.join(", ")));
        some.into_iter().collect()
    }

    fn against(&self, was: &Access, is: &Access) -> Option<Ordering> {
        let [was, is] = [was, is].map(|row| Holding::parse(&row.role.id));
        match (is.covers(&was), was.covers(&is)) {
            (true, true) => Some(Ordering::Equal),
            (true, false) => Some(Ordering::Greater),
            (false, true) => Some(Ordering::Less),
            (false, false) => None,
        }
    }

    fn goes(&self, was: &Access, is: &Access) -> Option<String> {
        let [was, is] = [was, is].map(|row| Holding::parse(&row.role.id));
        let level = (was.level > is.level).then(|| was.level.as_str().to_owned());
        let profiles =
            was.profiles.iter().filter(|(name, level)| is.profiles.get(*name) < Some(*level));
        let profiles = profiles.map(|(name, level)| {
            format!("{} of the profile {}", level.as_str(), text::quoted(name))
        });
        let lost: Vec<_> = level.into_iter().chain(profiles).collect();
        (!lost.is_empty()).then(|| lost.join(", "))
    }

    /// What is passed on to dependent objects gives there, and takes where their lists are replaced.
    fn shift(&self, before: &[Access], after: &[Access]) -> Shift {
        let own = Shift::between(before, after, |was, is| self.against(was, is));
        let propagates = self.propagate || self.propagate_profiles;
        Shift { gives: own.gives || propagates, takes: own.takes || propagates && self.replace }
    }

    fn given(&self, now: &[Access], left: &[Access]) -> Given {
        let stands = |row: &Access| now.iter().any(|f| is_same(f, row) && covers(f, row));
        let rows: Vec<_> = left.iter().filter(|row| !stands(row)).cloned().collect();
        let holding = |row: &Access| Holding::parse(&row.role.id).level;
        let everybody = |row: &&Access| holding(row) == Level::Full && is_everybody(&row.principal);
        let privileged = rows.iter().find(everybody).map(full_for_everybody);
        let username = self.username.as_deref();
        let own = |row: &Access| username.is_some_and(|name| is_called(&row.principal, name));
        let contains = rows.iter().map(|row| holding(row).as_str().to_owned()).collect();
        Given { privileged, own: rows.iter().any(own), contains, rows }
    }

    /// Everybody's row, where everybody's may go.
    fn is_relevant(&self, row: &Access) -> bool {
        self.replace || self.entries.iter().any(|entry| entry.is(row))
    }

    fn current<'a>(
        &'a self,
        reader: &'a VendorReader<'a>,
    ) -> BoxFuture<'a, Result<Snapshot, Failure>> {
        Box::pin(async move {
            let permissions = centrasite::permissions(reader, &self.asset.id).await?;
            if permissions.version().is_none() {
                return Err(Failure::garbled("the bridge's answer has no version")
                    .hint("the bridge must give a version, so that no update is lost"));
            }
            Ok(self.standing(&permissions))
        })
    }

    fn plan(&self, now: &Snapshot) -> Result<Plan, Failure> {
        let after = self.expected(now);
        let warnings = self.warnings(now, &after);
        if same(&after, &now.rows) && !self.propagate && !self.propagate_profiles {
            if let Some(row) = self.more_than_asked(now) {
                return Err(Failure::refused(format!(
                    "{} holds {} there, which is more, and combining never lowers a permission",
                    row.principal.label(),
                    row.role.said()
                ))
                .hint("to lower it, send the whole list with removeExistingPermission"));
            }
            return Ok(Plan::Already { outcome: Outcome::AlreadyPresent, warnings });
        }
        let version = now.version.as_deref().unwrap_or_default();
        let draft = centrasite::SET.draft(&[("id", &self.asset.id)])?;
        Ok(Plan::Send { draft: draft.if_match(version).body(self.body()), after, warnings })
    }

    fn interpret(&self, reply: &Reply) -> WriteReply {
        #[derive(Deserialize)]
        struct Set {
            #[serde(default)]
            warnings: Vec<String>,
        }
        match reply.status {
            412 => WriteReply::No(refusal(reply, "the bridge").hint("changed since; ask again")),
            _ if reply.is_success() => match (reply.json::<Permissions>(), reply.json::<Set>()) {
                (Ok(_), Ok(Set { warnings })) => {
                    let said =
                        |warning: &String| format!("the bridge says {}", reply.quoted(warning));
                    WriteReply::Yes { warnings: warnings.iter().map(said).collect() }
                }
                (Err(failure), _) | (_, Err(failure)) => WriteReply::Garbled(failure.message),
            },
            _ => WriteReply::by_status(reply),
        }
    }

    /// Every entry holds what was meant, no less and no more, and nobody else lost or kept what they
    /// should not have.
    fn verify(&self, before: &Snapshot, now: &Snapshot) -> Verification {
        let expected = self.expected(before);
        let (own, others): (Vec<_>, Vec<_>) =
            expected.iter().partition(|row| self.entries.iter().any(|entry| entry.is(row)));
        if let Some(other) = own.into_iter().find_map(|row| other_than(row, &now.rows)) {
            return Verification::Elsewise(other);
        }
        let lost = |row: &&Access| !now.rows.iter().any(|f| is_same(f, row) && covers(f, row));
        if let Some(lost) = others.into_iter().find(lost) {
            return Verification::Lost(vec![lost.clone()]);
        }
        if self.replace { replaced(&expected, before, now) } else { Verification::There }
    }
}

/// How what is there differs from this row, in words.
fn other_than(row: &Access, there: &[Access]) -> Option<String> {
    let (who, wanted) = (row.principal.label(), Holding::parse(&row.role.id));
    match there.iter().find(|found| is_same(found, row)) {
        Some(found) if Holding::parse(&found.role.id) == wanted => None,
        Some(found) => Some(format!("{who} holds {}, not {}", found.role.said(), row.role.said())),
        None => Some(format!("{who} does not hold {}", row.role.said())),
    }
}

/// After a replacement, whoever was to go and is still there shows that it was none, but for the
/// asset's owner, whose Full cannot be taken. Who that is, the list does not say: it may be one user,
/// and only where something shows that the list was set at all.
fn replaced(expected: &[Access], before: &Snapshot, now: &Snapshot) -> Verification {
    let was = |row: &&Access| before.rows.iter().any(|old| is_same(old, row));
    let stays = |row: &&Access| expected.iter().any(|kept| is_same(kept, row));
    let left: Vec<_> = now.rows.iter().filter(was).filter(|row| !stays(row)).collect();
    let is_set = match (&before.version, &now.version) {
        (Some(old), Some(new)) => old != new,
        _ => !same(&before.rows, &now.rows),
    };
    match left.as_slice() {
        [] => Verification::There,
        [only] if is_set && may_own(only) => Verification::There,
        [first, ..] => Verification::Elsewise(format!(
            "{} still holds {}",
            first.principal.label(),
            first.role.said()
        )),
    }
}

fn same(one: &[Access], other: &[Access]) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .all(|row| other.iter().any(|kept| is_same(kept, row) && kept.role.id == row.role.id))
}

#[cfg(test)]
mod tests {
    use super::super::tables::{expected, found, heard, planned, record, said, undone, warned};
    use super::super::{Change, set_asset_permissions};
    use super::*;
    use crate::access::Principal;

    fn principal(kind: &str, id: &str) -> Principal {
        let kind = if kind == "group" { PrincipalKind::Group } else { PrincipalKind::User };
        Principal { kind, ..Principal::user(id, None, None) }
    }

    /// What somebody holds as the bridge shows it: "user ada Modify", with `{"Technical":"View"}` behind it.
    fn held(text: &str) -> Value {
        let parts: Vec<_> = text.splitn(4, ' ').collect();
        let profiles: Value = serde_json::from_str(parts.get(3).unwrap_or(&"{}")).unwrap();
        let profiles = profiles.as_object().unwrap().iter();
        let profiles = profiles.map(|(name, level)| json!({ "name": name, "permission": level }));
        json!({
            "principal": { "kind": parts[0], "id": parts[1] },
            "permission": parts[2],
            "profiles": profiles.collect::<Vec<_>>(),
        })
    }

    /// A list on the asset a-1; those in `asked` are what each is to hold.
    fn table(replace: bool, asked: &[&str]) -> AssetTable {
        let entry = |text: &&str| {
            let held: PermissionEntry = serde_json::from_value(held(text)).unwrap();
            let principal = principal(held.principal.kind.as_str(), &held.principal.id);
            let own = is_called(&principal.named(), "svc");
            WantedEntry {
                principal,
                level: held.permission,
                profiles: held.profiles,
                own,
                already: false,
            }
        };
        let entries: Vec<_> = asked.iter().map(entry).collect();
        let asset = Resource::new("asset", "a-1", None);
        AssetTable {
            wanted: wanted(&asset, &entries),
            asset,
            entries,
            losing: Vec::new(),
            username: Some("svc".to_owned()),
            replace,
            propagate: false,
            propagate_profiles: false,
        }
    }

    fn standing(table: &AssetTable, version: u64, rows: &[&str]) -> Snapshot {
        let rows: Vec<_> = rows.iter().map(|row| held(row)).collect();
        let permissions = json!({ "version": version, "permissions": rows });
        table.standing(&serde_json::from_value(permissions).unwrap())
    }

    /// The vendor's own example of its rule is the first row.
    #[test]
    fn a_list_is_combined_so_that_the_higher_wins_or_replaced() {
        let there = ["user A Full", "user B View", "group ABC View"];
        for (replace, asked, now, after) in [
            (
                false,
                &["user A Modify", "user B Full", "user X Modify"][..],
                &there[..],
                &["A: Full on a-1", "B: Full on a-1", "ABC: View on a-1", "X: Modify on a-1"][..],
            ),
            (
                true,
                &["user A Modify", "user X View"],
                &there,
                &["A: Modify on a-1", "X: View on a-1"],
            ),
            (
                false,
                &[r#"user A View {"Technical":"Modify","Summary":"View"}"#],
                &[r#"user A Modify {"Technical":"View"}"#],
                &[r#"A: Modify {"Summary":"View","Technical":"Modify"} on a-1"#],
            ),
            // A user and a group may have one id.
            (false, &["group A View"], &["user A Full"], &["A: Full on a-1", "A: View on a-1"]),
        ] {
            let table = table(replace, asked);
            assert_eq!(expected(&table, &standing(&table, 7, now)), after, "{asked:?} {now:?}");
        }
    }

    #[test]
    fn a_list_is_sent_with_the_version_it_rests_on_where_it_changes_something() {
        let flags =
            r#""propagatePermissionsToDependentObjects":false,"propagateProfilePermissions":false"#;
        let sent = |entries: &str, replace: bool| {
            format!(
                r#"POST /assets/a-1/permissions {{"userGroupAssetPermission":[{entries}],"removeExistingPermission":{replace},{flags}}} If-Match: 7"#
            )
        };
        let modify = r#"{"user":"ada","permission":"Modify"}"#;
        let more = "Refused: ada holds “Full” there, which is more, and combining never lowers a permission";
        for (replace, asked, now, plan) in [
            (false, &["user ada Modify"][..], &[][..], sent(modify, false)),
            (false, &["user ada Modify"], &["user ada View"], sent(modify, false)),
            (false, &["user ada Modify"], &["group ada Modify"], sent(modify, false)),
            (false, &["user ada Modify"], &["user ada Modify", "user bo Full"], "already_present".to_owned()),
            (false, &["user ada Modify"], &["user ada Full"], more.to_owned()),
            (
                false,
                &["user ada Modify", "group devs View"],
                &["user ada Full"],
                sent(&format!(r#"{modify},{{"group":"devs","permission":"View"}}"#), false),
            ),
            (true, &["user ada Modify"], &["user ada Modify"], "already_present".to_owned()),
            (true, &["user ada Modify"], &["user ada Full"], sent(modify, true)),
            (true, &["user ada Modify"], &["user ada Modify", "user bo View"], sent(modify, true)),
            (
                false,
                &[r#"user ada View {"Technical":"Modify"}"#],
                &["user ada View"],
                sent(
                    r#"{"user":"ada","permission":"View","profilePermissions":[{"name":"Technical","permission":"Modify"}]}"#,
                    false,
                ),
            ),
            (
                false,
                &[r#"user ada View {"Technical":"View"}"#],
                &[r#"user ada View {"Technical":"Modify"}"#],
                "Refused: ada holds “View {'Technical':'Modify'}” there, which is more, and combining never \
                 lowers a permission".to_owned(),
            ),
        ] {
            let table = table(replace, asked);
            assert_eq!(planned(&table, &standing(&table, 7, now)), plan, "{asked:?} {now:?}");
        }
        // What is passed on to dependents is sent, whatever stands on the asset itself.
        for (propagate, profiles) in [(true, false), (false, true)] {
            let own = table(false, &["user ada Modify"]);
            let table = AssetTable { propagate, propagate_profiles: profiles, ..own };
            let plan = planned(&table, &standing(&table, 7, &["user ada Modify"]));
            let said = format!(
                r#""propagatePermissionsToDependentObjects":{propagate},"propagateProfilePermissions":{profiles}"#
            );
            assert!(plan.starts_with("POST") && plan.contains(&said), "{plan}");
        }
    }

    #[test]
    fn what_is_read_back_is_exactly_the_list_that_was_meant() {
        let ada = &["user ada Modify"][..];
        for (replace, asked, before, now, seen) in [
            (false, ada, &[][..], &["user ada Modify"][..], "there"),
            (false, ada, &[], &[], "elsewise: ada does not hold “Modify”"),
            (false, ada, &[], &["group ada Modify"], "elsewise: ada does not hold “Modify”"),
            (false, ada, &[], &["user ada View"], "elsewise: ada holds “View”, not “Modify”"),
            (false, ada, &[], &["user ada Full"], "elsewise: ada holds “Full”, not “Modify”"),
            (false, ada, &["user ada Full"], &["user ada Full"], "there"),
            (
                false,
                ada,
                &[],
                &[r#"user ada Modify {"Technical":"View"}"#],
                "elsewise: ada holds “Modify {'Technical':'View'}”, not “Modify”",
            ),
            (false, ada, &["user bo View"], &["user ada Modify"], "lost: bo: View on a-1"),
            (
                false,
                ada,
                &["user bo Full"],
                &["user ada Modify", "user bo View"],
                "lost: bo: Full on a-1",
            ),
            (false, ada, &["user bo View"], &["user ada Modify", "user bo Full"], "there"),
            (false, ada, &[], &["user ada Modify", "user eve Full"], "there"),
            (true, ada, &["user bo View"], &["user ada Modify"], "there"),
            (
                true,
                ada,
                &["user bo View"],
                &["user ada Modify", "user bo View"],
                "elsewise: bo still holds “View”",
            ),
            // One user with Full may be the owner, whose Full cannot be taken; two are not.
            (true, ada, &["user bo Full"], &["user ada Modify", "user bo Full"], "there"),
            (
                true,
                ada,
                &["group devs Full"],
                &["user ada Modify", "group devs Full"],
                "elsewise: devs still holds “Full”",
            ),
            (
                true,
                ada,
                &["user bo Full", "user cy Full"],
                &["user ada Modify", "user bo Full", "user cy Full"],
                "elsewise: bo still holds “Full”",
            ),
            (
                true,
                ada,
                &["user ada Full"],
                &["user ada Full"],
                "elsewise: ada holds “Full”, not “Modify”",
            ),
        ] {
            let table = table(replace, asked);
            let [before, now] =
                [(7, before), (8, now)].map(|(version, rows)| standing(&table, version, rows));
            assert_eq!(found(&table, &before, &now), seen, "{replace} {before:?} {now:?}");
        }
        // Nothing shows that the list was set: the owner's row proves nothing.
        let table = table(true, ada);
        let rows = ["user ada Modify", "user bo Full"];
        let [before, now] = [&rows, &rows].map(|rows| standing(&table, 7, rows));
        assert_eq!(found(&table, &before, &now), "elsewise: bo still holds “Full”");
    }

    #[test]
    fn a_bridges_answer_is_a_yes_a_no_or_nothing() {
        for (status, body, word) in [
            (200, r#"{"version":"v2","permissions":[],"warnings":["2 skipped"]}"#, "yes"),
            (200, r#"{"version":8,"permissions":[]}"#, "yes"),
            (200, r#"{"permissions":[]}"#, "nothing"),
            (200, r#"{"version":8,"permissions":[],"warnings":[1]}"#, "nothing"),
            (200, "", "nothing"),
            (204, "", "nothing"),
            (202, r#"{"version":8,"permissions":[]}"#, "nothing"),
            (404, "", "no"),
            (409, "", "no"),
            (412, "", "no"),
            (500, "", "nothing"),
        ] {
            assert_eq!(
                heard(&table(false, &["user ada View"]), status, body),
                word,
                "{status} {body}"
            );
        }
        let body = br#"{"version":8,"permissions":[],"warnings":["2 dependents skipped"]}"#;
        let WriteReply::Yes { warnings } =
            table(false, &["user ada View"]).interpret(&Reply::made(200, body.to_vec()))
        else {
            panic!("it is a yes")
        };
        assert_eq!(warnings, ["the bridge says “2 dependents skipped”"]);
    }

    #[test]
    fn full_for_everybody_is_privileged_and_ones_own_is_told() {
        for (asked, privileged, own) in [
            (&["group Everyone Full"][..], true, false),
            (&["group everyone Full"], true, false),
            (&["group Users Full"], true, false),
            (&["group Members Full"], true, false),
            (&["group Everyone Modify"], false, false),
            (&["group devs Full"], false, false),
            (&["user ada View", "group Everyone Full"], true, false),
            (&["user SVC View"], false, true),
            (&["group svc View"], false, false),
        ] {
            let mut table = table(false, asked);
            assert_eq!(
                (table.privileged().is_some(), table.is_self()),
                (privileged, own),
                "{asked:?}"
            );
            // What stands already is not given, unless it is passed on.
            table.entries.iter_mut().for_each(|entry| entry.already = true);
            assert_eq!((table.privileged(), table.is_self()), (None, false), "{asked:?}");
            table.propagate = true;
            assert_eq!(
                (table.privileged().is_some(), table.is_self()),
                (privileged, own),
                "{asked:?}"
            );
        }
        assert_eq!(
            table(false, &["user a Full", "user b View", "user c View"]).contains(),
            ["View", "Full"]
        );
    }

    #[test]
    fn what_each_gains_or_loses_is_a_row_of_its_own() {
        for (asked, now, all, rows) in [
            (&["user ada Modify"][..], &[][..], false, &["grant ada: Modify on a-1"][..]),
            (&["user ada Modify"], &["user ada Modify"], false, &[]),
            (&["user ada Modify"], &["user ada Modify"], true, &["grant ada: Modify on a-1"]),
            (&["user ada Full"], &["user ada View"], false, &["grant ada: Full on a-1"]),
            (&["user ada View"], &["user ada Full"], false, &["revoke ada: Full on a-1"]),
            (
                &["user ada Modify"],
                &["user bo Full"],
                false,
                &["grant ada: Modify on a-1", "revoke bo: Full on a-1"],
            ),
        ] {
            let table = table(true, asked);
            let before = standing(&table, 7, now);
            let after = table.expected(&before);
            let made = table.rows(&before.rows, &after, all);
            let made: Vec<_> = made
                .iter()
                .map(|row| format!("{} {}", row.effect.as_str(), said(&row.wanted)))
                .collect();
            assert_eq!(made, rows, "{asked:?} {now:?}");
        }
    }

    #[test]
    fn a_reader_is_told_who_keeps_loses_or_still_has() {
        let empty =
            "nothing is set now, and an empty list cannot be set: this cannot be undone from here";
        let keeps = "ada keeps Full: combining never lowers a permission; use removeExistingPermission with the \
                     whole list";
        let bo = "bo loses “View”: the whole list is replaced (an owner keeps Full)";
        let svc = "svc loses “View”: the whole list is replaced (an owner keeps Full)";
        let manage = "a role such as Manage Assets may reach the asset whatever is set on it";
        let dependents = "dependent objects change too (which ones, only CentraSite knows); an undo or an end takes nothing back there";
        for (replace, propagate, asked, now, told) in [
            (false, false, &["user ada View"][..], &[][..], &[empty][..]),
            (false, false, &["user ada Modify"], &["user ada View"], &[]),
            (false, false, &["user ada View", "user cy View"], &["user ada Full"], &[keeps]),
            (true, false, &["user ada View"], &["user bo View"], &[bo, manage]),
            (true, false, &["user ada View"], &["user svc View"], &[OWN_LOSS, svc, manage]),
            (true, false, &["user ada View"], &["user ada Full"], &[manage]),
            (false, true, &["user ada View"], &["user ada View"], &[dependents]),
        ] {
            let table = AssetTable { propagate, ..table(replace, asked) };
            assert_eq!(warned(&table, &standing(&table, 7, now)), told, "{asked:?} {now:?}");
        }
        let everyone = "access is left: Everyone keeps “View”, and everybody is in it";
        let group =
            "access may be left through a group: devs (CentraSite does not show its members)";
        for (losing, rows, left) in [
            (
                &[("user", "bo")][..],
                &["group Everyone View", "group devs Full"][..],
                &[everyone][..],
            ),
            (&[("user", "bo")], &["group devs Full"], &[group]),
            (&[("user", "bo")], &["user ada Full"], &[]),
            (&[("user", "bo")], &["user bo View", "group devs Full"], &[]),
            (&[("group", "ops")], &["group devs Full"], &[]),
            (&[], &["group devs Full"], &[]),
        ] {
            let losing = losing.iter().map(|(kind, id)| principal(kind, id).named()).collect();
            let table = AssetTable { losing, ..table(true, &["user ada View"]) };
            assert_eq!(table.remaining(&standing(&table, 7, rows).rows), left, "{rows:?}");
        }
    }

    #[test]
    fn levels_and_profiles_are_more_less_or_neither() {
        for (was, is, gives, takes, goes) in [
            ("View", "Full", true, false, None),
            ("Full", "View", false, true, Some("Full")),
            (r#"View {"T":"View"}"#, "View", false, true, Some("View of the profile “T”")),
            (r#"View {"T":"View"}"#, r#"View {"T":"Modify"}"#, true, false, None),
            (r#"Full {"T":"View"}"#, r#"View {"T":"Modify"}"#, true, true, Some("Full")),
        ] {
            let table = table(true, &["user ada View"]);
            let rows = |holds: &str| standing(&table, 7, &[&format!("user ada {holds}")]).rows;
            let (was, is) = (rows(was), rows(is));
            assert_eq!(table.shift(&was, &is), Shift { gives, takes }, "{was:?} {is:?}");
            assert_eq!(table.goes(&was[0], &is[0]).as_deref(), goes, "{was:?} {is:?}");
        }
        // Dependent objects gain, and lose too where their lists are replaced.
        for replace in [false, true] {
            let table = AssetTable { propagate: true, ..table(replace, &["user ada View"]) };
            let rows = standing(&table, 7, &["user ada View"]).rows;
            assert_eq!(table.shift(&rows, &rows), Shift { gives: true, takes: replace });
        }
    }

    #[test]
    fn an_end_gives_what_does_not_stand() {
        for (now, left, gives, privileged, own) in [
            (&[][..], &["user ada View"][..], 1, false, false),
            (&["user ada Modify"], &["user ada View"], 0, false, false),
            (&["user ada View"], &["user ada Modify"], 1, false, false),
            (&["group Everyone View"], &["group Everyone Full"], 1, true, false),
            (&["group Everyone Full"], &["group Everyone Full"], 0, false, false),
            (&[], &["user svc View"], 1, false, true),
        ] {
            let table = table(true, &["user ada View"]);
            let [now, left] = [now, left].map(|rows| standing(&table, 7, rows).rows);
            let given = Step::given(&table, &now, &left);
            let seen = (given.rows.len(), given.privileged.is_some(), given.own);
            assert_eq!(seen, (gives, privileged, own), "{now:?} {left:?}");
        }
    }

    #[test]
    fn each_part_ends_in_a_word_of_its_own() {
        use Outcome::{AlreadyPresent, Confirmed, Mismatch, Rejected};
        let asked = ["user ada Modify", "user bo View"];
        for (outcome, before, after, words) in [
            (Confirmed, &[][..], &["user ada Modify", "user bo View"][..], [Confirmed, Confirmed]),
            (
                Confirmed,
                &["user bo Full"],
                &["user ada Modify", "user bo Full"],
                [Confirmed, AlreadyPresent],
            ),
            (Mismatch, &[], &["user ada Modify"], [Confirmed, Mismatch]),
            (Rejected, &["user bo View"], &["user bo View"], [Rejected, Rejected]),
        ] {
            let table = table(false, &asked);
            let [before, after] = [before, after].map(|rows| standing(&table, 7, rows).rows);
            let parts = table.parts(outcome, &before, &after);
            let seen: Vec<_> = parts.iter().map(|part| part.outcome).collect();
            assert_eq!(seen, words, "{before:?} {after:?}");
        }
        assert_eq!(table(false, &asked[..1]).parts(Confirmed, &[], &[]), []);
    }

    #[test]
    fn a_list_is_undone_whole_or_not_at_all() {
        let table = table(false, &["user ada View"]);
        for (before, undoes) in [
            (
                &[r#"user ada Modify {"Technical":"View"}"#, "group devs Full"][..],
                r#"set_asset_permissions {"asset":"a-1","userGroupAssetPermission":[{"permission":"Modify","user":"ada","profilePermissions":[{"name":"Technical","permission":"View"}]},{"permission":"Full","group":"devs"}],"removeExistingPermission":true}"#,
            ),
            (&[], "Refused: nothing else is set on the asset, and an empty list cannot be set"),
        ] {
            let record = record(table.wanted(), &standing(&table, 7, before).rows, true);
            let inverse = undone(set_asset_permissions::SetAssetPermissions::inverse(&record));
            assert_eq!(inverse, undoes);
        }
    }

    /// Given by combining, and taken by a list of all others, of whom there must be one.
    #[test]
    fn an_entry_is_combined_with_what_is_held_and_taken_by_the_list_of_others() {
        use super::super::giving::tests::{given, row, somebody, taken};
        let vendor = &centrasite::VENDOR;
        let [ana, sam] = ["ana", "sam"].map(|id| somebody(id, "user"));
        let api = somebody("ana", "group");
        let at = |who, level: &str| row(who, "asset", &format!("{level} on a-1"));
        let set = r#"set_asset_permissions {"asset":"a-1","userGroupAssetPermission":[{"permission":"Modify","user":"sam"}]}"#;
        for (wanted, own, told) in [
            ("Modify", None, set),
            ("Modify", Some("View"), set),
            ("Modify", Some("Full"), "already"),
        ] {
            let held: Vec<_> = own.map(|own| at(&sam, own)).into_iter().collect();
            assert_eq!(given(vendor, &at(&ana, wanted), &held), told, "{wanted} {own:?}");
        }
        let alone = "not: nobody else is on the asset's list, and an empty list cannot be set";
        let rest = r#"set_asset_permissions {"asset":"a-1","userGroupAssetPermission":[{"permission":"View","group":"ana"},{"permission":"Full","user":"sam"}],"removeExistingPermission":true}"#;
        let own = at(&ana, "Modify");
        // A group may have the id of a user.
        let others = [at(&api, "View"), own.clone(), at(&sam, "Full")];
        for (there, told) in [(&others[..], rest), (&others[1..2], alone), (&[], alone)] {
            assert_eq!(taken(vendor, &own, there), told, "{there:?}");
        }
        let many = (0..=100).map(|n| somebody(&format!("u{n}"), "user"));
        let many: Vec<_> = many.map(|who| row(&who, "asset", "View on a-1")).collect();
        let many = taken(vendor, &own, &many);
        assert_eq!(many, "not: more than 100 others are on the asset's list");
    }
}
