//! Serving over HTTP: the server's public address, and the issuers whose tokens count.

mod limits;

use std::sync::Arc;

use toml::{Table, Value};
use url::Url;

use super::file::File;
use super::{Config, ConfigError, gather};
use crate::draft::Base;
use crate::identity::{ClaimNames, IssuerSettings, LoginSettings, ScopeNames};
use crate::text;
pub use limits::Limits;

/// The section that all of it is in.
pub(super) const SECTION: &str = "http";
const ISSUERS: &str = "issuers";
const PUBLIC_URL: &str = "public_url";
const ORIGINS: &str = "origins";
const OWN: [&str; 3] = [PUBLIC_URL, ORIGINS, ISSUERS];
const ISSUER: &str = "issuer";
const AUDIENCES: &str = "audiences";
const JWKS: &str = "jwks_uri";
const SUBJECT: &str = "subject_claim";
const CLIENT: &str = "client_claim";
const EMAIL: &str = "email_claim";
const GROUPS: &str = "groups_claim";
const SERVICE: &str = "service";
const READ_SCOPE: &str = "read_scope";
const CHANGE_SCOPE: &str = "change_scope";
const ROLES: &str = "roles_claim";
const LOGIN_CLIENT: &str = "client_id";
const LOGIN_SECRET: &str = "client_secret";
const LOGIN_SCOPES: &str = "login_scopes";
const LOGIN_SUBJECT: &str = "login_subject_claim";
const OF_ISSUER: [&str; 15] = [
    ISSUER,
    AUDIENCES,
    JWKS,
    SUBJECT,
    CLIENT,
    EMAIL,
    GROUPS,
    SERVICE,
    READ_SCOPE,
    CHANGE_SCOPE,
    ROLES,
    LOGIN_CLIENT,
    LOGIN_SECRET,
    LOGIN_SCOPES,
    LOGIN_SUBJECT,
];

/// How this server is reached over HTTP, and by whom.
#[derive(Clone, Debug, Default)]
pub struct Http {
    /// Where clients find it, as they write it: what tokens are made for.
    pub public_url: Option<String>,
    /// The pages from which a browser may call it.
    pub origins: Vec<String>,
    pub issuers: Vec<IssuerSettings>,
    pub limits: Limits,
    /// Why people could not log in: a secret that is not there.
    pub troubles: Vec<String>,
}

/// The section's name, the key where it is one's fault, and what is wrong.
pub(super) type Wrong = (String, Option<String>, String);

/// The section as it is checked when its file is read.
pub(super) fn check(content: &Value) -> Result<(), Wrong> {
    let wrong =
        |key: Option<&str>, text: String| Err((SECTION.to_owned(), key.map(str::to_owned), text));
    let Some(content) = content.as_table() else {
        return wrong(None, format!("{SECTION} must be a section, [{SECTION}]"));
    };
    for (key, value) in content {
        let checked = match key.as_str() {
            PUBLIC_URL => address(value).map(drop),
            ORIGINS => texts(value).and_then(|all| all.iter().try_for_each(|one| origin(one))),
            ISSUERS => {
                check_issuers(value)?;
                Ok(())
            }
            _ if let Some(checked) = limits::check(key, value) => checked,
            _ => {
                let known = OWN.into_iter().chain(limits::keys()).collect::<Vec<_>>().join(", ");
                let text = format!("there is no setting {key:?} in [{SECTION}]; there are {known}");
                return wrong(Some(key), text);
            }
        };
        if let Err(trouble) = checked {
            return wrong(Some(key), format!("{key} in [{SECTION}] {trouble}"));
        }
    }
    Ok(())
}

