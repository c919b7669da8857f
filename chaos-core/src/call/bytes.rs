//! Short texts, compared and searched by words of eight bytes: most texts that rules look at are shorter than what it
//! takes to call a function that is made for long ones.

/// Returns whether two texts are equal. Short ones are compared sooner than by a call of `memcmp`: by words, of
/// which the last may overlap the one before.
#[inline(always)]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    if let (Some(last_a), Some(last_b)) = (a.last_chunk::<8>(), b.last_chunk::<8>()) {
        let (words_a, words_b) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
        return (words_a.iter().zip(words_b)).all(|(a, b)| a == b) && last_a == last_b;
    }
    match (a.first_chunk::<4>(), b.first_chunk::<4>()) {
        (Some(first_a), Some(first_b)) => {
            first_a == first_b && a.last_chunk::<4>() == b.last_chunk::<4>()
        }
        _ => a.iter().zip(b).all(|(a, b)| a == b),
    }
}

/// The lowest bit of each byte of a word.
const LOW: u64 = u64::from_ne_bytes([1; 8]);
/// The highest bit of each byte of a word.
const HIGH: u64 = LOW << 7;

/// Returns where the first of these bytes is.
#[inline(always)]
pub(crate) fn position(text: &[u8], wanted: u8) -> Option<usize> {
    let (words, rest) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let found = zeros(u64::from_le_bytes(*word) ^ (LOW * u64::from(wanted)));
        if found != 0 {
            return Some(8 * at + found.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(|byte| *byte == wanted)?;
    Some(8 * words.len() + at)
}

/// Returns whether a text has one of two bytes.
#[inline(always)]
pub(crate) fn has_either(text: &[u8], [a, b]: [u8; 2]) -> bool {
    any_word(
        text,
        |word| zeros(word ^ (LOW * u64::from(a))) | zeros(word ^ (LOW * u64::from(b))) != 0,
        |byte| byte == a || byte == b,
    )
}

/// Returns whether a text has no other bytes than visible ones of ASCII, spaces and tabs, as
/// [`HeaderValue::to_str`](http::HeaderValue::to_str) demands it.
#[inline(always)]
pub(crate) fn is_visible(text: &[u8]) -> bool {
    let is_visible = |byte: u8| matches!(byte, b' '..=b'~' | b'\t');
    let may_be_none = |word: u64| {
        let low = word & !HIGH;
        (!(low + LOW * u64::from(0x80 - b' ')) | (low + LOW) | word) & HIGH != 0
    };
    // Tabs are rare, so that all bytes are looked at again.
    !any_word(text, may_be_none, |byte| !is_visible(byte)) || text.iter().copied().all(is_visible)
}

/// Returns whether a text has a capital letter, a colon, or a byte that is no visible one of ASCII. It may say so of
/// other texts, too: of one with a tab.
#[inline(always)]
pub(crate) fn may_be_odd_host(text: &[u8]) -> bool {
    let is_odd = |word: u64| {
        let low = word & !HIGH;
        // The highest bit of a byte is set from this byte on.
        let from = |byte: u8| low + LOW * u64::from(0x80 - byte);
        let is_capital = from(b'A') & !from(b'Z' + 1);
        let is_invisible = !from(b' ') | from(0x7f) | word;
        (is_capital | is_invisible | zeros(word ^ (LOW * u64::from(b':')))) & HIGH != 0
    };
    any_word(text, is_odd, |byte| {
        !matches!(byte, b' '..=b'~') || matches!(byte, b'A'..=b'Z' | b':')
    })
}

/// Returns the highest bit of each byte that is zero. A byte above one that is zero may have it without cause.
#[inline(always)]
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word & HIGH
}

/// Returns whether a function is true for a word of a text, or in a shorter text for a byte.
#[inline(always)]
fn any_word(text: &[u8], is_it: impl Fn(u64) -> bool, is_byte: impl Fn(u8) -> bool) -> bool {
    if let Some(last) = text.last_chunk::<8>() {
        let mut words = text.as_chunks::<8>().0.iter();
        return words.any(|word| is_it(u64::from_le_bytes(*word)))
            || is_it(u64::from_le_bytes(*last));
    }
    match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            let [first, last] = [first, last].map(|half| u64::from(u32::from_le_bytes(*half)));
            is_it((first << 32) | last)
        }
        _ => text.iter().copied().any(is_byte),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_compared_by_words() {
        let text: Vec<u8> = (0..40).collect();
        for length in 0..=text.len() {
            let one = &text[..length];
            assert!(same(one, &one.to_vec()));
            for at in 0..length {
                let mut other = one.to_vec();
                other[at] += 1;
                assert!(!same(one, &other), "{length}, {at}");
                assert!(!same(one, &one[..at]), "{length}, {at}");
            }
        }
    }

    proptest! {
        #[test]
        fn texts_are_searched_by_words(text in prop::collection::vec(any::<u8>(), 0..40)) {
            for text in [text.clone(), text.iter().map(|byte| 0x20 + byte % 0x60).collect()] {
                for wanted in [0, b'%', 0x7f, 0x80, 0xff].into_iter().chain(text.first().copied()) {
                    let expected = text.iter().position(|byte| *byte == wanted);
                    prop_assert_eq!(position(&text, wanted), expected);
                    prop_assert_eq!(has_either(&text, [wanted, wanted]), expected.is_some());
                }
                if let Ok(value) = http::HeaderValue::from_bytes(&text) {
                    prop_assert_eq!(is_visible(&text), value.to_str().is_ok());
                }
                let visible = text.iter().all(|byte| matches!(byte, b' '..=b'~'));
                let is_odd = !visible || text.contains(&b':') || text.iter().any(u8::is_ascii_uppercase);
                prop_assert_eq!(may_be_odd_host(&text), is_odd);
            }
        }
    }
}
