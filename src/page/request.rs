//! One request or change: what is asked, where it stands, who decided, and what whoever looks may do.

use hyper::{Method, StatusCode};
use jiff::Timestamp;

use super::html::{Html, html};
use super::reply::Reply;
use super::sessions::Session;
use super::{Page, Visit};
use crate::desk::{Cells, ConsentQuestion, takes};
use crate::failure::{Failure, Kind};
use crate::ledger::{
    Answered, Channel, Decision, PastEntry, Record, Refusal, Request, State, Told,
};
use crate::requester::Requester;

/// The address that their issuer vouches for of whoever asked.
fn address(entry: &PastEntry) -> Option<&str> {
    let (Told::Asked(request) | Told::Change(_, Some(request))) = &entry.told else { return None };
    request.content.caller.as_ref()?.email.as_deref()
}

/// What became of what somebody has just sent.
pub(super) struct Notice {
    pub(super) status: StatusCode,
    pub(super) says: String,
    pub(super) hint: Option<String>,
}

/// The parts of a set that are shown.
const MOST_PARTS: usize = 100;

impl Page {
    pub(super) async fn request(
        &self,
        visit: &Visit,
        session: &Session,
        receipt: &str,
        notice: Option<Notice>,
    ) -> Result<Reply, Failure> {
        let entry = match self.desk.entry_for(receipt, &session.who).await {
            Ok(entry) => entry,
            // In the same words, whether there is none or it is not theirs.
            Err(failure) if failure.kind == Kind::Invalid => return Ok(self.nothing_here(visit)),
            Err(failure) => return Err(failure),
        };
        let now = crate::clock::now();
        let mut content = Html::default();
        let status = match notice {
            Some(Notice { status, says, hint }) => {
                html!(content; "<div class=\"alert\" role=\"alert\"><p>" (says) "</p>");
                if let Some(hint) = hint {
                    html!(content; "<p>" (hint) "</p>");
                }
                html!(content; "</div>\n");
                status
            }
            None => StatusCode::OK,
        };
        let came = self.desk.came_of_set(receipt).await?;
        self.head(&mut content, &entry, came, now);
        let own = match &entry.told {
            Told::Change(record, request) => {
                self.of_change(&mut content, record, now);
                request.as_deref().filter(|request| request.receipt == receipt)
            }
            Told::Asked(request) => Some(request.as_ref()),
            Told::Refused(refusal) => {
                of_refusal(&mut content, refusal);
                None
            }
        };
        if let Some(request) = own {
            self.of_request(&mut content, visit, session, request, now).await;
            self.parts(&mut content, request, &session.who, now).await;
        }
        if let Some(damage) = &entry.damage {
            html!(content; "<p class=\"alert\">The lines of it cannot be relied on: " (damage) "</p>\n");
        }
        let title = match own.map(|request| request.state) {
            Some(State::Waiting) => "A request for consent",
            Some(_) => "A request",
            None => "A change",
        };
        Ok(self.framed(visit, status, title, content))
    }

    /// What is so of all of them: where it stands, who asked, and when.
    fn head(&self, content: &mut Html, entry: &PastEntry, came: Option<&str>, now: Timestamp) {
        // How each change of a set ended stands below.
        let standing = came.unwrap_or_else(|| entry.standing(now).as_str());
        let name = self.called(entry.requester());
        let asked_by = match address(entry) {
            Some(address) => format!("{address} ({name})"),
            None => name,
        };
        html!(content;
            "<dl class=\"facts\">\n<div><dt>State</dt><dd>" [Self::badge(standing)] "</dd></div>\n\
             <div><dt>Asked by</dt><dd><bdi>" (asked_by) "</bdi></dd></div>\n\
             <div><dt>Asked</dt><dd>" [Self::time(entry.time, now)] "</dd></div>\n"
        );
        match &entry.told {
            Told::Asked(request) if request.state == State::Waiting => {
                html!(content; "<div><dt>Waits until</dt><dd>" [Self::time(request.until, now)] "</dd></div>\n");
            }
            Told::Change(record, _) => {
                let is_over = record.superseded_by.is_some() || record.undone_by.is_some();
                if let Some(end) = record.expires_at.filter(|_| record.may_stand() && !is_over) {
                    html!(content; "<div><dt>Ends</dt><dd>" [Self::time(end, now)] "</dd></div>\n");
                }
            }
            _ => {}
        }
        html!(content; "<div><dt>Receipt</dt><dd><code>" (entry.receipt) "</code></dd></div>\n</dl>\n");
    }

