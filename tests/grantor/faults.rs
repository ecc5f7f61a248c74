use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use grantor::sandbox::{FaultKind, Modes, Seen};
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use rmcp::model::CallToolResult;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::harness::{Raw, Server, World, parsed, status, status_after};
use super::writes::{GRANTS, Grant, NOBODY};

/// One thing to go wrong at a vendor, and what becomes of whoever meets it.
struct Case {
    name: &'static str,
    write: Option<Write>,
    look: Option<Look>,
    /// It takes long, or leaves its mark on the vendor: each vendor has a server of its own.
    apart: bool,
}

/// What a write meets, attempt after attempt, and what becomes of it after how many requests.
/// One attempt more than that would meet nothing, and succeed.
struct Write {
    faults: fn(&Grant) -> Vec<FaultKind>,
    outcome: fn(&Grant) -> &'static str,
    sent: usize,
}

/// What the reads of a vendor meet, how many of them, and the problem that is told.
struct Look {
    fault: fn(&str) -> FaultKind,
    times: usize,
    problem: fn(&str) -> Option<&'static str>,
}

/// One line of the table.
#[derive(Clone)]
struct Cell {
    vendor: &'static str,
    tool: &'static str,
    fault: &'static str,
    found: String,
    sent: usize,
    /// Writes that followed one which may have been carried out.
    duplicates: usize,
    hangs: bool,
    /// What is not as it should be.
    wrong: Option<String>,
}

/// More faults than the reads of a call can meet.
const ALWAYS: usize = 400;
/// Longer than a call may take, also where many others are under way: only a hang gets there.
const PATIENCE: Duration = Duration::from_secs(150);
/// Longer than an attempt may take.
const SILENCE: Duration = Duration::from_secs(25);
/// Lanes that are under way at the same time: most of a lane is waiting.
const LANES: usize = 16;

const VENDORS: [&str; 5] = ["outsystems", "dfns", "redox", "snaplogic", "centrasite"];

/// Vendors that are in trouble at the same time: the others show that their rows remain.
const GROUPS: [&[&str]; 2] = [&["outsystems", "redox", "centrasite"], &["dfns", "snaplogic"]];

