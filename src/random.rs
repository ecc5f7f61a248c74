//! Randomness: ids that cannot be guessed and jitter that spreads retries.

/// 128 random bits as 26 characters of `a-z2-7`.
pub fn id() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bits = u128::from_le_bytes(bytes());
    (0..26)
        .map(|place| (bits >> (place * 5)) as usize & 31)
        .filter_map(|index| ALPHABET.get(index).copied().map(char::from))
        .collect()
}

/// Uniform in `0.0..1.0`.
pub fn unit() -> f64 {
    f64::from(u32::from_le_bytes(bytes())) / (f64::from(u32::MAX) + 1.0)
}

/// Any number but zero.
pub fn nonzero() -> u64 {
    u64::from_le_bytes(bytes()).max(1)
}

/// From the operating system itself: aws-lc's own generator takes tens of milliseconds to begin,
/// which every start would pay.
fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Where the operating system has no randomness, nothing that needs a secret works either.
    if getrandom::fill(&mut bytes).is_err() {
        std::process::abort();
    }
    bytes
}

#[cfg(test)]
mod tests {
    #[test]
    fn ids_differ_and_are_easy_to_type() {
        let (one, two) = (super::id(), super::id());
        assert_ne!(one, two);
        assert!(
            one.len() == 26 && one.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        );
        assert!((0.0..1.0).contains(&super::unit()));
    }
}
