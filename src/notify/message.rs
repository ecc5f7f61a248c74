//! What is told, byte for byte. Pure.

use serde_json::{Value, json};

use super::settings::{Detail, Kind};
use crate::ledger::{Happening, Noted};
use crate::text;

/// Enough of a digest that no two are alike.
const ID: usize = 32;
/// The most of a summary that a chat is shown.
const LONGEST: usize = 300;

/// The id of a notice: of what has happened alone, so that it is the same for every try, process and endpoint.
pub(super) fn id(noted: &Noted) -> String {
    let Noted { what, time, receipt, line, hash, .. } = noted;
    // A line is what it is, whenever it is read; what time brings is known by when.
    let when = line.is_none().then(|| time.to_string());
    let all = json!([receipt, what.as_str(), line, hash, when]).to_string();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, all.as_bytes());
    format!("msg_{}", text::hex(digest.as_ref()).chars().take(ID).collect::<String>())
}

/// The body for an endpoint of that kind.
pub(super) fn body(noted: &Noted, kind: Kind, detail: Detail, link: Option<&str>) -> Vec<u8> {
    let body = match kind {
        Kind::Webhook => webhook(noted, detail, link),
        Kind::Slack => json!({
            "text": said(noted, detail, link),
            "mrkdwn": false,
            "unfurl_links": false,
            "unfurl_media": false,
        }),
    };
    body.to_string().into_bytes()
}

fn webhook(noted: &Noted, detail: Detail, link: Option<&str>) -> Value {
    let Noted { what, time, receipt, line, vendor, tenant, how, until, undoes, hash, .. } = noted;
    let field = match what {
        Happening::Decided => "decision",
        _ => "outcome",
    };
    let mut data = json!({
        "receipt": receipt,
        "vendor": vendor,
        "tenant": tenant,
        field: how,
        "until": until,
        "undoes": undoes,
        "line": line,
        "hash": hash,
        "link": link,
    });
    if detail == Detail::Summary {
        let Noted { summary, requester, by, .. } = noted;
        crate::json::extend(
            &mut data,
            json!({ "summary": summary, "requester": requester, "by": by }),
        );
    }
    if let Some(fields) = data.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    let mut body = json!({ "type": what.as_str(), "timestamp": time, "data": data });
    text::clean_value(&mut body);
    body
}

/// A line for a chat: it leads to where a person looks, and nothing in it does anything.
fn said(noted: &Noted, detail: Detail, link: Option<&str>) -> String {
    let how = noted.how.as_deref().unwrap_or_default();
    let until = noted.until.map(|until| until.to_string()).unwrap_or_default();
    let mut said = match noted.what {
        Happening::Asked => "A request for access waits for an answer".to_owned(),
        Happening::Decided => format!("A request for access was {how}"),
        Happening::CarriedOut => format!("A change of access ended: {how}"),
        Happening::Lapsed => "A request for access lapsed".to_owned(),
        Happening::DueSoon => format!("Access ends soon, at {until}"),
        Happening::Overdue => "Access stands past its end, and could not be taken back".to_owned(),
        Happening::Head => format!(
            "The ledger’s head is line {}, {}",
            noted.line.unwrap_or_default(),
            noted.hash.as_deref().unwrap_or_default()
        ),
    };
    let place = [&noted.vendor, &noted.tenant].into_iter().flatten().map(String::as_str);
    let place: Vec<_> = place.chain(noted.receipt.as_deref()).collect();
    if !place.is_empty() {
        said.push_str(&format!(" ({})", place.join(", ")));
    }
    if detail == Detail::Summary {
        let by = noted.by.as_ref().map(|by| format!(" (by {by})"));
        let requester = noted.requester.as_ref().map(|who| format!("; asked for by {who}"));
        let summary = noted.summary.as_deref().unwrap_or_default();
        let summary = text::short(summary, LONGEST);
        for part in [by, noted.summary.as_ref().map(|_| format!(": {summary}")), requester] {
            said.push_str(&part.unwrap_or_default());
        }
    }
    let said = defused(&text::clean(&said));
    match link {
        Some(link) => format!("{said}\n{link}"),
        None => said,
    }
}