const LOOKS: [(&str, &str); 4] = [
    ("list_roles", r#"{"limit": 500}"#),
    ("find_principals", r#"{"query": "a", "limit": 500}"#),
    ("find_resources", r#"{"limit": 500}"#),
    ("list_access", r#"{"principal": "alex.kim@example.com", "limit": 500}"#),
];

/// Part of a message that a vendor may want to play tricks with.
const TRICKS: &str = "not \u{1b}[31mallowed\u{202e} here";

const HOURS: SignedDuration = SignedDuration::from_hours(5);

#[expect(clippy::too_many_lines, reason = "it is a table")]
fn cases() -> Vec<Case> {
    vec![
        // The vendor did nothing with it, and says so.
        apart("429")
            .write(|_| vec![bare(429); 4], "unavailable", 4)
            .always(bare_429, "rate_limited"),
        case("429 once").write(|_| vec![bare(429)], "confirmed", 2).once(bare_429),
        case("429 twice").write(|_| vec![status_after(429, "0"); 2], "confirmed", 3),
        case("429 always, Retry-After: 0")
            .write(|_| vec![status_after(429, "0"); 4], "unavailable", 4)
            .always(|_| status_after(429, "0"), "rate_limited"),
        case("429, Retry-After: 1")
            .write(|_| vec![status_after(429, "1")], "confirmed", 2)
            .once(|_| status_after(429, "1")),
        apart("429, Retry-After: 120")
            .write(|_| vec![status_after(429, "120")], "unavailable", 1)
            .always(|_| status_after(429, "120"), "rate_limited"),
        case("429, Retry-After: a date")
            .write(|_| vec![dated(429, SignedDuration::ZERO, 1)], "confirmed", 2)
            .once(|_| dated(429, SignedDuration::ZERO, 1)),
        case("429, a date by a clock ahead")
            .write(|_| vec![dated(429, HOURS, 1)], "confirmed", 2)
            .once(|_| dated(429, HOURS, 1)),
        apart("429, a far date by a clock behind")
            .write(|_| vec![dated(429, -HOURS, 600)], "unavailable", 1)
            .always(|_| dated(429, -HOURS, 600), "rate_limited"),
        // The credential.
        case("token expired").write(|_| vec![status(401)], "confirmed", 2).once(|_| status(401)),
        case("token revoked")
            .write(|_| vec![status(401); 2], "rejected", 2)
            .always(|_| status(401), "not_permitted"),
        case("token refused by a clock ahead")
            .write(|_| vec![dated(401, HOURS, 1); 2], "rejected", 2)
            .always(|_| dated(401, HOURS, 1), "not_permitted"),
        // No.
        case("400").write(|_| vec![status(400)], "rejected", 1),
        case("403 with a message that plays tricks")
            .write(|_| vec![tricks()], "rejected", 1)
            .always(|_| tricks(), "not_permitted"),
        case("404").write(|_| vec![status(404)], "rejected", 1),
        case("409").write(|_| vec![status(409)], "rejected", 1),
        case("422").write(|_| vec![status(422)], "rejected", 1),
        case("redirect to another host")
            .write(|_| vec![redirect()], "rejected", 1)
            .always(|_| redirect(), "unavailable"),
        case("success: false under 200")
            .write_by(|grant| vec![no_under_200(grant.vendor)], no_heard, 1)
            .always_by(no_under_200, |vendor| match vendor {
                "snaplogic" => Some("not_permitted"),
                _ => Some("garbled"),
            }),
        // Its fate is unclear, and it was not applied.
        apart("500")
            .write(|_| vec![status(500)], "unknown", 1)
            .always(|_| status(500), "unavailable"),
        apart("502 with a page")
            .write(|_| vec![page(502)], "unknown", 1)
            .always(|_| page(502), "unavailable"),
        case("503, Retry-After: 0")
            .write(|_| vec![status_after(503, "0")], "unknown", 1)
            .always(|_| status_after(503, "0"), "unavailable"),
        apart("reset before the reply")
            .write(|_| vec![FaultKind::DropBefore], "unknown", 1)
            .always(|_| FaultKind::DropBefore, "unavailable"),
        apart("stall past the timeout")
            .write(|_| vec![FaultKind::Stall(SILENCE)], "unknown", 1)
            .always(|_| FaultKind::Stall(SILENCE), "unavailable"),
        case("a page under 200, not applied").write(|_| vec![page(200)], "unknown", 1),
        case("deep JSON, not applied").write(
            |_| vec![said(200, "[".repeat(100_000))],
            "unknown",
            1,
        ),
        case("202, not applied").write(|_| vec![said(202, "{}")], "unknown", 1),
        case("206, not applied").write(|_| vec![said(206, "{}")], "unknown", 1),
        // It was applied, and the answer was lost, spoilt or odd: reading back finds it.
        apart("reset after it was applied").write(|_| vec![FaultKind::DropAfter], "confirmed", 1),
        apart("stall after it was applied").write(
            |_| vec![FaultKind::StallAfter(SILENCE)],
            "confirmed",
            1,
        ),
        apart("truncated body")
            .write(|_| vec![FaultKind::Truncate], "confirmed", 1)
            .always(|_| FaultKind::Truncate, "unavailable"),
        case("a page under 200")
            .write(|_| vec![FaultKind::Garble], "confirmed", 1)
            .always(|_| FaultKind::Garble, "garbled"),
        case("JSON called text/plain")
            .write(|_| vec![plain()], "confirmed", 1)
            .always_by(|_| plain(), |_| None),
        case("64 MiB body")
            .write(|_| vec![FaultKind::Flood(64)], "confirmed", 1)
            .always(|_| FaultKind::Flood(64), "garbled"),
        case("deep JSON")
            .write(|_| vec![altered(None, Some(deep()))], "confirmed", 1)
            .always(|_| altered(None, Some(deep())), "garbled"),
        case("202 where none is documented")
            .write(|_| vec![altered(Some(202), None)], "confirmed", 1)
            .always(|_| altered(Some(202), None), "garbled"),
        case("206 where none is documented")
            .write(|_| vec![altered(Some(206), None)], "confirmed", 1)
            .always(|_| altered(Some(206), None), "garbled"),
        case("200 for 201 and 201 for 200")
            .write_by(|grant| vec![altered(Some(other_yes(grant)), None)], |_| "confirmed", 1)
            .always_by(|_| altered(Some(201), None), |_| None),
        // From something on the way that stopped waiting.
        case("408 after it was applied").write(|_| vec![altered(Some(408), None)], "confirmed", 1),
        case("425 after it was applied").write(|_| vec![altered(Some(425), None)], "confirmed", 1),
        case("499 after it was applied").write(|_| vec![altered(Some(499), None)], "confirmed", 1),
        case("408, not applied").write(|_| vec![status(408)], "unknown", 1),
        case("303, not applied").write(|_| vec![status(303)], "unknown", 1),
        case("empty body")
            .write(|_| vec![altered(None, Some(String::new()))], "confirmed", 1)
            .always(|_| altered(None, Some(String::new())), "garbled"),
    ]
}

fn case(name: &'static str) -> Case {
    Case { name, write: None, look: None, apart: false }
}

fn apart(name: &'static str) -> Case {
    Case { apart: true, ..case(name) }
}

impl Case {
    fn write(
        self,
        faults: fn(&Grant) -> Vec<FaultKind>,
        outcome: &'static str,
        sent: usize,
    ) -> Self {
        let outcome = match outcome {
            "confirmed" => |_: &Grant| "confirmed",
            "unknown" => |_: &Grant| "unknown",
            "rejected" => |_: &Grant| "rejected",
            "unavailable" => |_: &Grant| "unavailable",
            other => panic!("{other}"),
        };
        self.write_by(faults, outcome, sent)
    }

    fn write_by(
        self,
        faults: fn(&Grant) -> Vec<FaultKind>,
        outcome: fn(&Grant) -> &'static str,
        sent: usize,
    ) -> Self {
        Self { write: Some(Write { faults, outcome, sent }), ..self }
    }

    /// One read meets it, and nothing is to be seen of it.
    fn once(self, fault: fn(&str) -> FaultKind) -> Self {
        Self { look: Some(Look { fault, times: 1, problem: |_| None }), ..self }
    }

    fn always(self, fault: fn(&str) -> FaultKind, problem: &'static str) -> Self {
        let problem = match problem {
            "not_permitted" => |_: &str| Some("not_permitted"),
            "unavailable" => |_: &str| Some("unavailable"),
            "rate_limited" => |_: &str| Some("rate_limited"),
            "garbled" => |_: &str| Some("garbled"),
            other => panic!("{other}"),
        };
        self.always_by(fault, problem)
    }

    fn always_by(
        self,
        fault: fn(&str) -> FaultKind,
        problem: fn(&str) -> Option<&'static str>,
    ) -> Self {
        Self { look: Some(Look { fault, times: ALWAYS, problem }), ..self }
    }
}

fn bare(status: u16) -> FaultKind {
    said(status, "")
}

fn bare_429(_: &str) -> FaultKind {
    bare(429)
}

fn said(status: u16, body: impl Into<String>) -> FaultKind {
    FaultKind::Status { status, headers: Vec::new(), body: body.into() }
}

fn page(status: u16) -> FaultKind {
    let headers = vec![("content-type", "text/html".to_owned())];
    FaultKind::Status { status, headers, body: "<html><h1>Bad gateway</h1></html>".to_owned() }
}

fn redirect() -> FaultKind {
    let headers = vec![("location", "http://127.0.0.1:1/elsewhere".to_owned())];
    FaultKind::Status { status: 307, headers, body: String::new() }
}

/// By a clock that is `ahead` of this machine's, with a time to wait by the same clock.
fn dated(status: u16, ahead: SignedDuration, seconds: i64) -> FaultKind {
    let date = |time| DateTimePrinter::new().timestamp_to_rfc9110_string(&time).unwrap();
    let now = Timestamp::now() + ahead;
    let after = now + SignedDuration::from_secs(seconds);
    let headers = vec![("date", date(now)), ("retry-after", date(after))];
    FaultKind::Status { status, headers, body: r#"{"message": "expired"}"#.to_owned() }
}

fn tricks() -> FaultKind {
    let message = format!("{TRICKS} {}", "x".repeat(5_000));
    said(403, json!({ "message": message, "error": { "message": message } }).to_string())
}

fn plain() -> FaultKind {
    let headers = vec![("content-type", "text/plain".to_owned())];
    FaultKind::Alter { status: None, headers, body: None }
}

fn altered(status: Option<u16>, body: Option<String>) -> FaultKind {
    FaultKind::Alter { status, headers: Vec::new(), body }
}

fn deep() -> String {
    format!("{}{}", "[".repeat(500_000), "]".repeat(500_000))
}

/// A plain yes that this call does not document.
fn other_yes(grant: &Grant) -> u16 {
    if grant.tool == "grant_asset_role" { 200 } else { 201 }
}

/// A no in the vendor's own words, under 200.
fn no_under_200(vendor: &str) -> FaultKind {
    let body = match vendor {
        "redox" => json!({ "payload": { "success": false, "message": "no" } }),
        "snaplogic" => {
            json!({ "response_map": { "error_list": [{ "message": "no" }] }, "http_status_code": 403 })
        }
        _ => json!({ "success": false }),
    };
    said(200, body.to_string())
}

/// Only two vendors have such a no; from the others it is an answer without meaning, and where
/// none is documented the status alone counts: a yes that does not show yet.
fn no_heard(grant: &Grant) -> &'static str {
    match (grant.vendor, grant.tool) {
        ("redox" | "snaplogic", _) => "rejected",
        ("outsystems", _) | (_, "revoke_permission") => "unconfirmed",
        _ => "unknown",
    }
}

/// Every fault at every vendor, for every change and every look: the word, the number of writes
/// that were sent, and the other vendors' rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn every_fault_at_every_vendor_has_one_word_and_no_second_write() {
    let usual = usual().await;
    let cases = cases();
    let lanes = cases.iter().flat_map(|case| lanes(case, &usual));
    // What takes longest begins first.
    let (slow, fast): (Vec<_>, Vec<_>) = lanes.partition(|lane| lane.case.apart);
    let lanes = slow.into_iter().chain(fast).map(Lane::run);
    let running = futures_util::stream::iter(lanes).buffer_unordered(LANES).collect::<Vec<_>>();
    let (cells, refused, untrusted) = tokio::join!(running, refused(), untrusted());
    let mut cells = cells.concat();
    cells.extend(refused);
    cells.extend(untrusted);
    report(cells);
}

/// Prints the table, and fails where a cell is not as it should be.
#[expect(clippy::print_stdout, reason = "the table is for who runs the test to read")]
fn report(mut cells: Vec<Cell>) {
    cells.sort_by_key(|cell| (cell.vendor, cell.tool, cell.fault));
    for Cell { vendor, tool, fault, found, sent, wrong, .. } in &cells {
        let wrong = wrong.as_deref().map(|wrong| format!("  WRONG: {wrong}")).unwrap_or_default();
        println!("{vendor:10}  {tool:24}  {fault:36}  {found:16}  {sent}{wrong}");
    }
    let duplicates: usize = cells.iter().map(|cell| cell.duplicates).sum();
    let hangs = cells.iter().filter(|cell| cell.hangs).count();
    let wrong: Vec<_> = cells.iter().filter(|cell| cell.wrong.is_some()).collect();
    println!(
        "{} cells, {duplicates} duplicate writes, {hangs} hangs, {} wrong words",
        cells.len(),
        wrong.len()
    );
    let told = wrong.iter().map(|cell| {
        let wrong = cell.wrong.as_deref().unwrap_or_default();
        format!(
            "{} ({}), {}: {} after {}: {wrong}",
            cell.tool, cell.vendor, cell.fault, cell.found, cell.sent
        )
    });
    let told = told.collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty() && duplicates == 0 && hangs == 0, "{told}");
    assert!(cells.len() > 600, "{} cells are too few to mean every vendor and tool", cells.len());
}

/// Cells that share a server, one group after the other; those of a group at the same time.
struct Lane<'a> {
    case: &'a Case,
    usual: &'a Usual,
    grants: Vec<&'static Grant>,
    looks: Vec<&'static [&'static str]>,
}

