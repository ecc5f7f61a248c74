//! The lists: what waits for somebody, and what was asked for, decided and done.

use std::borrow::Cow;
use std::collections::BTreeMap;

use hyper::StatusCode;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::html::{Html, html};
use super::reply::Reply;
use super::request::quoted;
use super::{Page, Visit};
use crate::desk::{Body, HistoryRow, Listed};
use crate::failure::Failure;
use crate::ledger::{Channel, Content, Request, Standing};
use crate::requester::Requester;
use crate::vendors::VENDORS;

/// Where something stands that has ended.
const DONE: &str = "done";
/// As many of a list as are shown at once.
const MOST: usize = 50;
/// How far back what was decided is shown.
const DECIDED: &str = "P30D";

/// How many pages of a list are looked through, and how many rows one page of ours shows.
const MOST_PAGES: usize = 40;
const MOST_SHOWN: usize = 500;

impl Page {
    /// What somebody may answer.
    pub(super) async fn waiting(
        &self,
        visit: &Visit,
        who: &Requester,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let mut all = self.desk.to_answer(who, &Channel::Page).await?;
        all.sort_by_key(|request| request.until);
        let mut content = Html::default();
        if all.is_empty() {
            html!(content; "<p>Nothing waits for your answer.</p>\n");
        } else {
            html!(content; "<p>What lapses first is first.</p>\n<ul class=\"cards\">\n");
            for request in &all {
                self.card(&mut content, request, now);
            }
            html!(content; "</ul>\n");
        }
        Ok(self.framed(visit, StatusCode::OK, "Waiting for you", content))
    }

    fn card(&self, content: &mut Html, request: &Request, now: Timestamp) {
        let Content { summary, vendor, typed, .. } = &request.content;
        let summary = crate::text::clean(summary);
        html!(content; "<li>\n<p class=\"summary\"><a href=\"" (self.place.path(&request.receipt)) "\">" [quoted(&summary)] "</a></p>\n\
            <p class=\"dim\">");
        if typed.is_some() {
            html!(content; "<span class=\"badge bad\">privileged or wide</span> ");
        }
        html!(content; "asked by <bdi>" (self.called(&request.requester)) "</bdi>");
        if let Some(vendor) = vendor {
            html!(content; " at " (vendor));
        }
        html!(content; ", waits until " [Self::time(request.until, now)] "</p>\n</li>\n");
    }

    /// One of the lists of what was.
    pub(super) async fn past(
        &self,
        visit: &Visit,
        who: &Requester,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let mut content = Html::default();
        let title = match visit.below.as_str() {
            "mine" => {
                let mut sought = json!({ "requester": who.name() });
                if let Some(cursor) = visit.query.filled("cursor") {
                    crate::json::put(&mut sought, "cursor", cursor);
                }
                let mine = self.listed(who, sought).await?;
                let none = "You have asked for nothing.";
                self.table(&mut content, &mine.changes, none, now).await;
                self.notes(&mut content, &mine);
                self.more(&mut content, visit, &mine);
                "Your requests"
            }
            "decided" => {
                let is_decided = |row: &HistoryRow| {
                    row.marks.approved_by.is_some() || row.marks.denied_by.is_some()
                };
                let all = self.all(who, json!({ "since": DECIDED }), is_decided).await?;
                html!(content; "<p>What people decided in the last 30 days.</p>\n");
                self.whole(&mut content, &all, "Nothing was decided.", now).await;
                "Decided"
            }
            "due" => {
                let mut rows = Listed::default();
                for state in [Standing::Overdue, Standing::Due] {
                    let found = self.all(who, json!({ "state": state.as_str() }), |_| true).await?;
                    rows.changes.extend(found.changes);
                    rows.warnings.extend(found.warnings);
                    rows.next_cursor = rows.next_cursor.or(found.next_cursor);
                }
                html!(content; "<p>Access whose time is over and that still stands. What is overdue takes a person.</p>\n");
                self.whole(&mut content, &rows, "Nothing is due, and nothing is overdue.", now)
                    .await;
                "Due and overdue"
            }
            _ => {
                let listed = self.listed(who, self.sought(visit)).await;
                self.filters(&mut content, visit);
                match listed {
                    Ok(listed) => {
                        self.table(&mut content, &listed.changes, "Nothing is found.", now).await;
                        self.notes(&mut content, &listed);
                        self.more(&mut content, visit, &listed);
                    }
                    Err(failure) => {
                        let hint = failure.hint.unwrap_or_default();
                        html!(content; "<p class=\"alert\" role=\"alert\">" (failure.message) ". " (hint) "</p>\n");
                    }
                }
                "History"
            }
        };
        Ok(self.framed(visit, StatusCode::OK, title, content))
    }

