//! Redox: organization and environment roles.
//!
//! From the vendor's Platform API reference ("Assign organization role" and its neighbours, "Get environments")
//! and "Authenticate with JWT".

mod token;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::token::Tokens;
use super::keys::Keys;
use super::message::{Ask, Reply, ensure, set};
use super::modes::{Idle, Modes};
use super::people::{self, PEOPLE, Person};
use super::serve::Fake;
use super::state::World;

pub(super) const CLIENT_ID: &str = "6a015b66-5e4a-429c-9be7-df00cba497dd";
pub(super) const KEY_ID: &str = "harbor-2026";
/// A string in paths and memberships, a number in the environments' rows: the documents have both.
pub(super) const ORGANIZATION_ID: &str = "4271";

const ORGANIZATION_NAME: &str = "Harbor";

const DEVELOPMENT: &str = "614d292e-1f1e-4bfa-a300-3324c470d28b";
const STAGING: &str = "e9a5642c-7d07-43e5-b6e5-c77a2ee05f69";
const PRODUCTION: &str = "df219833-d97b-401b-b581-437a489229e0";

const OWNER: &str = "98daa4bf-7559-4f89-b3fb-95ee22432045";
const ADMIN: &str = "b6d9f6f4-5cdc-48b9-9a64-00c790010259";
const MEMBER: &str = "23961c52-2970-4819-ae6f-8f356f02bfb4";
const ENGINEER: &str = "f054e0b8-3ce3-494d-b394-7d9c777a5bbb";
const SUPPORT: &str = "27f82f94-6709-4347-bf02-83a32bc318aa";
/// Nobody holds it, so no list shows it.
const ANALYST: &str = "90237de7-232a-49de-bed4-32292ed99a49";

const ORGANIZATION_ROLES: [(&str, &str); 3] =
    [(OWNER, "owner"), (ADMIN, "admin"), (MEMBER, "member")];
const ENVIRONMENT_ROLES: [(&str, &str); 3] =
    [(ENGINEER, "engineer"), (SUPPORT, "support"), (ANALYST, "analyst")];
const ENVIRONMENTS: [(&str, &str); 3] =
    [(DEVELOPMENT, "Development"), (STAGING, "Staging"), (PRODUCTION, "Production")];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Books {
    organization: Vec<Membership>,
    environments: Vec<Membership>,
}

/// One user's only role in the organization or in one environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Membership {
    place: String,
    user: String,
    role: String,
}

#[derive(Deserialize)]
struct Assign {
    role: Named,
    user: Named,
}

#[derive(Deserialize)]
struct Remove {
    user: Named,
}

/// Both are wanted: whether the vendor does without one is not documented.
#[derive(Deserialize)]
struct Named {
    id: String,
    name: String,
}

pub(super) fn seed() -> Books {
    let held = |place: &str, person: &Person, role: &str| Membership {
        place: place.into(),
        user: person.redox.into(),
        role: role.into(),
    };
    let organization = [people::GRANTOR].into_iter().chain(PEOPLE);
    let organization = organization.filter(|person| person.active).map(|person| {
        let role = match person.name {
            name if name == people::GRANTOR.name || name == people::PRIYA.name => OWNER,
            name if name == people::MARTA.name => ADMIN,
            _ => MEMBER,
        };
        held(ORGANIZATION_ID, &person, role)
    });
    Books {
        organization: organization.collect(),
        environments: vec![
            held(DEVELOPMENT, &people::GRANTOR, ENGINEER),
            held(STAGING, &people::GRANTOR, ENGINEER),
            held(PRODUCTION, &people::GRANTOR, ENGINEER),
            held(DEVELOPMENT, &people::ALEX, ENGINEER),
            held(DEVELOPMENT, &people::TOMAS, ENGINEER),
            held(STAGING, &people::ALEX, ENGINEER),
            held(STAGING, &people::GRACE, SUPPORT),
            held(PRODUCTION, &people::PRIYA, ENGINEER),
            held(PRODUCTION, &people::GRACE, SUPPORT),
        ],
    }
}

/// What became of a change: one that changes nothing is neither documented as a yes nor as a no.
#[derive(Clone, Copy, PartialEq)]
enum Done {
    Yes,
    No,
    Idle,
}

pub(super) struct Redox {
    tokens: Tokens,
    idle: Idle,
    refuses_by_status: bool,
    numbers: bool,
}

