//! The built server as its users meet it: a child process over real pipes, five fake vendors on
//! loopback, and the vendors' journal to see what left.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a helper of a test fails as the test does, and prints what it has measured"
)]

/// Starts a server against a sandbox, calls its tools, and reads what it left behind.
#[path = "grantor/harness.rs"]
mod harness;

/// Stands between a server and a vendor, for what the sandbox cannot be made to do.
#[path = "grantor/proxy.rs"]
mod proxy;

/// Files that a reviewer reads, rewritten by one variable.
#[path = "grantor/golden.rs"]
mod golden;

/// One process for several who ask.
#[path = "grantor/requester.rs"]
mod requester;

/// All access there is, to hand on, and what came and went.
#[path = "grantor/review.rs"]
mod review;

/// Who may see and who may approve what another asked for.
#[path = "grantor/rights.rs"]
mod rights;

/// More people than anybody reads at once.
#[path = "grantor/crowd.rs"]
mod crowd;

/// Somebody with a browser, at the page of a server over HTTP.
#[path = "grantor/browser.rs"]
mod browser;

/// What a browser sends to the page, and what it must not be able to.
#[path = "grantor/page.rs"]
mod page;

/// A database of a test's own, for replicas.
#[cfg(unix)]
#[path = "grantor/database.rs"]
mod database;

/// The page of several replicas.
#[cfg(unix)]
#[path = "grantor/page_replicas.rs"]
mod page_replicas;

/// Keys of an issuer that is gone, by a clock that goes on.
#[path = "grantor/stale.rs"]
mod stale;

/// People as commands and tools name them.
#[path = "grantor/named.rs"]
mod named;

/// One request, answered in several ways at the same moment.
#[cfg(unix)]
#[path = "grantor/race.rs"]
mod race;

/// Questions as people ask them: which calls each takes, and what the answers cost.
#[path = "grantor/jobs.rs"]
mod jobs;

/// This program as a server of MCP clients, in homes that nobody lives in.
#[path = "grantor/install.rs"]
mod install;

/// What anybody at a terminal expects of a command.
#[path = "grantor/manners.rs"]
mod manners;

/// Every subcommand as it looks: to people, in a pipe, as data, and after a slip.
#[cfg(unix)]
#[path = "grantor/screens.rs"]
mod screens;

/// What people say, and the call that serves it.
#[path = "grantor/utterances.rs"]
mod utterances;

/// What one holds given to another, and all that somebody holds taken.
#[path = "grantor/copying.rs"]
mod copying;

/// What was asked for, refused and done: found by whom, by when and by where it stands.
#[path = "grantor/history.rs"]
mod history;

/// What leaves for each tool, byte for byte: a change of a vendor request is seen in review.
#[path = "grantor/requests.rs"]
mod requests;

/// What a client is told about each tool: a change of a schema is seen in review.
#[path = "grantor/schemas.rs"]
mod schemas;

/// What becomes of a write when something goes wrong with it: never a second blind one.
#[path = "grantor/writes.rs"]
mod writes;

/// The places where a vendor does something else than one would expect.
#[path = "grantor/traps.rs"]
mod traps;

/// What a change takes, what it leaves, and who may say so first.
#[path = "grantor/taking.rs"]
mod taking;

/// Rules over every tool at once, so that a new one cannot forget what the others do.
#[path = "grantor/catalogue.rs"]
mod catalogue;

/// Who may name whom: the architecture, read off the source.
#[path = "grantor/layers.rs"]
mod layers;

/// Which room imports which, read off the source.
#[path = "grantor/rooms.rs"]
mod rooms;

/// Everything that the program can say, read off the source and off the command line.
#[path = "grantor/messages.rs"]
mod messages;

/// What the README says of tools and variables is what there is.
#[path = "grantor/readme.rs"]
mod readme;

/// The ways to a secret that are written down are tried.
#[cfg(unix)]
#[path = "grantor/recipes.rs"]
mod recipes;

/// Two protocol eras from one binary, each exactly as its clients expect it.
#[path = "grantor/eras.rs"]
mod eras;

/// What a person starts from a client's menu: texts that lead to calls, and ask nobody.
#[path = "grantor/prompts.rs"]
mod prompts;

/// An upper bound that nothing loosens.
#[path = "grantor/read_only.rs"]
mod read_only;

