//! How deep a policy's text goes, before anything that follows it down is let at it: a parser that
//! has no stack left takes the process with it.

use super::PolicyMistake;

/// The deepest that brackets, and what is looked up in what, may be in one another.
const DEEPEST: usize = 100;
/// The most that one rule may join with `&&`, `||`, `when`, `unless` and arithmetic, each of which is
/// inside the next.
const MOST_JOINED: usize = 1_200;
/// A choice holds the next one, and more than that.
const CHOICE: usize = 20;
/// What following the deepest of texts takes, many times over: a thread has less of its own.
const STACK: usize = 64 * 1024 * 1024;

/// What has been read of the rule at hand.
#[derive(Default)]
struct Rule {
    brackets: usize,
    /// Names one after the other that are looked up in what came before.
    steps: usize,
    joined: usize,
}

/// Does it where there is room for the deepest of texts; nothing where there is no such place.
pub(super) fn with_room<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK);
        thread.spawn_scoped(scope, work).ok()?.join().ok()
    })
}

/// # Errors
/// Where it goes too deep, with the line; the first place only.
pub(super) fn check(text: &str) -> Result<(), PolicyMistake> {
    let (mut rule, mut line) = (Rule::default(), 1);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (token, after) = rest.split_at_checked(token(rest, c)).unwrap_or((rest, ""));
        rest = after;
        if let Some(what) = rule.read(token) {
            return Err(PolicyMistake::at(line, None, what.to_owned()));
        }
        line += token.bytes().filter(|&byte| byte == b'\n').count();
    }
    Ok(())
}

/// How long the token is that begins with this character; never nothing.
fn token(rest: &str, first: char) -> usize {
    let up_to = |end: Option<usize>| end.unwrap_or(rest.len());
    match first {
        '"' => {
            let mut escaped = false;
            let ends = |&(_, c): &(usize, char)| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            };
            up_to(rest.char_indices().skip(1).find(ends).map(|(end, _)| end + 1))
        }
        '/' if rest.starts_with("//") => up_to(rest.find('\n')),
        '&' if rest.starts_with("&&") => 2,
        '|' if rest.starts_with("||") => 2,
        '!' if rest.starts_with("!=") => 2,
        c if is_word(c) => up_to(rest.find(|c| !is_word(c))),
        c => c.len_utf8(),
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

impl Rule {
    fn read(&mut self, token: &str) -> Option<&'static str> {
        let is_word = token.starts_with(is_word);
        match token {
            "." => self.steps += 1,
            _ if !is_word && !token.trim().is_empty() && !token.starts_with("//") => self.steps = 0,
            _ => {}
        }
        match token {
            "(" | "[" | "{" => self.brackets += 1,
            ")" | "]" | "}" => self.brackets = self.brackets.saturating_sub(1),
            "&&" | "||" | "+" | "-" | "*" | "!" | "when" | "unless" => self.joined += 1,
            "if" => self.joined += CHOICE,
            ";" => *self = Self::default(),
            _ => {}
        }
        if self.brackets > DEEPEST || self.steps > DEEPEST {
            Some(
                "it nests too deep from here; take some of the brackets away, or write several rules",
            )
        } else if self.joined > MOST_JOINED {
            Some("this rule joins too many conditions from here; write several rules")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Guard;
    use super::*;

    fn line(text: &str) -> Option<usize> {
        check(text).err().map(|trouble| trouble.line)
    }

    fn nested(open: &str, inner: &str, close: &str, times: usize) -> String {
        format!("{}{inner}{}", open.repeat(times), close.repeat(times))
    }

    #[test]
    fn what_goes_too_deep_is_named_by_its_line() {
        let rule = |body: &str| {
            format!("// first\npermit(principal, action, resource)\nwhen {{ {body} }};")
        };
        for (body, found) in [
            (nested("(", "true", ")", 5_000), Some(3)),
            (nested("(\n", "true", ")", 5_000), Some(102)),
            (nested("[", "1", "]", 5_000) + " == [1]", Some(3)),
            (nested("{ \"a\": ", "1", "}", 5_000) + " == 1", Some(3)),
            (nested("!", "true", "", 5_000), Some(3)),
            (nested("if true then ", "true", " else false", 500), Some(3)),
            (nested("if true then true else ", "true", "", 500), Some(3)),
            (format!("true{}", " && true".repeat(100_000)), Some(3)),
            (format!("true{}", " || true".repeat(100_000)), Some(3)),
            (format!("1{} == 1", " + 1".repeat(100_000)), Some(3)),
            (format!("context{} == 1", ".a".repeat(5_000)), Some(3)),
            (format!("context{} == 1", "[\"a\"]".repeat(50)), None),
            (format!("true }} {} when {{ true", "when { true } ".repeat(9_999)), Some(3)),
            // What only looks so.
            (format!("context.client == \"{}\\\"\"", "(".repeat(5_000)), None),
            (format!("true // {}\n", "(".repeat(5_000)), None),
            (format!("[1{}].contains(1)", ", 1".repeat(5_000)), None),
            (format!("true{}", " && true".repeat(900)), None),
            (nested("(", "true", ")", 90), None),
        ] {
            assert_eq!(line(&rule(&body)), found, "{}", body.chars().take(60).collect::<String>());
        }
        assert_eq!(line(&rule("true && true").repeat(5_000)), None, "each rule by itself");
    }

    /// What is let through is followed to its end on the smallest stack there is, and so is the rest.
    #[test]
    fn whatever_is_let_through_is_compiled_without_a_crash() {
        let rule = |body: &str| {
            format!("@id(\"a\") permit(principal, action, resource) when {{ {body} }};")
        };
        for body in [
            format!("true{}", " && true".repeat(MOST_JOINED - 2)),
            format!("true{}", " || true".repeat(MOST_JOINED - 2)),
            nested("(", "true", ")", DEEPEST - 2),
            nested("if true then true else ", "true", "", MOST_JOINED / CHOICE - 1),
            format!("{} == [1]", nested("[", "1", "]", DEEPEST - 2)),
            format!("context{} == 1", ".a".repeat(DEEPEST - 1)),
        ] {
            assert_eq!(line(&rule(&body)), None);
            // Whether Cedar's own rules take it is another matter.
            let _ = Guard::compile("p", &rule(&body), false);
        }
        let deep = rule(&nested("(", "true", ")", 5_000));
        let error = Guard::compile("p", &deep, false).err().unwrap();
        assert!(error.to_string().contains("p:1: it nests too deep"), "{error}");
    }
}