fn lanes<'a>(case: &'a Case, usual: &'a Usual) -> Vec<Lane<'a>> {
    let lane = |grants, looks| Lane { case, usual, grants, looks };
    let mut lanes = Vec::new();
    let all = GRANTS.iter().collect::<Vec<_>>();
    match &case.write {
        // The pause that a vendor asks for is all calls': one grant at each vendor at a time.
        Some(write) if case.apart && (write.faults)(&GRANTS[0]).iter().any(pauses) => {
            let nth = |grant: &Grant| {
                let own = all.iter().filter(|other| other.vendor == grant.vendor);
                own.take_while(|other| !std::ptr::eq(**other, grant)).count()
            };
            let some = |n| all.iter().copied().filter(|grant| nth(grant) == n).collect::<Vec<_>>();
            lanes.extend(
                (0..).map(some).take_while(|some| !some.is_empty()).map(|some| lane(some, vec![])),
            );
        }
        Some(_) => lanes.push(lane(all, vec![])),
        None => {}
    }
    match (&case.look, lanes.first_mut()) {
        (Some(_), _) if case.apart => {
            lanes.extend(GROUPS.iter().map(|group| lane(vec![], vec![*group])));
        }
        (Some(_), Some(first)) => first.looks = GROUPS.to_vec(),
        (Some(_), None) => lanes.push(lane(vec![], GROUPS.to_vec())),
        (None, _) => {}
    }
    lanes
}

