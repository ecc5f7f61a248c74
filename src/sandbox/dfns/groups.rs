//! User groups: a group can be the identity of an assignment, and its members hold what it holds.
//!
//! From the vendor's Python and Rust SDKs. How ids of groups look is not documented; those here have no
//! prefix.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::super::message::{Ask, Reply, ensure, set};
use super::super::modes::{DfnsFields, DfnsGroups, Modes};
use super::super::people;
use super::{Books, catalogue, conflict, misread, new_id, now, page, refusal};

pub(super) const AUDITORS: &str = "x2v8c-q7n0d-j5t1yk9rw4ezm3hb";
pub(super) const PLATFORM_ADMINS: &str = "m6k3p-d9w4s-b0fz7ulx2qcg8vtn";
const CONTRACTORS: &str = "t4h1r-y8e5j-o3avn6ksd7pwx0im";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Group {
    id: String,
    name: String,
    description: Option<String>,
    created: String,
    members: Vec<Member>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Member {
    user: String,
    added: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupBody {
    name: Option<String>,
    /// `null` takes away what there is.
    #[serde(default, deserialize_with = "given")]
    description: Option<Option<String>>,
}

fn given<'de, D: Deserializer<'de>>(description: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(description).map(Some)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MembersBody {
    user_ids: Vec<String>,
}

pub(super) fn seed() -> Vec<Group> {
    let created = "2026-02-03T09:30:00.000Z";
    let group = |id: &str, name: &str, description: &str, members: &[&str]| Group {
        id: id.into(),
        name: name.into(),
        description: Some(description.into()),
        created: created.into(),
        members: members.iter().map(|id| Member::new(id, created)).collect(),
    };
    vec![
        group(AUDITORS, "Auditors", "Read the books", &[people::JONAS.dfns, people::GRACE.dfns]),
        group(PLATFORM_ADMINS, "Platform Admins", "Look after it all", &[people::TOMAS.dfns]),
        group(CONTRACTORS, "Contractors", "Here for a while", &[]),
    ]
}

/// "List, Get User Groups", "List User Group Members"
pub(super) fn look(books: &Books, path: &[&str], ask: &Ask, modes: &Modes) -> Result<Reply, Reply> {
    admit(path, modes)?;
    match path {
        [] => page(books.groups.iter().map(|group| group.shown(modes)).collect(), ask, 200, 50),
        [id] => Ok(Reply::json(200, &books.group(id)?.shown(modes))),
        [id, "members"] => {
            page(books.group(id)?.members.iter().map(Member::shown).collect(), ask, 200, 50)
        }
        _ => Err(refusal(404, "Not Found")),
    }
}

/// A group that is made or renamed is the answer; other writes answer 200 without a body.
pub(super) fn change(
    books: &mut Books,
    method: &str,
    path: &[&str],
    ask: &Ask,
    modes: &Modes,
) -> Result<Reply, Reply> {
    match (method, path) {
        ("POST", []) => return create(books, ask, modes),
        ("PUT", [id]) => return update(books, id, ask, modes),
        ("DELETE", [id]) => {
            books.group(id)?;
            books.groups.retain(|group| group.id != *id);
            books.assignments.retain(|row| row.identity != *id);
        }
        ("POST", [id, "members"]) => {
            let body: MembersBody = ask.json().map_err(misread)?;
            let known = |user: &String| catalogue::user(user).is_some();
            ensure(body.user_ids.iter().all(known), || refusal(404, "A user was not found"))?;
            let group = books.group_mut(id)?;
            for user in body.user_ids {
                if !group.has(&user) {
                    group.members.push(Member::new(&user, &now()));
                }
            }
        }
        ("DELETE", [id, "members"]) => {
            let body: MembersBody = ask.json().map_err(misread)?;
            let group = books.group_mut(id)?;
            group.members.retain(|member| !body.user_ids.contains(&member.user));
        }
        _ => return Err(refusal(404, "Not Found")),
    }
    Ok(Reply::empty(200))
}

fn create(books: &mut Books, ask: &Ask, modes: &Modes) -> Result<Reply, Reply> {
    let GroupBody { name, description } = ask.json().map_err(misread)?;
    let name = name.ok_or_else(|| refusal(400, "name is missing"))?;
    books.free_name(&name, "")?;
    let id = new_id("")?.trim_start_matches('-').to_owned();
    let description = description.flatten();
    let group = Group { id, name, description, created: now(), members: Vec::new() };
    let reply = Reply::json(200, &group.shown(modes));
    books.groups.push(group);
    Ok(reply)
}

/// Fields that are left out keep their value.
fn update(books: &mut Books, id: &str, ask: &Ask, modes: &Modes) -> Result<Reply, Reply> {
    let GroupBody { name, description } = ask.json().map_err(misread)?;
    books.group(id)?;
    if let Some(name) = &name {
        books.free_name(name, id)?;
    }
    let group = books.group_mut(id)?;
    group.name = name.unwrap_or_else(|| group.name.clone());
    group.description = description.unwrap_or_else(|| group.description.clone());
    Ok(Reply::json(200, &group.shown(modes)))
}

/// What the credential may not do, or a deployment that has no groups does not know.
fn admit(path: &[&str], modes: &Modes) -> Result<(), Reply> {
    let refused = match (modes.dfns_groups, path) {
        (DfnsGroups::Unknown, _) => Some((404, "Not Found")),
        (DfnsGroups::Closed, _) => Some((403, "Missing permission Auth:UserGroups:Read")),
        (DfnsGroups::MembersClosed, [_, "members"]) => {
            Some((403, "Missing permission Auth:UserGroups:Members:Read"))
        }
        (DfnsGroups::MembersClosed | DfnsGroups::Open, _) => None,
    };
    refused.map_or(Ok(()), |(status, message)| Err(refusal(status, message)))
}

impl Books {
    fn group(&self, id: &str) -> Result<&Group, Reply> {
        let mut groups = self.groups.iter();
        let found = groups.find(|group| group.id == id);
        found.ok_or_else(|| refusal(404, "The user group was not found"))
    }

    fn group_mut(&mut self, id: &str) -> Result<&mut Group, Reply> {
        let mut groups = self.groups.iter_mut();
        let found = groups.find(|group| group.id == id);
        found.ok_or_else(|| refusal(404, "The user group was not found"))
    }

    /// The name of a group that is gone can be had again, and no other.
    fn free_name(&self, name: &str, own: &str) -> Result<(), Reply> {
        ensure(!name.is_empty(), || refusal(400, "name must not be empty"))?;
        let mut groups = self.groups.iter();
        let other = groups.find(|group| group.name == name && group.id != own);
        other.map_or(Ok(()), |other| Err(conflict("The name is taken", &other.id)))
    }

    pub(super) fn is_group(&self, id: &str) -> bool {
        self.groups.iter().any(|group| group.id == id)
    }

    /// Whether somebody holds through a group what `identity` holds.
    pub(super) fn is_in(&self, user: &str, identity: &str) -> bool {
        self.groups.iter().any(|group| group.id == identity && group.has(user))
    }
}

impl Group {
    fn has(&self, user: &str) -> bool {
        self.members.iter().any(|member| member.user == user)
    }

    fn shown(&self, modes: &Modes) -> Value {
        let mut shown = json!({
            "id": self.id,
            "name": self.name,
            "memberCount": self.members.len(),
            "dateCreated": self.created,
            "dateUpdated": self.created,
        });
        if let Some(description) = &self.description {
            set(&mut shown, "description", description.clone());
        }
        if modes.dfns_fields != DfnsFields::Fewest {
            set(&mut shown, "orgId", catalogue::ORG);
        }
        if modes.dfns_fields == DfnsFields::Every {
            set(&mut shown, "tenantId", catalogue::TENANT);
        }
        shown
    }
}

impl Member {
    fn new(user: &str, added: &str) -> Member {
        Member { user: user.into(), added: added.into() }
    }

    fn shown(&self) -> Value {
        let user = catalogue::user(&self.user);
        json!({
            "userId": self.user,
            "username": user.as_ref().map_or("", |user| user.username),
            "kind": user.as_ref().map_or("CustomerEmployee", |user| user.kind),
            "isActive": user.as_ref().is_some_and(|user| user.active),
            "isArchived": false,
            "isServiceAccount": user.is_some_and(|user| user.service_account),
            "dateAdded": self.added,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::client::start;
    use super::super::signing::tests::{own, signed};
    use super::*;

    #[tokio::test]
    async fn a_group_comes_gets_members_and_goes_with_its_assignments() {
        let (_sandbox, client) = start(Modes::default()).await;
        let made = signed(&client, "POST", "/auth/user-groups", r#"{"name": "New"}"#).await;
        let id = made.at("/id").as_str().unwrap().to_owned();
        assert!(!made.body.contains("description"), "{}", made.body);
        let path = format!("/auth/user-groups/{id}");
        for (method, path, body, status, description) in [
            ("POST", "/auth/user-groups", r#"{"name": "New"}"#, 409, None),
            ("POST", "/auth/user-groups", r#"{"name": ""}"#, 400, None),
            ("POST", "/auth/user-groups", "{}", 400, None),
            ("PUT", &path, r#"{"name": "Auditors"}"#, 409, None),
            ("PUT", &path, r#"{"description": "d"}"#, 200, Some("d")),
            ("PUT", &path, r#"{"name": "New"}"#, 200, Some("d")),
            ("PUT", &path, r#"{"description": null}"#, 200, None),
        ] {
            let answer = signed(&client, method, path, body).await;
            assert_eq!(answer.status, status, "{method} {body}");
            let shown = answer.at("/description");
            assert_eq!(shown.as_str(), description, "{method} {body}");
        }
        let members = format!("{path}/members");
        let body = json!({ "userIds": [people::SAM.dfns] }).to_string();
        let added = signed(&client, "POST", &members, &body).await;
        assert_eq!((added.status, added.body.as_str()), (200, ""));
        let listed = own(&client, "GET", &members).send().await;
        assert_eq!(listed.at("/items/0/username"), people::SAM.email);
        assert_eq!(own(&client, "GET", &path).send().await.at("/memberCount"), 1);
        let strange = json!({ "userIds": ["us-00000-00000-0000000000000000"] }).to_string();
        assert_eq!(signed(&client, "POST", &members, &strange).await.status, 404);
        let assigned = format!("/permissions/{}/assignments", catalogue::TREASURY_VIEWER);
        let body = json!({ "identityId": id }).to_string();
        assert_eq!(signed(&client, "POST", &assigned, &body).await.status, 200);
        let holders = async || {
            let answer = own(&client, "GET", &assigned).send().await;
            answer.each("/items", "/identityId").contains(&json!(id))
        };
        assert!(holders().await);
        let body = json!({ "userIds": [people::SAM.dfns] }).to_string();
        assert_eq!(signed(&client, "DELETE", &members, &body).await.status, 200);
        assert_eq!(own(&client, "GET", &members).send().await.at("/items"), json!([]));
        assert_eq!(signed(&client, "DELETE", &path, "").await.status, 200);
        assert!(!holders().await);
        assert_eq!(own(&client, "GET", &path).send().await.status, 404);
    }

    #[tokio::test]
    async fn what_of_groups_can_be_read_is_a_mode() {
        let members = format!("/auth/user-groups/{AUDITORS}/members");
        for (dfns_groups, listed, shown) in [
            (DfnsGroups::Open, 200, 200),
            (DfnsGroups::MembersClosed, 200, 403),
            (DfnsGroups::Closed, 403, 403),
            (DfnsGroups::Unknown, 404, 404),
        ] {
            let (_sandbox, client) = start(Modes { dfns_groups, ..Modes::default() }).await;
            for (path, status) in [("/auth/user-groups", listed), (&members, shown)] {
                let answer = own(&client, "GET", path).send().await;
                assert_eq!(answer.status, status, "{dfns_groups:?} {path}");
            }
        }
    }

    #[tokio::test]
    async fn whether_a_users_record_shows_what_groups_hold_is_a_mode() {
        let user = format!("/auth/users/{}", people::TOMAS.dfns);
        for (dfns_shows_group_permissions, count) in [(true, 1), (false, 0)] {
            let modes = Modes { dfns_shows_group_permissions, ..Modes::default() };
            let (_sandbox, client) = start(modes).await;
            let answer = own(&client, "GET", &user).send().await;
            let held = answer.at("/permissionAssignments");
            assert_eq!(held.as_array().unwrap().len(), count);
        }
    }
}
