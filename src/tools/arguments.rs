//! Arguments as models send them: made what the tool's schema says, or told with all that is wrong.
//!
//! Models put lists and numbers into text, send `null` or a blank for what they leave out, and write
//! whole numbers with a point. What can only mean one thing is taken for that; anything else is
//! refused, by the name of its argument and with what is wanted there.

mod near;
mod wanted;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::common::{Lasting, STARTS};
use super::{Effect, Tool, parse};
use crate::argument;
use crate::failure::Failure;
use crate::json;
use crate::text;
pub use near::meant;
use near::nearest;
use wanted::{kind, quoted, wanted};

/// What is wrong so far.
#[derive(Default)]
struct Fitting {
    troubles: Vec<Failure>,
    /// The names that there are, told already: once is enough.
    told: Vec<String>,
}

/// The longest name, id, key or address, where the schema names no other bound.
const LONGEST_NAME: u64 = 256;
const HINT: &str = "mend what is named, and call again";
const NO_BEGINNING: &str =
    "this vendor keeps no time at which access begins: ask for it when it is to begin";
const UNKNOWN_HINT: &str = "rename or leave out what is not there: the tool's inputSchema lists its \
    arguments";

/// The arguments of a call as its tool's schema says: nothing that is not in it, and nothing that is
/// null or blank.
///
/// # Errors
/// All that does not fit, at once, each by its argument.
pub fn fit(tool: &Tool, arguments: Map<String, Value>) -> Result<Map<String, Value>, Failure> {
    fit_as(tool, &tool.schema, "", arguments)
}

/// The same where the tool is served with another schema, and where `at` is the path of its arguments in the
/// call.
///
/// # Errors
/// As [`fit`].
pub fn fit_as(
    tool: &Tool,
    schema: &Value,
    at: &str,
    arguments: Map<String, Value>,
) -> Result<Map<String, Value>, Failure> {
    let mut fitting = Fitting::default();
    let fitted = fitting.object(schema, at, arguments);
    let inside = |trouble: Failure| match trouble.argument.clone() {
        Some(argument) if !at.is_empty() => trouble.of(&format!("{at}.{argument}")),
        _ => trouble,
    };
    let mut troubles: Vec<_> = (tool.wrong)(&fitted).into_iter().map(inside).collect();
    let said = |one: &Failure, all: &[Failure]| {
        one.argument.is_some() && all.iter().any(|other| other.argument == one.argument)
    };
    for trouble in fitting.troubles {
        if !said(&trouble, &troubles) {
            troubles.push(trouble);
        }
    }
    if troubles.is_empty() {
        return Ok(fitted);
    }
    // By itself it is told where the clock counts: an end that was agreed to is refused otherwise.
    if tool.spec.effect == Effect::Grant
        && let Some(trouble) = Lasting::trouble(&fitted, crate::clock::now()).map(inside)
        && !said(&trouble, &troubles)
    {
        troubles.push(trouble);
    }
    Err(Failure::together(troubles).or_hint(HINT))
}

impl Fitting {
    fn wrong(&mut self, at: &str, what: impl Into<String>) {
        self.troubles.push(Failure::invalid(what).of(at));
    }

    fn object(
        &mut self,
        schema: &Value,
        at: &str,
        given: Map<String, Value>,
    ) -> Map<String, Value> {
        let none = Map::new();
        let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let required: Vec<&str> =
            wanted::items(schema, "required").iter().filter_map(Value::as_str).collect();
        let below = |name: &str| match at {
            "" => name.to_owned(),
            at => format!("{at}.{name}"),
        };
        let mut fitted = Map::new();
        for (name, value) in given {
            let Some(schema) = known.get(&name) else {
                self.unknown(known, at, &name);
                continue;
            };
            let value = match absent(&value) {
                Some(absent) if required.contains(&name.as_str()) => {
                    let wanted = wanted(schema);
                    self.wrong(&below(&name), format!("{absent}; it must be {wanted}"));
                    Value::Null
                }
                // Whoever left the value of a switch blank may have meant either: nothing is sent on it.
                Some(_) if value.is_null() || kind(schema) != "boolean" => continue,
                _ => self.value(schema, &below(&name), value),
            };
            fitted.insert(name, value);
        }
        for name in required.iter().filter(|name| !fitted.contains_key(**name)) {
            let wanted = known.get(*name).map(wanted).unwrap_or_default();
            self.wrong(&below(name), format!("is missing; it must be {wanted}"));
        }
        fitted
    }

