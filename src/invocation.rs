//! How this process was started, for the commands that its messages name: a command without the same
//! options would look at another ledger, or be asked under other rules.

use std::path::Path;
use std::sync::OnceLock;

/// The options that a command needs to find what this process has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    pub sandbox: bool,
    pub config: Option<&'a Path>,
    pub policy: Option<&'a Path>,
    pub state_dir: Option<&'a Path>,
}

/// Those of this process, as they are typed.
static OWN: OnceLock<String> = OnceLock::new();

/// How a command begins in words.
const COMMAND: &str = "`grantor ";
const SANDBOX: &str = "--sandbox";
/// Commands that need none of it.
const ALONE: [&str; 2] = ["demo", "--help"];

/// Keeps what this process was started with; what is kept first stays.
pub fn keep(options: &Options<'_>) {
    let _ = OWN.set(options.typed());
}

/// Words with each command that they name as it has to be typed: the one way to name a command. What
/// stands in “quotes” is not our word and stays as it is.
pub fn commands(words: &str) -> String {
    complete(words, OWN.get().map_or("", String::as_str))
}

/// The same in what is said of a sandbox, whoever says it.
pub fn commands_in_sandbox(words: &str) -> String {
    let own = OWN.get().map_or("", String::as_str);
    complete(words, if own.starts_with(SANDBOX) { own } else { SANDBOX })
}

/// Whether the options can stand inside a line of JSON.
pub fn is_plain() -> bool {
    OWN.get().is_none_or(|own| !own.contains(['"', '\\']) && !own.contains(char::is_control))
}

fn complete(words: &str, options: &str) -> String {
    if options.is_empty() {
        return words.to_owned();
    }
    let (mut completed, mut quoted, mut rest) = (String::with_capacity(words.len()), false, words);
    while let Some(first) = rest.chars().next() {
        if !quoted && let Some(command) = rest.strip_prefix(COMMAND) {
            completed.push_str(COMMAND);
            let is_own = |known: &str| command.strip_prefix(known).is_some_and(ends_word);
            rest = command;
            if is_own(options) || ALONE.into_iter().any(is_own) {
                continue;
            }
            completed.push_str(options);
            completed.push(' ');
            // What names the sandbox by itself says it once.
            let named = rest.strip_prefix(SANDBOX).filter(|_| options.starts_with(SANDBOX));
            rest = named.and_then(|rest| rest.strip_prefix(' ')).unwrap_or(rest);
            continue;
        }
        quoted = match first {
            '“' => true,
            '”' | '\n' => false,
            _ => quoted,
        };
        completed.push(first);
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
    }
    completed
}

fn ends_word(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with([' ', '`'])
}

impl Options<'_> {
    fn typed(&self) -> String {
        let path = |option: &str, path: Option<&Path>| {
            let path = path?;
            // Whoever types it may be in another folder.
            let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            Some(format!("{option} {}", quoted(&path.to_string_lossy())))
        };
        let sandbox = self.sandbox.then(|| SANDBOX.to_owned());
        let paths = [
            path("--config", self.config),
            path("--policy", self.policy),
            path("--state-dir", self.state_dir),
        ];
        sandbox.into_iter().chain(paths.into_iter().flatten()).collect::<Vec<_>>().join(" ")
    }
}

/// As a shell takes it for one word.
pub fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_that_words_name_has_the_options() {
        for (options, words, completed) in [
            ("", "run `grantor doctor`", "run `grantor doctor`"),
            ("--sandbox", "run `grantor doctor`", "run `grantor --sandbox doctor`"),
            ("--sandbox", "`grantor --sandbox doctor`", "`grantor --sandbox doctor`"),
            (
                "--sandbox --state-dir /x",
                "`grantor --sandbox doctor`",
                "`grantor --sandbox --state-dir /x doctor`",
            ),
            (
                "--config /c",
                "`grantor expire`, or `grantor requests deny gr-a`",
                "`grantor --config /c expire`, or `grantor --config /c requests deny gr-a`",
            ),
            ("--config /c", "`grantor --config /c expire`", "`grantor --config /c expire`"),
            (
                "--sandbox",
                "“`grantor x`” and `grantor y`",
                "“`grantor x`” and `grantor --sandbox y`",
            ),
            ("--sandbox", "“left open\n`grantor y`", "“left open\n`grantor --sandbox y`"),
            ("--config /c", "`grantor demo`; `grantor --help`", "`grantor demo`; `grantor --help`"),
            ("--sandbox", "grantor itself, `grantor`", "grantor itself, `grantor`"),
        ] {
            assert_eq!(complete(words, options), completed, "{options}");
            assert_eq!(complete(completed, options), completed, "twice: {options}");
        }
    }

    #[test]
    fn options_are_typed_as_a_shell_takes_them() {
        let path = |text: &'static str| Some(Path::new(text));
        for (options, typed) in [
            (Options::default(), ""),
            (Options { sandbox: true, ..Options::default() }, "--sandbox"),
            (
                Options { sandbox: true, state_dir: path("/a b"), ..Options::default() },
                "--sandbox --state-dir '/a b'",
            ),
            (
                Options { config: path("/it's"), policy: path("/p.cedar"), ..Options::default() },
                r"--config '/it'\''s' --policy /p.cedar",
            ),
        ] {
            assert_eq!(options.typed(), typed);
        }
        let here = Options { config: path("c.toml"), ..Options::default() }.typed();
        let folder = std::env::current_dir().unwrap();
        assert!(here.ends_with("/c.toml") || here.ends_with("/c.toml'"), "{here}");
        assert!(here.contains(&*folder.to_string_lossy()), "{here}");
    }
}