    /// What the fields of the history's form ask for.
    fn sought(&self, visit: &Visit) -> Value {
        let mut sought = Map::new();
        for (name, _, _) in FILTERS {
            if let Some(value) = visit.query.filled(name) {
                sought.insert(name.to_owned(), value.into());
            }
        }
        for name in ["state", "vendor", "cursor"] {
            if let Some(value) = visit.query.filled(name) {
                sought.insert(name.to_owned(), value.into());
            }
        }
        if sought.is_empty() {
            sought.insert("since".to_owned(), "P30D".into());
        }
        Value::Object(sought)
    }

    async fn listed(&self, who: &Requester, arguments: Value) -> Result<Listed, Failure> {
        let Value::Object(mut arguments) = arguments else { return Ok(Listed::default()) };
        arguments.entry("limit").or_insert_with(|| MOST.into());
        let answer = self.desk.past_changes(who, arguments, &[], &[]).await;
        match answer.shown().body {
            Body::Listed(listed) => Ok(listed),
            Body::Unasked(unasked) => Err(Failure::invalid(unasked.summary).hint(unasked.hint)),
            _ => Err(Failure::invalid("the list cannot be shown")),
        }
    }

    /// All that fits, as far as a page shows it; with the cursor where there may be more.
    async fn all(
        &self,
        who: &Requester,
        arguments: Value,
        fits: impl Fn(&HistoryRow) -> bool,
    ) -> Result<Listed, Failure> {
        let mut found = Listed::default();
        for _ in 0..MOST_PAGES {
            let mut sought = arguments.clone();
            if let Some(cursor) = found.next_cursor.take() {
                crate::json::put(&mut sought, "cursor", cursor);
            }
            let page = self.listed(who, sought).await?;
            found.changes.extend(page.changes.into_iter().filter(&fits));
            found.warnings.extend(page.warnings);
            found.next_cursor = page.next_cursor;
            if found.next_cursor.is_none() || found.changes.len() >= MOST_SHOWN {
                break;
            }
        }
        Ok(found)
    }

    /// A list that is all there is, or says that it is not.
    async fn whole(&self, content: &mut Html, listed: &Listed, none: &str, now: Timestamp) {
        let is_cut = listed.next_cursor.is_some();
        let none = if is_cut { "Nothing is found among the newest." } else { none };
        self.table(content, &listed.changes, none, now).await;
        if is_cut {
            html!(content; "<p class=\"why\">There are more than are looked through here: History finds the rest.</p>\n");
        }
        self.notes(content, listed);
    }

    fn filters(&self, content: &mut Html, visit: &Visit) {
        html!(content; "<form class=\"filters\" method=\"get\" action=\"" (self.place.path("history")) "\">\n");
        for (name, label, hint) in FILTERS {
            content.piece(typed((name, label, hint), visit.query.filled(name)));
        }
        let states = Standing::ALL.map(Standing::as_str);
        let vendors: Vec<_> = VENDORS.iter().map(|vendor| vendor.name).collect();
        for (name, label, all) in
            [("state", "State", states.as_slice()), ("vendor", "Vendor", &vendors)]
        {
            let chosen = visit.query.filled(name).unwrap_or_default();
            html!(content; "<p><label for=\"" (name) "\">" (label) "</label><select id=\"" (name) "\" name=\"" (name)
                "\"><option value=\"\">any</option>");
            for one in all {
                html!(content; "<option");
                if *one == chosen {
                    html!(content; " selected");
                }
                html!(content; ">" (one) "</option>");
            }
            html!(content; "</select></p>\n");
        }
        html!(content; "<p><button>Show</button></p>\n</form>\n");
    }

