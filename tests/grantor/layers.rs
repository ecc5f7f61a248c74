use std::path::Path;

use super::harness::{Source, sources};

/// What no line of some files may hold.
struct Rule {
    name: &'static str,
    /// Beginnings of paths below `src`; none means every file.
    within: &'static [&'static str],
    /// Beginnings of paths that the rule leaves alone.
    except: &'static [&'static str],
    forbids: &'static [&'static str],
    /// What a line may hold all the same: taken out before the line is looked at.
    allows: &'static [&'static str],
    /// A file and a line that break the rule, to show that it can be broken.
    breaks: (&'static str, &'static str),
}

const PURE: [&str; 7] = [
    "access.rs",
    "draft.rs",
    "failure.rs",
    "control/guard",
    "control/intent.rs",
    "control/permit.rs",
    "text.rs",
];

const RULES: [Rule; 17] = [
    Rule {
        name: "only the MCP face names rmcp",
        within: &[],
        except: &["server.rs", "server/"],
        forbids: &["rmcp"],
        allows: &[],
        breaks: ("desk.rs", "use rmcp::model::Tool;"),
    },
    Rule {
        name: "only the wire names the HTTP client",
        within: &[],
        // The fakes' own tests have a client of their own.
        except: &["outbound/wire.rs", "sandbox/client.rs"],
        forbids: &["reqwest"],
        allows: &[],
        breaks: ("outbound/auth.rs", "    reqwest::get(url).await"),
    },
    Rule {
        name: "only who tells who a bearer is names the JWT library",
        within: &[],
        except: &["identity.rs", "identity/"],
        forbids: &["jsonwebtoken"],
        allows: &[],
        breaks: ("server/http.rs", "use jsonwebtoken::decode;"),
    },
    Rule {
        name: "only the index of the files names its database",
        within: &[],
        except: &["control/ledger/files/index"],
        forbids: &["rusqlite"],
        allows: &[],
        breaks: ("control/ledger/shelf.rs", "use rusqlite::Connection;"),
    },
    Rule {
        name: "only the ledger in a database names it",
        within: &[],
        except: &["control/ledger/postgres.rs", "control/ledger/postgres/"],
        forbids: &["tokio_postgres"],
        allows: &[],
        breaks: ("control/ledger/shelf.rs", "use tokio_postgres::Client;"),
    },
    Rule {
        name: "what is agreed to and what is due go by the ledger's clock",
        within: &["desk", "control", "notify"],
        // A folder's name.
        except: &["control/ledger/files/aside.rs"],
        forbids: &["Timestamp::now"],
        allows: &[],
        breaks: ("desk/maintenance.rs", "    let due = self.ledger.due(Timestamp::now()).await?;"),
    },
    Rule {
        name: "what lines mean knows nothing of where they are kept",
        within: &[
            "control/ledger/chain.rs",
            "control/ledger/channel.rs",
            "control/ledger/consent.rs",
            "control/ledger/follow.rs",
            "control/ledger/meaning.rs",
            "control/ledger/noted.rs",
            "control/ledger/past.rs",
            "control/ledger/record.rs",
            "control/ledger/request.rs",
            "control/ledger/standing.rs",
            "control/ledger/told.rs",
            "control/ledger/trail.rs",
            "control/ledger/unless.rs",
        ],
        except: &[],
        forbids: &[
            "files::",
            "shelf",
            "std::fs",
            "async ",
            ".await",
            "timestamp::now",
            "clock::now",
        ],
        allows: &[],
        breaks: ("control/ledger/trail.rs", "use super::files::Files;"),
    },
    Rule {
        name: "what decides does not wait",
        within: &PURE,
        except: &[],
        forbids: &["async ", "async{", ".await", "tokio", "futures"],
        allows: &[],
        breaks: ("control/guard.rs", "    pub async fn judge(&self) {"),
    },
    Rule {
        name: "what decides reads and writes nothing outside itself",
        within: &PURE,
        except: &[],
        forbids: &[
            "std::fs",
            "std::net",
            "std::process",
            "std::io",
            "Timestamp::now",
            "clock::now",
        ],
        allows: &[],
        breaks: ("draft.rs", "use std::fs::File;"),
    },
    Rule {
        name: "vendors are named at the edge alone",
        within: &[],
        except: &["vendors.rs", "vendors/", "tools.rs", "tools/", "sandbox.rs", "sandbox/"],
        forbids: &["outsystems", "dfns", "redox", "snaplogic", "centrasite", "harbor"],
        allows: &[],
        breaks: ("cli/doctor.rs", "    if name == \"Dfns\" {"),
    },
    Rule {
        name: "nothing calls up to the faces",
        within: &[],
        except: &["server.rs", "server/", "cli.rs", "cli/", "main.rs", "lib.rs"],
        forbids: &["crate::server", "crate::cli"],
        allows: &[],
        breaks: ("desk.rs", "use crate::cli::paint;"),
    },
    Rule {
        name: "nothing below the desk calls up to it",
        within: &[],
        except: &[
            "desk.rs",
            "desk/",
            "page.rs",
            "page/",
            "server.rs",
            "server/",
            "cli.rs",
            "cli/",
            "lib.rs",
        ],
        forbids: &["crate::desk"],
        allows: &[],
        breaks: ("tools/list_roles.rs", "use crate::desk::Desk;"),
    },
    Rule {
        name: "a vendor knows nothing of tools and of the road",
        within: &["vendors.rs", "vendors/", "outbound.rs", "outbound/"],
        except: &[],
        forbids: &[
            "crate::tools",
            "crate::guard",
            "crate::ledger",
            "crate::intent",
            "control::guard",
            "control::ledger",
            "control::intent",
            "crate::catalogue",
        ],
        allows: &[],
        breaks: ("vendors/dfns.rs", "use crate::tools::Spec;"),
    },
    Rule {
        name: "a tool does not judge, record or send",
        within: &["tools.rs", "tools/"],
        except: &[],
        forbids: &[
            "crate::guard",
            "control::guard",
            "Permitted",
            "Opened",
            "outbound::write",
            "outbound::read",
        ],
        allows: &[],
        breaks: (
            "tools/assign_permission.rs",
            "    outbound::write(account, wire, &opened, left).await",
        ),
    },
    Rule {
        name: "the fakes are written from the vendors' documents, not from what calls them",
        within: &["sandbox.rs", "sandbox/"],
        except: &[],
        forbids: &["crate::"],
        allows: &["crate::owner_only"],
        breaks: ("sandbox/dfns.rs", "use crate::vendors::dfns::ASSIGN;"),
    },
    Rule {
        name: "settings come through `settings`, so that every mistake is named",
        within: &[],
        except: &["settings.rs", "outbound/network.rs"],
        forbids: &["std::env::", "env::var"],
        allows: &["std::env::current_exe", "std::env::temp_dir"],
        breaks: ("control/ledger.rs", "    let dir = std::env::var(\"HOME\");"),
    },
    Rule {
        name: "nothing is left to be done later",
        within: &[],
        except: &[],
        forbids: &["todo", "fixme", "xxx"],
        allows: &[],
        breaks: ("text.rs", "    // TODO: and emoji?"),
    },
];

