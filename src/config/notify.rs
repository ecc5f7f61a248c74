//! Whom to tell what has happened: `[notify.NAME]`.

use jiff::SignedDuration;
use secrecy::SecretString;
use toml::{Table, Value};

use super::file::{FORMS, File, fits};
use super::gather;
use super::http::Wrong;
use crate::ledger::Happening;
use crate::notify::{Detail, Endpoint, Kind, key, target};
use crate::secret::Secret;

/// The section that all of it is in.
pub(super) const SECTION: &str = "notify";
const URL: &str = "url";
const KIND: &str = "kind";
const SECRET: &str = "secret";
const SECRETS: &str = "secrets";
const EVENTS: &str = "events";
const DETAIL: &str = "detail";
const PRIVATE: &str = "allow_private";
const PROXY: &str = "proxy";
const AHEAD: &str = "due_soon_hours";
const OF_ONE: [&str; 9] = [URL, KIND, SECRET, SECRETS, EVENTS, DETAIL, PRIVATE, PROXY, AHEAD];
/// A name is that of a file, too.
const LONGEST_NAME: usize = 32;
/// More secrets than this are no rotation.
const MOST_SECRETS: usize = 4;
const USUAL_AHEAD: i64 = 24;
const LONGEST_AHEAD: i64 = 720;

/// Whom the configuration names, and what is wrong with those that cannot be told.
#[derive(Default)]
pub(super) struct Notify {
    pub endpoints: Vec<Endpoint>,
    pub troubles: Vec<String>,
}

/// The section as it is checked when its file is read.
pub(super) fn check(content: &Value) -> Result<(), Wrong> {
    let Some(content) = content.as_table() else {
        let text = format!("{SECTION} holds sections, [{SECTION}.NAME]");
        return Err((SECTION.to_owned(), None, text));
    };
    for (name, table) in content {
        let section = format!("{SECTION}.{name}");
        let wrong =
            |key: Option<&str>, text: String| Err((section.clone(), key.map(str::to_owned), text));
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(is_plain) {
            let text = format!(
                "{name:?} is no name for [{SECTION}.NAME]: small letters, digits and hyphens, at most \
                 {LONGEST_NAME}"
            );
            return wrong(None, text);
        }
        let Some(table) = table.as_table() else {
            return wrong(None, format!("{name} must be a section, [{section}]"));
        };
        for (key, value) in table {
            if let Err(trouble) = check_key(key, value) {
                return wrong(Some(key), format!("{key} in [{section}] {trouble}"));
            }
        }
        if let Err(trouble) = check_whole(table) {
            return wrong(None, format!("[{section}] {trouble}"));
        }
    }
    Ok(())
}

fn check_key(key: &str, value: &Value) -> Result<(), String> {
    let form = |fits: bool, form: &str| match fits {
        true => Ok(()),
        false => Err(format!("must be {form}")),
    };
    match key {
        URL => match value.as_str() {
            Some(text) => target(text).map(drop).map_err(str::to_owned),
            None => form(fits(value, true), FORMS),
        },
        SECRET => check_secret(value),
        SECRETS => {
            let all = value.as_array().filter(|all| (1..=MOST_SECRETS).contains(&all.len()));
            let all =
                all.ok_or_else(|| format!("must be a list of 1 to {MOST_SECRETS} secrets"))?;
            all.iter().try_for_each(check_secret)
        }
        KIND => form(kind(value).is_some(), "\"webhook\" or \"slack\""),
        DETAIL => form(detail(value).is_some(), "\"link\" or \"summary\""),
        EVENTS => {
            let known = Happening::ALL.map(Happening::as_str).join(", ");
            form(events(value).is_some(), &format!("a list of some of {known}"))
        }
        PRIVATE | PROXY => form(value.is_bool(), "true or false"),
        AHEAD => form(hours(value).is_some(), &format!("a number from 1 to {LONGEST_AHEAD}")),
        _ => Err(format!("is no setting there; there are {}", OF_ONE.join(", "))),
    }
}