    /// The names that there are, told once a call.
    fn known_here(&mut self, names: &[&str]) -> String {
        let names = names.join(", ");
        if self.told.contains(&names) {
            return String::new();
        }
        self.told.push(names.clone());
        format!("; there are {names}")
    }

    fn unknown(&mut self, known: &Map<String, Value>, at: &str, name: &str) {
        let names: Vec<&str> = known.keys().map(String::as_str).collect();
        let (shown, near) = (quoted(name), meant(name, &names));
        let names = self.known_here(&names);
        let trouble = match at {
            "" => Failure::invalid(format!("there is no argument {shown}{near}{names}")),
            at => Failure::invalid(format!("there is no {shown} in it{near}{names}")).of(at),
        };
        let hint = if name == STARTS { NO_BEGINNING } else { UNKNOWN_HINT };
        self.troubles.push(trouble.hint(hint));
    }

    /// A value as its schema says; null where it is wrong, so that what is given is known to be.
    fn value(&mut self, schema: &Value, at: &str, given: Value) -> Value {
        let given = match loosened(schema, given) {
            Ok(given) => given,
            Err(trouble) => {
                self.wrong(at, trouble);
                return Value::Null;
            }
        };
        match (kind(schema), given) {
            ("object", Value::Object(fields)) if is_open(schema) => Value::Object(fields),
            ("object", Value::Object(fields)) => Value::Object(self.object(schema, at, fields)),
            ("array", Value::Array(items)) => self.list(schema, at, items),
            ("string", Value::String(text)) => match wrong_text(schema, &text) {
                Some(trouble) => {
                    self.wrong(at, trouble);
                    Value::Null
                }
                None => Value::String(text),
            },
            ("boolean", value @ Value::Bool(_)) => value,
            ("integer", Value::Number(number)) if let Some(number) = whole(schema, &number) => {
                number
            }
            (_, given) => {
                self.wrong(at, format!("must be {}, not {}", wanted(schema), wanted::said(&given)));
                Value::Null
            }
        }
    }

    fn list(&mut self, schema: &Value, at: &str, given: Vec<Value>) -> Value {
        let bound = |name| schema.get(name).and_then(Value::as_u64);
        let count = given.len() as u64;
        if bound("minItems").is_some_and(|least| count < least) {
            self.wrong(at, "needs at least one entry");
        }
        if let Some(most) = bound("maxItems").filter(|most| count > *most) {
            self.wrong(at, format!("may hold at most {most} entries, not {count}"));
            return Value::Null;
        }
        let of = schema.get("items").unwrap_or(&Value::Null);
        let mut fitted: Vec<Value> = Vec::new();
        for (index, item) in given.into_iter().enumerate() {
            let at = format!("{at}[{index}]");
            fitted.push(match absent(&item) {
                Some(absent) => {
                    self.wrong(&at, format!("{absent}; it must be {}", wanted(of)));
                    Value::Null
                }
                None => self.value(of, &at, item),
            });
        }
        let unique = schema.get("uniqueItems").and_then(Value::as_bool) == Some(true);
        let again = |(index, item): &(usize, &Value)| {
            !item.is_null() && fitted.iter().take(*index).any(|other| other == *item)
        };
        if unique && let Some((_, item)) = fitted.iter().enumerate().find(again) {
            self.wrong(at, format!("names {} twice", wanted::said(item)));
        }
        Value::Array(fitted)
    }
}

/// Whether an object may hold anything: another schema says what.
fn is_open(schema: &Value) -> bool {
    schema.get("additionalProperties") == Some(&Value::Bool(true))
}

/// In which way a value says nothing.
fn absent(given: &Value) -> Option<&'static str> {
    match given {
        Value::Null => Some("must not be null"),
        Value::String(text) if text::is_blank(text) => Some("must not be empty"),
        _ => None,
    }
}

