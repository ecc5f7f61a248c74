//! Requests as they are sent: the body is serialised once, and those bytes are what is signed and what
//! leaves. Only this room makes them.

use std::borrow::Cow;

use url::Url;

use crate::draft::{Base, Draft, Query};
use crate::failure::Failure;
use crate::observe::Outgoing;

/// A request with its host and its exact bytes, ready to be signed.
#[derive(Clone)]
pub struct Frozen {
    pub(in crate::outbound) method: &'static str,
    pub(in crate::outbound) url: Url,
    /// The path as the vendor sees it, without a gateway's prefix and without the query.
    pub(in crate::outbound) path: String,
    /// The same without what fills it: for logs, which name nobody.
    pub(in crate::outbound) template: Cow<'static, str>,
    pub(in crate::outbound) headers: Vec<(&'static str, String)>,
    pub(in crate::outbound) body: Option<Vec<u8>>,
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

impl Frozen {
    /// What logs and spans tell of it.
    pub(in crate::outbound) fn traced(&self) -> Outgoing<'_> {
        let Self { method, url, path, template, .. } = self;
        Outgoing { method, url, path, template }
    }

    /// # Errors
    /// The path cannot be sent as it stands.
    pub(in crate::outbound) fn read(base: &Base, query: &Query) -> Result<Self, Failure> {
        let mut headers = vec![("accept", JSON.to_owned())];
        headers.extend(query.typed.then(|| ("content-type", JSON.to_owned())));
        Ok(Self {
            method: "GET",
            url: base.join(&query.path, &query.query)?,
            path: query.path.clone(),
            template: query.template.into(),
            headers,
            body: None,
        })
    }

    /// # Errors
    /// The path cannot be sent as it stands.
    pub(in crate::outbound) fn write(base: &Base, draft: &Draft) -> Result<Self, Failure> {
        let mut headers = vec![("accept", JSON.to_owned())];
        if let Some(version) = &draft.version {
            headers.push(("if-match", format!("\"{version}\"")));
        }
        let body = draft.body.as_ref().map(|body| body.to_string().into_bytes());
        let typed = draft.typed || body.is_some();
        headers.extend(typed.then(|| ("content-type", JSON.to_owned())));
        Ok(Self {
            method: draft.verb.as_str(),
            url: base.join(&draft.path, &draft.query)?,
            path: draft.path.clone(),
            template: draft.template.into(),
            headers,
            body,
        })
    }

    /// The document at this very URL.
    pub(in crate::outbound) fn document(base: &Base) -> Self {
        let url = base.url().clone();
        Self {
            method: "GET",
            path: url.path().to_owned(),
            template: url.path().to_owned().into(),
            url,
            headers: vec![("accept", JSON.to_owned())],
            body: None,
        }
    }

    /// A form for a token endpoint, at this very URL.
    pub(in crate::outbound) fn form(base: &Base, fields: &[(&str, &str)]) -> Self {
        let url = base.url().clone();
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        let body = body.extend_pairs(fields).finish().into_bytes();
        Self {
            method: "POST",
            path: url.path().to_owned(),
            template: url.path().to_owned().into(),
            url,
            headers: vec![("accept", JSON.to_owned()), ("content-type", FORM.to_owned())],
            body: Some(body),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draft::Source;
    use proptest::prelude::*;

    const ONE: Source = Source { path: "/users/{key}/roles", needs: "", docs: "" };
    const MANY: Source = Source { path: "/acl/{+path}", needs: "", docs: "" };

    fn frozen(base: &str, query: &Query) -> Frozen {
        Frozen::read(&Base::parse(base).unwrap(), query).unwrap()
    }

    #[test]
    fn a_gateway_prefix_is_sent_but_not_part_of_the_vendors_path() {
        let query = ONE.ask(&[("key", "k 1")]).unwrap().with("q", "a+b@example.com");
        let frozen = frozen("https://gw.example.com/dfns/", &query);
        assert_eq!(
            frozen.url.as_str(),
            "https://gw.example.com/dfns/users/k%201/roles?q=a%2Bb%40example.com"
        );
        assert_eq!(frozen.path, "/users/k%201/roles");
    }

    proptest! {
        /// Whatever a model puts into a path field, the request stays under the endpoint's own path
        /// on the configured host, and the vendor decodes exactly what was put in.
        #[test]
        fn a_filled_path_never_leaves_its_template(value in any::<String>()) {
            if let Ok(query) = ONE.ask(&[("key", &value)]) {
                let frozen = frozen("https://h.example.com/p", &query);
                let segments: Vec<_> = frozen.url.path_segments().unwrap().collect();
                prop_assert_eq!(segments.len(), 4);
                prop_assert_eq!((segments[0], segments[1], segments[3]), ("p", "users", "roles"));
                let decoded = percent_encoding::percent_decode_str(segments[2]).decode_utf8().unwrap();
                prop_assert_eq!(decoded.as_ref(), value.as_str());
                prop_assert_eq!(frozen.url.host_str(), Some("h.example.com"));
                prop_assert!(frozen.url.query().is_none() && frozen.url.fragment().is_none());
            }
        }

        #[test]
        fn several_segments_keep_their_number(parts in proptest::collection::vec("[^/]{1,12}", 1..4)) {
            let value = parts.join("/");
            if let Ok(query) = MANY.ask(&[("path", &value)]) {
                let frozen = frozen("https://h.example.com", &query);
                prop_assert_eq!(frozen.url.path_segments().unwrap().count(), parts.len() + 1);
            }
        }
    }
}
