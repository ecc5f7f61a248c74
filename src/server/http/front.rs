//! Whose requests are looked at at all: those to a host that is this server's, from a page that may call it.
//! A page that a browser shows can have any host name lead to this machine.

use std::net::SocketAddr;

use hyper::header::{HOST, HeaderValue, ORIGIN};
use hyper::{Request, Response};
use url::Url;

use super::Body;
use crate::config::Http;

pub(super) struct Front {
    public_url: String,
    /// Scheme, host and port of it.
    origin: String,
    path: String,
    hosts: Vec<String>,
    origins: Vec<String>,
    /// Whether it listens to this machine alone, whose own pages may call it.
    is_local: bool,
}

/// What is served where nothing says so.
const PATH: &str = "/mcp";
const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];
const ANY_HEADER: &str =
    "authorization, content-type, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name";

impl Front {
    /// # Errors
    /// Nothing says where clients find it.
    pub(super) fn new(http: &Http, address: SocketAddr) -> Result<Self, String> {
        let is_local = address.ip().is_loopback();
        let public_url = match &http.public_url {
            Some(url) => url.clone(),
            None if is_local => format!("http://{address}{PATH}"),
            None => {
                return Err("public_url in [http] must say where clients find this server, \
                            such as https://grantor.example.com/mcp"
                    .to_owned());
            }
        };
        let url = Url::parse(&public_url).map_err(|_| "public_url is not a URL".to_owned())?;
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        let port = url.port_or_known_default().unwrap_or_default();
        let mut hosts = vec![format!("{host}:{port}")];
        if url.port().is_none() {
            hosts.push(host);
        }
        if is_local {
            hosts.extend(LOCAL.map(|name| format!("{name}:{}", address.port())));
        }
        let (path, origin) = (url.path().to_owned(), url.origin().ascii_serialization());
        let mut origins = http.origins.clone();
        origins.push(origin.clone());
        Ok(Self { public_url, origin, path, hosts, origins, is_local })
    }

    pub(super) fn public_url(&self) -> &str {
        &self.public_url
    }

    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Lets a request in, with the page that it comes from, where it comes from one.
    ///
    /// # Errors
    /// It is for another host, or from a page that may not call.
    pub(super) fn admits<B>(
        &self,
        request: &Request<B>,
    ) -> Result<Option<HeaderValue>, &'static str> {
        const HOSTS: &str = "this server has another name";
        const PAGES: &str = "this page may not call this server";
        let headers = request.headers();
        let mut named = headers.get_all(HOST).iter();
        let host = match (named.next(), named.next()) {
            (Some(host), None) => host.to_str().map_err(|_| HOSTS)?,
            _ => return Err(HOSTS),
        };
        let in_target = request.uri().authority().map(hyper::http::uri::Authority::as_str);
        let knows = |host: &str| self.hosts.contains(&host.to_ascii_lowercase());
        if !knows(host) || !in_target.is_none_or(knows) {
            return Err(HOSTS);
        }
        let mut pages = headers.get_all(ORIGIN).iter();
        match (pages.next(), pages.next()) {
            (None, _) => Ok(None),
            (Some(page), None) if page.to_str().is_ok_and(|page| self.knows_page(page)) => {
                Ok(Some(page.clone()))
            }
            _ => Err(PAGES),
        }
    }

    fn knows_page(&self, page: &str) -> bool {
        let Ok(url) = Url::parse(page) else { return false };
        if url.origin().ascii_serialization() != page {
            return false;
        }
        let own = || url.host_str().is_some_and(|host| LOCAL.contains(&host));
        self.origins.iter().any(|known| known == page)
            || (self.is_local && url.scheme() == "http" && own())
    }
}

/// Lets a page that may call read the answer.
pub(super) fn shared(mut answer: Response<Body>, page: Option<HeaderValue>) -> Response<Body> {
    let Some(page) = page else { return answer };
    let headers = answer.headers_mut();
    headers.insert("access-control-allow-origin", page);
    for (name, value) in [
        ("vary", "origin"),
        ("access-control-allow-methods", "POST, GET"),
        ("access-control-allow-headers", ANY_HEADER),
        ("access-control-expose-headers", "www-authenticate, retry-after, mcp-session-id"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(front: &Front, host: &str, origin: Option<&str>) -> bool {
        let mut request = Request::builder().uri("/mcp").header(HOST, host);
        request = match origin {
            Some(origin) => request.header(ORIGIN, origin),
            None => request,
        };
        front.admits(&request.body(()).unwrap()).is_ok()
    }

    #[test]
    fn a_request_is_for_this_host_and_from_a_page_that_may_call() {
        let http = Http {
            public_url: Some("https://grantor.example.com/mcp".to_owned()),
            origins: vec!["https://app.example.com".to_owned()],
            ..Http::default()
        };
        let public = Front::new(&http, "10.0.0.1:8080".parse().unwrap()).unwrap();
        let local = Front::new(&Http::default(), "127.0.0.1:8080".parse().unwrap()).unwrap();
        assert_eq!(local.public_url(), "http://127.0.0.1:8080/mcp");
        for (front, host, origin, admitted) in [
            (&public, "grantor.example.com", None, true),
            (&public, "GRANTOR.example.com:443", None, true),
            (&public, "grantor.example.com:8080", None, false),
            (&public, "10.0.0.1:8080", None, false),
            (&public, "localhost:8080", None, false),
            (&public, "grantor.example.com", Some("https://grantor.example.com"), true),
            (&public, "grantor.example.com", Some("https://app.example.com"), true),
            (&public, "grantor.example.com", Some("https://app.example.com.evil.example"), false),
            (&public, "grantor.example.com", Some("http://app.example.com"), false),
            (&public, "grantor.example.com", Some("http://localhost"), false),
            (&public, "grantor.example.com", Some("null"), false),
            (&public, "grantor.example.com", Some(""), false),
            (&local, "127.0.0.1:8080", None, true),
            (&local, "localhost:8080", Some("http://localhost:6274"), true),
            (&local, "[::1]:8080", None, true),
            (&local, "localhost", None, false),
            (&local, "evil.example:8080", None, false),
            (&local, "127.0.0.1:8080", Some("https://evil.example"), false),
            (&local, "127.0.0.1:8080", Some("http://localhost.evil.example"), false),
            (&local, "127.0.0.1:8080", Some("null"), false),
        ] {
            assert_eq!(admits(front, host, origin), admitted, "{host} {origin:?}");
        }
        assert!(Front::new(&Http::default(), "0.0.0.0:80".parse().unwrap()).is_err());
    }
}