fn check_secret(value: &Value) -> Result<(), String> {
    match value.as_str() {
        Some(text) => key(text).map(drop).map_err(str::to_owned),
        None if fits(value, true) => Ok(()),
        None => Err(format!("must be {FORMS}")),
    }
}

/// Whether what is said goes together.
fn check_whole(table: &Table) -> Result<(), String> {
    let has = |key: &str| table.contains_key(key);
    let kind = table.get(KIND).and_then(kind).unwrap_or(Kind::Webhook);
    let is_true = |key: &str| table.get(key).and_then(Value::as_bool) == Some(true);
    match kind {
        _ if !has(URL) => Err(format!("needs a {URL}")),
        Kind::Webhook if !has(SECRET) && !has(SECRETS) => Err(format!(
            "needs a {SECRET} that its notices are signed with: whsec_ and what `openssl rand -base64 32` prints"
        )),
        Kind::Slack if has(SECRET) || has(SECRETS) => {
            Err(format!("is a chat, which checks no signature: it takes no {SECRET}"))
        }
        _ if has(SECRET) && has(SECRETS) => {
            Err(format!("has {SECRET} and {SECRETS}: keep {SECRETS}, with both in it"))
        }
        _ if is_true(PRIVATE) && is_true(PROXY) => Err(format!(
            "has {PRIVATE} and {PROXY}: through a proxy, it is the proxy that decides which addresses are reached"
        )),
        _ => Ok(()),
    }
}

fn kind(value: &Value) -> Option<Kind> {
    [Kind::Webhook, Kind::Slack].into_iter().find(|one| Some(one.as_str()) == value.as_str())
}

fn detail(value: &Value) -> Option<Detail> {
    [Detail::Link, Detail::Summary].into_iter().find(|one| Some(one.as_str()) == value.as_str())
}

fn events(value: &Value) -> Option<Vec<Happening>> {
    let all = value.as_array().filter(|all| !all.is_empty())?;
    all.iter().map(|one| Happening::named(one.as_str()?)).collect()
}

fn hours(value: &Value) -> Option<i64> {
    value.as_integer().filter(|hours| (1..=LONGEST_AHEAD).contains(hours))
}

impl Notify {
    /// What a file that was checked says.
    pub(super) fn of(file: &File, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut all = Self::default();
        for (name, table) in file.tables_in(SECTION) {
            match endpoint(name, table, file, env) {
                Ok(endpoint) => all.endpoints.push(endpoint),
                Err(trouble) => all.troubles.push(format!("{trouble}: nobody is told there")),
            }
        }
        all
    }
}

/// Those that are written into the file as they are.
pub(super) fn inline(file: &File) -> impl Iterator<Item = SecretString> {
    let tables = file.tables_in(SECTION);
    tables.flat_map(|(_, table)| written(table)).map(SecretString::from)
}

