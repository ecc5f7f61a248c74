//! Every sentence that the program can print is a string literal somewhere in `src`. They are gathered
//! by what they are (a hint, a warning, a question…) into one golden file each, so that a new one is read
//! in review, and rules that hold for all are checked here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use clap::CommandFactory as _;
use grantor::access::Outcome;
use grantor::cli::Cli;
use grantor::guard::FIELDS;
use grantor::tools::TOOLS;
use grantor::vendors::VENDORS;
use proc_macro2::{TokenStream, TokenTree};
use serde_json::Value;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, Lit, LitStr, Token};

use super::golden;
use super::harness::{Source, sources};

const FOLDER: &str = "tests/golden/messages";

/// What a sentence is to whoever reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Failure,
    Hint,
    Warning,
    Question,
    Summary,
    VerdictRecord,
    Setting,
    Terminal,
    Log,
    Other,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Message {
    place: Place,
    path: String,
    text: String,
}

impl Place {
    fn file(self) -> &'static str {
        match self {
            Self::Failure => "failures.txt",
            Self::Hint => "hints.txt",
            Self::Warning => "warnings.txt",
            Self::Question => "questions.txt",
            Self::Summary => "summaries.txt",
            Self::VerdictRecord => "policy.txt",
            Self::Setting => "settings.txt",
            Self::Terminal => "terminal.txt",
            Self::Log => "log.txt",
            Self::Other => "other.txt",
        }
    }

    /// Where nothing nearer says what a sentence is.
    fn of_file(path: &str) -> Self {
        match path.split('/').next().unwrap_or_default() {
            "cli" | "cli.rs" => Self::Terminal,
            "config" | "config.rs" | "secret" | "secret.rs" | "given" | "given.rs" => Self::Setting,
            "guard" | "guard.rs" => Self::VerdictRecord,
            _ if path.starts_with("desk/question") => Self::Question,
            _ => Self::Other,
        }
    }

    /// What a name says of what is under it.
    fn of_name(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        [
            ("hint", Self::Hint),
            ("warn", Self::Warning),
            ("note", Self::Summary),
            ("summary", Self::Summary),
        ]
        .into_iter()
        .find_map(|(word, place)| name.contains(word).then_some(place))
    }
}

/// Walks a file of the source.
struct Gatherer {
    path: String,
    places: Vec<Place>,
    found: BTreeSet<Message>,
}

impl Gatherer {
    fn under(&mut self, place: Option<Place>, visit: impl FnOnce(&mut Self)) {
        self.places.extend(place);
        visit(self);
        if place.is_some() {
            self.places.pop();
        }
    }

    fn take(&mut self, text: &str) {
        if is_sentence(text) {
            let place = self.places.last().copied().unwrap_or(Place::of_file(&self.path));
            let (path, text) = (self.path.clone(), text.to_owned());
            self.found.insert(Message { place, path, text });
        }
    }