/// A text in which a chat finds no mention, no link and no markup.
fn defused(text: &str) -> String {
    const APART: &str = "\u{200b}";
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let text = text.replace("://", &format!(":{APART}//"));
    ["here", "channel", "everyone"]
        .iter()
        .fold(text, |text, all| text.replace(&format!("@{all}"), &format!("@{APART}{all}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn noted(what: Happening) -> Noted {
        serde_json::from_value(json!({
            "what": what, "time": "2027-01-31T18:00:00Z", "receipt": "gr-1", "line": 7, "vendor": "v",
            "tenant": "live", "how": "approved", "until": "2027-02-01T18:00:00Z",
            "summary": "Give ada@example.com <admin>", "requester": "root", "by": "grace",
        }))
        .unwrap()
    }

    fn parsed(body: &[u8]) -> Value {
        serde_json::from_slice(body).unwrap()
    }

    #[test]
    fn names_are_told_only_where_the_summary_is() {
        let (one, link) = (noted(Happening::Decided), Some("https://g.example.com/inbox/gr-1"));
        let told = parsed(&body(&one, Kind::Webhook, Detail::Link, link));
        let expected = json!({
            "type": "decided", "timestamp": "2027-01-31T18:00:00Z",
            "data": { "receipt": "gr-1", "vendor": "v", "tenant": "live", "decision": "approved",
                "until": "2027-02-01T18:00:00Z", "line": 7, "link": link },
        });
        assert_eq!(told, expected);
        for kind in [Kind::Webhook, Kind::Slack] {
            for what in Happening::ALL {
                let told =
                    |detail| String::from_utf8(body(&noted(what), kind, detail, link)).unwrap();
                for name in ["ada", "root", "grace"] {
                    assert!(!told(Detail::Link).contains(name), "{kind:?} {what:?}");
                    assert!(told(Detail::Summary).contains(name), "{kind:?} {what:?}");
                }
            }
        }
    }

    #[test]
    fn a_chat_finds_nothing_to_do_in_what_it_is_told() {
        let mut one = noted(Happening::Asked);
        one.summary = Some("<!channel> @here & <https://evil.example|x>\n<@U1>".to_owned());
        let told =
            parsed(&body(&one, Kind::Slack, Detail::Summary, Some("https://g.example/inbox/gr-1")));
        let said = told["text"].as_str().unwrap();
        assert_eq!(said.matches("://").count(), 1, "{said}");
        assert!(!said.contains(['<', '>']) && !said.contains("@here"), "{said}");
        assert!(said.contains("&lt;!channel&gt;") && said.contains("&amp;"), "{said}");
        assert_eq!(said.lines().count(), 2, "{said}");
        assert_eq!(told["mrkdwn"], false);
        assert!(told.get("blocks").is_none() && told.get("attachments").is_none());
    }

    #[test]
    fn an_id_is_of_what_has_happened_and_of_nothing_else() {
        let one = noted(Happening::Asked);
        let id_of = |edit: fn(&mut Noted)| {
            let mut other = one.clone();
            edit(&mut other);
            id(&other)
        };
        assert_eq!(id(&one), id_of(|other| other.summary = None));
        assert_eq!(id(&one), id_of(|other| other.time = Timestamp::UNIX_EPOCH));
        let edits: [fn(&mut Noted); 4] = [
            |other| other.receipt = Some("gr-2".to_owned()),
            |other| other.what = Happening::Decided,
            |other| other.line = Some(8),
            |other| other.line = None,
        ];
        for edit in edits {
            assert_ne!(id(&one), id_of(edit));
        }
        // What time brings is another when the time is.
        let timed = |time| {
            let mut timed = one.clone();
            (timed.line, timed.time) = (None, time);
            id(&timed)
        };
        assert_ne!(timed(one.time), timed(Timestamp::UNIX_EPOCH));
        assert!(id(&one).strip_prefix("msg_").is_some_and(|rest| rest.len() == ID));
    }

    use jiff::Timestamp;
}