/// What a value can only mean where the schema wants another kind: JSON in text, one for a list of
/// one, and a list of one for one.
fn loosened(schema: &Value, given: Value) -> Result<Value, String> {
    let kind = kind(schema);
    let given = match given {
        Value::Array(mut items) if kind != "array" && items.len() == 1 => {
            items.pop().unwrap_or_default()
        }
        given => given,
    };
    let given = match given {
        Value::String(text) if kind != "string" => from_text(schema, text)?,
        given => given,
    };
    let one = schema.get("items").map(self::kind);
    Ok(match &given {
        Value::Object(_) if one == Some("object") => Value::Array(vec![given]),
        Value::String(_) if one == Some("string") => Value::Array(vec![given]),
        _ => given,
    })
}

/// What a text says where no text is wanted. One that may be several names, or is meant for JSON and is
/// none, could be taken for anything.
fn from_text(schema: &Value, text: String) -> Result<Value, String> {
    match json::read(text.as_bytes()) {
        Ok((_, doubled)) if !doubled.is_empty() => {
            Err(format!("the text in it gives {} twice", doubled.join(", ")))
        }
        read @ (Ok((Value::Null | Value::String(_), _)) | Err(_)) => {
            let is_name = read.is_err()
                && schema.get("items").is_some_and(|of| kind(of) == "string")
                && !text.contains([',', ';', '\n', '[', ']', '{', '}', '"']);
            match is_name {
                true => Ok(Value::String(text)),
                false => Err(format!("must be {}, not the text {}", wanted(schema), quoted(&text))),
            }
        }
        Ok((read, _)) => Ok(read),
    }
}

/// A whole number within its bounds, written with a point or without.
fn whole(schema: &Value, given: &serde_json::Number) -> Option<Value> {
    /// Up to there each whole number is itself.
    const CERTAIN: f64 = 9_007_199_254_740_992.0;
    let exact = |number: f64| (number.fract() == 0.0 && number.abs() < CERTAIN).then_some(number);
    let number = given.as_f64().and_then(exact)?;
    let bound = |name| schema.get(name).and_then(Value::as_f64);
    let within = bound("minimum").is_none_or(|least| number >= least)
        && bound("maximum").is_none_or(|most| number <= most);
    // Written out by a formatter that knows no exponents.
    format!("{number:.0}").parse::<i64>().ok().filter(|_| within).map(Value::from)
}

fn wrong_text(schema: &Value, text: &str) -> Option<String> {
    let named = |field| schema.get(field).and_then(Value::as_str);
    let known = wanted::items(schema, "enum");
    if !known.is_empty() && known.iter().all(|one| one.as_str() != Some(text)) {
        let known: Vec<&str> = known.iter().filter_map(Value::as_str).collect();
        let near = nearest(text, &known).map(|near| format!("; did you mean {near}?"));
        let (wanted, near) = (wanted(schema), near.unwrap_or_default());
        return Some(format!("must be {wanted}, not {}{near}", quoted(text)));
    }
    if let Some(misfit) = named("format").and_then(|format| argument::misfit(format, text)) {
        let plain = || format!("must be {}, not {}", wanted(schema), quoted(text));
        return Some(misfit.unwrap_or_else(plain));
    }
    let is_name = schema.get("minLength").is_some();
    let bound = schema.get("maxLength").and_then(Value::as_u64);
    let bound = bound.or(is_name.then_some(LONGEST_NAME));
    if let Some(most) = bound.filter(|most| text.chars().count() as u64 > *most) {
        return Some(format!("must have at most {most} characters"));
    }
    let control = is_name && text.chars().any(char::is_control);
    control.then(|| "must not hold control characters".to_owned())
}