    /// What is inside a macro is not parsed by the compiler's rules: its literals count.
    fn tokens(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Literal(literal) => {
                    if let Ok(Lit::Str(text)) = syn::parse_str::<Lit>(&literal.to_string()) {
                        self.take(&text.value());
                    }
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Gatherer {
    fn visit_lit_str(&mut self, text: &'ast LitStr) {
        self.take(&text.value());
    }

    /// Documentation and attributes are no messages, except what an error prints.
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if attribute.path().is_ident("error")
            && let Ok(list) = attribute.meta.require_list()
        {
            self.under(Some(Place::Failure), |all| all.tokens(list.tokens.clone()));
        }
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let is_test = |one: &Attribute| {
            one.path().is_ident("cfg")
                && one
                    .meta
                    .require_list()
                    .is_ok_and(|list| list.tokens.to_string().contains("test"))
        };
        if !module.attrs.iter().any(is_test) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        let place = Place::of_name(&item.sig.ident.to_string());
        self.under(place, |all| visit::visit_item_fn(all, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        let place = Place::of_name(&item.sig.ident.to_string());
        self.under(place, |all| visit::visit_impl_item_fn(all, item));
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        let place = Place::of_name(&item.ident.to_string());
        self.under(place, |all| visit::visit_item_const(all, item));
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        let name = match &local.pat {
            syn::Pat::Ident(name) => name.ident.to_string(),
            _ => String::new(),
        };
        self.under(Place::of_name(&name), |all| visit::visit_local(all, local));
    }

    fn visit_field_value(&mut self, field: &'ast syn::FieldValue) {
        let place = match &field.member {
            syn::Member::Named(name) => Place::of_name(&name.to_string()),
            syn::Member::Unnamed(_) => None,
        };
        self.under(place, |all| visit::visit_field_value(all, field));
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        let place = match &*call.func {
            Expr::Path(path) => of_call(&path.path),
            _ => None,
        };
        self.under(place, |all| visit::visit_expr_call(all, call));
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.visit_expr(&call.receiver);
        let method = call.method.to_string();
        let place = match method.as_str() {
            "hint" | "or_hint" => Some(Place::Hint),
            "complain" => Some(Place::Terminal),
            "push" | "extend" => tail(&call.receiver).and_then(|name| Place::of_name(&name)),
            _ => None,
        };
        self.under(place, |all| call.args.iter().for_each(|one| all.visit_expr(one)));
    }

    fn visit_macro(&mut self, one: &'ast syn::Macro) {
        let name = one.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
        let place = match name.as_str() {
            "debug" | "trace" => return,
            "warn" | "error" | "info" => Some(Place::Log),
            _ => None,
        };
        self.under(place, |all| {
            let arguments = one.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated);
            match &arguments {
                // The parsed tree does not live as long as the file's: it is walked by another.
                Ok(arguments) => {
                    let mut inner = Gatherer {
                        path: all.path.clone(),
                        places: all.places.clone(),
                        found: BTreeSet::new(),
                    };
                    arguments.iter().for_each(|one| inner.visit_expr(one));
                    all.found.append(&mut inner.found);
                }
                Err(_) => all.tokens(one.tokens.clone()),
            }
        });
    }
}

fn of_call(path: &syn::Path) -> Option<Place> {
    let names: Vec<_> = path.segments.iter().map(|one| one.ident.to_string()).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    match names.as_slice() {
        [.., "Failure", "new" | "invalid" | "refused" | "garbled"] => Some(Place::Failure),
        [.., "complain" | "note" | "lines"] => Some(Place::Terminal),
        _ => None,
    }
}

/// The last name of `a.b.c`.
fn tail(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
        Expr::Field(field) => match &field.member {
            syn::Member::Named(name) => Some(name.to_string()),
            syn::Member::Unnamed(_) => None,
        },
        _ => None,
    }
}

/// Two words beside each other, or a word beside something that is filled in; and neither SQL, nor a
/// path, nor a header.
fn is_sentence(text: &str) -> bool {
    const SQL: [&str; 9] = [
        "SELECT ", "INSERT ", "UPDATE ", "DELETE ", "CREATE ", "PRAGMA ", "DROP ", "BEGIN ",
        "ALTER ",
    ];
    let bare = text.trim_start();
    if SQL.iter().any(|word| bare.starts_with(word)) || bare.starts_with('/') {
        return false;
    }
    let is_word = |word: &str| word.chars().filter(|one| one.is_alphabetic()).count() > 1;
    let words = text.split_whitespace().filter(|word| is_word(word)).count();
    words > 1
}

/// The whole source is parsed once, for all rules.
static GATHERED: LazyLock<BTreeSet<Message>> = LazyLock::new(gathered);

fn gathered() -> BTreeSet<Message> {
    let mut found = BTreeSet::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let sources = sources();
    let of_tests: Vec<_> = sources.iter().flat_map(test_files).collect();
    // What the fake vendors say is not ours, and what tests say is printed by no program.
    let is_ours = |one: &Source| !one.path.starts_with("sandbox") && !of_tests.contains(&one.path);
    for Source { path, .. } in sources.iter().filter(|one| is_ours(one)) {
        let text = std::fs::read_to_string(root.join(path)).unwrap();
        let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut gatherer =
            Gatherer { path: path.clone(), places: Vec::new(), found: BTreeSet::new() };
        gatherer.visit_file(&file);
        found.append(&mut gatherer.found);
    }
    found
}

/// The files that a file has for its tests alone.
fn test_files(source: &Source) -> Vec<String> {
    let folder = source.path.trim_end_matches(".rs");
    let lines: Vec<&str> = source.text.lines().collect();
    let name = |two: &[&str]| {
        let name = two[1].strip_prefix("mod ")?.strip_suffix(';')?;
        (two[0] == "#[cfg(test)]").then(|| format!("{folder}/{name}.rs"))
    };
    lines.windows(2).filter_map(name).collect()
}

/// The help of every command, as clap prints it.
fn help() -> String {
    fn add(command: &clap::Command, shown: &mut String) {
        for one in command.get_subcommands() {
            let mut own = one.clone();
            shown.push_str(&format!("{}\n\n", own.render_long_help()));
            add(one, shown);
        }
    }
    let mut command = Cli::command();
    command.build();
    let mut shown = format!("{}\n\n", command.clone().render_long_help());
    add(&command, &mut shown);
    let lines = shown.lines().map(str::trim_end).collect::<Vec<_>>();
    format!("{}\n", lines.join("\n").trim_end())
}

#[test]
fn every_message_is_in_its_file() {
    let mut files = BTreeMap::from([("help.txt".to_owned(), help())]);
    for Message { place, path, text } in GATHERED.iter() {
        let text = text.replace('\n', "⏎");
        let file: &mut String = files.entry(place.file().to_owned()).or_default();
        file.push_str(&format!("{path}: {text}\n"));
    }
    golden::check(FOLDER, "every_message_is_in_its_file", &files);
}

/// What other programs and protocols call something of theirs, and a field of every list.
const NAMES_OF_OTHERS: [&str; 23] = [
    "whsk_",
    // Of the configuration of a ledger in a database, and of PostgreSQL's own.
    "owner_url",
    "grantor_app",
    "synchronous_standby_names",
    "full_page_writes",
    "allow_private",
    "whsec_",
    // Of OAuth, of the configuration, and of what a watcher counts.
    "error_description",
    "resource_metadata",
    "public_url",
    "grantor_http_responses_total",
    "grantor_http_tokens_rejected_total",
    "grantor_http_requests_in_flight",
    // Lists of an answer.
    "left_out",
    "not_known",
    "macOS",
    "time_zone",
    "inputSchema",
    "requestState",
    "webMethods",
    "createPrivateKey",
    "readFileSync",
    "next_cursor",
];
const OUTCOMES: [Outcome; 13] = [
    Outcome::Preview,
    Outcome::AlreadyPresent,
    Outcome::AlreadyAbsent,
    Outcome::Confirmed,
    Outcome::Unconfirmed,
    Outcome::PendingVendorApproval,
    Outcome::AwaitingConsent,
    Outcome::Unavailable,
    Outcome::Refused,
    Outcome::Invalid,
    Outcome::Rejected,
    Outcome::Mismatch,
    Outcome::Unknown,
];
/// Variables that are read and are neither a vendor's nor begin with `GRANTOR_`; `X_FILE` and `_FILE` stand for all.
const OTHER_VARIABLES: [&str; 8] = [
    "HTTPS_PROXY",
    "ALL_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "OTEL_EXPORTER_OTLP_",
    "REQUEST_METHOD",
    "X_FILE",
    "_FILE",
];
/// Words of the language that the program is written in, which tell a reader nothing.
const PRIVATE: [&str; 14] = [
    "expected struct",
    "invalid type",
    "invalid value",
    "Option<",
    "Some(",
    "None",
    "unwrap",
    "panicked",
    "u64",
    "usize",
    "serde",
    "tokio",
    "reqwest",
    "rmcp",
];

/// What a rule holds against each message.
fn troubles(rule: impl Fn(&Message) -> Vec<String>) -> String {
    let told = GATHERED
        .iter()
        .flat_map(|message| {
            let of = |wrong: String| format!("{} says {:?}: {wrong}", message.path, message.text);
            rule(message).into_iter().map(of).collect::<Vec<_>>()
        })
        .collect::<Vec<_>>();
    told.join("\n")
}

/// A text without what is filled in.
fn without_places(text: &str) -> String {
    let mut bare = String::new();
    let mut depth = 0_u32;
    for letter in text.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ if depth == 0 => bare.push(letter),
            _ => {}
        }
        if letter == '{' && depth == 1 {
            bare.push('…');
        }
    }
    bare
}