fn pauses(fault: &FaultKind) -> bool {
    matches!(fault, FaultKind::Status { status: 429, headers, .. } if !headers.is_empty())
}

impl Lane<'_> {
    async fn run(self) -> Vec<Cell> {
        let world = all_listed().await;
        let server = world.serve().await;
        // The credentials are there: what is met is met by the reads and writes themselves.
        called(&server, "list_roles", "{}").await;
        let grants = self.grants.iter().map(|grant| self.grant(&world, &server, grant));
        let mut cells = join_all(grants).await;
        world.sandbox.calm();
        world.sandbox.reset().unwrap();
        for group in &self.looks {
            cells.extend(self.look_at(&world, &server, group).await);
        }
        cells
    }

    async fn look_at(
        &self,
        world: &World,
        server: &Server,
        group: &'static [&'static str],
    ) -> Vec<Cell> {
        let Some(Look { fault, times, problem }) = &self.case.look else { return Vec::new() };
        let inject = |vendor: &&'static str| {
            (0..*times).for_each(|_| world.inject(vendor, "GET", "/", fault(vendor)));
        };
        let looks = LOOKS.iter().zip(&self.usual.0);
        let look = |(look, usual)| self.look(server, look, usual, group, *problem);
        if *times == ALWAYS {
            group.iter().for_each(inject);
            let cells = join_all(looks.map(look)).await.concat();
            world.sandbox.calm();
            return cells;
        }
        let mut cells = Vec::new();
        for one in looks {
            // Each is to meet it.
            group.iter().for_each(inject);
            cells.extend(look(one).await);
            world.sandbox.calm();
        }
        cells
    }

    async fn grant(&self, world: &World, server: &Server, grant: &'static Grant) -> Cell {
        let Some(write) = &self.case.write else { panic!("{}", self.case.name) };
        for fault in (write.faults)(grant) {
            world.inject(grant.vendor, grant.method, grant.path, fault);
        }
        let answer = called(server, grant.tool, grant.arguments).await;
        let sent = world.writes().into_iter().filter(|seen| {
            seen.vendor == grant.vendor
                && seen.method == grant.method
                && seen.path.contains(grant.path)
        });
        let sent: Vec<Seen> = sent.collect();
        let mut cell = Cell::of(grant, self.case.name, &answer, &sent);
        if cell.found != (write.outcome)(grant) || sent.len() != write.sent {
            let (wanted, times) = ((write.outcome)(grant), write.sent);
            cell.doubt(format!("wanted {wanted} after {times}: {}", shown(&answer)));
        }
        cell.check_words(self.case, &answer);
        if let Some(answer) = &answer {
            cell.check_ledger(&world.ledger(), answer);
        }
        cell
    }

    /// One look while a group of vendors is in trouble: a cell for each that is asked.
    async fn look(
        &self,
        server: &Server,
        (tool, arguments): &'static (&'static str, &'static str),
        usual: &Found,
        group: &'static [&'static str],
        problem: fn(&str) -> Option<&'static str>,
    ) -> Vec<Cell> {
        if *tool == "list_roles" {
            // Looks at roles within a second share one answer.
            tokio::time::sleep(Duration::from_millis(1_100)).await;
        }
        let answer = called(server, tool, arguments).await;
        let found = answer.as_ref().map(Found::of).unwrap_or_default();
        let is_usual = |vendor: &&&str| {
            found.count(vendor) == usual.count(vendor)
                && found.problem(vendor) == usual.problem(vendor)
        };
        let others = VENDORS.iter().filter(|vendor| !group.contains(vendor));
        let unusual: Vec<_> = others.filter(|vendor| !is_usual(vendor)).collect();
        let asked = group.iter().filter(|vendor| usual.asked.contains(*vendor));
        let cells = asked.map(|vendor| {
            let told = found.problem(vendor);
            let right = match problem(vendor) {
                None => is_usual(&vendor),
                word => told.as_deref() == word && found.count(vendor) == 0,
            };
            let mut cell = Cell {
                vendor,
                tool,
                fault: self.case.name,
                found: told.unwrap_or_else(|| "rows".to_owned()),
                sent: 0,
                duplicates: 0,
                hangs: answer.is_none(),
                wrong: None,
            };
            if !right {
                let (count, wanted) = (found.count(vendor), problem(vendor));
                cell.doubt(format!("{count} rows, wanted {wanted:?}: {}", shown(&answer)));
            }
            if !unusual.is_empty() {
                cell.doubt(format!("{unusual:?} are not as usual: {}", shown(&answer)));
            }
            cell.check_words(self.case, &answer);
            cell
        });
        cells.collect()
    }
}