fn check_issuers(content: &Value) -> Result<(), Wrong> {
    let Some(content) = content.as_table() else {
        let text = format!("{ISSUERS} holds sections, [{SECTION}.{ISSUERS}.NAME]");
        return Err((SECTION.to_owned(), Some(ISSUERS.to_owned()), text));
    };
    let mut known: Vec<&str> = Vec::new();
    for (name, table) in content {
        let section = format!("{SECTION}.{ISSUERS}.{name}");
        let wrong =
            |key: Option<&str>, text: String| Err((section.clone(), key.map(str::to_owned), text));
        let Some(table) = table.as_table() else {
            return wrong(None, format!("{name} must be a section, [{section}]"));
        };
        for (key, value) in table {
            if let Err(trouble) = check_key(key, value) {
                return wrong(Some(key), format!("{key} in [{section}] {trouble}"));
            }
        }
        let Some(issuer) = table.get(ISSUER).and_then(Value::as_str) else {
            return wrong(None, format!("[{section}] needs an {ISSUER}, as its tokens name it"));
        };
        if known.contains(&issuer) {
            return wrong(Some(ISSUER), format!("{ISSUER} in [{section}] is another's as well"));
        }
        known.push(issuer);
        let asked = |key: &str, usual: String| {
            table.get(key).and_then(Value::as_str).map_or(usual, str::to_owned)
        };
        let usual = ScopeNames::default();
        let scopes = ScopeNames {
            read: asked(READ_SCOPE, usual.read),
            change: asked(CHANGE_SCOPE, usual.change),
        };
        if !scopes.are_told_apart() {
            let why =
                format!("{READ_SCOPE} and {CHANGE_SCOPE} in [{section}] are one in its tokens");
            return wrong(Some(READ_SCOPE), why);
        }
        let of_login = [LOGIN_SECRET, LOGIN_SCOPES, LOGIN_SUBJECT];
        let idle = of_login.iter().find(|key| table.contains_key(**key));
        if let Some(key) = idle.filter(|_| !table.contains_key(LOGIN_CLIENT)) {
            let why = format!("is for logging in, which takes a {LOGIN_CLIENT} as well");
            return wrong(Some(key), format!("{key} in [{section}] {why}"));
        }
    }
    Ok(())
}

fn check_key(key: &str, value: &Value) -> Result<(), String> {
    match key {
        ISSUER => {
            // Who asks is called ISSUER#SUBJECT.
            let base = Base::parse(text(value)?).map(drop);
            base.map_err(str::to_owned)
        }
        JWKS => Base::parse(text(value)?).map(drop).map_err(str::to_owned),
        AUDIENCES => {
            match texts(value)?.is_empty() {
                true => Err("must name at least one: a token that is for nobody is for everybody"
                    .to_owned()),
                false => Ok(()),
            }
        }
        SUBJECT | CLIENT | EMAIL | GROUPS | ROLES | LOGIN_CLIENT | LOGIN_SUBJECT => {
            text(value).map(drop)
        }
        READ_SCOPE | CHANGE_SCOPE => scope(text(value)?),
        LOGIN_SECRET => reference(value),
        LOGIN_SCOPES => match text(value)?.split(' ').any(|scope| scope == "openid") {
            true => Ok(()),
            false => Err("must name openid among them, or no ID token comes".to_owned()),
        },
        SERVICE => match text(value)?.split('=').all(|part| !part.is_empty()) {
            true => Ok(()),
            false => Err("must be the name of a claim, or CLAIM=VALUE".to_owned()),
        },
        _ => Err(format!("is no setting there; there are {}", OF_ISSUER.join(", "))),
    }
}

fn text(value: &Value) -> Result<&str, String> {
    let fits = |one: &&str| !text::is_blank(one) && text::is_clean(one) && one.trim() == *one;
    value.as_str().filter(fits).ok_or_else(|| "must be text".to_owned())
}