    async fn of_request(
        &self,
        content: &mut Html,
        visit: &Visit,
        session: &Session,
        request: &Request,
        now: Timestamp,
    ) {
        let question = ConsentQuestion::of(request);
        self.how_it_stands(content, request, now);
        self.so_far(content, request);
        html!(content; "<section class=\"question\" aria-labelledby=\"question\">\n\
            <h2 id=\"question\">What is asked</h2>\n" [asked(&question.text)] "</section>\n");
        if request.state.is_live() {
            let others = self.others_looking(visit, session, request).await;
            self.actions(content, &others, (session, now), request, &question);
        }
    }

    /// Whose yes it takes, where one person's is not enough, and who has said it.
    fn so_far(&self, content: &mut Html, request: &Request) {
        let demands = &request.content.demands;
        if request.state != State::Waiting || demands.iter().all(|demand| demand.people < 2) {
            return;
        }
        if let Some(whose) = takes(demands) {
            html!(content; "<p>It takes the yes of " [quoted(&whose)] ".</p>\n");
        }
        for Answered { by, how, .. } in &request.yeses {
            html!(content; "<p class=\"decided\">Said yes: <strong><bdi>" (self.named(by, how)) "</bdi></strong></p>\n");
        }
    }

    /// Whoever answered, as a page calls them.
    fn named(&self, by: &str, how: &Channel) -> String {
        match how {
            // A signature is of whom the approvers file names.
            Channel::Signature => by.to_owned(),
            _ => self.called(by),
        }
    }

    /// Who decided, and what came of it.
    fn how_it_stands(&self, content: &mut Html, request: &Request, now: Timestamp) {
        if let Some(answered) = &request.answered {
            let Answered { by, how, reason, until, .. } = answered;
            let by = match request.yeses.as_slice() {
                yeses if answered.decision == Decision::Approved => {
                    let all: Vec<_> = yeses.iter().map(|yes| self.named(&yes.by, how)).collect();
                    all.join(" and ")
                }
                _ => self.named(by, how),
            };
            html!(content; "<p class=\"decided\">");
            match answered.decision {
                Decision::Approved => html!(content; "Approved by "),
                Decision::Denied => html!(content; "Denied by "),
                Decision::Withdrawn => html!(content; "Withdrawn by "),
                Decision::Moved => html!(content; "Overtaken: the access changed. "),
            }
            html!(content; "<strong><bdi>" (by) "</bdi></strong> <span class=\"dim\">(" (how.as_str()) ")</span>");
            if let Some(until) = until.filter(|_| request.state == State::Approved) {
                html!(content; ". It is about to be carried out; the yes is good until " [Self::time(until, now)]);
            }
            html!(content; "</p>\n");
            if let Some(reason) = reason {
                html!(content; "<p class=\"reason\">Why: <bdi>" (reason) "</bdi></p>\n");
            }
        }
        if let Some(concluded) = &request.concluded {
            html!(content; "<p>What came of it: " (concluded.note) "</p>\n");
        }
        if request.state == State::Lapsed {
            html!(content; "<p>Nobody answered in time, or the yes was not used in time. It has to be asked anew.</p>\n");
        }
        if request.state == State::Broken {
            html!(content; "<p class=\"alert\">It cannot be relied on: the ledger was damaged after it was asked.</p>\n");
        }
        let concluded = request.concluded.as_ref();
        let next = concluded.and_then(|concluded| concluded.followed_by.as_ref());
        if let Some(next) = request.followed_by.as_ref().or(next) {
            html!(content; "<p>What is so has changed since: " [self.link(next)] " asks in its place.</p>\n");
        }
        if let Some(before) = &request.content.follows {
            html!(content; "<p>It asks in the place of " [self.link(before)] ".</p>\n");
        }
    }

    /// What whoever looks may do about one that can still be decided.
    fn actions(
        &self,
        content: &mut Html,
        others: &[String],
        (session, now): (&Session, Timestamp),
        request: &Request,
        question: &ConsentQuestion,
    ) {
        let Request { receipt, digest, .. } = request;
        let is_own = request.requester == session.who.name();
        let may = self.desk.may_approve(request, &session.who, &Channel::Page);
        let seal = self.seals.of_form(&session.id, receipt, digest);
        let form = Form { action: self.place.path(receipt), seal, digest };
        let waits = request.state == State::Waiting;
        if let (true, Ok(counts)) = (waits, &may) {
            if counts.is_own_gain_unknown {
                html!(content; "<p class=\"alert\">Whether it gives access to yourself is not known here: an account of yours, or a group that \
                    you are in. If it does, leave it to somebody else.</p>\n");
            }
            self.looked_at(content, others);
            self.approving(content, &form, (session, now), receipt, question);
        }
        if let Some(why) = may.as_ref().err().filter(|_| waits) {
            html!(content; "<p class=\"why\">You cannot approve it: " (why.message) ".");
            html!(content; "</p>\n");
            if is_own {
                html!(content; "<p>Who approves: " (self.desk.who_answers()) ".</p>\n");
            }
        }
        if self.desk.may_deny(request, &session.who) {
            html!(content;
                "<form class=\"act\" method=\"post\" action=\"" (form.action) "\">\n" [form.hidden("deny")]
                "<h2>Say no</h2>\n<p><label for=\"reason\">Why not <span class=\"dim\">(whoever asked reads it)</span></label>\
                 <textarea id=\"reason\" name=\"reason\" rows=\"2\" maxlength=\"1000\"></textarea></p>\n\
                 <p><button class=\"bad\">Deny</button></p>\n</form>\n"
            );
        }
        if is_own {
            html!(content;
                "<form class=\"act\" method=\"post\" action=\"" (form.action) "\">\n" [form.hidden("withdraw")]
                "<p><button class=\"plain\">Withdraw your request</button></p>\n</form>\n"
            );
        }
    }