impl Cell {
    fn of(
        grant: &'static Grant,
        fault: &'static str,
        answer: &Option<Value>,
        sent: &[Seen],
    ) -> Self {
        let word = answer.as_ref().and_then(|answer| answer["outcome"].as_str());
        // Only these two say that the vendor did nothing with it.
        let again = sent.iter().rev().skip(1).filter(|seen| !matches!(seen.status, 401 | 429));
        Self {
            vendor: grant.vendor,
            tool: grant.tool,
            fault,
            found: word.unwrap_or("no answer").to_owned(),
            sent: sent.len(),
            duplicates: again.count(),
            hangs: answer.is_none(),
            wrong: None,
        }
    }

    fn doubt(&mut self, trouble: String) {
        let wrong = self.wrong.take();
        self.wrong = Some(wrong.map_or(trouble.clone(), |wrong| format!("{wrong}; {trouble}")));
    }

    /// What a vendor or a proxy wrote is shown tamed, and the trouble is named.
    fn check_words(&mut self, case: &Case, answer: &Option<Value>) {
        let Some(answer) = answer else { return };
        let text = shown_whole(answer);
        if text.contains("<html") || text.contains("<h1>") {
            self.doubt("a page is shown raw".to_owned());
        }
        if text.contains(['\u{1b}', '\u{202e}', '\n']) || text.contains(&"x".repeat(600)) {
            self.doubt("a vendor's message is shown raw".to_owned());
        }
        if case.name.contains("tricks") && !text.contains("not [31mallowed here xxx") {
            self.doubt(format!("the vendor's message is missing: {text}"));
        }
        let skewed = case.name.contains("refused by a clock");
        if skewed && !text.contains("this machine's clock is 1") {
            self.doubt(format!("the clock is not named: {text}"));
        }
    }