/// Lines a file may have besides its tests, so that it can be read in one sitting.
const LONGEST: usize = 480;
/// A fake is one vendor's documents in one place.
const LONGEST_FAKE: usize = 600;

impl Rule {
    fn covers(&self, path: &str) -> bool {
        let among = |starts: &[&str]| starts.iter().any(|start| path.starts_with(start));
        (self.within.is_empty() || among(self.within)) && !among(self.except)
    }

    /// What the line holds that it may not, letter case aside.
    fn finds(&self, line: &str) -> Option<&'static str> {
        let kept =
            self.allows.iter().fold(line.to_owned(), |line, allowed| line.replace(allowed, ""));
        let kept = kept.to_lowercase();
        self.forbids.iter().find(|word| kept.contains(&word.to_lowercase())).copied()
    }
}

#[test]
fn every_rule_of_the_architecture_is_kept() {
    let mut troubles = Vec::new();
    for Source { path, text } in sources() {
        for rule in RULES.iter().filter(|rule| rule.covers(&path)) {
            for (number, line) in (1..).zip(text.lines()) {
                if let Some(word) = rule.finds(line) {
                    let Rule { name, .. } = rule;
                    troubles.push(format!("src/{path}:{number} holds {word:?}: {name}"));
                }
            }
        }
    }
    assert!(troubles.is_empty(), "{}", troubles.join("\n"));
}

/// A rule that nothing can break guards nothing.
#[test]
fn every_rule_can_be_broken() {
    let paths: Vec<String> = sources().into_iter().map(|source| source.path).collect();
    for rule in &RULES {
        let (path, line) = rule.breaks;
        assert!(paths.iter().any(|known| known == path), "{}: there is no {path}", rule.name);
        assert!(rule.covers(path) && rule.finds(line).is_some(), "{}", rule.name);
        for start in rule.within.iter().chain(rule.except) {
            let known = paths.iter().any(|path| path.starts_with(start));
            let later = ["server/", "guard"].contains(start);
            assert!(known || later, "{}: there is no {start}", rule.name);
        }
    }
}

#[test]
fn every_file_can_be_read_in_one_sitting() {
    for Source { path, text } in sources() {
        let longest = if path.starts_with("sandbox/") { LONGEST_FAKE } else { LONGEST };
        let lines = text.lines().count();
        assert!(lines <= longest, "src/{path} has {lines} lines besides its tests");
    }
}

/// Files beside folders of their name, never `mod.rs`.
#[test]
fn modules_are_files_of_their_name() {
    for Source { path, .. } in sources() {
        assert_ne!(Path::new(&path).file_name().unwrap(), "mod.rs", "src/{path}");
    }
}
