//! One tool's arguments in words, from its schema.

use serde_json::{Map, Value};

use super::paint::{BOLD, with};
use crate::{invocation, text};

/// One argument, by the key that it is given with.
struct Argument {
    key: String,
    is_needed: bool,
    /// What it takes.
    takes: String,
    about: String,
}

/// Where what an argument is begins at the latest.
const WIDEST_KEY: usize = 22;

/// What a tool does and takes, for somebody at a terminal, in lines of so many columns.
pub(super) fn explained(definition: &Value, columns: usize) -> String {
    let field = |name: &str| definition.get(name).and_then(Value::as_str).unwrap_or_default();
    let (name, title) = (field("name"), field("title"));
    let mut shown = format!("{}  {title}\n\n", with(BOLD, name));
    shown.push_str(&filled(field("description"), 0, columns));
    let none = Value::Null;
    let arguments = arguments(definition.get("inputSchema").unwrap_or(&none), "", true);
    let width = arguments.iter().map(|one| one.key.chars().count()).max().unwrap_or_default();
    let width = width.min(WIDEST_KEY);
    shown.push_str(&format!("\n{}\n", with(BOLD, "Arguments, as KEY=VALUE:")));
    for Argument { key, is_needed, takes, about } in &arguments {
        let needed = if *is_needed { "needed; " } else { "" };
        let about = format!("{about} ({needed}{takes})");
        let told = filled(&about, width + 4, columns);
        let told = match key.chars().count() {
            long if long > width => format!("\n{told}"),
            _ => told.trim_start().to_owned(),
        };
        shown.push_str(&format!("  {}  {told}", with(BOLD, &format!("{key:<width$}"))));
    }
    shown.push_str(&format!(
        "\n{}\n  {}\n",
        with(BOLD, "Example:"),
        example(name, &arguments, columns)
    ));
    shown
}

/// The arguments of an object; those further in by dotted keys.
fn arguments(schema: &Value, at: &str, is_needed: bool) -> Vec<Argument> {
    let none = Map::new();
    let fields = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    let required = items(schema, "required");
    let mut all = Vec::new();
    for (name, schema) in fields {
        let key = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        let is_needed = is_needed && required.iter().any(|one| one.as_str() == Some(name));
        let further = arguments(schema, &key, is_needed);
        if further.is_empty() {
            let about = schema.get("description").and_then(Value::as_str).unwrap_or_default();
            let about = about.trim_end_matches('.').to_owned();
            all.push(Argument { key, is_needed, takes: takes(schema), about });
            continue;
        }
        // One of several is enough: none of them is needed by itself.
        let about = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        let keys: Vec<_> = further.iter().map(|one| one.key.clone()).collect();
        let is_any = is_needed && !further.iter().any(|one| one.is_needed);
        let about = about.trim_end_matches('.').to_owned();
        let takes = if is_any { format!("one of {}", keys.join(", ")) } else { keys.join(", ") };
        all.push(Argument { key, is_needed, takes, about });
        all.extend(further);
    }
    all
}

fn items<'a>(schema: &'a Value, field: &str) -> &'a [Value] {
    schema.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// What a value may be.
fn takes(schema: &Value) -> String {
    let text = |name: &str| schema.get(name).and_then(Value::as_str).unwrap_or_default();
    let words: Vec<&str> = items(schema, "enum").iter().filter_map(Value::as_str).collect();
    match (text("type"), text("format")) {
        ("string", _) if !words.is_empty() => words.join(" | "),
        ("string", "uuid") => "a UUID".to_owned(),
        ("string", "duration") => "a duration: P7D, PT8H".to_owned(),
        ("string", "date-time") => "a time: 2027-01-31T18:00:00Z".to_owned(),
        ("string", _) => "text".to_owned(),
        ("boolean", _) => "true | false".to_owned(),
        ("integer", _) => {
            let bound = |name| schema.get(name).and_then(Value::as_i64);
            match (bound("minimum"), bound("maximum")) {
                (Some(least), Some(most)) => format!("{least} to {most}"),
                _ => "a whole number".to_owned(),
            }
        }
        ("array", _) => {
            let of = schema.get("items").map(takes).unwrap_or_default();
            format!("{of}; several as a JSON list")
        }
        _ => "JSON".to_owned(),
    }
}

/// The shortest call there is.
fn example(bare: &str, arguments: &[Argument], columns: usize) -> String {
    let mut words = vec![invocation::commands(&format!("`grantor call {bare}`"))];
    for (at, one) in arguments.iter().enumerate().filter(|(_, one)| one.is_needed) {
        let inner = |other: &&Argument| {
            other.key.strip_prefix(&one.key).is_some_and(|rest| rest.starts_with('.'))
        };
        let further: Vec<_> = arguments.iter().skip(at + 1).filter(inner).collect();
        let key = match further.as_slice() {
            [] => &one.key,
            further if further.iter().any(|other| other.is_needed) => continue,
            further => further.last().map_or(&one.key, |other| &other.key),
        };
        words.push(format!("{key}=…"));
    }
    let (mut shown, mut at) = (String::new(), 0);
    for word in words {
        let word = word.trim_matches('`');
        let length = word.chars().count();
        // Two for the margin, two for what goes on below.
        if at > 0 && at + length + 4 > columns {
            shown.push_str("\\\n      ");
            at = 4;
        }
        shown.push_str(&format!("{word} "));
        at += length + 1;
    }
    shown.trim_end().to_owned()
}

/// A text in lines that begin so far in.
fn filled(words: &str, indent: usize, columns: usize) -> String {
    let (mut shown, mut line) = (String::new(), String::new());
    let margin = " ".repeat(indent);
    for word in text::clean(words).split_whitespace() {
        if !line.is_empty() && indent + line.chars().count() + 1 + word.chars().count() > columns {
            shown.push_str(&format!("{margin}{line}\n"));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    format!("{shown}{margin}{line}\n")
}
