//! The keys of the index: hashes of what a matcher demands, and of what a call has.

use std::hash::Hasher;

use fnv::FnvHasher;
use http::HeaderName;

use crate::matcher::{Matcher, text::Text};

/// A header or a label whose values are keys.
#[derive(Debug)]
pub(super) struct Dimension {
    pub(super) source: Source,
    /// Separates the keys of this dimension from those of the others.
    salt: u8,
}

/// Where a dimension reads a call's value.
#[derive(Debug)]
pub(super) enum Source {
    Header(HeaderName),
    Label(Box<str>),
}

impl Dimension {
    /// Creates a dimension. `salt` is 1 or more; paths have 0.
    pub(super) fn new(name: Name<'_>, salt: u8) -> Self {
        let source = match name {
            Name::Header(name) => Source::Header(name.clone()),
            Name::Label(name) => Source::Label(name.into()),
        };
        Self { source, salt }
    }

    /// Returns the key of a value.
    pub(super) fn key(&self, value: &[u8]) -> u64 {
        let mut hasher = FnvHasher::default();
        hasher.write(&[self.salt]);
        hasher.write(value);
        hasher.finish()
    }

    /// Collects the keys of which a call must have one for `text` to hold; `false` if there are
    /// none.
    pub(super) fn keys_of(&self, text: &Text, keys: &mut Vec<u64>) -> bool {
        anchors(text, &mut |anchor| {
            let Anchor::Whole(value) = anchor else {
                return false;
            };
            keys.push(self.key(value.as_bytes()));
            true
        })
    }
}

/// A header or a label on whose exact values a matcher has a condition.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub(super) enum Name<'m> {
    Header(&'m HeaderName),
    Label(&'m str),
}

impl<'m> Name<'m> {
    /// Returns each of them, with the matcher's condition on it.
    pub(super) fn all_of(matcher: &'m Matcher) -> impl Iterator<Item = (Self, &'m Text)> {
        let headers = matcher.headers.iter();
        let labels = matcher.labels.iter();
        headers
            .map(|(name, text)| (Self::Header(name), text))
            .chain(labels.map(|(name, text)| (Self::Label(name), text)))
            .filter(|(_, text)| anchors(text, &mut |anchor| matches!(anchor, Anchor::Whole(_))))
    }
}

/// The keys of paths: of whole paths, and of prefixes of paths that end in a `/`.
#[derive(Debug, Default)]
pub(super) struct Paths {
    /// A bit for each length that a prefix has. The highest bit also stands for all longer ones.
    lengths: u64,
}

impl Paths {
    const SALT: u8 = 0;

    /// Calls `each` with each key of a call with this path, until it returns `None`.
    #[inline]
    pub(super) fn keys(&self, path: &[u8], mut each: impl FnMut(u64) -> Option<()>) -> Option<()> {
        let mut hasher = Self::begin("");
        if self.lengths == 0 {
            hasher.write(path);
        } else {
            for (at, byte) in path.iter().enumerate() {
                hasher.write(&[*byte]);
                if *byte == b'/' && self.lengths & bit(at + 1) != 0 {
                    each(hasher.finish())?;
                }
            }
        }
        each(end(hasher))
    }

    /// Collects the keys of which a call must have one for the matcher's condition on the path or
    /// on the gRPC method to hold; `false` if there are none.
    pub(super) fn keys_of(&mut self, matcher: &Matcher, keys: &mut Vec<u64>) -> bool {
        let mut lengths = 0;
        let mut path_key = |anchor| {
            match anchor {
                Anchor::Whole(path) => keys.push(end(Self::begin(path))),
                // Every path begins with these.
                Anchor::Under("" | "/") => return false,
                Anchor::Under(prefix) => {
                    lengths |= bit(prefix.len());
                    keys.push(Self::begin(prefix).finish());
                }
            }
            true
        };
        if (matcher.path.as_ref()).is_some_and(|text| anchors(text, &mut path_key)) {
            self.lengths |= lengths;
            return true;
        }
        keys.clear();
        // A gRPC method is its path without the first `/`.
        let mut grpc_key = |anchor| {
            let Anchor::Whole(method) = anchor else {
                return false;
            };
            let mut hasher = Self::begin("/");
            hasher.write(method.as_bytes());
            keys.push(end(hasher));
            true
        };
        (matcher.grpc.as_ref()).is_some_and(|text| anchors(text, &mut grpc_key))
    }

    fn begin(path: &str) -> FnvHasher {
        let mut hasher = FnvHasher::default();
        hasher.write(&[Self::SALT]);
        hasher.write(path.as_bytes());
        hasher
    }
}

/// Ends the key of a whole path with a byte that no path contains, so that it is no prefix's key.
fn end(mut hasher: FnvHasher) -> u64 {
    hasher.write(&[0]);
    hasher.finish()
}

fn bit(length: usize) -> u64 {
    1 << length.min(63)
}

/// What every value that satisfies a condition has.
enum Anchor<'t> {
    /// The value is this.
    Whole(&'t str),
    /// The value begins with this, which ends in a `/`.
    Under(&'t str),
}

/// Calls `each` with anchors such that each value that satisfies `text` has one of them. Returns
/// `false` if there are none, or if `each` returns `false` for one.
fn anchors<'t, F: FnMut(Anchor<'t>) -> bool>(text: &'t Text, each: &mut F) -> bool {
    match text {
        Text::Is(value) | Text::Plain(value) => each(Anchor::Whole(value)),
        Text::Route(route) => each(match route.literal() {
            Some(path) => Anchor::Whole(path),
            None => Anchor::Under(route.literal_prefix()),
        }),
        Text::AnyOf(texts) => texts.iter().all(|text| anchors(text, each)),
        Text::Prefix(_) | Text::Suffix(_) | Text::Regex(_) | Text::Present(_) | Text::Not(_) => {
            false
        }
    }
}
