//! Entries in a file of TOML.

use std::ops::Range;

use serde_json::{Map, Value};
use toml_edit::{Array, Document, DocumentMut, Item, Table, TableLike, value};

use super::{Client, Entry, Wrong, place_in};

/// What a text says.
pub(super) fn read(text: &str) -> Result<Value, Wrong> {
    let document = parsed(text)?;
    Ok(Value::Object(fields(document.as_table())))
}

fn parsed(text: &str) -> Result<DocumentMut, Wrong> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        let (line, column) = place_in(text, error.span().map_or(0, |span| span.start));
        Wrong::At(line, column, error.message().trim().replace('\n', "; "))
    })
}

fn fields(table: &dyn TableLike) -> Map<String, Value> {
    table.iter().map(|(name, item)| (name.to_owned(), said(item))).collect()
}

/// An item as JSON says it. Times and numbers are only compared, so that their text is enough.
fn said(item: &Item) -> Value {
    if let Some(table) = item.as_table_like() {
        return Value::Object(fields(table));
    }
    match item {
        Item::ArrayOfTables(tables) => {
            tables.iter().map(|one| Value::Object(fields(one))).collect()
        }
        Item::Value(value) => simple(value),
        _ => Value::Null,
    }
}

fn simple(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => Value::String(text.value().clone()),
        toml_edit::Value::Boolean(is) => Value::Bool(*is.value()),
        toml_edit::Value::Array(items) => items.iter().map(simple).collect(),
        toml_edit::Value::InlineTable(table) => Value::Object(fields(table)),
        other => {
            // What stands around it is no part of it.
            let mut bare = other.clone();
            bare.decor_mut().clear();
            Value::String(bare.to_string())
        }
    }
}

/// The entry as a table of its own.
pub(super) fn table(key: &str, entry: &Entry, client: &Client) -> String {
    let mut document = DocumentMut::new();
    let mut servers = Table::new();
    servers.set_implicit(true);
    servers.insert(&entry.name, Item::Table(own(entry, client)));
    document.insert(key, Item::Table(servers));
    document.to_string()
}

fn own(entry: &Entry, client: &Client) -> Table {
    let mut own = Table::new();
    for (name, field) in Entry::also(client).into_iter().chain(entry.fields(client)) {
        own.insert(name, made(&field));
    }
    own
}

fn made(field: &Value) -> Item {
    match field {
        Value::Array(items) => value(items.iter().filter_map(Value::as_str).collect::<Array>()),
        Value::Bool(is) => value(*is),
        other => value(other.as_str().unwrap_or_default()),
    }
}

/// The text with the entry in it.
pub(super) fn put(text: &str, client: &Client, entry: &Entry) -> Result<String, Wrong> {
    let mut document = parsed(text)?;
    let odd = |what: &str| Wrong::Odd(format!("{what:?} is no table"));
    let servers = document.get_mut(client.key);
    let servers = match servers {
        Some(servers) => servers.as_table_like_mut().ok_or_else(|| odd(client.key))?,
        None => return Ok(appended(text, &table(client.key, entry, client))),
    };
    let Some(there) = servers.get_mut(&entry.name) else {
        if document
            .get(client.key)
            .is_some_and(|servers| servers.as_table().is_some_and(|table| !table.is_dotted()))
        {
            return Ok(appended(text, &table(client.key, entry, client)));
        }
        let mut inline = own(entry, client).into_inline_table();
        inline.fmt();
        if let Some(servers) = document.get_mut(client.key).and_then(Item::as_table_like_mut) {
            servers.insert(&entry.name, value(inline));
        }
        return written(&document, text);
    };
    let there = there.as_table_like_mut().ok_or_else(|| odd(&entry.name))?;
    let mut is_moved = false;
    for (name, field) in entry.fields(client) {
        if there.get(name).map(said).as_ref() != Some(&field) {
            is_moved = true;
            set(there, name, made(&field));
        }
    }
    if is_moved { written(&document, text) } else { Ok(text.to_owned()) }
}

/// Sets a field, with what stands around the value that was there.
fn set(table: &mut dyn TableLike, name: &str, new: Item) {
    match (table.get_mut(name).and_then(Item::as_value_mut), new) {
        (Some(old), Item::Value(mut new)) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        (_, new) => drop(table.insert(name, new)),
    }
}

/// A document as text, with the line ends of what it was read from: the writer knows one kind.
fn written(document: &DocumentMut, from: &str) -> Result<String, Wrong> {
    let made = document.to_string();
    match (from.matches("\r\n").count(), from.matches('\n').count()) {
        (0, _) => Ok(made),
        (wide, all) if wide == all => Ok(made.replace('\n', "\r\n")),
        _ => Err(Wrong::Odd("its lines end in two ways: give all of them one end".to_owned())),
    }
}

/// A table behind all that there is, a blank line between.
fn appended(text: &str, table: &str) -> String {
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let table = table.replace('\n', newline);
    if text.trim().is_empty() {
        return format!("{text}{table}");
    }
    let end = if text.ends_with('\n') { "" } else { newline };
    format!("{text}{end}{newline}{table}")
}

/// The text without the entry of this name.
pub(super) fn take(text: &str, client: &Client, name: &str) -> Result<String, Wrong> {
    let read = Document::parse(text).map_err(|error| {
        let (line, column) = place_in(text, error.span().map_or(0, |span| span.start));
        Wrong::At(line, column, error.message().trim().to_owned())
    })?;
    let servers = read.get(client.key).and_then(Item::as_table_like);
    let own = servers.and_then(|servers| servers.get(name));
    if let Some(Item::Table(own)) = own
        && !own.is_dotted()
    {
        let mut lines = Vec::new();
        spans(own, &mut lines);
        return Ok(cut(text, lines));
    }
    let mut document = parsed(text)?;
    if let Some(servers) = document.get_mut(client.key).and_then(Item::as_table_like_mut) {
        servers.remove(name);
    }
    written(&document, text)
}

/// From the header of a table to the end of its last line, and the same of those in it.
fn spans(table: &Table, found: &mut Vec<Range<usize>>) {
    let mut whole = table.span().filter(|_| !table.is_implicit());
    for (key, item) in table.iter() {
        match item {
            Item::Table(inner) if !inner.is_dotted() => spans(inner, found),
            Item::ArrayOfTables(tables) => tables.iter().for_each(|one| spans(one, found)),
            _ => {
                let key = table.key(key).and_then(toml_edit::Key::span);
                for span in [key, item.span()].into_iter().flatten() {
                    whole = whole.map(|whole| whole.start.min(span.start)..whole.end.max(span.end));
                }
            }
        }
    }
    found.extend(whole);
}

/// A text without these stretches, to the ends of their lines; the blank line before each goes too, which
/// set it apart.
fn cut(text: &str, mut stretches: Vec<Range<usize>>) -> String {
    stretches.sort_by_key(|stretch| stretch.start);
    let (mut kept, mut at) = (String::new(), 0);
    for stretch in stretches {
        let before = text.get(at..stretch.start).unwrap_or_default();
        kept.push_str(unparted(before));
        let rest = text.get(stretch.end..).unwrap_or_default();
        at = stretch.end + rest.find('\n').map_or(rest.len(), |end| end + 1);
    }
    kept.push_str(text.get(at..).unwrap_or_default());
    kept
}

/// A text without the blank line at its end.
fn unparted(text: &str) -> &str {
    for end in ["\r\n", "\n"] {
        if let Some(rest) = text.strip_suffix(end)
            && (rest.is_empty() || rest.ends_with(end))
        {
            return rest;
        }
    }
    text
}