/// What rules can speak of: what is declared, what is read, and what was before.
#[path = "grantor/facts.rs"]
mod facts;

/// Who may grant what: the rules that are handed out, and those that must not be used.
#[path = "grantor/policy.rs"]
mod policy;

/// One change judged three ways: by a call, as it is explained, and by Cedar alone.
#[path = "grantor/agreement.rs"]
mod agreement;

/// Rules that do not mean what they say, and what a server makes of them.
#[path = "grantor/misread.rs"]
mod misread;

/// Tables of decisions, and the policies and sentences that have one.
#[path = "grantor/policy_test.rs"]
mod policy_test;

/// What a model may get wrong: nothing leaves, and the message says what to mend.
#[path = "grantor/bad_input.rs"]
mod bad_input;

/// The same, made from the tools' own schemas: hundreds of them, and all that is wrong with each.
#[path = "grantor/malformed.rs"]
mod malformed;

/// Names as people read them: one way of saying them, and what tells two of one name apart.
#[path = "grantor/names.rs"]
mod names;

/// People across vendors: addresses, aliases, `me`, and names that are nearly right.
#[path = "grantor/people.rs"]
mod people;

/// Credentials: fetched once, renewed when they must be, sent to their vendor and shown to nobody.
#[path = "grantor/auth.rs"]
mod auth;

/// Nothing leaves that is not on disk.
#[path = "grantor/ledger.rs"]
mod ledger;

/// The command line, as scripts and people rely on it.
#[path = "grantor/cli.rs"]
mod cli;

/// After a change: where it stands, and taking it back.
#[path = "grantor/undo.rs"]
mod undo;

/// The line protocol under MCP: whatever is piped in, every line is answered or ignored on purpose.
#[path = "grantor/stdio.rs"]
mod stdio;

/// Looking: who has access, at every vendor at once, with every page.
#[path = "grantor/looking.rs"]
mod looking;

/// A client with a person behind it.
#[path = "grantor/person.rs"]
mod person;

/// A person says yes to exactly one thing, once; nothing else is a yes.
#[path = "grantor/consent.rs"]
mod consent;

/// What a resolved change says of itself, for the guard to judge.
#[path = "grantor/steps.rs"]
mod steps;

/// A program at a terminal, and somebody in front of it.
#[cfg(unix)]
#[path = "grantor/terminal.rs"]
mod terminal;

/// A person's consent, given apart from the call; and the ends of what was granted for a time.
#[cfg(unix)]
#[path = "grantor/requests_cli.rs"]
mod requests_cli;

/// Nobody changes what the ledger says, and the ledger stays quick.
#[path = "grantor/chain.rs"]
mod chain;

/// A process may die at any point of a change: what it left is found out, and nothing is repeated.
#[cfg(target_os = "linux")]
#[path = "grantor/crash.rs"]
mod crash;

/// What is seen of a call from outside: lines, traces, and nobody's name.
#[path = "grantor/observe.rs"]
mod observe;

/// What a collector gets, read off the wire.
#[cfg(feature = "otel")]
#[path = "grantor/otel.rs"]
mod otel;

/// Whatever goes wrong at a vendor, in every combination: one word, one write, nobody else's trouble.
#[path = "grantor/faults.rs"]
mod faults;

/// What a vendor writes is data, wherever it is shown, and never a word of ours.
#[path = "grantor/hostile.rs"]
mod hostile;

/// No credential, and nothing made of one, is shown or kept anywhere.
#[path = "grantor/secrets.rs"]
mod secrets;

/// What holds of any bytes at all, for proptest here and for the fuzzer in `fuzz/`.
#[path = "grantor/tried.rs"]
mod tried;

/// Bytes made up, and the cases of the fuzzer.
#[path = "grantor/garbage.rs"]
mod garbage;

/// More than a client should send, and less sense than it should have.
#[path = "grantor/flood.rs"]
mod flood;

/// How a server ends while it has work.
#[path = "grantor/ending.rs"]
mod ending;

/// TLS in front of the fake vendors, with HTTP/2 or without.
#[path = "grantor/front.rs"]
mod front;

/// What vendors offer over TLS is spoken, and a write over it is sent once.
#[path = "grantor/tls.rs"]
mod tls;

/// What looking leaves behind: nothing.
#[path = "grantor/traces.rs"]
mod traces;

/// What the doctor finds.
#[path = "grantor/doctor.rs"]
mod doctor;