/// Where a secret is; itself it does not stand here.
fn reference(value: &Value) -> Result<(), String> {
    let table = value.as_table().filter(|table| table.len() == 1);
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text::is_blank(text));
    let fits =
        table.and_then(|table| table.iter().next()).is_some_and(|(how, what)| match how.as_str() {
            "env" | "file" => is_text(what),
            "command" => {
                what.as_array().is_some_and(|line| !line.is_empty() && line.iter().all(is_text))
            }
            _ => false,
        });
    match fits {
        true => Ok(()),
        false => {
            Err("must say where it is: { env = NAME }, { file = PATH } or { command = [WORD, …] }"
                .to_owned())
        }
    }
}

fn texts(value: &Value) -> Result<Vec<String>, String> {
    let all = value.as_array().ok_or_else(|| "must be a list of texts".to_owned())?;
    all.iter().map(|one| text(one).map(str::to_owned)).collect()
}

/// A scope as it stands in a challenge, among others and in quotes (RFC 6749, section 3.3).
fn scope(text: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
    match text.chars().all(fits) && !text.ends_with('/') {
        true => Ok(()),
        false => Err("must be a scope, such as grantor:read".to_owned()),
    }
}

/// The address that clients write: what they name as the resource is compared byte for byte.
fn address(value: &Value) -> Result<&str, String> {
    let given = text(value)?;
    Base::parse(given)?;
    let url = Url::parse(given).map_err(|_| "is not an absolute URL".to_owned())?;
    if url.path() == "/" {
        return Err("must have a path, such as https://grantor.example.com/mcp".to_owned());
    }
    if url.path().ends_with('/') || url.path().starts_with("/.well-known") {
        return Err("must end in a name of its own, such as /mcp".to_owned());
    }
    if url.as_str() != given {
        return Err(format!("must be written as it is sent: {url}"));
    }
    Ok(given)
}

fn origin(text: &str) -> Result<(), String> {
    let url = Url::parse(text).map_err(|_| format!("{text:?} is no origin"))?;
    match url.origin().ascii_serialization() == text {
        true => Ok(()),
        false => Err(format!("{text:?} is no origin, such as https://app.example.com")),
    }
}

impl Http {
    /// What a file that was checked says.
    pub(super) fn of(file: &File, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let Some(content) = file.section(SECTION) else { return Self::default() };
        let public_url = content.get(PUBLIC_URL).and_then(Value::as_str).map(str::to_owned);
        let origins = content.get(ORIGINS).and_then(|all| texts(all).ok()).unwrap_or_default();
        let issuers = content.get(ISSUERS).and_then(Value::as_table).into_iter().flatten();
        let mut troubles = Vec::new();
        let issuers = issuers.filter_map(|(name, table)| {
            let table = table.as_table()?;
            let login = login(name, table, file, env).unwrap_or_else(|trouble| {
                troubles.push(trouble);
                None
            });
            Some(IssuerSettings { login, ..issuer(name, table) })
        });
        let issuers = issuers.collect();
        let limits = Limits::of(content);
        Self { public_url, origins, issuers, limits, troubles }
    }
}

