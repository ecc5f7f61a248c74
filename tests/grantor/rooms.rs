//! The rooms of the crate, from the ground up, as ARCHITECTURE.md lists them: none imports one above it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{ItemMod, ItemUse, Macro, Path as Names, UseTree};

use super::harness::{Source, sources};

/// Folders whose files are rooms of their own.
const HOUSES: [&str; 1] = ["control"];
/// Files that only say which rooms there are.
const DOORS: [&str; 3] = ["lib.rs", "main.rs", "control.rs"];

/// Everything that a file names by a path within the crate.
struct Imports {
    /// The module that the file is.
    module: Vec<String>,
    found: BTreeSet<String>,
}

impl Imports {
    fn of(path: &str, text: &str) -> BTreeSet<String> {
        let module = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        let mut imports = Self { module, found: BTreeSet::new() };
        imports.visit_file(&syn::parse_file(text).unwrap());
        imports.found
    }

    /// A path as it is written: within the crate where it begins with `crate`, `self` or `super`.
    fn take(&mut self, names: &[String]) {
        let Some(first) = names.first() else { return };
        let mut base = match first.as_str() {
            "crate" => Vec::new(),
            "self" | "super" => self.module.clone(),
            _ => return,
        };
        for name in names {
            match name.as_str() {
                "crate" | "self" => {}
                "super" => drop(base.pop()),
                name => base.push(name.to_owned()),
            }
        }
        self.found.extend(room_of(&base));
    }

    fn tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.tree(&with(&path.ident), &path.tree),
            UseTree::Name(name) => self.take(&with(&name.ident)),
            UseTree::Rename(name) => self.take(&with(&name.ident)),
            UseTree::Glob(_) => self.take(before),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(before, tree)),
        }
    }

    /// The paths in a macro's arguments, which are no syntax until it is expanded.
    fn tokens(&mut self, tokens: TokenStream) {
        let (mut names, mut is_behind) = (Vec::<String>::new(), false);
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    let name = name.to_string();
                    if ["crate", "self", "super"].contains(&&*name) && !is_behind {
                        self.take(&std::mem::take(&mut names));
                    }
                    names.push(name);
                    is_behind = false;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => is_behind = true,
                other => {
                    self.take(&std::mem::take(&mut names));
                    is_behind = false;
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.take(&names);
    }
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        let is_test = module.attrs.iter().any(|attribute| attribute.path().is_ident("cfg"));
        if !is_test {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast Names) {
        let names: Vec<_> = path.segments.iter().map(|part| part.ident.to_string()).collect();
        self.take(&names);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        self.tokens(called.tokens.clone());
        visit::visit_macro(self, called);
    }
}

/// The room that a module is in.
fn room_of(module: &[String]) -> Option<String> {
    let is_house = |name: &String| HOUSES.contains(&name.as_str());
    let name = if module.first().is_some_and(is_house) { module.get(1) } else { module.first() };
    name.cloned()
}

/// The rooms as ARCHITECTURE.md lists them, the lowest first.
fn listed() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let page = std::fs::read_to_string(page).unwrap();
    let table = page.split("\n## Rooms\n").nth(1).expect("a section of rooms");
    let table = table.split("\n## ").next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let rooms: Vec<_> = rows.filter_map(|row| Some(row.split_once('`')?.0.to_owned())).collect();
    rooms.into_iter().rev().collect()
}

/// Which rooms each room imports, and the files that do.
fn imports(sources: &[Source]) -> BTreeMap<(String, String), Vec<String>> {
    let mut arrows: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for Source { path, text } in sources.iter().filter(|one| !DOORS.contains(&one.path.as_str())) {
        let module: Vec<_> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        let own = room_of(&module).unwrap();
        for room in Imports::of(path, text).into_iter().filter(|room| *room != own) {
            arrows.entry((own.clone(), room)).or_default().push(path.clone());
        }
    }
    arrows
}