/// The secrets of a section that stand there themselves. Whoever has a chat's address can write there.
fn written(table: &Table) -> Vec<String> {
    let is_chat = table.get(KIND).and_then(kind) == Some(Kind::Slack);
    let url = table.get(URL).filter(|_| is_chat);
    let several = table.get(SECRETS).and_then(Value::as_array).into_iter().flatten();
    let all = url.into_iter().chain(table.get(SECRET)).chain(several);
    all.filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

fn endpoint(
    name: &str,
    table: &Table,
    file: &File,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Endpoint, String> {
    let secret = |key: &str, value: &Value| -> Result<Secret, String> {
        gather::secret(&format!("{key} in [{SECTION}.{name}]"), value, env, file)
    };
    let url = table.get(URL).ok_or_else(|| format!("[{SECTION}.{name}] needs a {URL}"))?;
    let several = table.get(SECRETS).and_then(Value::as_array).into_iter().flatten();
    let secrets = table.get(SECRET).into_iter().chain(several);
    let is_true = |key: &str| table.get(key).and_then(Value::as_bool).unwrap_or_default();
    Ok(Endpoint {
        name: name.to_owned(),
        url: secret(URL, url)?,
        kind: table.get(KIND).and_then(kind).unwrap_or(Kind::Webhook),
        secrets: secrets.map(|value| secret(SECRET, value)).collect::<Result<_, _>>()?,
        events: table.get(EVENTS).and_then(events).unwrap_or(Happening::ALL.to_vec()),
        detail: table.get(DETAIL).and_then(detail).unwrap_or(Detail::Link),
        allow_private: is_true(PRIVATE),
        through_proxy: is_true(PROXY),
        ahead: SignedDuration::from_hours(table.get(AHEAD).and_then(hours).unwrap_or(USUAL_AHEAD)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"";

    fn checked(name: &str, lines: &str) -> Result<(), String> {
        let text = format!("[{name}]\n{lines}");
        check(&Value::Table(text.parse().unwrap())).map_err(|(_, _, text)| text)
    }

    #[test]
    fn every_mistake_is_named_without_what_is_secret() {
        let hook = "url = \"https://hooks.example.com/a\"";
        let chat = "kind = \"slack\"\nurl = \"https://hooks.example.com/services/hunter2\"";
        for lines in [
            format!("{hook}\n{KEY}"),
            format!("{hook}\nsecret = {{ env = \"HOOK\" }}\nevents = [\"asked\", \"head\"]"),
            format!("{hook}\nsecrets = [{{ file = \"new\" }}, {{ file = \"old\" }}]\nproxy = true"),
            format!("url = {{ command = [\"pass\", \"hook\"] }}\n{KEY}\ndue_soon_hours = 1"),
            format!("{chat}\ndetail = \"summary\""),
        ] {
            assert_eq!(checked("a-1", &lines), Ok(()), "{lines}");
        }
        for (name, lines, told) in [
            ("A", format!("{hook}\n{KEY}"), "is no name"),
            ("\"../x\"", format!("{hook}\n{KEY}"), "is no name"),
            ("a", hook.to_owned(), "needs a secret"),
            ("a", KEY.to_owned(), "needs a url"),
            ("a", format!("url = \"http://hooks.example.com/hunter2\"\n{KEY}"), "must be https"),
            ("a", format!("{hook}\nsecret = \"hunter2\""), "is no signing secret"),
            ("a", format!("{hook}\nsecrets = []"), "a list of 1 to 4"),
            ("a", format!("{hook}\n{KEY}\nsecrets = [{{ env = \"X\" }}]"), "keep secrets"),
            ("a", format!("{chat}\n{KEY}"), "takes no secret"),
            ("a", format!("{hook}\n{KEY}\nkind = \"teams\""), "\"webhook\" or \"slack\""),
            ("a", format!("{hook}\n{KEY}\nevents = [\"granted\"]"), "asked, decided, carried_out"),
            ("a", format!("{hook}\n{KEY}\nevents = []"), "a list of some"),
            ("a", format!("{hook}\n{KEY}\ndetail = \"all\""), "\"link\" or \"summary\""),
            ("a", format!("{hook}\n{KEY}\nallow_private = \"no\""), "true or false"),
            ("a", format!("{hook}\n{KEY}\nallow_private = true\nproxy = true"), "the proxy that"),
            ("a", format!("{hook}\n{KEY}\ndue_soon_hours = 0"), "from 1 to 720"),
            ("a", format!("{hook}\n{KEY}\nretries = 3"), "is no setting there"),
        ] {
            let text = checked(name, &lines).unwrap_err();
            assert!(text.contains(told) && !text.contains("hunter2"), "{lines}: {text}");
        }
    }

    #[test]
    fn what_is_written_out_is_known_to_be_a_secret() {
        let table = |text: &str| text.parse::<Table>().unwrap();
        let chat = "kind = \"slack\"\nurl = \"https://hooks.example.com/services/x\"";
        assert_eq!(written(&table(chat)), ["https://hooks.example.com/services/x"]);
        let hook =
            "url = \"https://h.example.com/\"\nsecrets = [\"one\", { env = \"X\" }, \"two\"]";
        assert_eq!(written(&table(hook)), ["one", "two"]);
    }
}
