//! What keeps a text from being read at all, line by line.

use super::mended::GROUPS;

/// What is wrong with a line that Cedar cannot read.
pub(in crate::control::guard) fn unread(
    line: &str,
    said: &str,
) -> Option<(String, Option<String>)> {
    let told = |message: &str, new: Option<String>| Some((message.to_owned(), new));
    let method = said.strip_prefix('`').and_then(|rest| rest.split('`').next()).unwrap_or_default();
    if said.contains("is not a valid method") || said.contains("not a function") {
        return methods(line, method);
    }
    let names = "write who asks as Requester::\"NAME\", a team as Team::\"NAME\"";
    if said.contains("found set of entity uids") || said.contains("entity uid") {
        if said.contains("set of entity") || line.contains("principal in [") {
            let message = "the head of a rule takes no list of requesters; write it as a condition, or \
                           declare a team";
            return told(message, listed(line));
        }
        if let Some(at) = line.find("action == \"").or_else(|| line.find("action in \"")) {
            let word = line.get(at..)?.split('"').nth(1)?;
            let is_group = GROUPS.contains(&word);
            let written = line.get(at..)?.split('"').next()?;
            let how = if is_group { "in" } else { "==" };
            let new = line.replacen(
                &format!("{written}\"{word}\""),
                &format!("action {how} Action::\"{word}\""),
                1,
            );
            return told("an action is Action::\"NAME\"", Some(new));
        }
        let new = ["principal == \"", "principal in \""].into_iter().find_map(|written| {
            let bare = written.trim_end_matches('"');
            line.contains(written).then(|| {
                line.replacen(written, &format!("{}Requester::\"", bare.replace(" in ", " == ")), 1)
            })
        });
        return new.and_then(|new| told(names, Some(new)));
    }
    None
}

/// `principal in ["ada", "ben"]` in the head of a rule that has no condition in that line.
fn listed(line: &str) -> Option<String> {
    let (before, rest) = line.split_once("principal in [")?;
    let (list, after) = rest.split_once(']')?;
    let named: Vec<_> = list
        .split(',')
        .map(str::trim)
        .map(
            |word| {
                if word.starts_with('"') { format!("Requester::{word}") } else { word.to_owned() }
            },
        )
        .collect();
    let condition = format!(" when {{ principal in [{}] }}", named.join(", "));
    let close = after.find(')')? + 1;
    let (head, tail) = after.split_at(close);
    Some(format!("{before}principal{head}{condition}{tail}"))
}

fn methods(line: &str, method: &str) -> Option<(String, Option<String>)> {
    let call = format!(".{method}(");
    let (before, rest) = line.split_once(&call)?;
    let (argument, after) = rest.split_once(')')?;
    let text = argument.trim().trim_matches('"');
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let of = before.rfind(|c| !is_path(c)).map_or(0, |at| at + 1);
    let (lead, field) = before.split_at(of);
    let folded =
        ["name", "id", "folded"].iter().find_map(|name| field.strip_suffix(&format!(".{name}")));
    let told = |message: &str, new: Option<String>| Some((message.to_owned(), new));
    match method {
        "size" | "length" | "len" | "count" | "isNotEmpty" => {
            let compact: String = after.split_whitespace().collect::<Vec<_>>().join(" ");
            let tail = |count: &str| after.trim_start().strip_prefix(count).map(str::to_owned);
            let new = if field == "context.reason" {
                Some(format!("{lead}context.reason_length{after}"))
            } else if let Some(tail) = tail("== 0") {
                Some(format!("{lead}{field}.isEmpty(){tail}"))
            } else if let Some(tail) = tail("> 0").or_else(|| tail(">= 1")).or_else(|| tail("!= 0"))
            {
                Some(format!("{lead}!{field}.isEmpty(){tail}"))
            } else if method == "isNotEmpty" {
                Some(format!("{lead}!{field}.isEmpty(){after}"))
            } else {
                let counted = ["grantees", "kinds", "emails", "after"];
                let is_count = counted.iter().any(|name| field.ends_with(name));
                (is_count && !compact.is_empty()).then(|| format!("{lead}context.width{after}"))
            };
            told(
                "nothing counts what is in a set: it has contains, containsAll, containsAny and isEmpty, \
                  and context.width is how many accesses a call changes",
                new,
            )
        }
        "toLower" | "toLowerCase" | "lower" | "lowercase" | "toUpper" | "toUpperCase" | "upper"
        | "fold" => {
            let new = folded.map(|whose| {
                let rest = match after.split_once('"') {
                    Some((how, rest)) if how.trim() == "==" => match rest.split_once('"') {
                        Some((word, rest)) => {
                            let word = crate::text::folded_for_rules(word);
                            format!(" like \"*{word}*\"{rest}")
                        }
                        None => after.to_owned(),
                    },
                    Some((how, rest)) => format!("{how}\"{}", lowered(rest)),
                    None => after.to_owned(),
                };
                format!("{lead}{whose}.folded{rest}")
            });
            told(
                "nothing changes the case of a text: `folded` is name and id in small letters, without \
                  accents",
                new,
            )
        }
        "startsWith" | "hasPrefix" => told(
            "a text is compared with a pattern: like \"…*\"",
            Some(format!("{lead}{field} like \"{text}*\"{after}")),
        ),
        "endsWith" | "hasSuffix" => told(
            "a text is compared with a pattern: like \"*…\"",
            Some(format!("{lead}{field} like \"*{text}\"{after}")),
        ),
        "includes" | "has" | "matches" => told(
            "a set `contains` a word, a text is `like` a pattern",
            Some(format!("{lead}{field}.contains({argument}){after}")),
        ),
        _ => None,
    }
}

/// A quoted word and what follows it, the word in small letters.
fn lowered(rest: &str) -> String {
    match rest.split_once('"') {
        Some((word, rest)) => format!("{}\"{rest}", word.to_lowercase()),
        None => rest.to_owned(),
    }
}
