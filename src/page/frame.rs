//! What stands around every page, and small pieces that several have.

use hyper::StatusCode;
use jiff::Timestamp;

use super::html::{Html, html};
use super::reply::Reply;
use super::sessions::Session;
use super::{Page, STYLE_AT, Visit};

/// The lists, by their address below the page's own.
const LISTS: [(&str, &str); 6] = [
    ("", "Waiting for you"),
    ("mine", "Your requests"),
    ("decided", "Decided"),
    ("due", "Due and overdue"),
    ("history", "History"),
    ("access", "Access"),
];

impl Page {
    /// A whole page; its title is its heading as well.
    pub(super) fn framed(
        &self,
        visit: &Visit,
        status: StatusCode,
        title: &str,
        content: Html,
    ) -> Reply {
        let mut page = Html::default();
        let style = self.place.path(STYLE_AT);
        html!(page;
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"robots\" content=\"noindex\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>" (title) " · Grantor</title>\n<link rel=\"stylesheet\" href=\"" (style) "\">\n</head>\n\
             <body>\n<a class=\"skip\" href=\"#content\">To the content</a>\n<header>\n<div class=\"bar\">\n\
             <p class=\"name\"><span aria-hidden=\"true\">◆</span> Grantor</p>\n"
        );
        if let Some(session) = &visit.session {
            html!(page; [self.whoever(session)]);
        }
        html!(page; "</div>\n");
        if visit.session.is_some() {
            html!(page; "<nav aria-label=\"Lists\"><ul>\n");
            for (below, name) in LISTS {
                html!(page; "<li><a href=\"" (self.place.path(below)) "\"");
                if visit.below == below {
                    html!(page; " aria-current=\"page\"");
                }
                html!(page; ">" (name) "</a></li>\n");
            }
            html!(page; "</ul></nav>\n");
        }
        html!(page;
            "</header>\n<main id=\"content\">\n<h1>" (title) "</h1>\n" [content] "</main>\n"
        );
        if let Some(said) = self.said_of_the_store(visit) {
            html!(page; "<aside aria-label=\"About this server\"><p class=\"alert\">" (said) "</p></aside>\n");
        }
        if self.desk.config().sandbox {
            html!(page; "<footer><p>A sandbox: the vendors are fakes, and nothing real changes.</p></footer>\n");
        }
        html!(page; "</body>\n</html>\n");
        Reply::page(status, page.finish())
    }

    fn whoever(&self, session: &Session) -> Html {
        let mut piece = Html::default();
        let email = session.who.caller().and_then(|caller| caller.email.clone());
        let name = self.called(session.who.name());
        html!(piece;
            "<form class=\"who\" method=\"post\" action=\"" (self.place.path("logout")) "\">\
             <p><span class=\"dim\">Logged in as</span> <bdi>" (email.unwrap_or_default()) "</bdi> <bdi>" (name) "</bdi></p>\
             <input type=\"hidden\" name=\"seal\" value=\"" (self.seals.of_form(&session.id, "", "logout")) "\">\
             <button class=\"plain\">Log out</button></form>\n"
        );
        piece
    }

    /// A page that says one thing.
    pub(super) fn notice(
        &self,
        visit: &Visit,
        status: StatusCode,
        title: &str,
        says: &[&str],
    ) -> Reply {
        let mut content = Html::default();
        for line in says {
            html!(content; "<p>" (line) "</p>\n");
        }
        self.framed(visit, status, title, content)
    }

    /// What there is not, and what somebody may not see: one answer for both.
    pub(super) fn nothing_here(&self, visit: &Visit) -> Reply {
        let says = ["There is no such request, or it is not yours to see."];
        self.notice(visit, StatusCode::NOT_FOUND, "Not found", &says)
    }

    /// Somebody as a page calls them: by their subject, and with their issuer where there are several.
    pub(super) fn called(&self, name: &str) -> String {
        let issuers = &self.desk.config().http.issuers;
        let of = issuers.iter().find_map(|issuer| {
            let subject = name.strip_prefix(issuer.issuer.as_str())?.strip_prefix('#')?;
            Some((subject, issuer.name.as_str()))
        });
        match of {
            Some((subject, _)) if issuers.len() == 1 => subject.to_owned(),
            Some((subject, issuer)) => format!("{subject} ({issuer})"),
            None => name.to_owned(),
        }
    }

    /// Where something stands, as a word that is seen.
    pub(super) fn badge(state: &str) -> Html {
        let mut piece = Html::default();
        match state {
            "done" | "approved" => html!(piece; "<span class=\"badge good\">"),
            "denied" | "refused" | "overdue" | "failed" | "partly done" | "mismatch" => {
                html!(piece; "<span class=\"badge bad\">");
            }
            "withdrawn" | "lapsed" => html!(piece; "<span class=\"badge gone\">"),
            _ => html!(piece; "<span class=\"badge wait\">"),
        }
        html!(piece; (state) "</span>");
        piece
    }

    /// A time, and how long ago or ahead that is.
    pub(super) fn time(at: Timestamp, now: Timestamp) -> Html {
        let mut piece = Html::default();
        let whole = Timestamp::from_second(at.as_second()).unwrap_or(at);
        html!(piece;
            "<time datetime=\"" (whole.to_string()) "\">"
            (at.strftime("%Y-%m-%d %H:%M UTC").to_string()) "</time> <span class=\"dim\">("
            (apart(at.duration_since(now).as_secs())) ")</span>"
        );
        piece
    }

    /// The same of a time that is text.
    pub(super) fn told_time(at: &str, now: Timestamp) -> Html {
        match at.parse() {
            Ok(at) => Self::time(at, now),
            Err(_) => {
                let mut piece = Html::default();
                html!(piece; (at));
                piece
            }
        }
    }

    /// Where a request or change is seen.
    pub(super) fn link(&self, receipt: &str) -> Html {
        let mut piece = Html::default();
        let below = crate::text::encode_segment(receipt);
        html!(piece; "<a href=\"" (self.place.path(&below)) "\"><code>" (receipt) "</code></a>");
        piece
    }
}

/// How far apart, in seconds, in words.
fn apart(seconds: i64) -> String {
    let far = seconds.unsigned_abs();
    let words = match far {
        0..60 => return "now".to_owned(),
        60..3_600 => format!("{} min", far / 60),
        3_600..172_800 => format!("{} h", far / 3_600),
        _ => format!("{} days", far / 86_400),
    };
    if seconds < 0 { format!("{words} ago") } else { format!("in {words}") }
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_apart_are_said_in_words() {
        for (seconds, words) in [
            (0, "now"),
            (-59, "now"),
            (-60, "1 min ago"),
            (7_200, "in 2 h"),
            (-864_000, "10 days ago"),
        ] {
            assert_eq!(super::apart(seconds), words);
        }
    }
}
