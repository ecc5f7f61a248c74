//! Whose a change is: several tenants may be behind one host, and have things of one id.

use serde_json::{Value, json};

/// Whose changes are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whose {
    /// The base URL.
    pub place: String,
    /// The names that the tenant has and had; none is that of its vendor.
    pub names: Vec<Option<String>>,
    /// The vendor's own customer, where that is known.
    pub organization: Option<String>,
}

/// A tenant as one line names it, without its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    name: Option<String>,
    organization: Option<String>,
}

/// The names that one tenant has and had, of each tenant that had others.
pub(super) type Names = Vec<Vec<Option<String>>>;

impl Whose {
    /// Nobody's.
    pub fn nobody() -> Self {
        Self { place: String::new(), names: Vec::new(), organization: None }
    }

    /// Whether a change is theirs, which was made at their place under this name and for this
    /// customer. A customer that is not known tells nobody apart.
    pub fn has(&self, name: Option<&str>, organization: Option<&str>) -> bool {
        self.names.iter().any(|own| own.as_deref() == name)
            && may_be_one(self.organization.as_deref(), organization)
    }

    pub(super) fn is(&self, mark: &Mark) -> bool {
        self.has(mark.name.as_deref(), mark.organization.as_deref())
    }
}

/// Whether two customers may be one.
pub(super) fn may_be_one(one: Option<&str>, other: Option<&str>) -> bool {
    one.is_none() || other.is_none() || one == other
}

impl Mark {
    pub(super) fn new(name: Option<&str>, organization: Option<&str>) -> Self {
        let [name, organization] = [name, organization].map(|text| text.map(str::to_owned));
        Self { name, organization }
    }

    /// As the index keeps it.
    pub(super) fn written(&self) -> String {
        json!([self.name, self.organization]).to_string()
    }

    pub(super) fn read(text: &str) -> Self {
        let parts: Vec<Value> = serde_json::from_str(text).unwrap_or_default();
        let part = |at: usize| parts.get(at).and_then(Value::as_str);
        Self::new(part(0), part(1))
    }

    /// Whether both may be one tenant at a place; `names` are those that one tenant there has and had.
    pub(super) fn may_be(&self, other: &Self, names: &Names) -> bool {
        let has = |all: &Vec<Option<String>>| all.contains(&self.name) && all.contains(&other.name);
        (self.name == other.name || names.iter().any(has))
            && may_be_one(self.organization.as_deref(), other.organization.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_behind_one_host_are_two() {
        let text = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
        let (none, renamed) = (Names::new(), vec![vec![text("a"), text("")]]);
        for (one, other, names, same) in [
            (("", ""), ("", ""), &none, true),
            (("a", ""), ("a", ""), &none, true),
            (("a", ""), ("b", ""), &none, false),
            (("a", ""), ("", ""), &none, false),
            (("a", ""), ("", ""), &renamed, true),
            (("b", ""), ("", ""), &renamed, false),
            (("a", "x"), ("", "y"), &renamed, false),
            (("a", "x"), ("a", "x"), &none, true),
            (("a", "x"), ("a", "y"), &none, false),
            (("a", "x"), ("a", ""), &none, true),
            (("a", "x"), ("b", "x"), &none, false),
        ] {
            let mark =
                |(name, org): (&str, &str)| Mark { name: text(name), organization: text(org) };
            let (one, other) = (mark(one), mark(other));
            assert_eq!(Mark::read(&one.written()), one);
            assert_eq!(one.may_be(&other, names), same, "{one:?} {other:?}");
            assert_eq!(other.may_be(&one, names), same, "{one:?} {other:?}");
        }
    }
}
