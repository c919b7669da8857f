//! What a matcher demands of a call, and what a call brings, as the same numbers.

use std::hash::Hasher;

use fnv::FnvHasher;
use http::HeaderName;

use crate::matcher::{Matcher, text::Text};

/// A header or a label whose values are keys.
#[derive(Debug)]
pub(super) struct Dimension {
    pub(super) source: Source,
    /// Keeps its keys apart from those of the others.
    salt: u8,
}

/// Where a value comes from.
#[derive(Debug)]
pub(super) enum Source {
    Header(HeaderName),
    Label(Box<str>),
}

impl Dimension {
    /// `salt` is 1 or more: the paths have 0.
    pub(super) fn new(name: Name<'_>, salt: u8) -> Self {
        let source = match name {
            Name::Header(name) => Source::Header(name.clone()),
            Name::Label(name) => Source::Label(name.into()),
        };
        Self { source, salt }
    }

    /// The key of a value.
    pub(super) fn key(&self, value: &[u8]) -> u64 {
        let mut hasher = FnvHasher::default();
        hasher.write(&[self.salt]);
        hasher.write(value);
        hasher.finish()
    }

    /// The keys of which a call must bring one for `text` to hold; `false` if that cannot be said.
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

/// A header or a label of which a matcher names the values.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub(super) enum Name<'m> {
    Header(&'m HeaderName),
    Label(&'m str),
}

impl<'m> Name<'m> {
    /// Each of them, with what the matcher demands of it.
    pub(super) fn all_of(matcher: &'m Matcher) -> impl Iterator<Item = (Self, &'m Text)> {
        let headers = matcher.headers.iter();
        let labels = matcher.labels.iter();
        headers
            .map(|(name, text)| (Self::Header(name), text))
            .chain(labels.map(|(name, text)| (Self::Label(name), text)))
            .filter(|(_, text)| anchors(text, &mut |anchor| matches!(anchor, Anchor::Whole(_))))
    }
}

/// Whole paths, and what paths begin with up to a `/`.
#[derive(Debug, Default)]
pub(super) struct Paths {
    /// A bit for each length that a beginning has; the last bit is for all longer ones too.
    lengths: u64,
}

impl Paths {
    const SALT: u8 = 0;

    /// Calls `each` with each key that a call with this path brings, until it says `None`.
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

    /// The keys of which a call must bring one for the matcher's condition on the path to hold;
    /// `false` if that cannot be said.
    pub(super) fn keys_of(&mut self, matcher: &Matcher, keys: &mut Vec<u64>) -> bool {
        let mut lengths = 0;
        let mut path_key = |anchor| {
            match anchor {
                Anchor::Whole(path) => keys.push(end(Self::begin(path))),
                // Every path begins like this.
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

/// A whole path ends in a byte that is in no path, so it is not the beginning of another.
fn end(mut hasher: FnvHasher) -> u64 {
    hasher.write(&[0]);
    hasher.finish()
}

fn bit(length: usize) -> u64 {
    1 << length.min(63)
}

/// What is certain of a value.
enum Anchor<'t> {
    Whole(&'t str),
    /// It begins with this, which ends in a `/`.
    Under(&'t str),
}

/// Calls `each` with anchors one of which each value has that satisfies `text`; `false` if there
/// are no such, or `each` takes one of them not.
fn anchors<'t, F: FnMut(Anchor<'t>) -> bool>(text: &'t Text, each: &mut F) -> bool {
    match text {
        Text::Is(value) => each(Anchor::Whole(value)),
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