impl Redox {
    pub fn new(url: &str, keys: &Keys, modes: &Modes) -> Redox {
        let audience = format!("{url}{}", token::PATH);
        let tokens = Tokens::new(audience, keys.redox.public.clone(), modes);
        Redox {
            tokens,
            idle: modes.idle,
            refuses_by_status: modes.redox_refuses_by_status,
            numbers: modes.redox_numbers,
        }
    }

    /// What became of a change; `false` travels as `success: false` under 200, or as a status.
    fn done(&self, done: Done) -> Reply {
        let success = match (done, self.idle) {
            (Done::Idle, Idle::Done) => true,
            (done, _) => done == Done::Yes,
        };
        if success || !self.refuses_by_status {
            return payload(&json!({ "success": success }));
        }
        let status = if done == Done::Idle { 404 } else { 400 };
        refusal(status, "This cannot be done")
    }

    /// A list, with ids as this deployment has them.
    fn memberships(&self, mut rows: Vec<Value>) -> Reply {
        let of_both = rows.iter_mut().flat_map(|row| row.as_object_mut().into_iter().flatten());
        for (field, one) in of_both {
            let id = one.get("id").and_then(Value::as_str).and_then(number_of);
            if self.numbers && field != "organization" && field != "environment" {
                set(one, "id", id);
            }
        }
        payload(&json!({ "memberships": rows }))
    }

    /// A body whose ids may be the numbers that a list has, or the same digits as text.
    fn body<T: serde::de::DeserializeOwned>(&self, ask: &Ask) -> Result<T, Reply> {
        let mut sent: Value =
            ask.json().map_err(|misread| refusal(misread.status, &misread.message))?;
        let roles = ORGANIZATION_ROLES.iter().chain(&ENVIRONMENT_ROLES).map(|(id, _)| *id);
        let known: Vec<&str> = roles.chain(everybody().map(|person| person.redox)).collect();
        for one in sent.as_object_mut().into_iter().flatten().map(|(_, one)| one) {
            let Some(id) = one.get("id").filter(|_| self.numbers) else { continue };
            let number = id.as_u64().or_else(|| id.as_str()?.parse().ok());
            let meant = known.iter().find(|known| number_of(known) == number);
            if let Some(meant) = meant.filter(|_| number.is_some()) {
                set(one, "id", *meant);
            }
        }
        serde_json::from_value(sent).map_err(|error| refusal(400, &error.to_string()))
    }
}

/// A number for an id: its first eight digits.
fn number_of(id: &str) -> Option<u64> {
    u64::from_str_radix(id.get(..8)?, 16).ok()
}

impl Fake for Redox {
    fn look(&self, world: &World, ask: &Ask) -> Result<Reply, Reply> {
        self.tokens.admit(ask)?;
        let books = &world.redox;
        let segments = ask.segments();
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["platform", "v1", "organizations", id, "environments"] => {
                organization(id)?;
                Ok(payload(&json!({ "environments": books.environments_of_caller() })))
            }
            ["platform", "v1", "organizations", id, "role-assignment"] => {
                organization(id)?;
                books.caller_is(&[OWNER, ADMIN])?;
                let rows = books.organization.iter().map(organization_row);
                Ok(self.memberships(rows.collect()))
            }
            ["platform", "v1", "environments", id, "role-assignment"] => {
                environment(id)?;
                books.caller_is(&[OWNER, ADMIN])?;
                let rows = books.environments.iter().filter(|row| row.place == *id);
                let rows = rows.map(environment_row);
                Ok(self.memberships(rows.collect()))
            }
            _ => Err(refusal(404, "Not found")),
        }
    }

    fn change(&self, world: &mut World, ask: &Ask) -> Result<Reply, Reply> {
        if ask.path == token::PATH {
            return self.tokens.issue(ask);
        }
        self.tokens.admit(ask)?;
        let books = &mut world.redox;
        let segments = ask.segments();
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (ask.method.as_str(), path.as_slice()) {
            ("PUT", ["platform", "v1", "organizations", id, "role-assignment"]) => {
                organization(id)?;
                // Admins may list these roles, but not assign them.
                books.caller_is(&[OWNER])?;
                Ok(self.done(books.assign_organization_role(&self.body(ask)?)))
            }
            (method, ["platform", "v1", "environments", id, "role-assignment"]) => {
                environment(id)?;
                books.caller_is(&[OWNER, ADMIN])?;
                Ok(self.done(match method {
                    "POST" => books.add_environment_role(id, &self.body(ask)?),
                    "PUT" => books.update_environment_role(id, &self.body(ask)?),
                    "DELETE" => books.remove_environment_role(id, &self.body(ask)?),
                    _ => return Err(refusal(405, "Method not allowed")),
                }))
            }
            _ => Err(refusal(404, "Not found")),
        }
    }
}

