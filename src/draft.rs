//! Requests before the network: pure data, made from an endpoint and checked arguments.
//!
//! A [`Query`] reads and a [`Draft`] writes; they are different types so that a write cannot
//! take the road of a read. Only `outbound` makes requests of them that have a host and bytes.

use serde_json::{Value, json};
use url::Url;

use crate::failure::Failure;
use crate::text;

/// One vendor endpoint that writes, as data. `{field}` fills one path segment, `{+field}` several.
#[derive(Debug)]
pub struct Endpoint {
    pub verb: Verb,
    pub path: &'static str,
    /// The vendor page this was written from.
    pub docs: &'static str,
}

/// One vendor endpoint that reads (`GET`), as data.
#[derive(Debug)]
pub struct Source {
    pub path: &'static str,
    /// The permission it takes, as the vendor calls it; empty where no document says.
    pub needs: &'static str,
    /// The vendor page this was written from.
    pub docs: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Post,
    Put,
    Delete,
}

/// A read: path and query, no host, no credential.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The endpoint's own path, with its fields unfilled.
    pub(crate) template: &'static str,
    pub(crate) path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    needs: &'static str,
    pub(crate) typed: bool,
}

/// The vendor request a change will send: no host, no credential.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    pub(crate) verb: Verb,
    /// The endpoint's own path, with its fields unfilled.
    pub(crate) template: &'static str,
    pub(crate) path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    /// The version this write depends on, sent as `If-Match`.
    pub(crate) version: Option<String>,
    pub(crate) body: Option<Value>,
    pub(crate) typed: bool,
}

/// Where a vendor lives: an absolute URL, `https` unless the host is loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base(Url);

impl Verb {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

impl Source {
    /// The question this endpoint answers, with its path filled from `fields`.
    ///
    /// # Errors
    /// A field that cannot be one path segment (or several, for `{+field}`).
    pub fn ask(&self, fields: &[(&str, &str)]) -> Result<Query, Failure> {
        let (template, path) = (self.path, fill(self.path, fields)?);
        Ok(Query { template, path, query: Vec::new(), needs: self.needs, typed: false })
    }
}

impl Query {
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    #[must_use]
    pub fn maybe(self, name: &'static str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Says that it is JSON, though it has no body: some vendors document that.
    #[must_use]
    pub fn typed(self) -> Self {
        Self { typed: true, ..self }
    }

    /// The permission it takes, where a document says.
    pub fn needs(&self) -> Option<&'static str> {
        Some(self.needs).filter(|needs| !needs.is_empty())
    }

    /// Path and query, as they are sent.
    pub fn shown(&self) -> String {
        format!("{}{}", self.path, query(&self.query))
    }
}

impl Endpoint {
    /// A draft for this endpoint, with its path filled from `fields`.
    ///
    /// # Errors
    /// A field that cannot be one path segment (or several, for `{+field}`).
    pub fn draft(&self, fields: &[(&str, &str)]) -> Result<Draft, Failure> {
        let (verb, template, path) = (self.verb, self.path, fill(self.path, fields)?);
        let query = Vec::new();
        Ok(Draft { verb, template, path, query, version: None, body: None, typed: false })
    }
}

impl Draft {
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    #[must_use]
    pub fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Says that it is JSON, though it has no body: some vendors document that.
    #[must_use]
    pub fn typed(self) -> Self {
        Self { typed: true, ..self }
    }

    #[must_use]
    pub fn if_match(mut self, version: &str) -> Self {
        self.version = Some(version.to_owned());
        self
    }