/// How people log in at an issuer, where they may.
fn login(
    name: &str,
    table: &Table,
    file: &File,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<LoginSettings>, String> {
    let said = |key: &str| table.get(key).and_then(Value::as_str).map(str::to_owned);
    let Some(client_id) = said(LOGIN_CLIENT) else { return Ok(None) };
    let usual = LoginSettings::new(client_id);
    let called = format!("{LOGIN_SECRET} in [{SECTION}.{ISSUERS}.{name}]");
    let secret = table.get(LOGIN_SECRET).map(|value| gather::secret(&called, value, env, file));
    Ok(Some(LoginSettings {
        client_secret: secret.transpose()?.map(Arc::new),
        scopes: said(LOGIN_SCOPES).unwrap_or(usual.scopes),
        subject: said(LOGIN_SUBJECT),
        client_id: usual.client_id,
    }))
}

fn issuer(name: &str, table: &Table) -> IssuerSettings {
    let said = |key: &str| table.get(key).and_then(Value::as_str).map(str::to_owned);
    let (usual, scopes) = (ClaimNames::default(), ScopeNames::default());
    let service = said(SERVICE).map(|said| match said.split_once('=') {
        Some((claim, value)) => (claim.to_owned(), Some(value.to_owned())),
        None => (said, None),
    });
    IssuerSettings {
        name: name.to_owned(),
        issuer: said(ISSUER).unwrap_or_default(),
        audiences: table.get(AUDIENCES).and_then(|all| texts(all).ok()).unwrap_or_default(),
        jwks: said(JWKS).and_then(|at| Base::parse(&at).ok()),
        claims: ClaimNames {
            subject: said(SUBJECT).unwrap_or(usual.subject),
            client: said(CLIENT).unwrap_or(usual.client),
            email: said(EMAIL).unwrap_or(usual.email),
            groups: said(GROUPS),
            service,
            roles: said(ROLES),
        },
        scopes: ScopeNames {
            read: said(READ_SCOPE).unwrap_or(scopes.read),
            change: said(CHANGE_SCOPE).unwrap_or(scopes.change),
        },
        login: None,
    }
}

impl Config {
    /// The same for a process that serves several people: what is one requester's own is nobody's there.
    ///
    /// # Errors
    /// Nobody could call: no issuer is configured.
    pub fn for_several(mut self) -> Result<Self, ConfigError> {
        if self.http.issuers.is_empty() {
            return Err(ConfigError(format!(
                "serving over HTTP needs an issuer whose tokens count: [{SECTION}.{ISSUERS}.NAME] with its \
                 {ISSUER}; docs/http.md says what each identity provider needs"
            )));
        }
        if let Some(trouble) = self.http.troubles.first() {
            return Err(ConfigError(trouble.clone()));
        }
        if self.people.me.take().is_some() {
            self.warnings.push(
                "“me” names nobody over HTTP, where several people ask: write the address"
                    .to_owned(),
            );
        }
        self.tenants.iter_mut().for_each(|tenant| tenant.people.forget_me());
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(login: &str) -> Result<(), Wrong> {
        let text = format!("[issuers.a]\nissuer = \"https://id.example.com\"\n{login}");
        check(&Value::Table(text.parse().unwrap()))
    }

    #[test]
    fn a_log_in_is_set_up_whole_and_without_its_secret() {
        for login in [
            "",
            "client_id = \"inbox\"",
            "client_id = \"inbox\"\nclient_secret = { env = \"INBOX\" }",
            "client_id = \"inbox\"\nclient_secret = { file = \"s\" }\nlogin_scopes = \"openid groups\"",
            "client_id = \"inbox\"\nclient_secret = { command = [\"pass\", \"inbox\"] }\nlogin_subject_claim = \"sub\"",
        ] {
            assert!(checked(login).is_ok(), "{login}");
        }
        for (login, told) in [
            ("client_id = \"\"", "client_id in [http.issuers.a] must be text"),
            ("client_secret = { env = \"X\" }", "which takes a client_id as well"),
            ("login_scopes = \"openid\"", "which takes a client_id as well"),
            ("login_subject_claim = \"sub\"", "which takes a client_id as well"),
            ("client_id = \"i\"\nclient_secret = \"hunter2\"", "must say where it is"),
            ("client_id = \"i\"\nclient_secret = { env = \"\" }", "must say where it is"),
            ("client_id = \"i\"\nclient_secret = { command = [] }", "must say where it is"),
            ("client_id = \"i\"\nclient_secret = { env = \"A\", file = \"b\" }", "must say where"),
            ("client_id = \"i\"\nlogin_scopes = \"profile\"", "must name openid"),
            ("client_id = \"i\"\nlogin_scope = \"openid\"", "is no setting there"),
        ] {
            let (_, _, text) = checked(login).unwrap_err();
            assert!(text.contains(told) && !text.contains("hunter2"), "{login}: {text}");
        }
    }
}
