//! Finding the id of a line that is not JSON, so that its sender need not wait for ever.

use rmcp::model::RequestId;

/// The value of `"id"` in the outermost object, if it is text or a whole number and the line can be
/// read as far as there.
pub(super) fn recover_id(line: &[u8]) -> Option<RequestId> {
    let (mut depth, mut place) = (0_usize, 0);
    while let Some(&byte) = line.get(place) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b'"' => {
                let end = text_end(line, place)?;
                let is_id = depth == 1 && line.get(place..end) == Some(b"\"id\"");
                let colon = skip_space(line, end);
                if is_id && line.get(colon) == Some(&b':') {
                    return value(line.get(skip_space(line, colon + 1)..)?);
                }
                place = end;
                continue;
            }
            _ => {}
        }
        place += 1;
    }
    None
}

/// The place after the closing quote of the text that starts at `start`.
fn text_end(line: &[u8], start: usize) -> Option<usize> {
    let mut place = start + 1;
    loop {
        match line.get(place)? {
            b'"' => return Some(place + 1),
            b'\\' => place += 2,
            _ => place += 1,
        }
    }
}

fn skip_space(line: &[u8], from: usize) -> usize {
    let rest = line.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

fn value(rest: &[u8]) -> Option<RequestId> {
    if rest.first() == Some(&b'"') {
        let text: String = serde_json::from_slice(rest.get(..text_end(rest, 0)?)?).ok()?;
        return Some(RequestId::String(text.as_str().into()));
    }
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'-').count();
    // A number that the line ends in may have been longer.
    let follows = rest.get(digits)?;
    let whole = matches!(follows, b',' | b'}') || follows.is_ascii_whitespace();
    let number = std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()?;
    whole.then_some(RequestId::Number(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_outermost_id_is_found_or_none() {
        let number = |id| Some(RequestId::Number(id));
        for (line, id) in [
            (r#"{"id":1,"#, number(1)),
            (r#"{"a":{"id":9},"id" : -2 ,"#, number(-2)),
            (r#"{"a":"\"id\":9","id":"x\"y","#, Some(RequestId::String("x\"y".into()))),
            (r#"{"id":12"#, None),
            (r#"{"id":1.5,"#, None),
            (r#"{"id":true,"#, None),
            (r#"{"a":{"id":9}"#, None),
            (r#"["id",1,"#, None),
            (r#"}{"id":1,"#, None),
        ] {
            assert_eq!(recover_id(line.as_bytes()), id, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            recover_id(&line);
        }

        /// Wherever a request is cut after its id, the id is found.
        #[test]
        fn a_cut_request_keeps_its_id(id in any::<i64>(), cut in 0_usize..40) {
            let line = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"#);
            let end = line.find(",\"method").unwrap() + 1 + cut;
            let line = line.get(..end).unwrap_or(&line);
            prop_assert_eq!(recover_id(line.as_bytes()), Some(RequestId::Number(id)));
        }
    }
}
