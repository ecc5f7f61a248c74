//! Whom to tell, as the configuration says it.

use jiff::SignedDuration;
use url::Url;

use super::signature::Key;
use crate::ledger::{Happening, Noted};
use crate::secret::{Secret, expose};

/// Whom to tell.
#[derive(Debug)]
pub struct Endpoint {
    /// What the configuration calls it.
    pub name: String,
    /// Where it is. Whoever knows a chat's address can write there, so it is kept as secrets are.
    pub url: Secret,
    pub kind: Kind,
    /// What notices are signed with; two while one takes the other's place.
    pub secrets: Vec<Secret>,
    pub events: Vec<Happening>,
    pub detail: Detail,
    /// It may be on this machine or within a network.
    pub allow_private: bool,
    /// It is reached through the proxy that the environment names.
    pub through_proxy: bool,
    /// How long before its end access is said to end soon.
    pub ahead: SignedDuration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Signed, as Standard Webhooks says.
    Webhook,
    /// A message to a chat, by Slack's incoming webhooks and what takes the same.
    Slack,
}

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What has happened and where to look; nobody's name.
    Link,
    /// The change in words, who asked and who decided as well.
    Summary,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Slack => "slack",
        }
    }
}

impl Detail {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Summary => "summary",
        }
    }
}

/// An address that notices may be sent to.
///
/// # Errors
/// It is none. The message does not repeat it.
pub(crate) fn target(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text.trim()).map_err(|_| "is not an absolute URL")?;
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("must not carry a user name, a password or a fragment");
    }
    let is_here = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" if url.has_host() => Ok(url),
        "http" if is_here => Ok(url),
        "http" => Err("must be https: plain http is allowed to this machine only"),
        _ => Err("must be an https URL"),
    }
}

impl Endpoint {
    /// Where it is.
    ///
    /// # Errors
    /// That cannot be read, or is no address; nothing of it is repeated.
    pub(super) async fn address(&self) -> Result<Url, String> {
        let text = self.url.read().await.map_err(|error| error.to_string())?;
        target(expose(&text)).map_err(|wrong| format!("{} {wrong}", self.url.name()))
    }

    /// What its notices are signed with; none are where nobody checks a signature.
    ///
    /// # Errors
    /// One cannot be read, or is no key; nothing of it is repeated.
    pub(super) async fn keys(&self) -> Result<Vec<Key>, String> {
        let mut keys = Vec::new();
        for secret in &self.secrets {
            let text = secret.read().await.map_err(|error| error.to_string())?;
            let key = super::key(expose(&text));
            keys.push(key.map_err(|wrong| format!("{} {wrong}", secret.name()))?);
        }
        Ok(keys)
    }

    /// Whether it is told of such things.
    pub(super) fn wants(&self, noted: &Noted) -> bool {
        self.events.contains(&noted.what)
    }

    /// What it is set up as, where that decides whether it is asked again that has said it is gone.
    pub(super) fn fingerprint(&self, url: &Url) -> String {
        let events: Vec<_> = self.events.iter().map(|one| one.as_str()).collect();
        let all = serde_json::json!([
            url.as_str(),
            self.kind.as_str(),
            events,
            self.detail.as_str(),
            self.allow_private,
            self.through_proxy,
            self.ahead.as_secs(),
        ]);
        let digest =
            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, all.to_string().as_bytes());
        crate::text::hex(digest.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_or_this_machine() {
        for (text, is_one) in [
            ("https://hooks.example.com/a/b?sig=x", true),
            ("http://localhost:8080/hook", true),
            ("http://127.0.0.1:8080/", true),
            ("http://[::1]:8080/", true),
            ("http://hooks.example.com/", false),
            ("http://localhost.example.com/", false),
            ("http://10.0.0.1/", false),
            ("https://u:p@hooks.example.com/", false),
            ("https://hooks.example.com/#x", false),
            ("ftp://hooks.example.com/", false),
            ("/hook", false),
        ] {
            assert_eq!(target(text).is_ok(), is_one, "{text}");
        }
    }
}