    /// The others who could decide as well and look at it now; whoever only has it fetched ahead does not look.
    async fn others_looking(
        &self,
        visit: &Visit,
        session: &Session,
        request: &Request,
    ) -> Vec<String> {
        let is_looking = visit.method == Method::GET && !visit.headers.contains_key("sec-purpose");
        let may = self.desk.may_approve(request, &session.who, &Channel::Page).is_ok();
        match is_looking && may && request.state == State::Waiting {
            true => self.looking(session, &request.receipt).await,
            false => Vec::new(),
        }
    }

    fn looked_at(&self, content: &mut Html, others: &[String]) {
        if !others.is_empty() {
            let others: Vec<_> = others.iter().map(|name| self.called(name)).collect();
            html!(content; "<p class=\"looking\">Being looked at by <strong><bdi>" (others.join(", ")) "</bdi></strong> as well.</p>\n");
        }
    }

    fn approving(
        &self,
        content: &mut Html,
        form: &Form<'_>,
        (session, now): (&Session, Timestamp),
        receipt: &str,
        question: &ConsentQuestion,
    ) {
        let needs_fresh = question.typed.is_some() && !session.is_fresh(now.as_second());
        if needs_fresh {
            let to = self.place.path(receipt);
            let issuer = self.issuer_of(&session.who);
            let query = format!(
                "login?anew=1&issuer={}&to={}",
                crate::text::encode(issuer),
                crate::text::encode(&to)
            );
            html!(content;
                "<div class=\"act\">\n<h2>Say yes</h2>\n<p>This is privileged or wide: to approve it, prove once more who you are. \
                 That is good for five minutes.</p>\n"
            );
            if session.is_dated() {
                html!(content; "<p class=\"actions\"><a class=\"button\" href=\"" (self.place.path(&query)) "\">Log in once more</a></p>\n</div>\n");
            } else {
                html!(content; "<p class=\"actions\"><a class=\"button\" href=\"" (self.place.path(&query)) "\">Log in once more</a></p>\n\
                    <p class=\"dim\">Your company’s log-in did not say when you last did: whoever set up this page can have it say so.</p>\n</div>\n");
            }
            return;
        }
        html!(content;
            "<form class=\"act\" method=\"post\" action=\"" (form.action) "\">\n" [form.hidden("approve")]
            "<h2>Say yes</h2>\n"
        );
        if let Some(typed) = &question.typed {
            html!(content;
                "<p><label for=\"typed\">To agree, type <strong><bdi>“" (typed) "”</bdi></strong> without the quotes</label>\
                 <input id=\"typed\" name=\"typed\" autocomplete=\"off\" autocapitalize=\"off\" spellcheck=\"false\" required></p>\n"
            );
        }
        html!(content; "<p><button class=\"good\">Approve</button></p>\n</form>\n");
    }

    /// What the configuration calls the issuer of somebody.
    fn issuer_of(&self, who: &Requester) -> &str {
        let issuer = who.caller().map(|caller| caller.issuer.as_str()).unwrap_or_default();
        let all = &self.desk.config().http.issuers;
        let found = all.iter().find(|settings| settings.issuer == issuer);
        found.map(|settings| settings.name.as_str()).unwrap_or_default()
    }