/// Every arrow that does not lead down, and every room that is not listed.
fn troubles(sources: &[Source], rooms: &[String]) -> Vec<String> {
    let floor = |room: &str| rooms.iter().position(|known| known == room);
    let trouble = |((from, to), files): ((String, String), Vec<String>)| {
        let files = files.join(", ");
        match (floor(&from), floor(&to)) {
            (Some(from), Some(to)) if from > to => None,
            (Some(_), Some(_)) => Some(format!("{from} imports {to}, which is above it: {files}")),
            _ => Some(format!("{from} imports {to}, and one is not listed: {files}")),
        }
    };
    imports(sources).into_iter().filter_map(trouble).collect()
}

/// Every file, tests and all: half a file is no syntax.
fn whole() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let whole = |Source { path, .. }: Source| {
        let text = std::fs::read_to_string(root.join(&path)).unwrap();
        Source { path, text }
    };
    sources().into_iter().map(whole).collect()
}

#[test]
fn no_room_imports_one_above_it() {
    let (sources, rooms) = (whole(), listed());
    let troubles = troubles(&sources, &rooms);
    assert!(troubles.is_empty(), "{}", troubles.join("\n"));
    let known: BTreeSet<_> = sources
        .iter()
        .filter(|source| !DOORS.contains(&source.path.as_str()))
        .filter_map(|source| {
            let path = source.path.trim_end_matches(".rs");
            room_of(&path.split('/').map(str::to_owned).collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(known, rooms.iter().cloned().collect(), "each room is listed once, and no other");
    println!("{} rooms, {} arrows", rooms.len(), imports(&sources).len());
}

/// A check that nothing can fail checks nothing: one forbidden import of each way of writing it.
#[test]
fn an_import_of_a_room_above_is_found() {
    let rooms = listed();
    for (path, text) in [
        ("draft.rs", "use crate::tools::Step;"),
        ("draft.rs", "use crate::{failure::Failure, tools::{Step, Plan}};"),
        ("control/guard.rs", "use super::ledger::Ledger;"),
        ("control/guard/facts.rs", "pub use super::super::ledger;"),
        ("control/guard.rs", "use crate::control::ledger::Ledger;"),
        ("vendors/dfns.rs", "fn f() { crate::desk::answer::g(); }"),
        ("vendors/dfns.rs", "fn f() -> crate::server::Handler { g() }"),
        ("vendors.rs", "fn f() { println!(\"{}\", crate::cli::paint::g(1)); }"),
        ("vendors.rs", "fn f() { format!(\"{}\", match crate::desk::x() { _ => 1 }); }"),
        ("outbound/wire.rs", "use super::super::vendors::Vendor as V;"),
        ("newly.rs", "use crate::text;"),
    ] {
        let source = Source { path: path.to_owned(), text: text.to_owned() };
        assert_eq!(troubles(&[source], &rooms).len(), 1, "{path}: {text}");
    }
    for (path, text) in [
        ("desk.rs", "use crate::tools::Step;"),
        ("control/ledger.rs", "use super::permit::Opened;"),
        ("control/ledger/journal.rs", "use super::chain::Keys; use self::tail::Tail;"),
        ("draft.rs", "use url::Url; // crate::desk"),
    ] {
        let source = Source { path: path.to_owned(), text: text.to_owned() };
        assert!(troubles(&[source], &rooms).is_empty(), "{path}: {text}");
    }
}

/// The files that ARCHITECTURE.md leads one call through: each is there, none comes twice, and they are few.
#[test]
fn one_call_is_read_in_at_most_forty_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let walk =
        text.split("## One call, top to bottom").nth(1).unwrap().split("\n## ").next().unwrap();
    let linked = walk.split("](src/").skip(1).filter_map(|rest| rest.split(')').next());
    let files: Vec<_> = linked.collect();
    let distinct: BTreeSet<_> = files.iter().collect();
    assert_eq!(distinct.len(), files.len(), "a file comes twice: {files:?}");
    assert!((20..=40).contains(&files.len()), "{} files", files.len());
    for file in files {
        assert!(root.join("src").join(file).is_file(), "{file}");
    }
}
