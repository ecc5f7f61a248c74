use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::paint::{self, BAD, BOLD, DIM, GOOD, WAITS, with};
use crate::cli::setup::Setup;
use crate::cli::table::{Row, table};
use crate::cli::{Global, Ran, status};
use crate::desk::Desk;
use crate::invocation;
use crate::ledger::{Content, Record, Request, State, Trouble};
use crate::text;

/// What is known of an end of which nothing is recorded: nobody has tried, or whoever did may yet
/// succeed.
const DUE: &str = "its time is over, and nothing is recorded of an end: a running server tries every few \
    seconds and logs what keeps it from that, and `grantor expire` tries once and says it";
/// The same where it is not even known how the change itself ended.
const OPEN: &str = "its time is over, and how it ended is not recorded: a running server looks into that \
    once whoever sent it is gone, and so does `grantor expire`";

const HEADS: [&str; 3] = ["STATE", "UNTIL", "ASKED BY"];

pub(super) async fn run(global: &Global, ids: bool) -> Ran {
    let Setup { config, sandbox: _sandbox } = Setup::load(global).await?;
    let desk = Desk::new(config)?;
    let now = crate::clock::now();
    let requests = desk.ledger().requests().await?;
    let overdue = desk.ledger().late(now).await?;
    let troubles = desk.ledger().troubles().await?;
    let status = status::worst([status::of(&troubles)]);
    if global.as_json {
        let requests: Vec<_> = requests.iter().map(|one| request(&desk, one)).collect();
        let overdue: Vec<_> = overdue.iter().map(|one| end(&desk, one)).collect();
        let mut body = json!({ "requests": requests, "overdue": overdue });
        if !troubles.is_empty() {
            let troubles: Vec<_> = troubles.iter().map(trouble).collect();
            crate::json::put(&mut body, "ledger", troubles);
        }
        text::clean_value(&mut body);
        paint::json(&format!("{body:#}"))?;
        return Ok(status);
    }
    let mut rows: Vec<_> = requests.iter().map(|one| line(&desk, one, now, ids)).collect();
    rows.extend(overdue.iter().map(|record| late(&desk, record, ids)));
    if rows.is_empty() && troubles.is_empty() {
        paint::note("nothing waits, and nothing is overdue");
    }
    if !rows.is_empty() {
        paint::lines(&table(HEADS, "WHAT", &rows))?;
    }
    tell(&requests, overdue.len(), ids);
    status::tell(&troubles);
    Ok(status)
}

/// Until when somebody can answer it, or until when the answer is good.
fn until(request: &Request) -> Timestamp {
    let answered = request.answered.as_ref().filter(|_| request.state == State::Approved);
    answered.and_then(|answered| answered.until).unwrap_or(request.until)
}

/// What to do about those that wait, and where receipts are.
fn tell(requests: &[Request], overdue: usize, ids: bool) {
    let waiting: Vec<_> = requests.iter().filter(|one| one.state == State::Waiting).collect();
    // The one there is can be copied whole.
    let receipt = match waiting.as_slice() {
        [one] => one.receipt.as_str(),
        _ => "RECEIPT",
    };
    if !waiting.is_empty() {
        paint::note(&format!(
            "`grantor requests approve {receipt}` shows what it asks and takes a yes; `grantor requests \
             deny {receipt}` says no"
        ));
    }
    let approved = requests.len() - waiting.len();
    if !ids && approved + overdue > 0 {
        paint::note("--ids shows the receipts of the others");
    }
}

/// What is approved or denied is named by its receipt, which stays one request's whatever comes and goes: of
/// all others it is shown with `--ids` alone.
fn line(desk: &Desk, request: &Request, now: Timestamp, ids: bool) -> Row<3> {
    let style = if request.state == State::Approved { GOOD } else { WAITS };
    let age = age(now.duration_since(request.time).as_secs());
    let about = format!("{}asked {age} ago", at(of_request(desk, request)));
    let receipt = (ids || request.state == State::Waiting).then_some(&*request.receipt);
    let until = paint::time(until(request));
    let state = with(style, request.state.as_str());
    row([state, until, text::clean(&request.requester)], &request.content.summary, &about, receipt)
}

/// An end that could not be carried out.
fn late(desk: &Desk, record: &Record, ids: bool) -> Row<3> {
    let end = record.expires_at.map(paint::time).unwrap_or_default();
    let about = format!("{}{}", at(of_record(desk, record)), why(record));
    let state = with(BAD, "overdue");
    let receipt = ids.then_some(&*record.receipt);
    row([state, end, text::clean(&record.requester)], &record.summary, &about, receipt)
}

fn row(cells: [String; 3], summary: &str, about: &str, receipt: Option<&str>) -> Row<3> {
    let about = with(DIM, &text::clean(about));
    let receipt = receipt.map(|receipt| format!("{receipt}  ")).unwrap_or_default();
    Row { cells, text: with(BOLD, &text::clean(summary)), more: vec![receipt + &about] }
}

/// Why it is overdue, as far as that is known.
fn why(record: &Record) -> String {
    let why = match (&record.overdue, &record.held_by, &record.damage) {
        (Some(why), ..) => why.clone(),
        (None, Some(by), _) => format!("{by} is to take it back, and waits at the vendor"),
        (None, None, Some(damage)) => format!("nothing is done on the ledger's word: {damage}"),
        (None, None, None) if record.end.is_none() => OPEN.to_owned(),
        (None, None, None) => DUE.to_owned(),
    };
    invocation::commands(&why)
}

fn age(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

fn request(desk: &Desk, request: &Request) -> Value {
    let Content { client, vendor, tool, summary, question, .. } = &request.content;
    let question: Vec<_> = question.lines().collect();
    let mut shown = json!({
        "receipt": request.receipt,
        "state": request.state.as_str(),
        "time": request.time.to_string(),
        "until": until(request).to_string(),
        "requester": request.requester,
        "client": client,
        "vendor": vendor,
        "tool": tool,
        "summary": summary,
        "question": question,
    });
    put_tenant(&mut shown, of_request(desk, request));
    shown
}

/// The tenant of a request, where it is named beside its vendor.
fn of_request<'a>(desk: &'a Desk, request: &'a Request) -> Option<&'a str> {
    let Content { vendor, tenant_name, .. } = &request.content;
    desk.config().said(vendor.as_deref().unwrap_or_default(), tenant_name.as_deref())
}

/// The same of a change.
fn of_record<'a>(desk: &'a Desk, record: &'a Record) -> Option<&'a str> {
    desk.config().said(&record.vendor, record.tenant_name.as_deref())
}

fn at(tenant: Option<&str>) -> String {
    tenant.map(|tenant| format!("at {tenant}, ")).unwrap_or_default()
}

fn put_tenant(shown: &mut Value, tenant: Option<&str>) {
    if let Some(tenant) = tenant {
        crate::json::put_after(shown, "vendor", "tenant", tenant);
    }
}

fn trouble(trouble: &Trouble) -> Value {
    json!({ "place": trouble.place, "what": trouble.what, "hash": trouble.hash })
}

fn end(desk: &Desk, record: &Record) -> Value {
    let mut shown = json!({
        "receipt": record.receipt,
        "time": record.time,
        "expires_at": record.expires_at.map(|end| end.to_string()),
        "requester": record.requester,
        "client": record.client,
        "vendor": record.vendor,
        "tool": record.tool,
        "summary": record.summary,
        "overdue": why(record),
    });
    put_tenant(&mut shown, of_record(desk, record));
    shown
}