/// "Assign organization role", and "Assign, Update and Remove environment role".
impl Books {
    fn assign_organization_role(&mut self, wanted: &Assign) -> Done {
        let known = listed(&wanted.role, &ORGANIZATION_ROLES) && is_person(&wanted.user);
        let last_owner = {
            let mut owners = self.organization.iter().filter(|row| row.role == OWNER);
            owners.all(|row| row.user == wanted.user.id) && wanted.role.id != OWNER
        };
        let mut rows = self.organization.iter_mut();
        // Nobody becomes a member by this: that takes an invitation.
        match rows.find(|row| row.user == wanted.user.id) {
            Some(row) if known && !last_owner => {
                row.role.clone_from(&wanted.role.id);
                Done::Yes
            }
            _ => Done::No,
        }
    }

    fn add_environment_role(&mut self, environment: &str, wanted: &Assign) -> Done {
        let mut members = self.organization.iter();
        let member = members.any(|row| row.user == wanted.user.id);
        let known = listed(&wanted.role, &ENVIRONMENT_ROLES) && is_person(&wanted.user);
        if !known || !member {
            return Done::No;
        }
        if let Some(row) = self.in_environment(environment, &wanted.user) {
            return if row.role == wanted.role.id { Done::Idle } else { Done::No };
        }
        self.environments.push(Membership {
            place: environment.into(),
            user: wanted.user.id.clone(),
            role: wanted.role.id.clone(),
        });
        Done::Yes
    }

    fn update_environment_role(&mut self, environment: &str, wanted: &Assign) -> Done {
        let known = listed(&wanted.role, &ENVIRONMENT_ROLES) && is_person(&wanted.user);
        match self.in_environment(environment, &wanted.user) {
            Some(row) if known => {
                row.role.clone_from(&wanted.role.id);
                Done::Yes
            }
            _ => Done::No,
        }
    }

    fn remove_environment_role(&mut self, environment: &str, wanted: &Remove) -> Done {
        if !is_person(&wanted.user) {
            return Done::No;
        }
        if self.in_environment(environment, &wanted.user).is_none() {
            return Done::Idle;
        }
        self.environments.retain(|row| row.place != environment || row.user != wanted.user.id);
        Done::Yes
    }

    fn in_environment(&mut self, environment: &str, user: &Named) -> Option<&mut Membership> {
        let mut rows = self.environments.iter_mut();
        rows.find(|row| row.place == environment && row.user == user.id)
    }

    /// The credential is a user's, so that user's role decides.
    fn caller_is(&self, roles: &[&str]) -> Result<(), Reply> {
        let mut rows = self.organization.iter();
        let own = rows.find(|row| row.user == people::GRANTOR.redox);
        ensure(own.is_some_and(|row| roles.contains(&row.role.as_str())), || {
            refusal(403, "Your organization role does not permit this")
        })
    }

    /// "Get environments" lists only those the caller is a member of.
    fn environments_of_caller(&self) -> Vec<Value> {
        let own = ENVIRONMENTS.iter().filter(|(id, _)| {
            let mut rows = self.environments.iter();
            rows.any(|row| row.place == *id && row.user == people::GRANTOR.redox)
        });
        let number: Option<u32> = ORGANIZATION_ID.parse().ok();
        let rows = own.map(|(id, name)| {
            json!({
                "id": id,
                "name": name,
                "environmentFlag": name,
                "organization": { "id": number },
            })
        });
        rows.collect()
    }
}

fn organization_row(row: &Membership) -> Value {
    let mut user = user_of(row);
    set(&mut user, "lastLogin", "2026-10-30T07:12:00.000Z");
    set(&mut user, "verified2fa", true);
    json!({
        "organization": { "id": ORGANIZATION_ID, "name": ORGANIZATION_NAME },
        "role": role_of(row),
        "user": user,
    })
}

fn environment_row(row: &Membership) -> Value {
    let mut environments = ENVIRONMENTS.iter();
    let name = environments.find(|(id, _)| *id == row.place);
    json!({
        "environment": { "id": row.place, "name": name.map(|(_, name)| name) },
        "role": role_of(row),
        "user": user_of(row),
    })
}