    /// However often it was sent, the ledger has one change: opened before, closed with the
    /// outcome.
    fn check_ledger(&mut self, ledger: &[Value], answer: &Value) {
        let receipt = &answer["receipt"];
        let own: Vec<_> = ledger.iter().filter(|line| line["receipt"] == *receipt).collect();
        let right = match own.as_slice() {
            [open, close] => {
                open["event"] == "open"
                    && close["event"] == "close"
                    && close["outcome"] == answer["outcome"]
                    && answer.get("request").is_none_or(|request| open["request"] == *request)
            }
            _ => false,
        };
        if !right {
            self.doubt(format!("the ledger says {own:?}"));
        }
    }
}

/// The answer's body, or nothing where none comes.
async fn called(server: &Server, tool: &str, arguments: &str) -> Option<Value> {
    let call = server.ask(tool, parsed(arguments));
    let result: Result<CallToolResult, _> = tokio::time::timeout(PATIENCE, call).await.ok()?;
    Some(result.unwrap().structured_content.expect("structured content"))
}

fn shown(answer: &Option<Value>) -> String {
    answer.as_ref().map_or_else(
        || "no answer".to_owned(),
        |answer| {
            let told = [&answer["summary"], &answer["hint"], &answer["problems"]];
            told.map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned))
                .join(" / ")
        },
    )
}

/// Every text of an answer, one after the other.
fn shown_whole(answer: &Value) -> String {
    match answer {
        Value::String(text) => format!("{text} | "),
        Value::Array(items) => items.iter().map(shown_whole).collect(),
        Value::Object(fields) => fields.values().map(shown_whole).collect(),
        _ => String::new(),
    }
}

/// What each look brings when nothing goes wrong.
struct Usual(Vec<Found>);

/// What a look brought: rows and problems by vendor, and the vendors that were sent a request.
#[derive(Debug, Default)]
struct Found {
    rows: BTreeMap<String, usize>,
    problems: BTreeMap<String, String>,
    asked: BTreeSet<&'static str>,
}

impl Found {
    fn of(answer: &Value) -> Self {
        let mut found = Self::default();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        for row in answer["rows"].as_array().into_iter().flatten() {
            *found.rows.entry(text(&row["vendor"])).or_default() += 1;
        }
        for problem in answer["problems"].as_array().into_iter().flatten() {
            found.problems.insert(text(&problem["vendor"]), text(&problem["kind"]));
        }
        found
    }

    fn count(&self, vendor: &str) -> usize {
        self.rows.get(vendor).copied().unwrap_or_default()
    }

    fn problem(&self, vendor: &str) -> Option<String> {
        self.problems.get(vendor).cloned()
    }
}

/// A world where as much is listed as can be.
async fn all_listed() -> World {
    World::new().await.set("SNAPLOGIC_INTERNAL_READS", "1")
}

async fn usual() -> Usual {
    let world = all_listed().await;
    let server = world.serve().await;
    let mut usual = Vec::new();
    for (tool, arguments) in LOOKS {
        let before = world.sandbox.journal().len();
        let answer = called(&server, tool, arguments).await.unwrap();
        let journal = world.sandbox.journal();
        let asked = journal[before..].iter().filter(|seen| seen.method == "GET" && !is_token(seen));
        let asked = asked.map(|seen| seen.vendor).collect();
        usual.push(Found { asked, ..Found::of(&answer) });
    }
    Usual(usual)
}

fn is_token(seen: &Seen) -> bool {
    seen.path.ends_with("/openid-configuration")
}

/// Nothing listens where the vendor should be.
async fn refused() -> Vec<Cell> {
    elsewhere("connection refused", NOBODY, "").await
}

/// Somebody listens who cannot prove to be the vendor.
async fn untrusted() -> Vec<Cell> {
    let impostor = Impostor::start().await;
    let cells = elsewhere("TLS failure", &impostor.url, "certificate").await;
    assert!(impostor.met.load(SeqCst) > cells.len(), "each was tried");
    assert_eq!(impostor.trusted.load(SeqCst), 0, "nothing is said to whom nobody vouches for");
    cells
}

/// A vendor whose address leads nowhere good: every change and every look. `told` is named.
async fn elsewhere(name: &'static str, url: &str, told: &str) -> Vec<Cell> {
    let case = case(name);
    let usual = usual().await;
    let (case, usual) = (&case, &usual);
    let groups = GROUPS.iter().map(|group| async move {
        let of_group = |grant: &&Grant| group.contains(&grant.vendor);
        let grants: Vec<_> = GRANTS.iter().filter(of_group).collect();
        let world = all_listed().await;
        let world = grants.iter().fold(world, |world, grant| world.set(grant.variable, url));
        let server = &world.serve().await;
        let lane = Lane { case, usual, grants: vec![], looks: vec![] };
        let writes = grants.into_iter().map(|grant| async move {
            let answer = called(server, grant.tool, grant.arguments).await;
            let mut cell = Cell::of(grant, name, &answer, &[]);
            let words = shown(&answer);
            if cell.found != "unavailable" || !words.contains(told) {
                cell.doubt(format!("wanted unavailable and {told:?}: {words}"));
            }
            cell
        });
        let looks = LOOKS.iter().zip(&usual.0);
        let looks = looks
            .map(|(look, usual)| lane.look(server, look, usual, group, |_| Some("unavailable")));
        let (mut cells, looks) = tokio::join!(join_all(writes), join_all(looks));
        cells.extend(looks.concat());
        assert!(world.writes().is_empty() && world.ledger().is_empty(), "nothing was sent");
        cells
    });
    join_all(groups).await.concat()
}

