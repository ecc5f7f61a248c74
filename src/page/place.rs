//! Where the page is: its addresses, and which of them somebody may be led back to.

use hyper::HeaderMap;
use hyper::header::{HOST, ORIGIN};
use url::Url;

use crate::config::Http;
use crate::text;

/// The addresses of the page.
#[derive(Clone, Debug)]
pub struct PageUrls {
    /// Scheme, host and port.
    origin: String,
    host: String,
    /// Such as `/inbox`: beside the endpoint that clients call.
    path: String,
    /// What the names of cookies begin with.
    cookies: String,
    is_secure: bool,
}

const NAME: &str = "inbox";

impl PageUrls {
    /// Beside the address that clients write.
    ///
    /// # Errors
    /// That is no address.
    pub fn beside(public_url: &str) -> Result<Self, String> {
        let url = Url::parse(public_url).map_err(|_| "public_url is not a URL".to_owned())?;
        let (folder, _) = url.path().rsplit_once('/').unwrap_or_default();
        let is_secure = url.scheme() == "https";
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        // A browser keeps no cookie of that name that another host, a path or plain http could set. On this
        // machine there is no TLS, and cookies are of all ports: the name tells two servers apart.
        let cookies = match is_secure {
            true => "__Host-grantor".to_owned(),
            false => format!("grantor{}", port.replace(':', "-")),
        };
        Ok(Self {
            origin: url.origin().ascii_serialization(),
            host: format!("{}{port}", url.host_str().unwrap_or_default()),
            path: format!("{folder}/{NAME}"),
            cookies,
            is_secure,
        })
    }

    /// Where it is as the configuration says it, if people can log in there.
    pub fn configured(http: &Http) -> Option<Self> {
        let logs_in = http.issuers.iter().any(|issuer| issuer.login.is_some());
        let url = http.public_url.as_deref().filter(|_| logs_in)?;
        Self::beside(url).ok()
    }

