//! What doctor found, line by line: shown to a person, or as data.

use anstyle::Style;
use serde_json::{Value, json};

use crate::cli::paint::{BAD, BOLD, DIM, GOOD, WAITS, with};

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Good,
    /// Told, and neither good nor bad.
    Note,
    /// It works, and somebody should look at it.
    Look,
    Bad,
}

/// What is found within it is told of it.
pub(super) const LEDGER: &str = "ledger";

/// One finding.
struct Line {
    /// Whose it is: a vendor's title, where it is one's.
    of: Option<String>,
    word: String,
    text: String,
    level: Level,
    /// It begins what is found of a vendor.
    is_title: bool,
}

/// All findings, in their order.
#[derive(Default)]
pub(super) struct Report {
    lines: Vec<Line>,
    of: Option<String>,
}

impl Level {
    fn style(self) -> Style {
        match self {
            Self::Good => GOOD,
            Self::Note => DIM,
            Self::Look => WAITS,
            Self::Bad => BAD,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Look => "look",
            Self::Bad => "bad",
        }
    }
}

impl Report {
    /// What follows is of this one, which a few words are said of.
    pub(super) fn title(&mut self, title: &str, level: Level, about: &str) {
        self.of = Some(title.to_owned());
        let (word, text) = (title.to_owned(), about.to_owned());
        self.lines.push(Line { of: self.of.clone(), word, text, level, is_title: true });
    }

    /// What follows is of nobody by itself.
    pub(super) fn apart(&mut self) {
        self.of = None;
    }

    pub(super) fn add(&mut self, word: &str, level: Level, text: impl Into<String>) {
        let (of, word, text) = (self.of.clone(), word.to_owned(), text.into());
        self.lines.push(Line { of, word, text, level, is_title: false });
    }

    /// The same of something within what was added before.
    pub(super) fn add_within(&mut self, of: &str, word: &str, level: Level, text: String) {
        let word = word.to_owned();
        self.lines.push(Line { of: Some(of.to_owned()), word, text, level, is_title: false });
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.lines.extend(other.lines);
    }

    /// Whether this was said already.
    pub(super) fn has(&self, text: &str) -> bool {
        self.lines.iter().any(|line| line.text == text)
    }

    pub(super) fn is_sound(&self) -> bool {
        !self.lines.iter().any(|line| line.level == Level::Bad)
    }

    fn count(&self, level: Level) -> usize {
        self.lines.iter().filter(|line| line.level == level).count()
    }

    /// How many of each, in one line.
    pub(super) fn total(&self) -> String {
        let [good, look, bad] = [Level::Good, Level::Look, Level::Bad].map(|one| self.count(one));
        format!("{good} well, {look} to look at, {bad} wrong")
    }

    /// Whose the first finding of this level is.
    pub(super) fn first(&self, level: Level) -> Option<String> {
        let line = self.lines.iter().find(|line| line.level == level && !line.is_title)?;
        Some(match (line.of.as_deref(), line.word.as_str()) {
            (Some(LEDGER), _) => format!("the {LEDGER}"),
            (Some(vendor), _) => vendor.to_owned(),
            (None, "mend") => "the configuration".to_owned(),
            (None, word) => format!("the {word}"),
        })
    }

    pub(super) fn shown(&self) -> String {
        self.lines.iter().map(Line::shown).collect()
    }

    pub(super) fn json(&self) -> Vec<Value> {
        self.lines.iter().map(Line::json).collect()
    }
}

impl Line {
    fn shown(&self) -> String {
        let Self { of, word, text, level, is_title } = self;
        if *is_title {
            return format!("{} {}\n", with(BOLD, word), with(level.style(), text));
        }
        let indent = if of.is_some() { "  " } else { "" };
        // What is well stands under the longer words for what is not.
        let gap = if *level == Level::Good { 8_usize.saturating_sub(word.len()) } else { 2 };
        format!("{indent}{}{:gap$}{text}\n", with(level.style(), word), "")
    }

    fn json(&self) -> Value {
        let Self { of, word, text, level, is_title } = self;
        let mut line = json!({ "level": level.word(), "word": word, "text": text });
        if *is_title {
            line = json!({ "level": level.word(), "word": "vendor", "text": text });
        }
        if let Some(of) = of {
            crate::json::put(&mut line, "of", of.clone());
        }
        line
    }
}
