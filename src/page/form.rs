//! What a browser sends: the fields of a form or of an address, and cookies.

use hyper::HeaderMap;
use hyper::header::COOKIE;

/// Fields by their names, as far as each stands there once.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

/// A form has few fields, and an address fewer.
const MOST: usize = 20;
/// Longer than what anybody types into one.
const LONGEST: usize = 4_000;

impl Fields {
    pub(super) fn of(encoded: &[u8]) -> Self {
        let all = url::form_urlencoded::parse(encoded).take(MOST);
        Self(all.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// What stands there under this name; none where it stands there twice or is too long.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(known, _)| known == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) if value.len() <= LONGEST => Some(value),
            _ => None,
        }
    }

    /// Whether something stands there under this name that is not to be taken: twice, or too long.
    pub(super) fn is_odd(&self, name: &str) -> bool {
        self.get(name).is_none() && self.0.iter().any(|(known, _)| known == name)
    }

    /// The same without the blanks around it, where there is more than those.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).map(str::trim).filter(|value| !crate::text::is_blank(value))
    }
}

/// What a browser keeps under this name. One that keeps two has had one put there by somebody else.
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    let mut found = pairs.filter(|(known, _)| known.trim() == name);
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Some(value.trim().to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_stands_there_twice_is_none() {
        let fields = Fields::of(b"a=1&b=%C3%BC+x&a=2&c=+");
        assert_eq!(fields.get("a"), None);
        assert_eq!(fields.get("b"), Some("ü x"));
        assert_eq!((fields.get("c"), fields.filled("c")), (Some(" "), None));
    }

    #[test]
    fn a_cookie_that_is_there_twice_is_none() {
        let with = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(COOKIE, line.parse().unwrap());
            }
            cookie(&headers, "grantor")
        };
        assert_eq!(with(&["a=b; grantor=x"]).as_deref(), Some("x"));
        assert_eq!(with(&["grantor=x; grantor=y"]), None);
        assert_eq!(with(&["grantor=x", "grantor=y"]), None);
        assert_eq!(with(&["__Host-grantor=x; xgrantor=y"]), None);
    }
}
