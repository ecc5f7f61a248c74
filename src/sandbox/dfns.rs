//! Dfns: permissions, their assignments, users, and the approvals that gate some of them.
//!
//! From the vendor's API reference ("Assign Permission" and its neighbours, "Error codes", "User Action
//! Signing", "Policies") and its TypeScript, Python and Rust SDKs.

mod approvals;
mod catalogue;
mod groups;
mod identities;
mod operations;
mod signing;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::approvals::{Approval, Operation};
use self::catalogue::{FULL_ADMIN, OWN_PERMISSION, TREASURY_VIEWER, WALLET_OPERATOR};
use self::catalogue::{PERMISSIONS, Permission};
use self::signing::Signing;
use super::keys::{Keys, Secrets, random_text};
use super::message::{Ask, Misread, Reply, ensure, set};
use super::modes::{DfnsFields, Modes};
use super::people;
use super::serve::Fake;
use super::state::World;

pub(super) use self::approvals::decide;
pub(super) use self::catalogue::CREDENTIAL_ID;

/// Who holds what, and what waits for approval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Books {
    assignments: Vec<Assignment>,
    approvals: Vec<Approval>,
    /// A state that was kept before there were any has those of the beginning.
    #[serde(default = "groups::seed")]
    groups: Vec<groups::Group>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Assignment {
    id: String,
    permission: String,
    identity: String,
    immutable: bool,
    created: String,
    /// The change request it waits for: a pending one to create is no access yet.
    pending: Option<(String, Operation)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AssignBody {
    identity_id: String,
}

pub(super) fn seed() -> Books {
    let assignment = |id: &str, permission: &str, identity: &str, immutable| Assignment {
        id: id.into(),
        permission: permission.into(),
        identity: identity.into(),
        immutable,
        created: "2026-02-03T09:30:00.000Z".into(),
        pending: None,
    };
    let (priya, marta, hiro) = (people::PRIYA.dfns, people::MARTA.dfns, people::HIRO.dfns);
    Books {
        assignments: vec![
            assignment("as-1fsf8-6y4m6-gce12obgjf3ugnuo", FULL_ADMIN, priya, true),
            assignment(
                "as-wr9zl-oz1pd-ht2b4akywbpt7ioy",
                OWN_PERMISSION,
                people::GRANTOR.dfns,
                false,
            ),
            assignment("as-r64ln-mjb6e-o946yy8co7dkffof", TREASURY_VIEWER, marta, false),
            assignment(
                "as-3ysfi-glquf-4dk86yozrg9bvpwk",
                TREASURY_VIEWER,
                catalogue::PRIYAS_TOKEN,
                false,
            ),
            assignment("as-ccc7l-sukyg-suu5rfuwvqxiwrv2", WALLET_OPERATOR, hiro, false),
            assignment(
                "as-y8z4p-ur27h-qc58xm16qf8y1bo7",
                catalogue::PAYMENTS_APPROVER,
                marta,
                false,
            ),
            assignment(
                "as-k0d3v-9wq5h-ru7mzc1xj6ypsb8e",
                catalogue::REPORTS_READER,
                groups::AUDITORS,
                false,
            ),
            assignment(
                "as-h5t8n-2ygx4-qe0lb6kzwo3fvd9c",
                FULL_ADMIN,
                groups::PLATFORM_ADMINS,
                false,
            ),
        ],
        approvals: Vec::new(),
        groups: groups::seed(),
    }
}

/// The service account's token. Only its last part is a secret.
pub(super) fn auth_token(secrets: &Secrets) -> String {
    let claims = json!({
        "iat": 1_770_000_000,
        "exp": 1_893_456_000,
        "https://custom/app_metadata": { "orgId": catalogue::ORG },
    });
    web_token(&claims, &secrets.dfns)
}

/// A JWT, with this in the place of its signature.
fn web_token(claims: &Value, secret: &str) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let head = json!({ "alg": "EdDSA", "typ": "JWT" });
    format!("{}.{}.{secret}", part(&head), part(claims))
}

pub(super) struct Dfns {
    token: String,
    public_pem: String,
    modes: Modes,
    signing: Signing,
}

impl Dfns {
    pub fn new(keys: &Keys, modes: &Modes) -> Dfns {
        Dfns {
            token: auth_token(&keys.secrets),
            public_pem: keys.dfns.public_pem(),
            modes: modes.clone(),
            signing: Signing::new(keys.dfns.public.clone()),
        }
    }