impl Lasting {
    /// What is wrong with the end of a grant that is well written.
    fn trouble(fitted: &Map<String, Value>, now: Timestamp) -> Option<Failure> {
        let own = |(name, _): &(&String, &Value)| super::common::LASTING.contains(&name.as_str());
        let own = fitted.iter().filter(own).map(|(name, value)| (name.clone(), value.clone()));
        let lasting: Self = parse(Value::Object(own.collect())).ok()?;
        lasting.term(now).err()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::failure::Kind;
    use crate::tools::TOOLS;

    fn fitted(tool: &str, arguments: Value) -> Result<Value, Failure> {
        let tool = TOOLS.iter().find(|one| one.spec.name == tool).unwrap();
        let Value::Object(arguments) = arguments else { panic!("no object") };
        fit(tool, arguments).map(Value::Object)
    }

    /// Each way in which a model may write what can only mean one thing.
    #[test]
    fn what_means_one_thing_is_taken_for_it() {
        let grant = |field: &str, value: Value| {
            let mut all = json!({ "userKey": "Sam", "roleKey": "R", "assetKeys": ["Orders"] });
            json::put(&mut all, field, value);
            fitted("grant_asset_role", all).unwrap()
        };
        let plain = grant("userKey", json!("Sam"));
        for (field, given) in [
            ("assetKeys", json!("[\"Orders\"]")),
            ("assetKeys", json!(" [ \"Orders\" ] ")),
            ("assetKeys", json!("Orders")),
            ("userKey", json!(["Sam"])),
            ("portfolioKey", Value::Null),
            ("portfolioKey", json!("")),
            ("expires_in", json!(" \u{200b}")),
            ("reason", json!("")),
            ("dry_run", Value::Null),
        ] {
            assert_eq!(grant(field, given.clone()), plain, "{field} {given}");
        }
        assert_eq!(grant("dry_run", json!("true"))["dry_run"], true);
        assert_eq!(grant("dry_run", json!([false]))["dry_run"], false);
        for given in [json!(10), json!(10.0), json!("10"), json!("10.0"), json!(1e1), json!([10])] {
            let look = fitted("list_roles", json!({ "limit": given })).unwrap();
            assert_eq!(look.to_string(), r#"{"limit":10}"#, "{given}");
        }
        let member = json!({ "role": { "name": "admin" }, "user": { "id": "1" } });
        for (role, user) in [
            (r#"{"name": "admin"}"#.into(), r#"{"id": "1", "name": ""}"#.into()),
            (json!({ "name": "admin", "id": null }), json!([{ "id": "1" }])),
        ] {
            let given = json!({ "role": role, "user": user });
            assert_eq!(fitted("assign_organization_role", given).unwrap(), member);
        }
        let entry = json!({ "group": "G", "permission": "View" });
        let list = |entries: Value| json!({ "asset": "A", "userGroupAssetPermission": entries });
        let plain = fitted("set_asset_permissions", list(json!([entry]))).unwrap();
        for given in [entry.clone(), json!(entry.to_string()), json!([entry.to_string()])] {
            assert_eq!(fitted("set_asset_permissions", list(given)).unwrap(), plain);
        }
        let acl = json!({ "project_or_space_path": "/a/b", "grant_type": "USER", "grantee": "g",
            "permission_list": "R" });
        assert_eq!(fitted("set_project_acl", acl).unwrap()["permission_list"], json!(["R"]));
    }

    /// A text that an argument may well be is that text, whatever it looks like.
    #[test]
    fn text_stays_text_where_text_is_wanted() {
        for text in ["[\"Sam\"]", "{}", "10", "true", "null", "1.0"] {
            let found = fitted("find_principals", json!({ "query": text })).unwrap();
            assert_eq!(found, json!({ "query": text }));
        }
    }

    /// What is wrong, and all of it at once.
    #[test]
    fn what_does_not_fit_is_told_in_the_callers_words() {
        for (tool, given, told) in [
            (
                "assign_organization_role",
                json!({ "role": "engineer", "user": { "name": "x" } }),
                r#"role: must be an object such as {"id": "…"} or {"name": "…"}, not the text "engineer""#,
            ),
            (
                "grant_asset_role",
                json!({ "userkey": "Sam", "roleKey": 7, "assetKeys": [], "expires_in": "7 days" }),
                "assetKeys: is empty, and OutSystems would take that for the whole organization; \
                 there is no argument \"userkey\" (did you mean userKey?); there are userKey, \
                 roleKey, assetKeys, portfolioKey, replace, starts_at, expires_in, expires_at, reason, dry_run; \
                 roleKey: must be text (The organization role: key (UUID) or exact name), not 7; \
                 expires_in: must be a positive ISO 8601 duration such as P7D or PT8H, not \
                 \"7 days\"; userKey: is missing; it must be text (The user: key (UUID), e-mail \
                 address or exact name)",
            ),
            (
                "set_project_acl",
                json!({ "project_or_space_path": " ", "grant_type": "user", "grantee": null,
                    "permission_list": ["R", "O", "R"], "expires_in": "P1D",
                    "expires_at": "2099-01-01T00:00:00Z" }),
                "project_or_space_path: must not be empty; it must be text (/org/space or \
                 /org/space/project, case-sensitive); grant_type: must be one of USER, GROUP, not \
                 \"user\"; did you mean USER?; grantee: must not be null; it must be text (E-mail \
                 address or exact name); permission_list[1]: must be one of R, W, X, not \"O\"; \
                 permission_list: names \"R\" twice; expires_in and expires_at exclude each other",
            ),
            (
                "set_asset_permissions",
                json!({ "asset": "A", "userGroupAssetPermission": [{ "user": "u", "group": "g",
                    "profilePermissions": "{\"name\": 1, \"name\": 2}" }] }),
                "userGroupAssetPermission[0]: needs either user or group; \
                 userGroupAssetPermission[0].profilePermissions: the text in it gives name twice; \
                 userGroupAssetPermission[0].permission: is missing; it must be one of View, \
                 Modify, Full",
            ),
            (
                "list_roles",
                json!({ "limit": 10.5, "vendor": "redoxx" }),
                "limit: must be a whole number from 1 to 500, not 10.5; vendor: must be one of \
                 outsystems, dfns, redox, snaplogic, centrasite, not \"redoxx\"; did you mean redox?",
            ),
        ] {
            assert_eq!(fitted(tool, given).unwrap_err().message, told);
        }
    }

    /// A hint is about what is wrong, and what there is is told once.
    #[test]
    fn what_there_is_is_told_once_and_only_where_something_else_was_sent() {
        let two = json!({ "userkey": "Sam", "role": "R", "assetKeys": ["Orders"] });
        let failure = fitted("grant_asset_role", two).unwrap_err();
        assert_eq!(failure.message.matches("there are userKey, ").count(), 1, "{failure}");
        assert!(
            failure.message.contains("\"role\" (did you mean roleKey?); userKey: "),
            "{failure}"
        );
        assert_eq!(failure.hint.as_deref(), Some(UNKNOWN_HINT));
        let value =
            json!({ "userKey": "S", "roleKey": "R", "assetKeys": ["O"], "expires_in": "soon" });
        let failure = fitted("grant_asset_role", value).unwrap_err();
        assert_eq!(failure.hint.as_deref(), Some(HINT), "nothing was sent that is not there");
    }

    /// Text that may be several things is none of them.
    #[test]
    fn nothing_is_guessed() {
        for assets in [
            "Orders, Billing",
            "[Orders]",
            "[\"Orders\"",
            "\"Orders\"",
            "null",
            "7",
            "{}",
            "[[\"Orders\"]]extra",
        ] {
            let given = json!({ "userKey": "Sam", "roleKey": "R", "assetKeys": assets });
            let failure = fitted("grant_asset_role", given).unwrap_err();
            assert_eq!(failure.argument.as_deref(), Some("assetKeys"), "{assets}");
        }
        for limit in [json!("ten"), json!("1 0"), json!(0), json!(501), json!(-1.0), json!(true)] {
            let failure = fitted("list_roles", json!({ "limit": limit })).unwrap_err();
            assert_eq!(failure.kind, Kind::Invalid, "{limit}");
        }
        for flag in
            ["yes", "True", "1", "", " \u{200b}"].map(Value::from).into_iter().chain([json!(1)])
        {
            assert!(fitted("undo_change", json!({ "receipt": "r", "dry_run": flag })).is_err());
            let given = json!({ "permissionId": "p", "identityId": "i", "dry_run": flag });
            assert!(fitted("assign_permission", given).is_err(), "{flag}");
        }
    }
}