/// A server with a certificate that it signed itself.
struct Impostor {
    url: String,
    /// Connections.
    met: Arc<AtomicUsize>,
    /// Connections whose client went on after it had seen the certificate.
    trusted: Arc<AtomicUsize>,
    listening: AbortHandle,
}

impl Impostor {
    async fn start() -> Self {
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = own.signing_key.serialize_der().try_into().unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![own.cert.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let (met, trusted) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counters = (met.clone(), trusted.clone());
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counters.0.fetch_add(1, SeqCst);
                let (acceptor, trusted) = (acceptor.clone(), counters.1.clone());
                tokio::spawn(async move {
                    if acceptor.accept(stream).await.is_ok() {
                        trusted.fetch_add(1, SeqCst);
                    }
                });
            }
        });
        Self { url, met, trusted, listening: serving.abort_handle() }
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// The second page of a list cannot be had: what came is shown, and that more is missing.
#[tokio::test]
async fn a_list_whose_second_page_fails_is_incomplete() {
    let world = World::with(Modes { many_roles: true, ..Modes::default() }).await;
    let server = world.serve().await;
    (0..4).for_each(|_| world.inject("outsystems", "GET", "offset=100", status_after(503, "0")));
    let answer = called(&server, "list_roles", r#"{"limit": 500}"#).await.unwrap();
    let found = Found::of(&answer);
    assert_eq!(found.problem("outsystems").as_deref(), Some("incomplete"), "{answer:#}");
    assert_eq!(found.count("outsystems"), 100);
    assert!(found.count("dfns") > 0 && found.count("redox") > 0, "{found:?}");
}

/// A status inside an answer under 200 counts as if it were the answer's own.
#[tokio::test]
async fn a_read_whose_body_carries_a_status_is_heard_as_that_status() {
    let world = World::new().await;
    let server = world.serve().await;
    for (status, outcome) in
        [(404, "invalid"), (403, "rejected"), (429, "unavailable"), (503, "unavailable")]
    {
        let body = json!({
            "response_map": { "error_list": [{ "message": "in its own words" }] },
            "http_status_code": status,
        });
        // Nobody of that address, and nobody in the list.
        let nobody = json!({ "response_map": { "users": [] }, "http_status_code": 200 });
        world.inject("snaplogic", "GET", "/user", said(200, body.to_string()));
        if status == 404 {
            world.inject("snaplogic", "GET", "/user", said(200, nobody.to_string()));
        }
        let grant = GRANTS.iter().find(|grant| grant.tool == "set_project_acl").unwrap();
        let answer = server.call(grant.tool, parsed(grant.arguments)).await;
        assert_eq!(answer.outcome(), outcome, "{status}: {:#}", answer.body);
        if status != 404 {
            assert!(answer.summary().contains("in its own words"), "{}", answer.summary());
        }
    }
    assert!(world.writes().is_empty());
}

/// Proofs are dated: the vendor refuses them where the clocks differ, and that is what is told.
#[tokio::test]
async fn an_assertion_that_is_refused_for_its_date_names_the_clock() {
    for (ahead, word) in [(HOURS, "behind"), (-HOURS, "ahead of")] {
        let world = World::new().await;
        let refuse = || dated(401, ahead, 0);
        (0..2).for_each(|_| world.inject("redox", "POST", "/v2/auth/token", refuse()));
        let grant = GRANTS.iter().find(|grant| grant.vendor == "redox").unwrap();
        let answer = world.serve().await.call(grant.tool, parsed(grant.arguments)).await;
        assert_eq!(answer.outcome(), "rejected", "{:#}", answer.body);
        let told = format!("s {word} the vendor's");
        assert!(answer.summary().contains(&told), "{}", answer.summary());
        assert!(answer.hint().contains("clock"), "{}", answer.hint());
        assert!(world.writes().is_empty());
    }
}

/// A token lives as long as `expires_in` says by this machine's clock, whatever the vendor's says.
#[tokio::test]
async fn a_tokens_life_does_not_depend_on_the_vendors_clock() {
    for ahead in [HOURS, -HOURS] {
        for (vendor, path) in [("outsystems", "/token"), ("redox", "/v2/auth/token")] {
            let world = World::new().await;
            let server = world.serve().await;
            let FaultKind::Status { headers, .. } = dated(200, ahead, 0) else { panic!() };
            let skewed = FaultKind::Alter { status: None, headers, body: None };
            world.inject(vendor, "POST", path, skewed);
            for _ in 0..3 {
                let answer = server.call("list_roles", json!({ "vendor": vendor })).await;
                assert!(!answer.is_error, "{vendor}: {:#}", answer.body);
            }
            assert_eq!(world.count("POST", path), 1, "{vendor}, {ahead}");
        }
    }
}

/// A vendor that sends without end fills no memory.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_body_of_64_mib_is_not_kept() {
    let world = World::new().await;
    let mut raw = world.serve_raw();
    raw.hello("2025-11-25").await;
    let look = json!({ "name": "find_principals",
        "arguments": { "vendor": "dfns", "query": "a" } });
    raw.ask(1, "tools/call", look.clone()).await;
    let before = most_memory(raw.id());
    for id in 2..6 {
        world.inject("dfns", "GET", "/auth/users", FaultKind::Flood(64));
        let answer = raw.ask(id, "tools/call", look.clone()).await;
        let kind = &answer["result"]["structuredContent"]["problems"][0]["kind"];
        assert_eq!(kind, "garbled", "{answer:#}");
    }
    let more = most_memory(raw.id()) - before;
    assert!(more < 32 * 1024, "{more} KiB more than before");
}

