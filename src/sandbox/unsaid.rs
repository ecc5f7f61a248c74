//! What an error says besides its status, which hardly any document shows.

use serde_json::{Value, json};

use super::message::Reply;
use super::modes::Errors;

/// An error as the mode has it; every other reply as it is.
pub(super) fn worded(mut reply: Reply, errors: Errors) -> Reply {
    if reply.status < 400 || errors == Errors::Told {
        return reply;
    }
    let body = serde_json::from_slice::<Value>(&reply.body).ok();
    reply.body = match (errors, body) {
        (Errors::Otherwise, Some(mut body)) => {
            if let Some(fields) = body.as_object_mut()
                && fields.remove("traceId").is_some()
            {
                fields.insert("errorCode".to_owned(), json!("x"));
            }
            reword(&mut body);
            body.to_string().into_bytes()
        }
        (Errors::Bare, _) => {
            let status = hyper::StatusCode::from_u16(reply.status).ok();
            let name = status.and_then(|status| status.canonical_reason()).unwrap_or_default();
            return Reply::json(reply.status, &json!({ "message": name }));
        }
        _ => Vec::new(),
    };
    if reply.body.is_empty() {
        reply.headers.retain(|(name, _)| *name != "content-type");
    }
    reply
}

/// The same fields with texts that say nothing.
fn reword(value: &mut Value) {
    match value {
        Value::String(text) => "no words".clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(reword),
        Value::Object(fields) => fields.values_mut().for_each(reword),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_as_much_as_its_mode() {
        let told = json!({ "title": "No", "status": 400, "traceId": "00-1", "type": null });
        for (errors, shown) in [
            (Errors::Told, told.to_string()),
            (Errors::Silent, String::new()),
            (Errors::Bare, json!({ "message": "Bad Request" }).to_string()),
            (
                Errors::Otherwise,
                json!({ "title": "no words", "status": 400, "type": null, "errorCode": "no words" })
                    .to_string(),
            ),
        ] {
            let shown_as = worded(Reply::json(400, &told), errors);
            let as_json = |text: &[u8]| serde_json::from_slice::<Value>(text).ok();
            assert_eq!(as_json(&shown_as.body), as_json(shown.as_bytes()), "{errors:?}");
            assert_eq!(worded(Reply::json(200, &told), errors).body, told.to_string().into_bytes());
        }
    }
}