    fn service_accounts(&self, books: &Books) -> Vec<Value> {
        identities::service_accounts(books, &self.public_pem, &self.modes)
    }

    fn admit(&self, ask: &Ask) -> Result<(), Reply> {
        ensure(ask.bearer() == Some(&self.token), || refusal(401, "Unauthorized"))
    }
}

impl Fake for Dfns {
    fn look(&self, world: &World, ask: &Ask) -> Result<Reply, Reply> {
        self.admit(ask)?;
        let books = &world.dfns;
        let segments = ask.segments();
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["permissions"] => {
                let shown = PERMISSIONS.iter().map(|one| one.shown(&self.modes));
                page(shown.collect(), ask, 500, 50)
            }
            ["permissions", id] => Ok(Reply::json(200, &permission(id)?.shown(&self.modes))),
            ["permissions", id, "assignments"] => self.list_assignments(books, id, ask),
            ["auth", "users"] => identities::list_users(books, ask, &self.modes),
            ["auth", "users", id] => identities::user(books, id, &self.modes),
            ["auth", "user-groups", rest @ ..] => groups::look(books, rest, ask, &self.modes),
            ["auth", "service-accounts"] => {
                Ok(Reply::json(200, &json!({ "items": self.service_accounts(books) })))
            }
            ["auth", "service-accounts", id] => {
                let mut accounts = self.service_accounts(books).into_iter();
                let found = accounts.find(|account| {
                    account.pointer("/userInfo/userId").and_then(Value::as_str) == Some(id)
                });
                let found = found.ok_or_else(|| refusal(404, "There is no such account"))?;
                Ok(Reply::json(200, &found))
            }
            // Only the caller's own, and a service account has none.
            ["auth", "pats"] => Ok(Reply::json(200, &json!({ "items": [] }))),
            ["v2", "policies"] => list_policies(ask),
            ["v2", "policy-approvals"] => approvals::list(books, ask, &self.modes),
            ["v2", "policy-approvals", id] => approvals::one(books, id, &self.modes),
            _ => Err(refusal(404, "Not Found")),
        }
    }

    fn change(&self, world: &mut World, ask: &Ask) -> Result<Reply, Reply> {
        self.admit(ask)?;
        let segments = ask.segments();
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        let call = (ask.method.as_str(), path.as_slice());
        match call {
            ("POST", ["auth", "action", "init"]) => return self.signing.init(ask),
            ("POST", ["auth", "action"]) => return self.signing.complete(ask),
            _ => self.signing.spend(ask)?,
        }
        let books = &mut world.dfns;
        match call {
            ("POST", ["permissions", id, "assignments"]) => self.assign(books, id, ask),
            ("DELETE", ["permissions", id, "assignments", assignment]) => {
                self.revoke(books, id, assignment, ask)
            }
            (method, ["auth", "user-groups", rest @ ..]) => {
                groups::change(books, method, rest, ask, &self.modes)
            }
            ("POST", ["v2", "policy-approvals", id, "decisions"]) => {
                approvals::vote(books, id, ask, &self.modes)
            }
            _ => Err(refusal(404, "Not Found")),
        }
    }
}

/// "List, Assign and Revoke Permission".
impl Dfns {
    fn list_assignments(&self, books: &Books, id: &str, ask: &Ask) -> Result<Reply, Reply> {
        permission(id)?;
        let rows = books.assignments.iter().filter(|row| {
            let hidden = row.unborn() && !self.modes.dfns_lists_pending;
            row.permission == id && !hidden
        });
        let rows = rows.map(|row| {
            let mut shown = row.shown();
            let pending = row.pending.as_ref();
            let pending = pending.and_then(|(change, _)| books.approval_of(change));
            if let Some(approval) = pending {
                set(&mut shown, "pendingChangeRequest", approval.change_request(&self.modes));
            }
            shown
        });
        page(rows.collect(), ask, 500, 50)
    }

