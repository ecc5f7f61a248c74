//! What the fakes' tests speak HTTP with.

use std::collections::HashMap;

use serde_json::Value;

use super::{Modes, Options, Sandbox};

pub(super) struct Client {
    http: reqwest::Client,
    environment: HashMap<&'static str, String>,
    urls: HashMap<&'static str, String>,
}

/// A request in the making.
pub(super) struct Request<'a> {
    client: &'a Client,
    request: reqwest::RequestBuilder,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: String,
}

pub(super) async fn start(modes: Modes) -> (Sandbox, Client) {
    let options = Options { modes, ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let client = Client::new(&sandbox);
    (sandbox, client)
}

impl Client {
    pub fn new(sandbox: &Sandbox) -> Client {
        Client {
            #[expect(
                clippy::disallowed_methods,
                reason = "a client of the tests' own, not of the product"
            )]
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            environment: sandbox.environment().into_iter().collect(),
            urls: sandbox.vendors().into_iter().collect(),
        }
    }

    pub fn variable(&self, name: &str) -> &str {
        self.environment.get(name).unwrap()
    }

    pub fn url(&self, vendor: &str) -> &str {
        self.urls.get(vendor).unwrap()
    }

    pub fn request(&self, vendor: &str, method: &str, path: &str) -> Request<'_> {
        let url = format!("{}{path}", self.url(vendor));
        self.at(method, &url)
    }

    pub fn at(&self, method: &str, url: &str) -> Request<'_> {
        let request = self.http.request(method.parse().unwrap(), url);
        Request { client: self, request }
    }
}

impl Request<'_> {
    pub fn bearer(mut self, token: &str) -> Self {
        self.request = self.request.bearer_auth(token);
        self
    }

    pub fn basic(mut self, user: &str, password: &str) -> Self {
        self.request = self.request.basic_auth(user, Some(password));
        self
    }

    /// Basic, as the variables of this vendor say.
    pub fn own_basic(self, vendor: &str) -> Self {
        let client = self.client;
        let user = client.variable(&format!("{vendor}_USERNAME"));
        let password = client.variable(&format!("{vendor}_PASSWORD"));
        self.basic(user, password)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub fn json(self, body: &Value) -> Self {
        self.text("application/json", &body.to_string())
    }

    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        self.text("application/x-www-form-urlencoded", &form.finish())
    }

    pub fn text(mut self, kind: &str, body: &str) -> Self {
        self.request = self.request.header("content-type", kind);
        self.request = self.request.body(body.to_owned());
        self
    }

    pub async fn send(self) -> Answer {
        self.attempt().await.unwrap()
    }

    pub async fn attempt(self) -> Result<Answer, reqwest::Error> {
        let response = self.request.send().await?;
        let headers = response.headers().iter().map(|(name, value)| {
            let value = value.to_str().unwrap_or_default();
            (name.to_string(), value.to_owned())
        });
        Ok(Answer {
            status: response.status().as_u16(),
            headers: headers.collect(),
            body: response.text().await?,
        })
    }
}

impl Answer {
    /// A JSON pointer into the body; `Null` where there is nothing.
    pub fn at(&self, pointer: &str) -> Value {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        body.pointer(pointer).cloned().unwrap_or_default()
    }

    /// What a list of rows says in one place each.
    pub fn each(&self, rows: &str, pointer: &str) -> Vec<Value> {
        let rows = self.at(rows);
        let rows = rows.as_array().cloned().unwrap_or_default();
        let each = rows.iter().map(|row| row.pointer(pointer).cloned());
        each.map(Option::unwrap_or_default).collect()
    }
}