    async fn table(&self, content: &mut Html, rows: &[HistoryRow], none: &str, now: Timestamp) {
        if rows.is_empty() {
            html!(content; "<p>" (none) "</p>\n");
            return;
        }
        html!(content; "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"The list\">\n<table class=\"rows\">\n<thead><tr>\
            <th scope=\"col\">What</th><th scope=\"col\">State</th><th scope=\"col\">Asked by</th><th scope=\"col\">When</th>\
            <th scope=\"col\">Answered</th><th scope=\"col\">Ends</th></tr></thead>\n<tbody>\n");
        let mut sets = BTreeMap::new();
        for row in rows {
            let set = row.of.as_deref().unwrap_or_default();
            if !set.is_empty() && !sets.contains_key(set) {
                // What cannot be told now is not told; the set's own page says why.
                sets.insert(set, self.desk.came_of_set(set).await.ok().flatten());
            }
            self.row(content, row, sets.get(set).copied().flatten(), now);
        }
        html!(content; "</tbody>\n</table>\n</div>\n");
    }

    fn row(&self, content: &mut Html, row: &HistoryRow, came: Option<&str>, now: Timestamp) {
        let below = crate::text::encode_segment(&row.receipt);
        html!(content; "<tr><th scope=\"row\"><a href=\"" (self.place.path(&below)) "\">" [quoted(&row.summary)] "</a>");
        if let Some(of) = &row.of_vendor {
            html!(content; " <span class=\"dim\">" (of.tenant.as_deref().unwrap_or(&of.vendor)) "</span>");
        }
        if let (Some(set), Some(came)) = (&row.of, came.filter(|came| *came != DONE)) {
            html!(content; "<br><span class=\"dim\">part of " [self.link(set)] "</span> " [Self::badge(came)]);
        }
        html!(content; "</th><td data-label=\"State\">" [Self::badge(&how(row))] "</td><td data-label=\"Asked by\"><bdi>"
            (self.called(&row.requester)) "</bdi></td><td data-label=\"When\">" [Self::told_time(&row.at, now)] "</td><td data-label=\"Answered\">");
        let marks = &row.marks;
        match (&marks.approved_by, &marks.denied_by) {
            (Some(by), _) => html!(content; "yes: <bdi>" (self.called(by)) "</bdi>"),
            (None, Some(by)) => {
                html!(content; "no: <bdi>" (self.called(by)) "</bdi>");
                if let Some(reason) = &marks.denial_reason {
                    html!(content; "<br><span class=\"dim\"><bdi>“" (reason) "”</bdi></span>");
                }
            }
            (None, None) => html!(content; "—"),
        }
        html!(content; "</td><td data-label=\"Ends\">");
        match &row.ends_at {
            Some(end) => html!(content; [Self::told_time(end, now)]),
            None => html!(content; "—"),
        }
        html!(content; "</td></tr>\n");
    }

    fn notes(&self, content: &mut Html, listed: &Listed) {
        for note in listed.note.iter().chain(&listed.warnings) {
            html!(content; "<p class=\"why\">" [quoted(note)] "</p>\n");
        }
    }

    /// The way to the rest of a list.
    fn more(&self, content: &mut Html, visit: &Visit, listed: &Listed) {
        let Some(cursor) = &listed.next_cursor else { return };
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, _, _) in FILTERS {
            query.extend_pairs(visit.query.filled(name).map(|value| (name, value)));
        }
        for name in ["state", "vendor"] {
            query.extend_pairs(visit.query.filled(name).map(|value| (name, value)));
        }
        let query = query.append_pair("cursor", cursor).finish();
        let to = format!("{}?{query}", self.place.path(&visit.below));
        html!(content; "<p><a href=\"" (to) "\">Older ones</a></p>\n");
    }
}

/// Where something stands; of what is over and did not end as it was asked for, how it ended.
fn how(row: &HistoryRow) -> Cow<'_, str> {
    match row.state == DONE && row.outcome.is_error() {
        true => row.outcome.as_str().replace('_', " ").into(),
        false => row.state.as_str().into(),
    }
}

/// A field to type into: its name, what it is called, an example, and what was typed.
pub(super) fn typed((name, label, hint): (&str, &str, &str), value: Option<&str>) -> Html {
    let mut piece = Html::default();
    html!(piece; "<p><label for=\"" (name) "\">" (label) "</label><input id=\"" (name) "\" name=\"" (name)
        "\" value=\"" (value.unwrap_or_default()) "\" placeholder=\"" (hint) "\"></p>\n");
    piece
}

/// The fields that are typed: their names, what they are called, and an example.
const FILTERS: [(&str, &str, &str); 4] = [
    ("principal", "Whose access", "e-mail, name or id"),
    ("requester", "Asked by", "issuer#subject"),
    ("since", "Since", "P30D"),
    ("until", "Until", "2026-12-31T00:00:00Z"),
];