    fn assign(&self, books: &mut Books, id: &str, ask: &Ask) -> Result<Reply, Reply> {
        let body: AssignBody = ask.json().map_err(misread)?;
        let identity = body.identity_id;
        if identity.is_empty() {
            return Err(refusal(400, "identityId must not be empty"));
        }
        let permission = permission(id)?;
        let active = catalogue::identity(&identity)
            .or_else(|| books.is_group(&identity).then_some(true))
            .ok_or_else(|| refusal(404, "The identity was not found"))?;
        if permission.archived() {
            return Err(refusal(422, "The permission is archived"));
        }
        if !active {
            return Err(refusal(422, "The identity is deactivated"));
        }
        let mut held = books.assignments.iter();
        if let Some(row) = held.find(|row| row.permission == id && row.identity == identity) {
            return Err(conflict("The permission is already assigned", &row.id));
        }
        if catalogue::BLOCKED == id {
            return Err(self.blocked());
        }
        let row = Assignment {
            id: new_id("as")?,
            permission: id.into(),
            identity,
            immutable: false,
            created: now(),
            pending: None,
        };
        if catalogue::GATED == id {
            return books.ask_approval(row, Operation::Create, &self.modes);
        }
        let reply = Reply::json(200, &row.shown());
        books.assignments.push(row);
        Ok(reply)
    }

    fn revoke(
        &self,
        books: &mut Books,
        permission_id: &str,
        id: &str,
        ask: &Ask,
    ) -> Result<Reply, Reply> {
        permission(permission_id)?;
        // The Python SDK writes "True".
        let force = ask.param("force").unwrap_or_else(|| "false".into()).to_ascii_lowercase();
        if !["true", "false"].contains(&force.as_str()) || ask.unknown_param(&["force"]).is_some() {
            return Err(refusal(400, "force must be true or false, and nothing else is known"));
        }
        let mut rows = books.assignments.iter();
        let row = rows
            .find(|row| row.id == id && row.permission == permission_id && !row.unborn())
            .ok_or_else(|| refusal(404, "The assignment was not found"))?
            .clone();
        if row.immutable {
            return Err(refusal(403, "The assignment is managed by the system"));
        }
        if force == "false" && catalogue::BLOCKED == permission_id {
            return Err(self.blocked());
        }
        if force == "false" && catalogue::GATED == permission_id {
            if row.pending.is_some() {
                return Err(conflict("A change of this assignment is already pending", id));
            }
            return books.ask_approval(row, Operation::Delete, &self.modes);
        }
        books.assignments.retain(|row| row.id != id);
        Ok(Reply::empty(if self.modes.dfns_revoke_no_content { 204 } else { 200 }))
    }

    fn blocked(&self) -> Reply {
        refusal(self.modes.dfns_blocked, "A policy blocks this activity")
    }
}

impl Books {
    fn held_by(&self, identity: &str, modes: &Modes) -> Value {
        let through = |row: &Assignment| {
            modes.dfns_shows_group_permissions && self.is_in(identity, &row.identity)
        };
        let held = self.assignments.iter();
        let held = held.filter(|row| (row.identity == identity || through(row)) && !row.unborn());
        let shown = held.map(|row| {
            let permission = permission(&row.permission).ok();
            let name = permission.map_or("", |permission| permission.name);
            let mut shown = json!({ "permissionName": name, "permissionId": row.permission });
            let fewest = modes.dfns_fields == DfnsFields::Fewest;
            set(&mut shown, "assignmentId", if fewest { "" } else { &row.id });
            if let Some(permission) = permission.filter(|_| !fewest) {
                set(&mut shown, "operations", permission.operations);
            }
            shown
        });
        shown.collect()
    }
}

impl Assignment {
    /// Not created yet: waiting for approval.
    fn unborn(&self) -> bool {
        matches!(self.pending, Some((_, Operation::Create)))
    }

    fn shown(&self) -> Value {
        json!({
            "id": self.id,
            "permissionId": self.permission,
            "identityId": self.identity,
            "isImmutable": self.immutable,
            "dateCreated": self.created,
            "dateUpdated": self.created,
        })
    }
}

fn permission(id: &str) -> Result<&'static Permission, Reply> {
    let mut permissions = PERMISSIONS.iter();
    let found = permissions.find(|permission| permission.id == id);
    found.ok_or_else(|| refusal(404, "The permission was not found"))
}