    /// What of a path is the page's, without what they all begin with.
    pub fn below<'p>(&self, path: &'p str) -> Option<&'p str> {
        let rest = path.strip_prefix(self.path.as_str())?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/'))
    }

    /// The path of one of its pages.
    pub(super) fn path(&self, below: &str) -> String {
        match below {
            "" => self.path.clone(),
            below => format!("{}/{below}", self.path),
        }
    }

    /// The whole address of one of its pages.
    pub(super) fn url(&self, below: &str) -> String {
        format!("{}{}", self.origin, self.path(below))
    }

    /// Where it begins.
    pub fn home(&self) -> String {
        self.url("")
    }

    /// Where a request can be seen: it holds no name, no token and nothing of the question.
    pub fn of_request(&self, receipt: &str) -> String {
        self.url(&text::encode_segment(receipt))
    }

    pub(super) fn session_cookie(&self) -> &str {
        &self.cookies
    }

    pub(super) fn login_cookie(&self) -> String {
        format!("{}-login", self.cookies)
    }

    /// A cookie as a browser is to keep it, for so many seconds.
    pub(super) fn set(&self, name: &str, value: &str, seconds: i64) -> String {
        let secure = if self.is_secure { "; Secure" } else { "" };
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
    }

    /// Whether a browser that asks so uses this very host, of which its cookies are.
    pub(super) fn is_asked(&self, headers: &HeaderMap) -> bool {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let bare = |host: &str| {
            let usual = if self.is_secure { ":443" } else { ":80" };
            host.to_ascii_lowercase().trim_end_matches(usual).to_owned()
        };
        bare(host) == bare(&self.host)
    }

    /// Whether a form comes from one of its own pages: a browser says so itself.
    pub(super) fn is_origin_of(&self, headers: &HeaderMap) -> bool {
        let only = |name: &str| {
            let mut all = headers.get_all(name).iter();
            let first = all.next().map(|value| value.to_str().unwrap_or_default());
            (first, all.next().is_some())
        };
        let (origin, is_more) = only(ORIGIN.as_str());
        let (site, is_more_of_it) = only("sec-fetch-site");
        origin == Some(self.origin.as_str())
            && site.is_none_or(|site| site == "same-origin")
            && !is_more
            && !is_more_of_it
    }

    /// Where somebody who has logged in is led back to: to one of its own pages and to nothing else.
    pub(super) fn led_back(&self, to: Option<&str>) -> String {
        let fits = |to: &&str| {
            let (path, _) = to.split_once('?').unwrap_or((to, ""));
            let plain = |c: char| c.is_ascii_alphanumeric() || "/?=&%+-_.~:@".contains(c);
            let is_odd = |step: &str| ["", ".", ".."].contains(&step);
            let is_own = self.below(path).is_some() && !path.split('/').skip(1).any(is_odd);
            is_own && to.chars().all(plain) && to.len() <= 1_000
        };
        to.filter(fits).map_or_else(|| self.path(""), str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_beside_the_endpoint() {
        let company = PageUrls::beside("https://grantor.example.com/mcp").unwrap();
        assert_eq!(company.url(""), "https://grantor.example.com/inbox");
        assert_eq!(company.of_request("gr-1"), "https://grantor.example.com/inbox/gr-1");
        assert_eq!(company.session_cookie(), "__Host-grantor");
        let cookie = "n=v; Path=/; Max-Age=9; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(company.set("n", "v", 9), cookie);
        let below = PageUrls::beside("https://example.com/tools/grantor/mcp").unwrap();
        assert_eq!(below.path("mine"), "/tools/grantor/inbox/mine");
        for (path, found) in [
            ("/inbox", Some("")),
            ("/inbox/", Some("")),
            ("/inbox/mine", Some("mine")),
            ("/inboxes", None),
            ("/mcp", None),
        ] {
            assert_eq!(company.below(path), found, "{path}");
        }
        let local = PageUrls::beside("http://127.0.0.1:8080/mcp").unwrap();
        assert_eq!(local.session_cookie(), "grantor-8080");
        assert!(!local.set("n", "v", 9).contains("Secure"));
    }

    #[test]
    fn nobody_is_led_elsewhere() {
        let place = PageUrls::beside("https://grantor.example.com/mcp").unwrap();
        for to in ["/inbox", "/inbox/gr-1", "/inbox/history?principal=a%40b.c&state=done"] {
            assert_eq!(place.led_back(Some(to)), to);
        }
        for to in [
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/inbox//evil.example",
            "/inbox/../mcp",
            "/inbox/./x",
            "/inbox\\@evil.example",
            "/inboxes",
            "/mcp",
            "/inbox/x\r\nset-cookie: a=b",
            "/inbox/ü",
            "javascript:alert(1)",
            "",
        ] {
            assert_eq!(place.led_back(Some(to)), "/inbox", "{to:?}");
        }
        assert_eq!(place.led_back(None), "/inbox");
        assert_eq!(place.led_back(Some(&format!("/inbox/{}", "a".repeat(2_000)))), "/inbox");
    }

    #[test]
    fn a_form_is_from_a_page_of_its_own() {
        let place = PageUrls::beside("https://grantor.example.com/mcp").unwrap();
        let own = "https://grantor.example.com";
        for (origin, site, is) in [
            (Some(own), Some("same-origin"), true),
            (Some(own), None, true),
            (Some(own), Some("same-site"), false),
            (Some(own), Some("cross-site"), false),
            (Some(own), Some("none"), false),
            (Some("null"), None, false),
            (Some("https://grantor.example.com.evil.example"), None, false),
            (Some("http://grantor.example.com"), None, false),
            (None, Some("same-origin"), false),
            (None, None, false),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [("origin", origin), ("sec-fetch-site", site)] {
                headers.extend(value.map(|value| {
                    (hyper::header::HeaderName::from_static(name), value.parse().unwrap())
                }));
            }
            assert_eq!(place.is_origin_of(&headers), is, "{origin:?} {site:?}");
        }
    }
}
