//! W3C Trace Context: who called, in the words of whoever traces them.
//!
//! It comes from the client and leaves for vendors, so nothing passes that is not exactly of the
//! documented form.

/// A place in a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    pub(super) id: u128,
    /// The span that calls.
    pub(super) parent: u64,
    pub(super) flags: u8,
    /// What tracing systems tell each other, as it came.
    pub(super) state: Option<String>,
}

/// Sampled, and random: the flags there are.
const FLAGS: u8 = 0b11;
/// What must be passed on at least; longer ones are dropped whole.
const LONGEST_STATE: usize = 512;
const MOST_MEMBERS: usize = 32;

impl Trace {
    /// The place that `traceparent` names; `tracestate` counts only beside it.
    pub fn parse(traceparent: &str, tracestate: Option<&str>) -> Option<Self> {
        let mut parts = traceparent.split('-');
        let mut part = |length| parts.next().and_then(|part| digits(part, length));
        let (version, id, parent, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        if parts.next().is_some() || version != 0 || id == 0 || parent == 0 {
            return None;
        }
        let (parent, flags) = (u64::try_from(parent).ok()?, u8::try_from(flags).ok()? & FLAGS);
        let state = tracestate.filter(|state| is_state(state)).map(str::to_owned);
        Some(Self { id, parent, flags, state })
    }

    /// As tracing systems show it.
    pub fn id(&self) -> String {
        format!("{:032x}", self.id)
    }

    /// The same trace, called from a span that nobody has seen yet.
    pub(super) fn onward(&self) -> Self {
        Self { parent: crate::random::nonzero(), ..self.clone() }
    }

    pub(super) fn traceparent(&self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.id, self.parent, self.flags)
    }
}

/// Exactly `length` lower-case hexadecimal digits.
fn digits(text: &str, length: usize) -> Option<u128> {
    let fits =
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    fits.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

/// A list of members, each `key=value`, no key twice.
fn is_state(text: &str) -> bool {
    let mut keys = Vec::new();
    let mut members = text.split(',').map(|member| member.trim_matches([' ', '\t']));
    text.len() <= LONGEST_STATE
        && members.all(|member| {
            let Some((key, value)) = member.split_once('=') else { return member.is_empty() };
            let fresh = !keys.contains(&key);
            keys.push(key);
            fresh && is_key(key) && is_value(value)
        })
        && (1..=MOST_MEMBERS).contains(&keys.len())
}

fn is_key(key: &str) -> bool {
    let first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let any = |byte: u8| first(byte) || matches!(byte, b'_' | b'-' | b'*' | b'/' | b'@');
    key.len() <= 256 && key.bytes().next().is_some_and(first) && key.bytes().all(any)
}

fn is_value(value: &str) -> bool {
    (1..=256).contains(&value.len())
        && value.bytes().all(|byte| matches!(byte, 0x20..=0x7e) && byte != b',' && byte != b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_trace_is_of_the_documented_form_or_none() {
        let trace = Trace::parse(PARENT, None).unwrap();
        assert_eq!(trace.traceparent(), PARENT);
        assert_eq!(trace.id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        for bad in [
            "",
            "00",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47361-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nx: y",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Trace::parse(bad, None), None, "{bad:?}");
        }
    }

    #[test]
    fn onward_is_the_same_trace_from_another_span() {
        let trace = Trace::parse(PARENT, Some("a=1")).unwrap();
        let (one, other) = (trace.onward(), trace.onward());
        assert!(one.parent != trace.parent && one.parent != other.parent);
        assert_eq!((one.id, one.flags, one.state.as_deref()), (trace.id, 1, Some("a=1")));
    }

    #[test]
    fn flags_that_do_not_exist_are_not_passed_on() {
        let trace = Trace::parse(&PARENT.replace("-01", "-ff"), None).unwrap();
        assert!(trace.traceparent().ends_with("-03"));
    }

    #[test]
    fn a_state_is_kept_whole_or_not_at_all() {
        let kept = |state: &str| Trace::parse(PARENT, Some(state)).unwrap().state.is_some();
        let long = format!("a={}", "x".repeat(256));
        for good in ["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "a=1, b=2,", "1t@sys=v", &long] {
            assert!(kept(good), "{good:?}");
        }
        let (longer, many) = (format!("{long}x"), vec!["a=1"; 33].join(","));
        let heavy = (0..4).map(|n| format!("k{n}={}", "x".repeat(200))).collect::<Vec<_>>();
        for bad in [
            "",
            ",",
            "a",
            "A=1",
            "a=1,a=2",
            "a==",
            "a=é",
            "a=1\r\nx: y",
            "@s=1",
            &longer,
            &many,
            &heavy.join(","),
        ] {
            assert!(!kept(bad), "{bad:?}");
        }
    }
}
