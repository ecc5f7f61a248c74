//! The access of a person, or to a resource, as the vendors show it now.

use hyper::StatusCode;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::html::{Html, html};
use super::lists::typed;
use super::reply::Reply;
use super::request::quoted;
use super::{Page, Visit};
use crate::access::Access;
use crate::desk::{Body, Call, Looked, Person};
use crate::failure::Failure;
use crate::requester::Requester;

const TOOL: &str = "list_access";
const FIELDS: [(&str, &str, &str); 2] =
    [("principal", "Of whom", "e-mail, name or id"), ("resource", "To what", "name, path or id")];

impl Page {
    pub(super) async fn access(
        &self,
        visit: &Visit,
        who: &Requester,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let mut content = Html::default();
        if let Err(failure) = self.desk.may_look_at_access(who) {
            html!(content; "<p class=\"alert\" role=\"alert\">You cannot look at what access there is: " (failure.message) ".</p>\n");
            if let Some(hint) = failure.hint {
                html!(content; "<p>" (hint) "</p>\n");
            }
            return Ok(self.framed(visit, StatusCode::OK, "Access", content));
        }
        html!(content; "<form class=\"filters\" method=\"get\" action=\"" (self.place.path("access")) "\">\n");
        let mut arguments = Map::new();
        for (name, label, hint) in FIELDS {
            let value = visit.query.filled(name);
            if let Some(value) = value {
                arguments.insert(name.to_owned(), value.into());
            }
            content.piece(typed((name, label, hint), value));
        }
        html!(content; "<p><button>Show</button></p>\n</form>\n");
        if arguments.is_empty() {
            html!(content; "<p>Name a person, a resource, or both: the vendors are asked what is so now.</p>\n");
        } else {
            if let Some(cursor) = visit.query.filled("cursor") {
                arguments.insert("cursor".to_owned(), cursor.into());
            }
            self.found(&mut content, visit, arguments, who, now).await;
        }
        Ok(self.framed(visit, StatusCode::OK, "Access", content))
    }

    async fn found(
        &self,
        content: &mut Html,
        visit: &Visit,
        arguments: Map<String, Value>,
        who: &Requester,
        now: Timestamp,
    ) {
        let call = Call {
            requester: who.clone(),
            tool: TOOL.to_owned(),
            arguments,
            client: None,
            asked: None,
            progress: Box::new(|_| ()),
            withdrawn: Box::new(|| false),
            person: Person::Absent,
        };
        // The road is long, and its stack is not shared with the connection's.
        let desk = self.desk.clone();
        let called = tokio::spawn(async move { Box::pin(desk.call(call)).await });
        let body = called.await.ok().and_then(Result::ok).map(|answer| answer.shown().body);
        match body {
            Some(Body::Looked(looked)) => self.rows(content, visit, &looked, now),
            Some(Body::Unasked(unasked)) => {
                html!(content; "<p class=\"alert\" role=\"alert\">" [quoted(&unasked.summary)] ". " [quoted(&unasked.hint)] "</p>\n");
                for candidate in &unasked.candidates {
                    let name = candidate.name.as_deref().unwrap_or(&candidate.id);
                    html!(content; "<p class=\"dim\"><bdi>" (name) "</bdi>: <code>" (candidate.id) "</code></p>\n");
                }
            }
            _ => {
                html!(content; "<p class=\"alert\" role=\"alert\">The access cannot be listed.</p>\n");
            }
        }
    }

    fn rows(&self, content: &mut Html, visit: &Visit, looked: &Looked, now: Timestamp) {
        for problem in &looked.problems {
            html!(content; "<p class=\"why\">" (problem.of.vendor) ": " [quoted(&problem.message)] "</p>\n");
        }
        for note in looked.note.iter().chain(&looked.warnings) {
            html!(content; "<p class=\"why\">" [quoted(note)] "</p>\n");
        }
        if looked.rows.is_empty() {
            html!(content; "<p>No access is found.</p>\n");
            return;
        }
        html!(content; "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"The access\">\n<table class=\"rows\">\n<thead><tr>\
            <th scope=\"col\">Who</th><th scope=\"col\">Role</th><th scope=\"col\">On</th><th scope=\"col\">At</th>\
            <th scope=\"col\">Ends</th><th scope=\"col\">Granted by</th></tr></thead>\n<tbody>\n");
        for row in &looked.rows {
            self.access_row(content, row, now);
        }
        html!(content; "</tbody>\n</table>\n</div>\n");
        if let Some(cursor) = &looked.next_cursor {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            for (name, _, _) in FIELDS {
                query.extend_pairs(visit.query.filled(name).map(|value| (name, value)));
            }
            let query = query.append_pair("cursor", cursor).finish();
            html!(content; "<p><a href=\"" (format!("{}?{query}", self.place.path("access"))) "\">More</a></p>\n");
        }
    }

    fn access_row(&self, content: &mut Html, row: &Value, now: Timestamp) {
        let Ok(access) = serde_json::from_value::<Access>(row.clone()) else { return };
        let text = |name: &str| row.get(name).and_then(Value::as_str);
        let at = text("tenant").or(text("vendor")).unwrap_or_default();
        html!(content; "<tr><th scope=\"row\">" [quoted(&access.principal.label())] "</th><td data-label=\"Role\">"
            [quoted(&access.role.said())]);
        if access.pending {
            html!(content; " <span class=\"badge wait\">waits at the vendor</span>");
        }
        if let Some(via) = &access.via {
            html!(content; " <span class=\"dim\">through " [quoted(&via.label())] "</span>");
        }
        html!(content; "</td><td data-label=\"On\">" [quoted(&access.resource.label())] "</td><td data-label=\"At\">" (at)
            "</td><td data-label=\"Ends\">");
        match &access.expires_at {
            Some(end) => html!(content; [Self::told_time(end, now)]),
            None => html!(content; "—"),
        }
        html!(content; "</td><td data-label=\"Granted by\">");
        match text("receipt") {
            Some(receipt) => html!(content; [self.link(receipt)]),
            None => html!(content; "—"),
        }
        html!(content; "</td></tr>\n");
    }
}