fn role_of(row: &Membership) -> Value {
    let mut roles = ORGANIZATION_ROLES.iter().chain(&ENVIRONMENT_ROLES);
    let name = roles.find(|(id, _)| *id == row.role);
    json!({ "id": row.role, "name": name.map(|(_, name)| name) })
}

fn user_of(row: &Membership) -> Value {
    let person = everybody().find(|person| person.redox == row.user);
    json!({
        "id": row.user,
        "fullname": person.as_ref().map(|person| person.name),
        "lowercaseEmail": person.as_ref().map(|person| person.email),
    })
}

fn listed(role: &Named, roles: &[(&str, &str)]) -> bool {
    roles.contains(&(role.id.as_str(), role.name.as_str()))
}

fn is_person(user: &Named) -> bool {
    everybody().any(|person| person.redox == user.id && person.name == user.name)
}

fn everybody() -> impl Iterator<Item = Person> {
    PEOPLE.into_iter().chain([people::GRANTOR])
}

fn organization(id: &str) -> Result<(), Reply> {
    ensure(id == ORGANIZATION_ID, || refusal(404, "The organization was not found"))
}

fn environment(id: &str) -> Result<(), Reply> {
    ensure(ENVIRONMENTS.iter().any(|(known, _)| *known == id), || {
        refusal(404, "The environment was not found")
    })
}

fn payload(payload: &Value) -> Reply {
    Reply::json(200, &json!({ "meta": { "version": "1.0.0" }, "payload": payload }))
}

/// The documents do not show the Platform API's error body.
fn refusal(status: u16, message: &str) -> Reply {
    let body = json!({ "meta": { "version": "1.0.0" }, "message": message });
    Reply::json(status, &body)
}

#[cfg(test)]
mod tests {
    use super::super::client::{Answer, Client, start};
    use super::token::tests::token;
    use super::*;

    fn named(person: &Person) -> Value {
        json!({ "id": person.redox, "name": person.name })
    }

    fn role(id: &str, name: &str) -> Value {
        json!({ "id": id, "name": name })
    }

    fn in_organization() -> String {
        format!("/platform/v1/organizations/{ORGANIZATION_ID}/role-assignment")
    }

    fn in_environment(id: &str) -> String {
        format!("/platform/v1/environments/{id}/role-assignment")
    }

    async fn get(client: &Client, token: &str, path: &str) -> Answer {
        client.request("redox", "GET", path).bearer(token).send().await
    }

    async fn write(client: &Client, token: &str, method: &str, path: &str, body: &Value) -> Answer {
        let request = client.request("redox", method, path);
        request.bearer(token).json(body).send().await
    }

    /// The role this user holds there, by name.
    async fn held(client: &Client, token: &str, path: &str, person: &Person) -> Option<Value> {
        let answer = get(client, token, path).await;
        let users = answer.each("/payload/memberships", "/user/id");
        let roles = answer.each("/payload/memberships", "/role/name");
        let mut rows = users.into_iter().zip(roles);
        let row = rows.find(|(user, _)| user == person.redox);
        row.map(|(_, role)| role)
    }

    #[tokio::test]
    async fn an_organization_role_is_replaced() {
        let (_sandbox, client) = start(Modes::default()).await;
        let token = token(&client).await;
        let path = in_organization();
        assert_eq!(held(&client, &token, &path, &people::ALEX).await, Some(json!("member")));
        let body = json!({ "role": role(ADMIN, "admin"), "user": named(&people::ALEX) });
        let answer = write(&client, &token, "PUT", &path, &body).await;
        assert_eq!(answer.at("/payload/success"), true);
        assert_eq!(held(&client, &token, &path, &people::ALEX).await, Some(json!("admin")));
    }