/// The most memory that a process has ever had in use, in KiB.
#[cfg(target_os = "linux")]
fn most_memory(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Asks with a progress token of its own.
async fn send_look(raw: &mut Raw, id: u64, tool: &str, arguments: Value) {
    let params = json!({
        "name": tool, "arguments": arguments, "_meta": { "progressToken": format!("token {id}") },
    });
    raw.send(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }))
        .await;
}

/// What a call is told until all of them are answered: token and message.
async fn told_until_answered(raw: &mut Raw, mut calls: usize) -> Vec<(String, String)> {
    let mut told = Vec::new();
    while calls > 0 {
        let message = raw.next().await.expect("the server ended");
        if message["method"] == "notifications/progress" {
            let text = |key: &str| message["params"][key].as_str().unwrap().to_owned();
            told.push((text("progressToken"), text("message")));
        } else {
            assert_eq!(message["result"]["isError"], false, "{message:#}");
            calls -= 1;
        }
    }
    told
}

/// A burst stays under the documented rate, and who waits for it is told what for.
#[tokio::test]
async fn a_burst_waits_for_the_vendors_rate_and_says_so() {
    let modes = Modes { outsystems_per_minute: Some(100), ..Modes::default() };
    let world = World::with(modes).await;
    let mut raw = world.serve_raw();
    raw.hello("2025-11-25").await;
    // More than the three that are counted wait: some room comes back while a busy machine asks.
    for id in 1..=66 {
        let look = json!({ "vendor": "outsystems", "query": "a" });
        send_look(&mut raw, id, "find_principals", look).await;
    }
    let told = told_until_answered(&mut raw, 66).await;
    let waits = told.iter().filter(|(_, message)| message.contains("for the rate limit of"));
    assert!(waits.count() >= 3, "{told:?}");
    assert!(world.sandbox.journal().iter().all(|seen| seen.status != 429));
}

/// A vendor that tells one call to wait is not asked by the others meanwhile.
#[tokio::test]
async fn a_pause_that_one_call_is_told_of_is_kept_by_all() {
    let world = World::new().await;
    let mut raw = world.serve_raw();
    raw.hello("2025-11-25").await;
    world.inject("dfns", "GET", "/permissions", status_after(429, "3"));
    send_look(&mut raw, 1, "list_roles", json!({ "vendor": "dfns" })).await;
    loop {
        let message = raw.next().await.expect("the server ended");
        let told = message["params"]["message"].as_str().unwrap_or_default();
        if told.contains("again in 3 s: it answered 429") {
            break;
        }
    }
    send_look(&mut raw, 2, "find_principals", json!({ "vendor": "dfns", "query": "a" })).await;
    let told = told_until_answered(&mut raw, 2).await;
    let second = told
        .iter()
        .find(|(token, message)| token == "token 2" && message.contains("for the rate limit of"));
    assert!(second.is_some(), "{told:?}");
}

/// What stands between a vendor and its credential is no refusal of the credential.
#[tokio::test]
async fn a_discovery_document_that_cannot_be_had_is_told_as_what_it_is() {
    for (fault, kind, hint) in [
        (page(200), "garbled", "proxy"),
        (altered(Some(206), None), "garbled", "proxy"),
        (FaultKind::Flood(64), "garbled", "proxy"),
        (redirect(), "unavailable", "redirects are not followed"),
        (status(403), "not_permitted", "credential"),
    ] {
        let world = World::new().await;
        world.inject("outsystems", "GET", "/openid-configuration", fault);
        let server = world.serve().await;
        let answer = server.call("list_roles", json!({ "vendor": "outsystems" })).await;
        let problem = &answer.body["problems"][0];
        assert_eq!(problem["kind"], kind, "{problem:#}");
        assert!(problem["hint"].as_str().unwrap().contains(hint), "{problem:#}");
    }
}
