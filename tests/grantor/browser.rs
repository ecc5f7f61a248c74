//! Somebody's browser at the page: it keeps cookies and sends forms, and follows nothing by itself.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::issuer::{Came, Issuer, Key, Team};

pub struct Browser<'t> {
    pub team: &'t Team,
    pub cookies: BTreeMap<String, String>,
}

/// What is set for a page to log in to.
pub const LOGIN: &str = "client_id = \"inbox\"\ngroups_claim = \"groups\"";
const HOST: &str = "grantor.example.com";
const ORIGIN: &str = "https://grantor.example.com";

/// What an ID token says of somebody who has just logged in, but for what is of one log-in.
pub fn person(issuer: &Issuer, subject: &str, groups: &[&str]) -> Value {
    let now = Timestamp::now().as_second();
    json!({ "iss": issuer.url, "aud": "inbox", "sub": subject, "iat": now, "exp": now + 300,
        "auth_time": now, "email": format!("{subject}@example.com"), "groups": groups })
}

impl<'t> Browser<'t> {
    pub fn new(team: &'t Team) -> Self {
        Self { team, cookies: BTreeMap::new() }
    }

    /// The same browser at another replica of the server.
    pub fn at<'o>(&self, team: &'o Team) -> Browser<'o> {
        Browser { team, cookies: self.cookies.clone() }
    }

    /// Somebody's browser once they have logged in.
    pub async fn of(team: &'t Team, issuer: &Issuer, key: &Key, who: Value) -> Self {
        let mut browser = Self::new(team);
        let came = browser.log_in(issuer, key, who, &json!({})).await;
        assert_eq!(came.status, 303, "{came:?}");
        browser
    }

    /// Logs in as whom the ID token names, and tells how that ended; `beside` is what the issuer says beside it.
    pub async fn log_in(&mut self, issuer: &Issuer, key: &Key, who: Value, beside: &Value) -> Came {
        let back = self.begin(issuer, key, who, beside).await;
        self.get(&back).await
    }

    /// Begins a log-in; where the issuer sends the browser once it is done.
    pub async fn begin(
        &mut self,
        issuer: &Issuer,
        key: &Key,
        mut who: Value,
        beside: &Value,
    ) -> String {
        issuer.logs_in(String::new(), json!({}));
        let led = self.get("/inbox/login?issuer=test").await;
        assert_eq!(led.status, 303, "{led:?}");
        let to = url::Url::parse(header(&led, "location").unwrap()).unwrap();
        let asked: BTreeMap<_, _> = to.query_pairs().into_owned().collect();
        who["nonce"] = asked["nonce"].clone().into();
        let header = json!({ "typ": "JWT", "alg": "EdDSA", "kid": key.id });
        issuer.logs_in(key.sign(&header, &who), beside.clone());
        let mut back = url::form_urlencoded::Serializer::new(String::new());
        back.append_pair("code", "c").append_pair("state", &asked["state"]);
        format!("/inbox/back?{}", back.append_pair("iss", &issuer.url).finish())
    }

    pub async fn get(&mut self, path: &str) -> Came {
        self.send("GET", path, &[], "").await
    }

    /// Sends a form from a page of the server's own.
    pub async fn post(&mut self, path: &str, fields: &[(String, String)]) -> Came {
        self.post_with(path, fields, &[("origin", ORIGIN), ("sec-fetch-site", "same-origin")]).await
    }

    pub async fn post_with(
        &mut self,
        path: &str,
        fields: &[(String, String)],
        more: &[(&str, &str)],
    ) -> Came {
        let body =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let kind = ("content-type", "application/x-www-form-urlencoded");
        self.send("POST", path, &[&[kind], more].concat(), &body).await
    }

    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        more: &[(&str, &str)],
        body: &str,
    ) -> Came {
        let pairs: Vec<_> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookie = pairs.join("; ");
        let mut headers = vec![("host", HOST)];
        if !cookie.is_empty() {
            headers.push(("cookie", &cookie));
        }
        headers.extend_from_slice(more);
        let came = self.team.send(method, path, &headers, body).await;
        for line in came.raw_head.lines() {
            let Some((name, set)) = line.split_once(": ") else { continue };
            if !name.eq_ignore_ascii_case("set-cookie") {
                continue;
            }
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            match value {
                "" => drop(self.cookies.remove(name)),
                value => drop(self.cookies.insert(name.to_owned(), value.to_owned())),
            }
        }
        came
    }

    /// The form of a decision on a request's page, as the page fills it.
    pub async fn form(&mut self, receipt: &str, decision: &str) -> Vec<(String, String)> {
        let page = self.get(&format!("/inbox/{receipt}")).await;
        assert_eq!(page.status, 200, "{page:?}");
        form(&page.body, decision)
    }
}

/// The form of a decision on a page.
pub fn form(page: &str, decision: &str) -> Vec<(String, String)> {
    let begun = format!("name=\"decision\" value=\"{decision}\"");
    let (_, rest) = page.split_once(&begun).unwrap_or_else(|| panic!("no {decision}: {page}"));
    let of = |name: &str| {
        let (_, rest) = rest.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
        (name.to_owned(), rest.split_once('"').unwrap().0.to_owned())
    };
    vec![("decision".to_owned(), decision.to_owned()), of("digest"), of("seal")]
}

/// What a header of an answer says, as it came.
pub fn header<'c>(came: &'c Came, name: &str) -> Option<&'c str> {
    came.raw_head.lines().find_map(|line| {
        let (known, value) = line.split_once(": ")?;
        known.eq_ignore_ascii_case(name).then_some(value)
    })
}
