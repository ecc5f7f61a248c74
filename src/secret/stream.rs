//! A text read as bytes, whatever it writes them in.
//!
//! Digits of base64, of base32 and of hexadecimal begin anywhere between two bytes, so a run is looked at
//! wherever one may end. What such digits come to may be a text again, in which to look further.

use super::runs::{Known, RUN};

/// The bytes that digits of one kind come to.
pub(super) struct Stream {
    /// How many bits a digit has.
    width: usize,
    /// How many of them lie between two places at which a byte may end.
    step: usize,
    /// The last bits.
    run: u64,
    /// How many bits have come.
    bits: usize,
    /// The secret that goes on, for each place at which a byte may end.
    secret: [Stretch; 8],
    /// The text that goes on, alike.
    text: [Stretch; 8],
    /// What there is of it. Of what is no encoding none is kept.
    found: [Vec<u8>; 8],
    decodes: bool,
}

/// Runs in a row.
#[derive(Clone, Copy, Default)]
struct Stretch {
    /// With which bit it began, and with which it ends as yet.
    begin: usize,
    end: usize,
}

/// What base32 has for a run: words are shorter.
const WORD: usize = 13;
const EACH: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x80 * EACH;

impl Stream {
    pub(super) fn plain() -> Self {
        Self { decodes: false, ..Self::digits(8) }
    }

    pub(super) fn digits(width: usize) -> Self {
        // Up to which a byte and a digit may lie apart.
        let step = 1 << width.trailing_zeros();
        let (secret, text, found) = Default::default();
        Self { width, step, run: 0, bits: 0, secret, text, found, decodes: true }
    }

    /// Whether a secret shows with this digit. This is done so often that nothing else counts.
    pub(super) fn take(&mut self, digit: u8, known: &Known<'_>) -> bool {
        let (mut left, digit) = (self.width, u64::from(digit));
        while left > 0 {
            left -= self.step;
            self.run = (self.run << self.step) | ((digit >> left) & ((1 << self.step) - 1));
            self.bits += self.step;
            let run = folded(self.run);
            if known.may_hold(run) && self.shows(run, known) {
                return true;
            }
            if self.decodes && is_text(self.run) {
                self.keep();
            }
        }
        false
    }

    fn shows(&mut self, run: u64, known: &Known<'_>) -> bool {
        let Some(needed) = known.needed(run).filter(|_| self.bits >= 8 * RUN) else { return false };
        let secret = self.secret.get_mut(self.bits & 7);
        secret.is_some_and(|secret| secret.grow(self.bits) >= needed)
    }

    fn keep(&mut self) {
        let at = self.bits & 7;
        let (text, found) = (self.text.get_mut(at), self.found.get_mut(at));
        let Some((text, found)) = text.zip(found) else { return };
        // Eight bytes at first, and then one after the other.
        let length = text.grow(self.bits);
        let bytes = self.run.to_be_bytes();
        if length == 8 * RUN {
            found.push(b'|');
            found.extend(bytes);
        } else {
            found.extend(bytes.last());
        }
    }

    /// What of it may be text.
    pub(super) fn text(self) -> String {
        String::from_utf8_lossy(&self.found.concat()).into_owned()
    }
}

impl Stretch {
    /// How many bits there are with the run that ends here.
    fn grow(&mut self, end: usize) -> usize {
        if self.end + 8 != end {
            self.begin = end.saturating_sub(8 * RUN);
        }
        self.end = end;
        end - self.begin
    }
}

/// A run of which letter case is no part.
pub(super) fn folded(run: u64) -> u64 {
    // The highest bit of a byte, from `A` and behind `Z`.
    let low = run & !HIGH;
    let from = low + (0x80 - 0x41) * EACH;
    let behind = low + (0x7f - 0x5a) * EACH;
    let capitals = from & !behind & !run & HIGH;
    run | (capitals >> 2)
}

/// Whether each of its bytes may be one of a text on one line.
fn is_text(run: u64) -> bool {
    run & HIGH == 0 && (run + 0x60 * EACH) & HIGH == HIGH
}

/// A digit of base64 of either kind.
pub(super) fn base64(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// A digit of hexadecimal.
pub(super) fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// The digits of base32, where so many stand together that they are no words; all of one case.
pub(super) fn base32(text: &str) -> impl Iterator<Item = u8> {
    let is_digit = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'2'..=b'7');
    let stretches = text.as_bytes().split(move |byte| !is_digit(byte));
    let is_one = |stretch: &&[u8]| {
        stretch.len() >= WORD
            && !(stretch.iter().any(u8::is_ascii_lowercase)
                && stretch.iter().any(u8::is_ascii_uppercase))
    };
    stretches.filter(is_one).flatten().map(|byte| match byte {
        b'2'..=b'7' => byte - b'2' + 26,
        letter => letter.to_ascii_uppercase().wrapping_sub(b'A'),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_of_what_can_be_printed() {
        for (run, fits) in [(*b"aZ ~09|}", true), (*b"aZ ~09|\n", false), (*b"\xc3aaaaaaa", false)]
        {
            assert_eq!(is_text(u64::from_be_bytes(run)), fits, "{run:?}");
        }
    }

    #[test]
    fn only_letters_are_folded() {
        for byte in 0..=u8::MAX {
            for place in 0..8 {
                let run = u64::from(byte) << (8 * place);
                assert_eq!(folded(run), u64::from(byte.to_ascii_lowercase()) << (8 * place));
            }
        }
        let run = u64::from_be_bytes(*b"Az[@Z`\xc1\x7f");
        assert_eq!(folded(run).to_be_bytes(), *b"az[@z`\xc1\x7f");
    }
}