    /// The version this write depends on, where it does.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The request as a reader should see it: `{method, path, body?}`.
    pub fn shown(&self) -> Value {
        let mut shown = json!({
            "method": self.verb.as_str(),
            "path": format!("{}{}", self.path, query(&self.query)),
        });
        if let (Some(body), Some(fields)) = (&self.body, shown.as_object_mut()) {
            fields.insert("body".to_owned(), body.clone());
        }
        shown
    }
}

impl Base {
    /// # Errors
    /// Not an absolute `http(s)` URL, with user information, query or fragment, or plain `http`
    /// to a host that is not loopback. The message does not repeat the URL.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text.trim()).map_err(|_| "is not an absolute URL")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not carry a user name or password");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must not carry a query or fragment");
        }
        match url.scheme() {
            "https" if url.has_host() => Ok(Self(url)),
            "http" if is_loopback(&url) => Ok(Self(url)),
            "http" => Err("must be https: plain http is allowed to this machine only"),
            _ => Err("must be an https URL"),
        }
    }

    /// Scheme, host and port: what credentials may be sent to.
    pub fn authority(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// The URL of `path` below this one; `path` is a constant of ours.
    pub fn below(&self, path: &'static str) -> Self {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.0.path().trim_end_matches('/')));
        Self(url)
    }

    /// The URL itself.
    pub(crate) fn url(&self) -> &Url {
        &self.0
    }

    /// The URL of a request below this one.
    ///
    /// # Errors
    /// A URL parser would rewrite the path.
    pub(crate) fn join(
        &self,
        path: &str,
        parameters: &[(&'static str, String)],
    ) -> Result<Url, Failure> {
        let wanted = format!("{}{path}", self.0.path().trim_end_matches('/'));
        let mut url = self.0.clone();
        url.set_path(&wanted);
        // A URL parser may rewrite what it is given; what it rewrote is not what was asked for.
        if url.path() != wanted {
            return Err(Failure::invalid(format!("the path {path} cannot be sent as it stands")));
        }
        url.set_query(query(parameters).strip_prefix('?'));
        Ok(url)
    }
}

fn query(parameters: &[(&'static str, String)]) -> String {
    let mut text = String::new();
    for (name, value) in parameters {
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(&format!("{}={}", text::encode(name), text::encode(value)));
    }
    text
}

/// Fills a path template. Encoding alone is not enough: a URL parser collapses `..` and its
/// encoded forms, so a segment that means anything but a name is refused.
fn fill(template: &str, fields: &[(&str, &str)]) -> Result<String, Failure> {
    let mut path = String::new();
    for part in template.split('/').skip(1) {
        let slot = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let Some(slot) = slot else {
            path.push('/');
            path.push_str(part);
            continue;
        };
        let name = slot.trim_start_matches('+');
        let value = fields.iter().find(|(field, _)| *field == name).map(|(_, value)| *value);
        let value = value.ok_or_else(|| Failure::invalid(format!("{name} is missing")))?;
        if slot.starts_with('+') {
            let several = value.strip_prefix('/').unwrap_or(value);
            several.split('/').try_for_each(|segment| push_segment(&mut path, name, segment))?;
        } else {
            push_segment(&mut path, name, value)?;
        }
    }
    Ok(path)
}

fn push_segment(path: &mut String, name: &str, segment: &str) -> Result<(), Failure> {
    let decoded = percent_encoding::percent_decode_str(segment).decode_utf8_lossy();
    let trouble = if segment.is_empty() {
        "holds an empty segment"
    } else if decoded.split(['/', '\\']).any(|part| matches!(part, "." | "..")) {
        // Behind a slash too: some gateways decode it before they route.
        "holds a `.` or `..` segment"
    } else if segment.chars().any(char::is_control) {
        "holds a control character"
    } else if !text::is_clean(segment) {
        // What a person was shown would not be what is sent.
        "is too long, or holds characters that cannot be seen"
    } else {
        path.push('/');
        path.push_str(&text::encode_segment(segment));
        return Ok(());
    };
    let shown = text::quoted(&text::exact(segment));
    Err(Failure::invalid(format!("{name} {trouble}: {shown}"))
        .hint(format!("give {name} as the vendor lists it, without path tricks")))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Source = Source { path: "/users/{key}/roles", needs: "", docs: "" };
    const MANY: Source = Source { path: "/acl/{+path}", needs: "", docs: "" };

    #[test]
    fn a_segment_that_is_not_a_name_is_refused() {
        for bad in [
            "",
            ".",
            "..",
            "../x",
            "x/../y",
            "..\\x",
            "%2e%2e",
            "%2E",
            "a\0b",
            "a\nb",
            "\u{85}",
            "a\u{200b}",
        ] {
            assert!(ONE.ask(&[("key", bad)]).is_err(), "{bad:?}");
        }
        for bad in ["Org/../Other", "Org//Space", "Org/./S", "Org/%2e%2e/x", "", "Org/"] {
            assert!(MANY.ask(&[("path", bad)]).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_are_encoded_and_separators_kept() {
        let many = MANY.ask(&[("path", "/Org/My Space+1/100%")]).unwrap();
        assert_eq!(many.shown(), "/acl/Org/My%20Space%2B1/100%25");
        let one = ONE.ask(&[("key", "a/b?c#d\\e;f")]).unwrap();
        assert_eq!(one.shown(), "/users/a%2Fb%3Fc%23d%5Ce%3Bf/roles");
    }

    #[test]
    fn a_base_url_is_https_or_loopback_and_bare() {
        for good in [
            "https://api.example.com",
            "https://gw.example.com/dfns/",
            "http://127.0.0.1:8080",
            "http://localhost:1",
            "http://[::1]:2/x",
        ] {
            assert!(Base::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://api.example.com",
            "ftp://x",
            "api.example.com",
            "https://u:p@h",
            "https://h/?q",
            "https://h/#f",
            "http://127.0.0.1.example.com",
            "",
        ] {
            assert!(Base::parse(bad).is_err(), "{bad}");
        }
    }
}