fn words(text: &str) -> Vec<String> {
    let bare = without_places(text);
    let apart = |one: char| !(one.is_alphanumeric() || one == '_' || one == '-' || one == '…');
    bare.split(apart).map(str::to_owned).collect()
}

/// A private word, two blanks, two commas or an empty pair of quotes is a slip.
#[test]
fn no_message_slips() {
    let told = troubles(|Message { place, path, text }| {
        let mut wrong = Vec::new();
        let mut bare = without_places(text);
        // Rules name people, actions and resources in this way.
        if path.starts_with("control/guard") {
            bare = bare.replace("::\"", "").replace("::…", "");
        }
        wrong.extend(
            PRIVATE.iter().filter(|word| bare.contains(**word)).map(|word| format!("{word:?}")),
        );
        // A table has columns, and a question has lines that are set in.
        let is_table = *place == Place::Terminal || path.starts_with("cli");
        for slip in [",,", ";;", "..", " ,", " ;", "::", "“”", "()", "( ", " )", ". ."] {
            // Paths have such segments, and are told so in quotes.
            if bare.replace("`..`", "").contains(slip) {
                wrong.push(format!("{slip:?}"));
            }
        }
        if !is_table && bare.trim_start().contains("  ") {
            wrong.push("two blanks".to_owned());
        }
        wrong
    });
    assert_eq!(told, "");
}