/// Ends that the vendor's own approvers hold.
#[path = "grantor/held.rs"]
mod held;

/// What answers say of a change.
#[path = "grantor/said.rs"]
mod said;

#[cfg(unix)]
#[path = "grantor/yes.rs"]
mod yes;

/// What becomes of a yes in every state and way, under every damage to the ledger.
#[cfg(unix)]
#[path = "grantor/consent_table.rs"]
mod consent_table;

/// What a role contains when a person is asked about it.
#[cfg(unix)]
#[path = "grantor/contents.rs"]
mod contents;

/// Access that is held through user groups.
#[path = "grantor/groups.rs"]
mod groups;

/// Text, keys and settings as people and programs hand them in.
#[path = "grantor/handed.rs"]
mod handed;

/// Vendors whose reads lag behind their writes.
#[path = "grantor/lag.rs"]
mod lag;

/// Ends that overlap, ends that give, and ends that could not come.
#[cfg(unix)]
#[path = "grantor/ends.rs"]
mod ends;

/// A ledger that the first release wrote.
#[cfg(unix)]
#[path = "grantor/first_release.rs"]
mod first_release;

/// Several tenants of one vendor.
#[cfg(unix)]
#[path = "grantor/tenants.rs"]
mod tenants;

/// A ledger that is not the one it was: moved away, or sealed under another key.
#[cfg(unix)]
#[path = "grantor/other_ledger.rs"]
mod other_ledger;

/// What is no file where a file is expected.
#[cfg(unix)]
#[path = "grantor/pipes.rs"]
mod pipes;

/// What Dfns may answer where nothing is documented.
#[path = "grantor/unsaid_dfns.rs"]
mod unsaid_dfns;

/// What no vendor's document says, said otherwise.
#[path = "grantor/unsaid.rs"]
mod unsaid;

/// One call for many.
#[path = "grantor/many.rs"]
mod many;

/// A ledger that was damaged, and whoever reads it.
#[cfg(unix)]
#[path = "grantor/damage.rs"]
mod damage;

/// A yes that is carried out, left to others, or not kept.
#[cfg(unix)]
#[path = "grantor/left.rs"]
mod left;

/// A server that has much to do: what goes first, and what the end of it waits for.
#[cfg(unix)]
#[path = "grantor/busy.rs"]
mod busy;

/// What a command has changed, and nobody gets to read.
#[cfg(unix)]
#[path = "grantor/unheard.rs"]
mod unheard;

/// Processes that are killed at each change of a set.
#[cfg(unix)]
#[path = "grantor/sets_killed.rs"]
mod sets_killed;

/// What a yes to several changes is good for, and limits that they do not pass.
#[cfg(unix)]
#[path = "grantor/sets_agreed.rs"]
mod sets_agreed;

/// What people want done, in their words.
#[cfg(unix)]
#[path = "grantor/jobs_done.rs"]
mod jobs_done;

/// Several changes as one.
#[cfg(unix)]
#[path = "grantor/sets.rs"]
mod sets;

/// What an answer to a change costs a model.
#[path = "grantor/short.rs"]
mod short;

/// The commands that messages name work as they stand, wherever they are typed.
#[cfg(unix)]
#[path = "grantor/commands.rs"]
mod commands;

/// What packages and manifests say of this program.
#[path = "grantor/packaging.rs"]
mod packaging;

/// An issuer of tokens that a test makes, and a server over HTTP that trusts it.
#[path = "grantor/issuer.rs"]
mod issuer;

/// Who may call over HTTP, and what they are told who may not.
#[path = "grantor/http.rs"]
mod http;

/// How much may be asked for over HTTP.
#[path = "grantor/http_limits.rs"]
mod http_limits;

/// Sessions that nobody keeps, and scopes that issuers call otherwise.
#[path = "grantor/http_sessions.rs"]
mod http_sessions;

/// The way from a call over HTTP to the page where people approve.
#[path = "grantor/inbox.rs"]
mod inbox;

/// What callers see and do over HTTP, each apart from the others.
#[path = "grantor/http_callers.rs"]
mod http_callers;

/// Who is told what has happened.
#[path = "grantor/notices.rs"]
mod notices;

/// Who is told what has happened where something goes wrong on the way.
#[path = "grantor/notices_lost.rs"]
mod notices_lost;