    /// What a change came to.
    fn of_change(&self, content: &mut Html, record: &Record, now: Timestamp) {
        let outcome = record.outcome().map_or("not known yet", |outcome| outcome.as_str());
        html!(content; "<p class=\"summary\">" [quoted(&record.summary)] "</p>\n<dl class=\"facts\">\n\
            <div><dt>At</dt><dd>" (record.vendor) "</dd></div>\n\
            <div><dt>Sent</dt><dd>" [Self::time(record.opened(), now)] "</dd></div>\n\
            <div><dt>How it ended</dt><dd>" (outcome.replace('_', " ")) "</dd></div>\n");
        if let Some(reason) = &record.reason {
            html!(content; "<div><dt>Why it was asked</dt><dd><bdi>" (reason) "</bdi></dd></div>\n");
        }
        if let Some(whole) = record.part_of() {
            html!(content; "<div><dt>Part of</dt><dd>" [self.link(whole)] "</dd></div>\n");
        }
        for (name, receipt) in [
            ("Undone by", &record.undone_by),
            ("Ended by", &record.ended_by),
            ("Undoes", &record.undoes),
            ("Overtaken by", &record.superseded_by),
        ] {
            if let Some(receipt) = receipt {
                html!(content; "<div><dt>" (name) "</dt><dd>" [self.link(receipt)] "</dd></div>\n");
            }
        }
        html!(content; "</dl>\n");
        if let Some(overdue) = &record.overdue {
            html!(content; "<p class=\"alert\">Its time is over, and it could not be taken back: " (overdue) "</p>\n");
        }
        let note = record.end.as_ref().and_then(|end| end.note.as_ref());
        if let Some(note) = note.filter(|note| !note.is_empty()) {
            html!(content; "<p>" [quoted(note)] "</p>\n");
        }
    }

    /// The changes of a set that were sent.
    async fn parts(&self, content: &mut Html, request: &Request, who: &Requester, now: Timestamp) {
        if !request.content.is_set() || request.state != State::Spent {
            return;
        }
        html!(content; "<section><h2>What became of each</h2>\n<ol class=\"parts\">\n");
        for number in request.content.numbers.iter().take(MOST_PARTS) {
            let receipt = format!("{}.{number}", request.receipt);
            let entry = self.desk.entry_for(&receipt, who).await.ok();
            let Some((entry, Told::Change(record, _))) =
                entry.as_ref().map(|entry| (entry, &entry.told))
            else {
                html!(content; "<li value=\"" (number.to_string()) "\">not sent</li>\n");
                continue;
            };
            html!(content; "<li value=\"" (number.to_string()) "\">" [Self::badge(entry.standing(now).as_str())] " "
                [quoted(&record.summary)] " " [self.link(&receipt)] "</li>\n");
        }
        html!(content; "</ol>\n</section>\n");
    }
}

/// What every form about a request holds.
struct Form<'a> {
    action: String,
    seal: String,
    digest: &'a str,
}

impl Form<'_> {
    fn hidden(&self, decision: &'static str) -> Html {
        let mut piece = Html::default();
        html!(piece;
            "<input type=\"hidden\" name=\"decision\" value=\"" (decision) "\">\
             <input type=\"hidden\" name=\"digest\" value=\"" (self.digest) "\">\
             <input type=\"hidden\" name=\"seal\" value=\"" (self.seal) "\">\n"
        );
        piece
    }
}

/// A question, line by line as a terminal shows it; where it is a set, its changes are a table.
fn asked(text: &str) -> Html {
    let mut piece = Html::default();
    let mut rows: Vec<Cells<'_>> = Vec::new();
    for line in text.lines() {
        if let Some(cells) = Cells::of(line) {
            rows.push(cells);
            continue;
        }
        table(&mut piece, &mut rows);
        let kind = if line.starts_with("Warning") || line.starts_with("Privileged") {
            "line strong"
        } else if line.starts_with("  ") {
            "line set-in"
        } else {
            "line"
        };
        html!(piece; "<p class=\"" (kind) "\">" [quoted(line.trim_start())] "</p>\n");
    }
    table(&mut piece, &mut rows);
    piece
}

fn table(piece: &mut Html, rows: &mut Vec<Cells<'_>>) {
    if rows.is_empty() {
        return;
    }
    html!(piece; "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"The changes\">\n<table class=\"rows\">\n<thead><tr>\
        <th scope=\"col\">Who</th><th scope=\"col\">What</th><th scope=\"col\">Where and until when</th></tr></thead>\n<tbody>\n");
    for Cells { who, what, place } in rows.drain(..) {
        html!(piece; "<tr><th scope=\"row\">" [quoted(who)] "</th><td data-label=\"What\">" [quoted(what)] "</td><td data-label=\"Where\">"
            [quoted(place.trim_start_matches(['—', ' ']))] "</td></tr>\n");
    }
    html!(piece; "</tbody>\n</table>\n</div>\n");
}

pub(super) fn quoted(text: &str) -> Html {
    let mut piece = Html::default();
    piece.quoting(text);
    piece
}

fn of_refusal(content: &mut Html, refusal: &Refusal) {
    html!(content; "<p class=\"summary\">" [quoted(&refusal.summary)] "</p>\n<p>Refused: " [quoted(&refusal.note)] "</p>\n");
    let rules = refusal.rules();
    if !rules.is_empty() {
        html!(content; "<p class=\"dim\">Rules: " (rules.join(", ")) "</p>\n");
    }
}