    #[tokio::test]
    async fn some_refusals_come_under_200() {
        let (_sandbox, client) = start(Modes::default()).await;
        let token = token(&client).await;
        let (org, dev) = (in_organization(), in_environment(DEVELOPMENT));
        let engineer = role(ENGINEER, "engineer");
        let cases = [
            ("a non-member", "PUT", &org, role(ADMIN, "admin"), &people::LENA),
            ("an unknown role", "PUT", &org, engineer.clone(), &people::ALEX),
            ("another name", "PUT", &org, role(ADMIN, "Admin"), &people::ALEX),
            ("a second role", "POST", &dev, role(SUPPORT, "support"), &people::ALEX),
            ("no role to update", "PUT", &dev, engineer.clone(), &people::SAM),
            ("no role to remove", "DELETE", &dev, engineer.clone(), &people::SAM),
            ("an organization's role", "POST", &dev, role(ADMIN, "admin"), &people::SAM),
            ("not in the organization", "POST", &dev, engineer.clone(), &people::LENA),
        ];
        for (case, method, path, role, person) in cases {
            let body = json!({ "role": role, "user": named(person) });
            let answer = write(&client, &token, method, path, &body).await;
            assert_eq!(
                (answer.status, answer.at("/payload/success")),
                (200, json!(false)),
                "{case}"
            );
        }
        let renamed = json!({ "id": people::ALEX.redox, "name": "Alexander Kim" });
        let body = json!({ "role": role(ADMIN, "admin"), "user": renamed });
        let answer = write(&client, &token, "PUT", &org, &body).await;
        assert_eq!(answer.at("/payload/success"), false);
    }

    #[tokio::test]
    async fn bodies_have_ids_and_names() {
        let (_sandbox, client) = start(Modes::default()).await;
        let token = token(&client).await;
        for body in [
            json!({ "role": { "id": ADMIN }, "user": named(&people::ALEX) }),
            json!({ "role": { "name": "admin" }, "user": named(&people::ALEX) }),
            json!({ "role": role(ADMIN, "admin"), "user": { "id": 7, "name": "Alex Kim" } }),
            json!({ "role": role(ADMIN, "admin") }),
        ] {
            let answer = write(&client, &token, "PUT", &in_organization(), &body).await;
            assert_eq!(answer.status, 400, "{body}");
        }
        let path = in_environment(DEVELOPMENT);
        let bare = client.request("redox", "DELETE", &path).bearer(&token);
        assert_eq!(bare.send().await.status, 415);
        for path in ["/platform/v1/organizations/1/role-assignment", "/platform/v1/x"] {
            assert_eq!(get(&client, &token, path).await.status, 404);
        }
    }

    #[tokio::test]
    async fn an_environment_role_is_added_changed_and_removed() {
        let (_sandbox, client) = start(Modes::default()).await;
        let token = token(&client).await;
        let path = in_environment(DEVELOPMENT);
        for (method, role, expected) in [
            ("POST", role(ENGINEER, "engineer"), Some(json!("engineer"))),
            ("PUT", role(ANALYST, "analyst"), Some(json!("analyst"))),
            ("DELETE", Value::Null, None),
        ] {
            let body = json!({ "role": role, "user": named(&people::SAM) });
            let answer = write(&client, &token, method, &path, &body).await;
            assert_eq!(answer.at("/payload/success"), true, "{method}");
            assert_eq!(held(&client, &token, &path, &people::SAM).await, expected);
        }
    }

    #[tokio::test]
    async fn the_callers_own_role_decides() {
        let (_sandbox, client) = start(Modes::default()).await;
        let token = token(&client).await;
        let org = in_organization();
        let put = async |name, id, person| {
            let body = json!({ "role": role(id, name), "user": named(person) });
            write(&client, &token, "PUT", &org, &body).await
        };
        assert_eq!(put("admin", ADMIN, &people::PRIYA).await.at("/payload/success"), true);
        let last = put("admin", ADMIN, &people::GRANTOR).await;
        assert_eq!(last.at("/payload/success"), false, "the last owner stays");
        put("owner", OWNER, &people::PRIYA).await;
        put("admin", ADMIN, &people::GRANTOR).await;
        assert_eq!(put("owner", OWNER, &people::GRANTOR).await.status, 403);
        assert_eq!(get(&client, &token, &org).await.status, 200);
    }

    #[tokio::test]
    async fn environments_are_the_callers_own() {
        let (_sandbox, client) = start(Modes::default()).await;
        let token = token(&client).await;
        let list = format!("/platform/v1/organizations/{ORGANIZATION_ID}/environments");
        let answer = get(&client, &token, &list).await;
        let names = answer.each("/payload/environments", "/name");
        assert_eq!(names, ["Development", "Staging", "Production"]);
        assert!(answer.at("/payload/environments/0/organization/id").is_number());
        let body = json!({ "user": named(&people::GRANTOR) });
        write(&client, &token, "DELETE", &in_environment(STAGING), &body).await;
        let answer = get(&client, &token, &list).await;
        let names = answer.each("/payload/environments", "/name");
        assert_eq!(names, ["Development", "Production"]);
    }
}
