//! A regular expression that is bounded in length and in size.

use std::fmt;

use crate::error::RuleError;

/// A compiled regular expression. It keeps the text it was compiled from.
#[derive(Clone)]
pub struct Pattern {
    /// Boxed, because it is larger than any other condition, and rare.
    pub(super) regex: Box<regex_lite::Regex>,
    /// Whether the whole of a value must match.
    is_full: bool,
    /// A power of two that is no smaller than the size of the compiled expression, in bytes.
    size: usize,
}

impl Pattern {
    /// The size that a compiled expression may have: `(a{1000}){1000}` is refused before it is
    /// built.
    const SIZE_LIMIT: usize = 32 * 1024;
    pub(crate) const MAX_LENGTH: usize = 1024;
    /// The length of a value that is looked at: a search takes time for each byte and each state.
    const MAX_VALUE: usize = 2048;
    /// What stands around an expression that must match the whole.
    const FULL: (&str, &str) = (r"\A(?:", r")\z");

    /// Compiles a pattern that is searched for, within the bounds.
    pub(super) fn search(pattern: &str) -> Result<Self, RuleError> {
        let regex = compile("regex", pattern, pattern)?;
        Ok(Self::new(regex, false))
    }

    /// Compiles a pattern that must match the whole of a value, within the bounds.
    pub(super) fn full(pattern: &str) -> Result<Self, RuleError> {
        // On its own first: `a)|(b` is none, though it is one with the parentheses around it.
        compile("full_regex", pattern, pattern)?;
        let (open, close) = Self::FULL;
        let regex = compile("full_regex", pattern, &[open, pattern, close].concat())?;
        Ok(Self::new(regex, true))
    }

    fn new(regex: regex_lite::Regex, is_full: bool) -> Self {
        let fits = |limit: &usize| {
            let mut builder = regex_lite::RegexBuilder::new(regex.as_str());
            builder.size_limit(*limit).build().is_ok()
        };
        let sizes = (9..)
            .map(|log| 1 << log)
            .take_while(|size| *size < Self::SIZE_LIMIT);
        let size = sizes.into_iter().find(fits).unwrap_or(Self::SIZE_LIMIT);
        Self {
            regex: Box::new(regex),
            is_full,
            size,
        }
    }

    /// Returns whether the expression matches `value`. One that is longer than 2 KiB, or is not UTF-8,
    /// does not match.
    #[cold]
    #[inline(never)]
    pub(super) fn is_match(&self, value: &[u8]) -> bool {
        let text = Some(value).filter(|value| value.len() <= Self::MAX_VALUE);
        let text = text.and_then(|value| str::from_utf8(value).ok());
        text.is_some_and(|text| self.regex.is_match(text))
    }

    /// Returns the size of the compiled expression in bytes, rounded up to a power of two.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Returns the expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let text = self.regex.as_str();
        let (open, close) = Self::FULL;
        if self.is_full {
            &text[open.len()..text.len() - close.len()]
        } else {
            text
        }
    }

    /// Returns whether the whole of a value must match, and not a part of it.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.is_full
    }
}

fn compile(field: &str, written: &str, pattern: &str) -> Result<regex_lite::Regex, RuleError> {
    let refuse = |problem: String| {
        let allowed = "a regular expression of at most 1024 bytes, without look-around or back \
                       references, that compiles to at most 32 KiB";
        RuleError::new(field, problem, allowed)
    };
    if written.len() > Pattern::MAX_LENGTH {
        return Err(refuse(format!("{} bytes are too many", written.len())));
    }
    let mut builder = regex_lite::RegexBuilder::new(pattern);
    let regex = builder.size_limit(Pattern::SIZE_LIMIT).build();
    regex.map_err(|error| refuse(error.to_string()))
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.is_full == other.is_full && self.as_str() == other.as_str()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `/products/[0-9]+` hit `/x/products/1/picture`, which it does in no proxy.
    #[test]
    fn a_search_finds_a_part_and_a_full_match_is_the_whole() {
        for (pattern, text, is_found, is_whole) in [
            ("/products/[0-9]+", "/products/1", true, true),
            ("/products/[0-9]+", "/x/products/1/picture", true, false),
            ("a|ab", "ab", true, true),
            ("a|b", "xb", true, false),
            ("^a$", "a", true, true),
            ("^a|b$", "b", true, true),
            ("(?i)A", "a", true, true),
            ("(?m)^a$", "a\nb", true, false),
            ("a", "a\n", true, false),
            ("", "", true, true),
            ("", "a", true, false),
            (".*", "a\nb", true, false),
            ("b", "a", false, false),
        ] {
            let search = Pattern::search(pattern).unwrap();
            let full = Pattern::full(pattern).unwrap();
            let matches = [&search, &full].map(|pattern| pattern.regex.is_match(text));
            assert_eq!(matches, [is_found, is_whole], "{pattern:?} in {text:?}");
            assert_eq!([search.as_str(), full.as_str()], [pattern; 2]);
            assert!(search != full);
        }
    }

    #[test]
    fn what_is_no_expression_on_its_own_is_refused() {
        for pattern in ["a)|(b", "a)(?:b", "(", "[", r"\"] {
            for of in [Pattern::search, Pattern::full] {
                assert!(of(pattern).is_err(), "{pattern}");
            }
            let error = Pattern::full(pattern).unwrap_err();
            assert_eq!(error.field(), "full_regex");
        }
        assert!(Pattern::full(&format!("[{}]", "a".repeat(1022))).is_ok());
        assert!(Pattern::full(&format!("[{}]", "a".repeat(1023))).is_err());
        assert!(Pattern::full("((a{1000}){1000}){1000}").is_err());
    }
}