/// All of them are in force.
fn list_policies(ask: &Ask) -> Result<Reply, Reply> {
    match ask.param("status").as_deref() {
        None | Some("Active") => page(catalogue::policies(), ask, 500, 50),
        Some("Archived") => page(Vec::new(), ask, 500, 50),
        Some(_) => Err(refusal(400, "status must be Active or Archived")),
    }
}

/// `items`, and `nextPageToken` unless this is the last page.
fn page(rows: Vec<Value>, ask: &Ask, most: usize, default: usize) -> Result<Reply, Reply> {
    let limit = ask.number("limit", 1..=most, default);
    let limit = limit.map_err(|why| refusal(400, &why))?;
    let offset = match ask.param("paginationToken") {
        None => 0,
        Some(token) => offset(&token).ok_or_else(|| refusal(400, "paginationToken is invalid"))?,
    };
    let next = offset.saturating_add(limit);
    let more = next < rows.len();
    let items: Vec<Value> = rows.into_iter().skip(offset).take(limit).collect();
    let mut body = json!({ "items": items });
    if more {
        set(&mut body, "nextPageToken", BASE64_URL_SAFE_NO_PAD.encode(next.to_string()));
    }
    Ok(Reply::json(200, &body))
}

fn offset(token: &str) -> Option<usize> {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    std::str::from_utf8(&decoded).ok()?.parse().ok()
}

/// `xx-`, five, five and sixteen letters or digits.
fn new_id(kind: &str) -> Result<String, Reply> {
    let random = random_text(40).map_err(|error| refusal(500, &error.to_string()))?;
    let letters: String = random.chars().filter(char::is_ascii_alphanumeric).collect();
    let letters = letters.to_lowercase();
    let part = |range| letters.get(range).unwrap_or_default();
    Ok(format!("{kind}-{}-{}-{}", part(0..5), part(5..10), part(10..26)))
}

fn now() -> String {
    format!("{:.3}", Timestamp::now())
}

fn misread(misread: Misread) -> Reply {
    refusal(misread.status, &misread.message)
}

fn refusal(status: u16, message: &str) -> Reply {
    refusal_about(status, message, json!({}))
}

fn conflict(message: &str, existing: &str) -> Reply {
    refusal_about(409, message, json!({ "id": existing }))
}

fn refusal_about(status: u16, message: &str, details: Value) -> Reply {
    let error =
        json!({ "id": "er-sandbox", "status": status, "message": message, "details": details });
    Reply::json(status, &json!({ "error": error }))
}

#[cfg(test)]
mod tests {
    use super::super::Sandbox;
    use super::super::client::{Answer, Client, start};
    use super::catalogue::{BLOCKED, GATED};
    use super::signing::tests::{own, signed};
    use super::*;

    async fn assign(client: &Client, permission: &str, identity: &str) -> Answer {
        let path = format!("/permissions/{permission}/assignments");
        let body = json!({ "identityId": identity }).to_string();
        signed(client, "POST", &path, &body).await
    }

    async fn revoke(client: &Client, permission: &str, assignment: &str) -> Answer {
        let path = format!("/permissions/{permission}/assignments/{assignment}");
        signed(client, "DELETE", &path, "").await
    }

    async fn holders(client: &Client, permission: &str) -> Vec<Value> {
        let path = format!("/permissions/{permission}/assignments");
        let answer = own(client, "GET", &path).send().await;
        answer.each("/items", "/identityId")
    }