/// A command that is named parses, and a flag that is named is one.
#[test]
fn commands_that_are_named_are_there() {
    let mut command = Cli::command();
    command.build();
    let mut flags = BTreeSet::new();
    fn gather(command: &clap::Command, flags: &mut BTreeSet<String>) {
        let longs = command.get_arguments().filter_map(clap::Arg::get_long);
        flags.extend(longs.map(|long| format!("--{long}")));
        command.get_subcommands().for_each(|one| gather(one, flags));
    }
    gather(&command, &mut flags);
    let told = troubles(|Message { text, .. }| {
        let mut wrong = Vec::new();
        let filled = text.replace("{}", "x");
        for named in filled.split('`').skip(1).step_by(2).filter(|one| one.starts_with("grantor")) {
            let words = named.split_whitespace().map(|word| word.trim_matches(['{', '}']));
            let words: Vec<_> = words.collect();
            if let Err(error) = Cli::command().try_get_matches_from(&words) {
                use clap::error::ErrorKind::{DisplayHelp, MissingRequiredArgument};
                if !matches!(error.kind(), MissingRequiredArgument | DisplayHelp) {
                    wrong.push(format!("there is no {named}"));
                }
            }
            if let ["grantor", "call", tool, ..] = words.as_slice()
                && !TOOLS.iter().any(|one| one.spec.name == *tool)
                && *tool != "bare"
            {
                wrong.push(format!("there is no tool {tool}"));
            }
        }
        for word in words(text).iter().filter(|word| word.starts_with("--") && word.len() > 3) {
            let is_line = word.trim_matches('-').is_empty() || word.starts_with("---");
            if !is_line && !flags.contains(word) {
                wrong.push(format!("there is no flag {word}"));
            }
        }
        wrong
    });
    assert_eq!(told, "");
}

/// A variable that is named is read, and in a vendor's file it is that vendor's.
#[test]
fn variables_that_are_named_are_read() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    let readme = readme.unwrap();
    let vendor_of = |name: &str| {
        let own = |vendor: &&&grantor::vendors::Vendor| {
            vendor.variables.iter().any(|one| one.name == name)
        };
        VENDORS.iter().find(own).map(|vendor| vendor.name)
    };
    let told = troubles(|Message { path, text, .. }| {
        let mut wrong = Vec::new();
        let is_variable = |word: &&String| {
            word.contains('_')
                && word.chars().all(|one| one.is_ascii_uppercase() || "_…".contains(one))
        };
        for name in words(text).iter().filter(is_variable) {
            let name = name.trim_matches('…');
            let of = vendor_of(name).or_else(|| vendor_of(name.trim_end_matches("_FILE")));
            let own = name.starts_with("GRANTOR_") && readme.contains(name);
            let known = of.is_some() || own || name.len() < 2 || OTHER_VARIABLES.contains(&name);
            if !known {
                wrong.push(format!("nobody reads {name}"));
            }
            let elsewhere = |vendor: &&&grantor::vendors::Vendor| {
                path.starts_with(&format!("vendors/{}", vendor.name))
                    && of.is_some_and(|of| of != vendor.name)
            };
            wrong.extend(
                VENDORS.iter().find(elsewhere).map(|_| format!("{name} is another vendor's")),
            );
        }
        wrong
    });
    assert_eq!(told, "");
}

/// An argument that is named is one of a tool, and so are tools and the words of answers.
#[test]
fn arguments_that_are_named_are_there() {
    let mut known: BTreeSet<String> = NAMES_OF_OTHERS.map(str::to_owned).into();
    known.extend(OUTCOMES.map(|outcome| outcome.as_str().to_owned()));
    // What rules are written in: the fields that they speak of, and what sets can be asked.
    known.extend(FIELDS.iter().flat_map(|field| field.name.split('.')).map(str::to_owned));
    known.extend(["containsAll", "containsAny", "isEmpty"].map(str::to_owned));
    for tool in &TOOLS {
        known.insert(tool.spec.name.to_owned());
        names(&grantor::catalogue::definition(tool), &mut known);
    }
    let told = troubles(|Message { text, .. }| {
        let is_name = |word: &&String| {
            let lower = word.chars().next().is_some_and(|one| one.is_ascii_lowercase());
            let snake = word.contains('_') && !word.contains('-');
            lower
                && (snake || word.chars().any(|one| one.is_ascii_uppercase()))
                && !word.contains('…')
        };
        let told = words(text);
        let unknown = told.iter().filter(is_name).filter(|word| !known.contains(*word));
        unknown.map(|word| format!("nothing is called {word}")).collect()
    });
    assert_eq!(told, "");
}

/// The names of all properties in a schema, and the words of its lists.
fn names(schema: &Value, known: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                if key == "properties" {
                    known.extend(
                        value.as_object().into_iter().flatten().map(|(name, _)| name.clone()),
                    );
                }
                names(value, known);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| names(value, known)),
        Value::String(word) => {
            known.insert(word.clone());
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
