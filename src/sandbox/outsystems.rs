//! OutSystems Developer Cloud: the User and Access Management API v1 and the asset list.
//!
//! From the vendor's OpenAPI documents (identity v1, asset-repository v1), its pages "Get access token",
//! "About the OIDC discovery document", "Rate limiting" and "Manage asset permissions".

mod catalogue;
mod pages;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::catalogue::{ADMINISTRATOR, DEVELOPER, ORDERS, PORTAL, PORTFOLIO, TESTER};
use super::keys::{Keys, random_text};
use super::message::{Ask, Reply, contains, ensure, set};
use super::modes::{Idle, Modes, OtherRole, SecondGrant};
use super::people;
use super::serve::Fake;
use super::state::World;

pub(super) const CLIENT_ID: &str = "8df08078-a22e-4180-85c2-c2af3977a654";

const TOKEN_PATH: &str =
    "/auth/realms/f3194a3b-381e-43e7-952c-466e473a1797/protocol/openid-connect/token";

/// One organization role of one user: on an asset, or without one in the whole organization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Grant {
    user: String,
    role: String,
    asset: Option<String>,
    portfolio: Option<String>,
    period: Option<Period>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Period {
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GrantBody {
    asset_keys: Option<Vec<String>>,
    grant_period: Option<Period>,
    portfolio_key: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RevokeBody {
    asset_keys: Option<Vec<String>>,
}

pub(super) fn seed() -> Vec<Grant> {
    let grant = |person: &people::Person, role: &str, asset: Option<&str>| Grant {
        user: person.outsystems.into(),
        role: role.into(),
        asset: asset.map(Into::into),
        portfolio: asset.map(|_| PORTFOLIO.into()),
        period: None,
    };
    vec![
        grant(&people::PRIYA, ADMINISTRATOR, None),
        grant(&people::MARTA, DEVELOPER, None),
        grant(&people::ALEX, DEVELOPER, Some(ORDERS)),
        grant(&people::JONAS, DEVELOPER, Some(PORTAL)),
        grant(&people::GRACE, TESTER, Some(ORDERS)),
        grant(&people::LENA, TESTER, Some(PORTAL)),
    ]
}

/// What a crowd holds: each a role on three assets, and some one in the organization as well.
pub(super) fn crowd() -> Vec<Grant> {
    let grant = |number: usize, role: &str, asset: Option<String>| Grant {
        user: catalogue::extra_user(number),
        role: role.into(),
        portfolio: asset.as_ref().map(|_| PORTFOLIO.into()),
        asset,
        period: None,
    };
    let held = |number: usize| {
        let assets = [0, 1, 2].map(|step| catalogue::extra_asset(number + step * 100));
        let role = if number.is_multiple_of(3) { DEVELOPER } else { TESTER };
        let apart = number.is_multiple_of(50).then(|| grant(number, TESTER, None));
        assets.map(|asset| grant(number, role, Some(asset))).into_iter().chain(apart)
    };
    (1..=catalogue::CROWD).flat_map(held).collect()
}

pub(super) struct OutSystems {
    url: String,
    secret: String,
    modes: Modes,
    users: Vec<Value>,
    roles: Vec<Value>,
    permissions: Vec<Value>,
    assets: Vec<Value>,
    /// Until when each token issued is good.
    tokens: Mutex<HashMap<String, Instant>>,
    /// When each API domain was asked during the last minute.
    asked: Mutex<HashMap<String, Vec<Instant>>>,
}

impl OutSystems {
    pub fn new(url: &str, keys: &Keys, modes: &Modes) -> OutSystems {
        OutSystems {
            url: url.to_owned(),
            secret: keys.secrets.outsystems.clone(),
            modes: modes.clone(),
            users: catalogue::users(modes),
            roles: catalogue::roles(modes),
            permissions: catalogue::permissions(modes),
            assets: catalogue::assets(modes),
            tokens: Mutex::default(),
            asked: Mutex::default(),
        }
    }
}

impl Fake for OutSystems {
    fn look(&self, world: &World, ask: &Ask) -> Result<Reply, Reply> {
        let segments = ask.segments();
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        if path == ["identity", ".well-known", "openid-configuration"] {
            return Ok(self.discovery());
        }
        self.admit(ask)?;
        let grants = self.current(&world.outsystems, Timestamp::now() - self.modes.reads_lag);
        match path.as_slice() {
            ["api", "identity", "v1", rest @ ..] => match rest {
                ["users"] => self.list_users(&grants, ask),
                ["users", key] => one(&shown(find(&self.users, "key", key)?, &grants)),
                ["users", key, "organization-roles"] => self.roles_of(&grants, key, ask),
                ["organization-roles"] => self.list_roles(ask),
                ["organization-roles", key] => one(find(&self.roles, "key", key)?),
                ["organization-roles", key, "users"] => self.holders(&grants, key, ask),
                ["permissions"] => self.list_permissions(ask),
                ["permissions", key] => one(find(&self.permissions, "key", key)?),
                _ => Err(problem(404, "There is no such operation.")),
            },
            ["api", "asset-repository", "v1", "assets"] => self.list_assets(ask),
            ["api", "asset-repository", "v1", "assets", key] => {
                one(find(&self.assets, "assetKey", key)?)
            }
            _ => Err(problem(404, "There is no such operation.")),
        }
    }

    fn change(&self, world: &mut World, ask: &Ask) -> Result<Reply, Reply> {
        if ask.path == TOKEN_PATH {
            return self.token(ask);
        }
        self.admit(ask)?;
        let segments = ask.segments();
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        let ["api", "identity", "v1", "users", user, "organization-roles", role] = path.as_slice()
        else {
            return Err(problem(404, "There is no such operation."));
        };
        find(&self.users, "key", user)?;
        find(&self.roles, "key", role)?;
        world.outsystems = self.current(&world.outsystems, Timestamp::now());
        match ask.method.as_str() {
            "POST" => self.grant(&mut world.outsystems, user, role, ask),
            "DELETE" => self.revoke(&mut world.outsystems, user, role, ask),
            _ => Err(problem(405, "This method is not allowed here.")),
        }
    }
}

/// Who is asking, and whether they may now.
impl OutSystems {
    fn discovery(&self) -> Reply {
        let issuer = TOKEN_PATH.trim_end_matches("/protocol/openid-connect/token");
        let body = json!({
            "issuer": format!("{}{issuer}", self.url),
            "token_endpoint": format!("{}{TOKEN_PATH}", self.url),
        });
        Reply::json(200, &body)
    }

    fn token(&self, ask: &Ask) -> Result<Reply, Reply> {
        let form = ask.form().ok_or_else(|| {
            let why = "Content-Type must be application/x-www-form-urlencoded";
            oauth(400, "invalid_request", why)
        })?;
        let field = |name| {
            let mut fields = form.iter();
            let found = fields.find(|(key, _)| key == name);
            found.map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        if field("grant_type") != "client_credentials" {
            let why = "grant_type must be client_credentials";
            return Err(oauth(400, "unsupported_grant_type", why));
        }
        if field("client_id") != CLIENT_ID || field("client_secret") != self.secret {
            let why = "Invalid client or Invalid client credentials";
            return Err(oauth(401, "invalid_client", why));
        }
        let token = random_text(32).map_err(|error| problem(500, &error.to_string()))?;
        let seconds = self.modes.outsystems_token_seconds;
        let until = Instant::now() + Duration::from_secs(seconds.into());
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.insert(token.clone(), until);
        let body = json!({ "access_token": token, "expires_in": seconds, "token_type": "Bearer" });
        Ok(Reply::json(200, &body))
    }

    fn admit(&self, ask: &Ask) -> Result<(), Reply> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let until = ask.bearer().and_then(|token| tokens.get(token));
        if until.is_none_or(|until| *until <= Instant::now()) {
            return Err(problem(401, "The access token is missing, unknown or expired."));
        }
        self.pace(ask)
    }

    /// The limit counts for each API domain, and the 429 carries no Retry-After.
    fn pace(&self, ask: &Ask) -> Result<(), Reply> {
        let Some(limit) = self.modes.outsystems_per_minute else {
            return Ok(());
        };
        let domain = ask.segments().get(1).cloned().unwrap_or_default();
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let times = asked.entry(domain).or_default();
        times.retain(|time| time.elapsed() < self.modes.minute);
        if times.len() >= limit as usize {
            let refusal = problem(429, "Too many requests in the last minute.");
            return Err(refusal.with("x-envoy-ratelimited", "true"));
        }
        times.push(Instant::now());
        Ok(())
    }
}

impl OutSystems {
    fn page(&self, rows: Vec<Value>, ask: &Ask, most: usize) -> Result<Reply, Reply> {
        pages::page(self.modes.outsystems_pages, rows, ask, most)
    }
}

/// Lists: "Get users", "Get organization roles", "Get assets" and the roles of a user.
impl OutSystems {
    fn list_users(&self, grants: &[Grant], ask: &Ask) -> Result<Reply, Reply> {
        known(
            ask,
            &[
                "nameOrEmailContains",
                "nameOrEmailOrUsernameContains",
                "userKeys",
                "assetKey",
                "status",
                "hasOrganizationRoles",
                "sort",
            ],
        )?;
        let part = ask.param("nameOrEmailContains");
        let wide = ask.param("nameOrEmailOrUsernameContains");
        let keys = keys_param(ask, "userKeys")?;
        let asset = keys_param(ask, "assetKey")?;
        let status = ask.param("status");
        let holding = ask.param("hasOrganizationRoles");
        let on_asset = |user: &str, asset: &str| {
            let mut grants = grants.iter().filter(|grant| grant.user == user);
            grants.any(|grant| grant.asset.as_deref() == Some(asset))
        };
        let rows = self.users.iter().filter(|user| {
            let key = text(user, "key");
            let named = |part: &String| {
                contains(text(user, "name"), part) || contains(text(user, "email"), part)
            };
            part.iter().chain(&wide).all(named)
                && (keys.is_empty() || keys.iter().any(|wanted| wanted == key))
                && asset.iter().all(|asset| on_asset(key, asset))
                && status.iter().all(|wanted| wanted == text(user, "status"))
                && holding.iter().all(|wanted| *wanted == holds_any(key, grants).to_string())
        });
        let rows = rows.map(|user| shown(user, grants));
        self.page(rows.collect(), ask, 100)
    }

    fn list_roles(&self, ask: &Ask) -> Result<Reply, Reply> {
        known(ask, &["roleKey", "nameContains", "sort"])?;
        let keys = keys_param(ask, "roleKey")?;
        let part = ask.param("nameContains");
        let rows = self.roles.iter().filter(|role| {
            keys.iter().all(|key| key == text(role, "key"))
                && part.iter().all(|part| contains(text(role, "name"), part))
        });
        self.page(rows.cloned().collect(), ask, 100)
    }

    fn list_permissions(&self, ask: &Ask) -> Result<Reply, Reply> {
        known(ask, &["nameContains"])?;
        let part = ask.param("nameContains");
        let rows = self
            .permissions
            .iter()
            .filter(|permission| part.iter().all(|part| contains(text(permission, "name"), part)));
        self.page(rows.cloned().collect(), ask, 100)
    }

    fn list_assets(&self, ask: &Ask) -> Result<Reply, Reply> {
        known(ask, &["nameContains", "nameOrDescriptionContains", "assetKeys", "sort"])?;
        let part = ask.param("nameContains");
        let wide = ask.param("nameOrDescriptionContains");
        let keys = keys_param(ask, "assetKeys")?;
        let rows = self.assets.iter().filter(|asset| {
            let either = |part: &String| {
                contains(text(asset, "name"), part) || contains(text(asset, "description"), part)
            };
            part.iter().all(|part| contains(text(asset, "name"), part))
                && wide.iter().all(either)
                && (keys.is_empty() || keys.iter().any(|key| key == text(asset, "assetKey")))
        });
        self.page(rows.cloned().collect(), ask, 1000)
    }

    /// One row for each role and asset; the key in a row is the role's.
    fn roles_of(&self, grants: &[Grant], user: &str, ask: &Ask) -> Result<Reply, Reply> {
        known(ask, &["scopes", "assetKeys"])?;
        find(&self.users, "key", user)?;
        let scopes = list_param(ask, "scopes");
        if scopes.iter().any(|scope| !["Organization", "Asset"].contains(&scope.as_str())) {
            return Err(problem(400, "scopes must be Organization or Asset."));
        }
        let assets = keys_param(ask, "assetKeys")?;
        let rows = grants.iter().filter(|grant| {
            let scope = match grant.asset {
                Some(_) => "Asset",
                None => "Organization",
            };
            grant.user == user
                && (scopes.is_empty() || scopes.iter().any(|wanted| wanted == scope))
                && (assets.is_empty() || grant.asset.iter().any(|asset| assets.contains(asset)))
        });
        let rows = rows.map(|grant| {
            let role = find(&self.roles, "key", &grant.role).ok();
            json!({
                "key": grant.role,
                "name": role.map(|role| text(role, "name")),
                "grantPeriod": grant.period,
                "assetKey": grant.asset,
                "portfolioKey": grant.portfolio,
            })
        });
        self.page(rows.collect(), ask, 100)
    }

    /// Users only: the document has neither asset nor period here.
    fn holders(&self, grants: &[Grant], role: &str, ask: &Ask) -> Result<Reply, Reply> {
        known(ask, &[])?;
        find(&self.roles, "key", role)?;
        let rows = self.users.iter().filter(|user| {
            let mut grants = grants.iter().filter(|grant| grant.role == role);
            grants.any(|grant| grant.user == text(user, "key"))
        });
        self.page(rows.map(holder).collect(), ask, 100)
    }
}

/// "Manage asset permissions": POST and DELETE of a user's organization role.
impl OutSystems {
    fn grant(
        &self,
        grants: &mut Vec<Grant>,
        user: &str,
        role: &str,
        ask: &Ask,
    ) -> Result<Reply, Reply> {
        let body: GrantBody = optional_body(ask)?;
        let assets = self.assets_named(body.asset_keys)?;
        let portfolio = body.portfolio_key;
        if portfolio.as_ref().is_some_and(|key| key != PORTFOLIO) {
            return Err(problem(400, "portfolioKey is unknown."));
        }
        check_period(body.grant_period.as_ref())?;
        // No asset means the whole organization.
        let targets: Vec<Option<String>> =
            if assets.is_empty() { vec![None] } else { assets.into_iter().map(Some).collect() };
        let held = |asset: &Option<String>| {
            let mut grants = grants.iter().filter(|grant| grant.user == user && grant.role == role);
            grants.any(|grant| grant.asset == *asset)
        };
        if self.modes.idle == Idle::Refused && targets.iter().all(held) {
            return Err(problem(400, "The user already has this role there."));
        }
        self.make_room(grants, user, role, &targets)?;
        for asset in targets {
            let there =
                |grant: &Grant| grant.user == user && grant.role == role && grant.asset == asset;
            if !grants.iter().any(there) {
                grants.push(Grant {
                    user: user.into(),
                    role: role.into(),
                    portfolio: asset.as_ref().map(|_| PORTFOLIO.into()),
                    asset,
                    period: body.grant_period.clone(),
                });
            }
        }
        Ok(Reply::empty(201))
    }

    /// What a grant does to the user's other rows, which the documents leave open.
    fn make_room(
        &self,
        grants: &mut Vec<Grant>,
        user: &str,
        role: &str,
        targets: &[Option<String>],
    ) -> Result<(), Reply> {
        let meant = |grant: &Grant| targets.contains(&grant.asset);
        let other_role = |grant: &Grant| grant.user == user && grant.role != role && meant(grant);
        if self.modes.other_role == OtherRole::Reject && grants.iter().any(other_role) {
            return Err(problem(400, "The user already has another role there."));
        }
        grants.retain(|grant| !other_role(grant));
        let on_assets = targets.iter().any(Option::is_some);
        if self.modes.second_grant == SecondGrant::Replace && on_assets {
            let same_role = |grant: &Grant| grant.user == user && grant.role == role;
            grants.retain(|grant| !same_role(grant) || grant.asset.is_none() || meant(grant));
        }
        Ok(())
    }

    fn revoke(
        &self,
        grants: &mut Vec<Grant>,
        user: &str,
        role: &str,
        ask: &Ask,
    ) -> Result<Reply, Reply> {
        let body: RevokeBody = optional_body(ask)?;
        let assets = self.assets_named(body.asset_keys)?;
        let meant = |grant: &Grant| {
            let there = match &grant.asset {
                Some(asset) => assets.contains(asset),
                None => assets.is_empty(),
            };
            grant.user == user && grant.role == role && there
        };
        let found = grants.iter().filter(|grant| meant(grant)).count();
        if self.modes.idle != Idle::Done && found < assets.len().max(1) {
            return Err(problem(404, "The user does not have this role there."));
        }
        grants.retain(|grant| !meant(grant));
        Ok(Reply::empty(204))
    }

    /// The grants whose time has not passed then, where that makes a difference.
    fn current(&self, grants: &[Grant], now: Timestamp) -> Vec<Grant> {
        let lasts = |grant: &&Grant| {
            let end = grant.period.as_ref().and_then(|period| period.end_time);
            !self.modes.outsystems_ends || end.is_none_or(|end| end > now)
        };
        grants.iter().filter(lasts).cloned().collect()
    }

    fn assets_named(&self, keys: Option<Vec<String>>) -> Result<Vec<String>, Reply> {
        let mut keys = keys.unwrap_or_default();
        keys.sort();
        keys.dedup();
        for key in &keys {
            let known = self.assets.iter().any(|asset| text(asset, "assetKey") == key);
            if !known {
                return Err(problem(400, &format!("assetKeys: {key} is no asset.")));
            }
        }
        Ok(keys)
    }
}

fn check_period(period: Option<&Period>) -> Result<(), Reply> {
    let Some(Period { start_time, end_time: Some(end) }) = period else {
        return Ok(());
    };
    if *end <= Timestamp::now() || start_time.is_some_and(|start| start >= *end) {
        return Err(problem(400, "grantPeriod.endTime must be in the future and after startTime."));
    }
    Ok(())
}

/// A body may be left out altogether, and then every field of it is.
fn optional_body<T: Default + serde::de::DeserializeOwned>(ask: &Ask) -> Result<T, Reply> {
    known_only(ask, &[])?;
    if ask.body.is_empty() {
        return Ok(T::default());
    }
    ask.json().map_err(|misread| problem(misread.status, &misread.message))
}

fn holds_any(user: &str, grants: &[Grant]) -> bool {
    grants.iter().any(|grant| grant.user == user)
}

/// A user, with what is known of their access.
fn shown(user: &Value, grants: &[Grant]) -> Value {
    let holds = holds_any(text(user, "key"), grants);
    let access = json!({ "hasOrganizationRoles": holds, "hasApplicationRoles": false });
    let mut user = user.clone();
    set(&mut user, "access", access);
    user
}

/// A user as the list of a role's holders has them: these fields, and no others.
fn holder(user: &Value) -> Value {
    let mut shown = json!({});
    for field in ["key", "name", "email", "status", "photoUrl", "lastLoginAt"] {
        set(&mut shown, field, user.get(field).cloned().unwrap_or_default());
    }
    shown
}

fn one(row: &Value) -> Result<Reply, Reply> {
    Ok(Reply::json(200, row))
}

fn find<'a>(rows: &'a [Value], field: &str, key: &str) -> Result<&'a Value, Reply> {
    check_uuid(key)?;
    let mut rows = rows.iter();
    let found = rows.find(|row| text(row, field) == key);
    found.ok_or_else(|| problem(404, &format!("{key} was not found.")))
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The documents call array parameters comma-separated and declare them repeatable: both are read.
fn list_param(ask: &Ask, name: &str) -> Vec<String> {
    let params = ask.params().into_iter().filter(|(key, _)| key == name);
    let values = params.flat_map(|(_, value)| {
        let parts: Vec<String> = value.split(',').map(str::to_owned).collect();
        parts
    });
    values.filter(|value| !value.is_empty()).collect()
}

fn keys_param(ask: &Ask, name: &str) -> Result<Vec<String>, Reply> {
    let keys = list_param(ask, name);
    keys.iter().try_for_each(|key| check_uuid(key))?;
    Ok(keys)
}

fn check_uuid(key: &str) -> Result<(), Reply> {
    let lengths: Vec<usize> = key.split('-').map(str::len).collect();
    let hexadecimal = key.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
    ensure(hexadecimal && lengths == [8, 4, 4, 4, 12], || {
        problem(400, &format!("'{key}' is not a valid key."))
    })
}

fn known(ask: &Ask, names: &[&str]) -> Result<(), Reply> {
    known_only(ask, &[names, &["limit", "offset"]].concat())
}

fn known_only(ask: &Ask, names: &[&str]) -> Result<(), Reply> {
    match ask.unknown_param(names) {
        Some(name) => Err(problem(400, &format!("The parameter {name} is unknown."))),
        None => Ok(()),
    }
}

/// ProblemDetails, though not as application/problem+json.
fn problem(status: u16, detail: &str) -> Reply {
    let title = match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        415 => "Unsupported Media Type",
        429 => "Too Many Requests",
        _ => "Internal Server Error",
    };
    let body = json!({
        "type": null,
        "title": title,
        "status": status,
        "detail": detail,
        "instance": null,
        "traceId": "00-5b1f0c3d8e7a4962b0d4f1a29c6e8357-91c2d7e4a6b8f035-00",
    });
    Reply::json(status, &body)
}