    async fn id_of(client: &Client, permission: &str, identity: &str) -> String {
        let path = format!("/permissions/{permission}/assignments");
        let answer = own(client, "GET", &path).send().await;
        let ids = answer.each("/items", "/id");
        let mut held = ids.into_iter().zip(answer.each("/items", "/identityId"));
        let (id, _) = held.find(|(_, held)| held == identity).unwrap();
        id.as_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn an_assignment_comes_and_goes() {
        for (revoke_no_content, status) in [(false, 200), (true, 204)] {
            let modes = Modes { dfns_revoke_no_content: revoke_no_content, ..Modes::default() };
            let (_sandbox, client) = start(modes).await;
            let made = assign(&client, TREASURY_VIEWER, people::SAM.dfns).await;
            assert_eq!(made.status, 200);
            let id = made.at("/id").as_str().unwrap().to_owned();
            let parts: Vec<usize> = id.split('-').map(str::len).collect();
            assert_eq!(parts, [2, 5, 5, 16]);
            let created = made.at("/dateCreated");
            assert_eq!(created.as_str().unwrap().len(), "2023-04-14T20:41:28.715Z".len());
            let user = format!("/auth/users/{}", people::SAM.dfns);
            let user = own(&client, "GET", &user).send().await;
            assert_eq!(user.at("/permissionAssignments/0/assignmentId"), id);
            let again = assign(&client, TREASURY_VIEWER, people::SAM.dfns).await;
            assert_eq!((again.status, again.at("/error/details/id")), (409, json!(id)));
            let gone = revoke(&client, TREASURY_VIEWER, &id).await;
            assert_eq!((gone.status, gone.body.as_str()), (status, ""));
            assert_eq!(revoke(&client, TREASURY_VIEWER, &id).await.status, 404);
        }
    }

    #[tokio::test]
    async fn assigning_is_checked() {
        let (_sandbox, client) = start(Modes::default()).await;
        let archived = "pm-7lkfw-y704q-37pn2o71tvw4ymy5";
        for (permission, identity, status) in [
            ("pm-00000-00000-0000000000000000", people::SAM.dfns, 404),
            (TREASURY_VIEWER, "us-00000-00000-0000000000000000", 404),
            (TREASURY_VIEWER, "", 400),
            (TREASURY_VIEWER, people::LENA.dfns, 422),
            (TREASURY_VIEWER, catalogue::PRIYAS_TOKEN, 409),
            (WALLET_OPERATOR, catalogue::PRIYAS_TOKEN, 200),
            (WALLET_OPERATOR, people::GRANTOR.dfns, 200),
            (archived, people::SAM.dfns, 422),
            (BLOCKED, people::SAM.dfns, 403),
        ] {
            let answer = assign(&client, permission, identity).await;
            assert_eq!(answer.status, status, "{permission} {identity}");
        }
        let path = format!("/permissions/{WALLET_OPERATOR}/assignments");
        let more = json!({ "identityId": people::SAM.dfns, "scope": "x" }).to_string();
        assert_eq!(signed(&client, "POST", &path, &more).await.status, 400);
        let system = id_of(&client, FULL_ADMIN, people::PRIYA.dfns).await;
        assert_eq!(revoke(&client, FULL_ADMIN, &system).await.status, 403);
    }

    #[tokio::test]
    async fn only_the_service_accounts_token_is_let_in() {
        let (_sandbox, client) = start(Modes::default()).await;
        let request = client.request("dfns", "GET", "/permissions").bearer("x");
        let answer = request.send().await;
        assert_eq!((answer.status, answer.at("/error/status")), (401, json!(401)));
        let accounts = own(&client, "GET", "/auth/service-accounts").send().await;
        let own_credential = accounts.at("/items/0/accessTokens/0/credId");
        assert_eq!(own_credential, client.variable("DFNS_CREDENTIAL_ID"));
        let public = accounts.at("/items/0/accessTokens/0/publicKey");
        assert!(public.as_str().unwrap().contains("PUBLIC KEY"));
        let tokens = own(&client, "GET", "/auth/pats").send().await;
        assert_eq!(tokens.at("/items"), json!([]));
    }

    #[tokio::test]
    async fn lists_come_in_pages() {
        let (_sandbox, client) = start(Modes::default()).await;
        for (path, total) in [("/permissions", 8), ("/auth/users", 10), ("/v2/policies", 2)] {
            let (mut seen, mut token) = (Vec::new(), String::new());
            loop {
                let page = format!("{path}?limit=3{token}");
                let answer = own(&client, "GET", &page).send().await;
                seen.extend(answer.each("/items", "/name"));
                match answer.at("/nextPageToken").as_str() {
                    Some(next) => token = format!("&paginationToken={next}"),
                    None => break,
                }
            }
            assert_eq!(seen.len(), total, "{path}");
        }
        for path in [
            "/auth/users?limit=201",
            "/auth/users?kind=Robot",
            "/permissions?limit=501",
            "/permissions?paginationToken=x",
        ] {
            let answer = own(&client, "GET", path).send().await;
            assert_eq!(answer.status, 400, "{path}");
        }
    }

    /// A gated permission asked for, and the approval that waits.
    async fn pending(modes: Modes) -> (Sandbox, Client, Answer) {
        let (sandbox, client) = start(modes).await;
        let answer = assign(&client, GATED, people::SAM.dfns).await;
        assert_eq!(answer.status, 202);
        (sandbox, client, answer)
    }

    #[tokio::test]
    async fn a_gated_assignment_waits_for_its_approval() {
        for (approve, fails, held, change) in [
            (true, false, true, "Applied"),
            (true, true, false, "Failed"),
            (false, false, false, "Rejected"),
        ] {
            let modes = Modes { dfns_approved_fails: fails, ..Modes::default() };
            let (sandbox, client, answer) = pending(modes).await;
            assert_eq!(assign(&client, GATED, people::SAM.dfns).await.status, 409);
            let user = format!("/auth/users/{}", people::SAM.dfns);
            let user = own(&client, "GET", &user).send().await;
            assert_eq!(user.at("/permissionAssignments"), json!([]));
            let approval = answer.at("/approvalId").as_str().unwrap().to_owned();
            sandbox.decide_approval(&approval, approve).unwrap();
            sandbox.decide_approval(&approval, approve).unwrap_err();
            let path = format!("/v2/policy-approvals/{approval}");
            let decided = own(&client, "GET", &path).send().await;
            assert_eq!(decided.at("/activity/changeRequest/status"), change);
            let listed = holders(&client, GATED).await;
            assert_eq!(listed.contains(&json!(people::SAM.dfns)), held, "{change}");
            let path = format!("/permissions/{GATED}/assignments");
            let rows = own(&client, "GET", &path).send().await;
            assert!(!rows.body.contains("pendingChangeRequest"));
        }
    }

    #[tokio::test]
    async fn a_gated_revocation_waits_too() {
        for (approve, held) in [(true, false), (false, true)] {
            let (sandbox, client) = start(Modes::default()).await;
            let id = id_of(&client, GATED, people::MARTA.dfns).await;
            let answer = revoke(&client, GATED, &id).await;
            assert_eq!(answer.status, 202);
            assert_eq!(answer.at("/operationKind"), "Delete");
            assert_eq!(revoke(&client, GATED, &id).await.status, 409);
            let path = format!("/permissions/{GATED}/assignments");
            let listed = own(&client, "GET", &path).send().await;
            assert_eq!(listed.at("/items/0/pendingChangeRequest/id"), answer.at("/id"));
            let approval = answer.at("/approvalId").as_str().unwrap().to_owned();
            sandbox.decide_approval(&approval, approve).unwrap();
            assert_eq!(!holders(&client, GATED).await.is_empty(), held);
        }
        let (_sandbox, client) = start(Modes::default()).await;
        let id = id_of(&client, GATED, people::MARTA.dfns).await;
        let forced = format!("/permissions/{GATED}/assignments/{id}?force=true");
        assert_eq!(signed(&client, "DELETE", &forced, "").await.status, 200);
    }

    #[tokio::test]
    async fn what_a_pending_change_shows_is_a_mode() {
        for (lists_pending, approval_id) in [(true, true), (false, false)] {
            let modes = Modes {
                dfns_lists_pending: lists_pending,
                dfns_approval_id: approval_id,
                ..Modes::default()
            };
            let (_sandbox, client, answer) = pending(modes).await;
            assert_eq!(answer.at("/approvalId").is_string(), approval_id);
            let listed = holders(&client, GATED).await;
            assert_eq!(listed.contains(&json!(people::SAM.dfns)), lists_pending);
            let list = "/v2/policy-approvals?status=Pending&initiatorId=";
            let list = format!("{list}{}", people::GRANTOR.dfns);
            let approvals = own(&client, "GET", &list).send().await;
            let change = approvals.at("/items/0/activity/changeRequest/id");
            assert_eq!(change, answer.at("/id"));
        }
    }

    #[tokio::test]
    async fn the_initiator_may_deny_but_not_approve() {
        let (_sandbox, client, answer) = pending(Modes::default()).await;
        let approval = answer.at("/approvalId");
        let path = format!("/v2/policy-approvals/{}/decisions", approval.as_str().unwrap());
        for (value, status) in [("Approved", 403), ("Maybe", 400), ("Denied", 200), ("Denied", 400)]
        {
            let body = json!({ "value": value }).to_string();
            let answer = signed(&client, "POST", &path, &body).await;
            assert_eq!(answer.status, status, "{value}");
        }
    }
}