fn oauth(status: u16, error: &str, description: &str) -> Reply {
    Reply::json(status, &json!({ "error": error, "error_description": description }))
}

#[cfg(test)]
mod tests {
    use super::super::client::{Answer, Client, start};
    use super::super::modes::Told;
    use super::catalogue::{BILLING, REPORTS};
    use super::*;

    const IDENTITY: &str = "/api/identity/v1";

    async fn token(client: &Client) -> String {
        let discovery = "/identity/.well-known/openid-configuration";
        let found = client.request("outsystems", "GET", discovery).send().await;
        let endpoint = found.at("/token_endpoint");
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client.variable("OUTSYSTEMS_CLIENT_ID")),
            ("client_secret", client.variable("OUTSYSTEMS_CLIENT_SECRET")),
        ];
        let answer = client.at("POST", endpoint.as_str().unwrap()).form(&form);
        let token = answer.send().await.at("/access_token");
        token.as_str().unwrap().to_owned()
    }

    async fn get(client: &Client, token: &str, path: &str) -> Answer {
        let request = client.request("outsystems", "GET", path);
        request.bearer(token).send().await
    }

    async fn write(client: &Client, token: &str, method: &str, path: &str, body: &Value) -> u16 {
        let request = client.request("outsystems", method, path);
        request.bearer(token).json(body).send().await.status
    }

    fn role_path(person: &people::Person, role: &str) -> String {
        format!("{IDENTITY}/users/{}/organization-roles/{role}", person.outsystems)
    }

    /// The user's rows, as role and asset.
    async fn rows(client: &Client, token: &str, person: &people::Person) -> Vec<(Value, Value)> {
        let path = format!("{IDENTITY}/users/{}/organization-roles", person.outsystems);
        let answer = get(client, token, &path).await;
        let (roles, assets) =
            (answer.each("/results", "/name"), answer.each("/results", "/assetKey"));
        roles.into_iter().zip(assets).collect()
    }

    #[tokio::test]
    async fn a_token_takes_the_right_secret() {
        let (_sandbox, client) = start(Modes::default()).await;
        for (grant, secret, status, error) in [
            ("client_credentials", "wrong", 401, "invalid_client"),
            ("password", "wrong", 400, "unsupported_grant_type"),
        ] {
            let form = [("grant_type", grant), ("client_id", CLIENT_ID), ("client_secret", secret)];
            let request = client.request("outsystems", "POST", TOKEN_PATH).form(&form);
            let answer = request.send().await;
            assert_eq!(answer.status, status);
            assert_eq!(answer.at("/error"), error);
        }
        let users = format!("{IDENTITY}/users");
        let refused = get(&client, "made-up", &users).await;
        assert_eq!((refused.status, refused.at("/status")), (401, json!(401)));
        let token = token(&client).await;
        assert_eq!(get(&client, &token, &users).await.status, 200);
    }

    #[tokio::test]
    async fn a_token_ends() {
        let modes = Modes { outsystems_token_seconds: 0, ..Modes::default() };
        let (_sandbox, client) = start(modes).await;
        let token = token(&client).await;
        let answer = get(&client, &token, &format!("{IDENTITY}/permissions")).await;
        assert_eq!(answer.status, 401);
    }

    #[tokio::test]
    async fn lists_check_their_parameters() {
        let (_sandbox, client) = start(Modes::default()).await;
        let token = token(&client).await;
        for (query, status) in [
            ("users?limit=100", 200),
            ("users?limit=101", 400),
            ("users?limit=0", 400),
            ("users?offset=-1", 400),
            ("users?name=Alex", 400),
            ("users?userKeys=1", 400),
            ("organization-roles?sort=-name", 200),
            ("organization-roles/not-a-uuid", 400),
            ("organization-roles/00000000-0000-4000-8000-000000000000", 404),
            ("nothing", 404),
        ] {
            let answer = get(&client, &token, &format!("{IDENTITY}/{query}")).await;
            assert_eq!(answer.status, status, "{query}");
        }
        let assets = "/api/asset-repository/v1/assets?limit=1000&nameContains=report";
        let answer = get(&client, &token, assets).await;
        assert_eq!(answer.each("/results", "/name"), ["Reports", "Reports"]);
    }

    #[tokio::test]
    async fn a_name_may_be_several_peoples() {
        let (_sandbox, client) = start(Modes::default()).await;
        let token = token(&client).await;
        for (query, expected) in [
            ("nameOrEmailContains=alex%20kim", 2),
            ("nameOrEmailContains=a.kim@example.com", 1),
            ("nameOrEmailOrUsernameContains=user@", 1),
            ("status=Inactive", 1),
            ("hasOrganizationRoles=true", 6),
            (&format!("assetKey={ORDERS}"), 2),
        ] {
            let answer = get(&client, &token, &format!("{IDENTITY}/users?{query}")).await;
            assert_eq!(answer.at("/page/totalResults"), expected, "{query}");
        }
    }

    #[tokio::test]
    async fn long_lists_come_in_pages() {
        let modes = Modes { many_roles: true, ..Modes::default() };
        let (_sandbox, client) = start(modes).await;
        let token = token(&client).await;
        for (list, total) in [("organization-roles", 246), ("users", 250)] {
            let (mut seen, mut offset) = (Vec::new(), json!(0));
            while !offset.is_null() {
                let path = format!("{IDENTITY}/{list}?limit=100&offset={offset}");
                let answer = get(&client, &token, &path).await;
                seen.extend(answer.each("/results", "/key"));
                offset = answer.at("/page/nextPageOffset");
            }
            seen.sort_by_key(Value::to_string);
            seen.dedup();
            assert_eq!(seen.len(), total, "{list}");
        }
    }

    #[tokio::test]
    async fn no_asset_means_the_whole_organization() {
        let (_sandbox, client) = start(Modes::default()).await;
        let token = token(&client).await;
        let path = role_path(&people::SAM, TESTER);
        for body in [json!({}), json!({ "assetKeys": [] }), json!({ "assetKeys": null })] {
            assert_eq!(write(&client, &token, "POST", &path, &body).await, 201);
            let held = rows(&client, &token, &people::SAM).await;
            assert_eq!(held, [(json!("Tester"), Value::Null)]);
            assert_eq!(write(&client, &token, "DELETE", &path, &body).await, 204);
            assert_eq!(rows(&client, &token, &people::SAM).await, []);
        }
        let bare = client.request("outsystems", "POST", &path).bearer(&token);
        assert_eq!(bare.send().await.status, 201);
    }

    #[tokio::test]
    async fn a_second_asset_adds_or_replaces() {
        for (second_grant, expected) in
            [(SecondGrant::Add, vec![ORDERS, BILLING]), (SecondGrant::Replace, vec![BILLING])]
        {
            let modes = Modes { second_grant, ..Modes::default() };
            let (_sandbox, client) = start(modes).await;
            let token = token(&client).await;
            let path = role_path(&people::ALEX, DEVELOPER);
            let body = json!({ "assetKeys": [BILLING] });
            assert_eq!(write(&client, &token, "POST", &path, &body).await, 201);
            let held = rows(&client, &token, &people::ALEX).await;
            let held: Vec<Value> = held.into_iter().map(|(_, asset)| asset).collect();
            assert_eq!(held, expected, "{second_grant:?}");
        }
    }

    #[tokio::test]
    async fn another_role_on_an_asset_is_replaced_or_rejected() {
        for (other_role, status, expected) in
            [(OtherRole::Replace, 201, "Tester"), (OtherRole::Reject, 400, "Developer")]
        {
            let modes = Modes { other_role, ..Modes::default() };
            let (_sandbox, client) = start(modes).await;
            let token = token(&client).await;
            let path = role_path(&people::ALEX, TESTER);
            let body = json!({ "assetKeys": [ORDERS] });
            assert_eq!(write(&client, &token, "POST", &path, &body).await, status);
            let held = rows(&client, &token, &people::ALEX).await;
            assert_eq!(held, [(json!(expected), json!(ORDERS))]);
        }
    }

    #[tokio::test]
    async fn grants_are_checked() {
        let (_sandbox, client) = start(Modes::default()).await;
        let token = token(&client).await;
        let there = role_path(&people::SAM, TESTER);
        let nobody = format!("{IDENTITY}/users/{ORDERS}/organization-roles/{TESTER}");
        let past =
            json!({ "startTime": "2020-01-01T00:00:00Z", "endTime": "2020-01-02T00:00:00Z" });
        for (method, path, body, status) in [
            ("POST", &there, json!({ "assetKeys": [TESTER] }), 400),
            ("POST", &there, json!({ "assetKeys": ["Orders"] }), 400),
            ("POST", &there, json!({ "assetKeys": [ORDERS], "reason": "x" }), 400),
            ("POST", &there, json!({ "assetKeys": [ORDERS], "portfolioKey": ORDERS }), 400),
            ("POST", &there, json!({ "assetKeys": [ORDERS], "grantPeriod": past }), 400),
            ("POST", &nobody, json!({ "assetKeys": [ORDERS] }), 404),
            ("POST", &role_path(&people::SAM, ORDERS), json!({ "assetKeys": [ORDERS] }), 404),
            ("DELETE", &there, json!({ "assetKeys": [ORDERS] }), 404),
            ("PUT", &there, json!({}), 405),
        ] {
            let given = write(&client, &token, method, path, &body).await;
            assert_eq!(given, status, "{method} {body}");
        }
        let untyped = client.request("outsystems", "POST", &there).bearer(&token);
        assert_eq!(untyped.text("text/plain", "{}").send().await.status, 415);
        assert_eq!(rows(&client, &token, &people::SAM).await, []);
    }

    #[tokio::test]
    async fn a_period_is_listed_and_ends_the_grant() {
        let (_sandbox, client) = start(Modes::default()).await;
        let token = token(&client).await;
        let now = Timestamp::now();
        let end = now + Duration::from_secs(2);
        let body = json!({
            "assetKeys": [REPORTS],
            "grantPeriod": { "startTime": now, "endTime": end },
        });
        let path = role_path(&people::SAM, TESTER);
        assert_eq!(write(&client, &token, "POST", &path, &body).await, 201);
        let list = format!("{IDENTITY}/users/{}/organization-roles", people::SAM.outsystems);
        let listed =
            get(&client, &token, &format!("{list}?scopes=Asset&assetKeys={REPORTS}")).await;
        assert_eq!(listed.at("/results/0/grantPeriod/endTime"), json!(end));
        let holders = format!("{IDENTITY}/organization-roles/{TESTER}/users");
        assert_eq!(get(&client, &token, &holders).await.at("/page/count"), 3);
        tokio::time::sleep(Duration::from_millis(2100)).await;
        assert_eq!(get(&client, &token, &list).await.at("/page/count"), 0);
        assert_eq!(get(&client, &token, &holders).await.at("/page/count"), 2);
    }

    #[tokio::test]
    async fn too_many_requests_in_one_domain() {
        let modes = Modes { outsystems_per_minute: Some(2), ..Modes::default() };
        let (_sandbox, client) = start(modes).await;
        let token = token(&client).await;
        let roles = format!("{IDENTITY}/organization-roles");
        for status in [200, 200, 429] {
            let answer = get(&client, &token, &roles).await;
            assert_eq!(answer.status, status);
            assert!(!answer.headers.contains_key("retry-after"));
        }
        let assets = get(&client, &token, "/api/asset-repository/v1/assets").await;
        assert_eq!(assets.status, 200);
    }

    #[tokio::test]
    async fn permission_names_may_be_short() {
        for (outsystems_told, expected) in [
            (Told::Names, "User management > Manage member access"),
            (Told::ShortNames, "Manage member access"),
        ] {
            let modes = Modes { outsystems_told, ..Modes::default() };
            let (_sandbox, client) = start(modes).await;
            let token = token(&client).await;
            let path = format!("{IDENTITY}/organization-roles?nameContains=release");
            let answer = get(&client, &token, &path).await;
            assert_eq!(answer.at("/results/0/permissions/3/name"), expected);
        }
    }

    #[tokio::test]
    async fn a_role_may_leave_out_what_its_permissions_are() {
        for (outsystems_told, fields) in [
            (Told::EmptyNames, &["permissionKey"][..]),
            (Told::NullNames, &["permissionKey"]),
            (Told::KeysAlone, &["permissionKey"]),
            (Told::ClaimsAlone, &["claimName"]),
            (Told::NullList, &[]),
            (Told::NoList, &[]),
        ] {
            let modes = Modes { outsystems_told, ..Modes::default() };
            let (_sandbox, client) = start(modes).await;
            let token = token(&client).await;
            let path = format!("{IDENTITY}/organization-roles?nameContains=release");
            let answer = get(&client, &token, &path).await;
            for field in ["permissionKey", "claimName", "name"] {
                let told = answer.at(&format!("/results/0/permissions/3/{field}"));
                let told = told.as_str().is_some_and(|text| !text.is_empty());
                assert_eq!(told, fields.contains(&field), "{outsystems_told:?} {field}");
            }
        }
    }
}
