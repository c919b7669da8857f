//! The keys of the index: what a matcher demands, and what a call has.

use std::borrow::Cow;

use http::HeaderName;

use crate::{
    call::Call,
    matcher::{Matcher, compiled::Known, index::table::Table, text::Text},
};

/// What a call must have for a matcher to match.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct BucketKey<'m> {
    /// Whether it is what a path begins with, and not the whole value.
    pub(super) is_prefix: bool,
    pub(super) value: Cow<'m, [u8]>,
}

/// Something of a call whose values are keys.
#[derive(Debug)]
pub(super) struct Dimension {
    source: Source,
    table: Table,
}

/// Where a dimension reads a call's values.
#[derive(Debug)]
enum Source {
    Method,
    Host,
    Header(HeaderName),
    Query(Box<str>),
    Label(Box<str>),
}

impl Dimension {
    pub(super) fn new(name: Name<'_>, table: Table) -> Self {
        let source = match name {
            Name::Method => Source::Method,
            Name::Host => Source::Host,
            Name::Header(name) => Source::Header(name.clone()),
            Name::Query(name) => Source::Query(name.into()),
            Name::Label(name) => Source::Label(name.into()),
        };
        Self { source, table }
    }

    /// Calls `meet` with each value of a call, until it returns `None`.
    #[inline(always)]
    pub(super) fn each(
        &self,
        call: &Call<'_>,
        mut meet: impl FnMut(&Table, &[u8]) -> Option<()>,
    ) -> Option<()> {
        let mut meet = |value: &[u8]| meet(&self.table, value);
        match &self.source {
            Source::Header(name) => call.each_header(name, |value| meet(value.as_bytes())),
            Source::Query(name) => call.query(name).try_for_each(|value| meet(value.as_ref())),
            Source::Host => call.host().map_or(Some(()), |host| meet(host.as_ref())),
            Source::Method => call.method().map_or(Some(()), |it| meet(it.as_bytes())),
            Source::Label(name) => call.label(name).map_or(Some(()), |it| meet(it.as_bytes())),
        }
    }
}

/// Something of a call on whose exact values a matcher has a condition.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Name<'m> {
    Method,
    Host,
    Header(&'m HeaderName),
    Query(&'m str),
    Label(&'m str),
}

impl<'m> Name<'m> {
    /// Returns each of them, with the matcher's condition on it.
    pub(super) fn all_of(matcher: &'m Matcher) -> impl Iterator<Item = (Self, &'m Text)> {
        let method = matcher.method.iter().map(|text| (Self::Method, text));
        let host = matcher.host.iter().map(|text| (Self::Host, &**text));
        let headers = matcher.headers.iter();
        let headers = headers.map(|(name, text)| (Self::Header(name), text));
        let query = matcher.query.iter();
        let query = query.map(|(name, text)| (Self::Query(name), text));
        let labels = matcher.labels.iter();
        let labels = labels.map(|(name, text)| (Self::Label(name), text));
        let all = method.chain(host).chain(headers).chain(query).chain(labels);
        all.filter(|(_, text)| is_exact(text))
    }

    /// Returns what is known of a call that has one of the values that `matcher` wants of it.
    pub(super) fn known(self, matcher: &Matcher) -> Known {
        match self {
            Self::Method => Known::METHOD,
            Self::Host => Known::HOST,
            Self::Header(_) if matcher.headers.len() == 1 => Known::HEADERS,
            Self::Query(_) if matcher.query.len() == 1 => Known::QUERY,
            Self::Label(_) if matcher.labels.len() == 1 => Known::LABELS,
            Self::Header(_) | Self::Query(_) | Self::Label(_) => Known::NOTHING,
        }
    }

    /// Collects the keys of which a call must have one for the matcher's condition on it to hold; `false` if there
    /// is no such condition.
    pub(super) fn keys_of(self, matcher: &'m Matcher, keys: &mut Vec<BucketKey<'m>>) -> bool {
        let condition = Self::all_of(matcher).find(|(name, _)| *name == self);
        let Some((_, text)) = condition else {
            return false;
        };
        anchors(text, &mut |anchor| {
            let Anchor::Whole(value) = anchor else {
                return false;
            };
            keys.push(BucketKey {
                is_prefix: false,
                value: value.as_bytes().into(),
            });
            true
        })
    }
}

/// Returns whether a condition holds for some exact values and no others.
pub(super) fn is_exact(text: &Text) -> bool {
    anchors(text, &mut |anchor| matches!(anchor, Anchor::Whole(_)))
}

/// The keys of paths: whole paths, and what paths begin with.
#[derive(Debug)]
pub(super) struct Paths {
    whole: Table,
    prefixes: Table,
    /// A bit for each length of a prefix that ends in a `/`.
    slashed: u128,
    /// A bit for each length of another prefix.
    others: u128,
}

/// Only so much of a longer prefix counts.
const LONGEST: usize = 127;

impl Paths {
    /// Makes the keys of paths from a bucket for each whole path, and for each prefix.
    pub(super) fn new(whole: &[(&[u8], u32)], prefixes: &[(&[u8], u32)]) -> Self {
        let (mut slashed, mut others) = (0, 0);
        for (prefix, _) in prefixes {
            let lengths = match prefix.ends_with(b"/") {
                true => &mut slashed,
                false => &mut others,
            };
            *lengths |= 1 << prefix.len();
        }
        Self {
            whole: Table::of(whole.iter().copied()),
            prefixes: Table::of(prefixes.iter().copied()),
            slashed,
            others,
        }
    }

    /// Calls `meet` with the path and with each of its prefixes that can be a key, until it returns `None`.
    #[inline(always)]
    pub(super) fn each(
        &self,
        path: &[u8],
        mut meet: impl FnMut(&Table, &[u8]) -> Option<()>,
    ) -> Option<()> {
        let mut lengths = self.slashed | self.others;
        while lengths != 0 {
            let length = lengths.trailing_zeros();
            let Some(prefix) = path.get(..length as usize) else {
                break;
            };
            if prefix.last() == Some(&b'/') || (self.others >> length) & 1 != 0 {
                meet(&self.prefixes, prefix)?;
            }
            lengths &= lengths - 1;
        }
        if self.whole.is_empty() {
            return Some(());
        }
        meet(&self.whole, path)
    }

    /// Collects the keys of which a call must have one for the matcher's condition on the path or
    /// on the gRPC method to hold; `false` if there are none.
    pub(super) fn keys_of<'m>(matcher: &'m Matcher, keys: &mut Vec<BucketKey<'m>>) -> bool {
        let mut path_key =
            |anchor: Anchor<'m>| anchor.path_key().map(|key| keys.push(key)).is_some();
        if (matcher.path.as_ref()).is_some_and(|text| anchors(text, &mut path_key)) {
            return true;
        }
        keys.clear();
        let mut grpc_key =
            |anchor: Anchor<'m>| anchor.grpc_key().map(|key| keys.push(key)).is_some();
        (matcher.grpc.as_ref()).is_some_and(|text| anchors(text, &mut grpc_key))
    }
}

/// What every value that satisfies a condition has.
#[derive(Clone, Copy)]
enum Anchor<'t> {
    /// The value is this.
    Whole(&'t str),
    /// The value begins with this.
    Begins(&'t str),
}

impl<'t> Anchor<'t> {
    /// Returns the key of paths that have it; `None` if every path has.
    fn path_key(self) -> Option<BucketKey<'t>> {
        Some(match self {
            Anchor::Whole(path) => BucketKey {
                is_prefix: false,
                value: path.as_bytes().into(),
            },
            Anchor::Begins("" | "/") => return None,
            Anchor::Begins(prefix) => {
                let prefix = prefix.as_bytes();
                BucketKey {
                    is_prefix: true,
                    value: prefix[..prefix.len().min(LONGEST)].into(),
                }
            }
        })
    }

    /// Returns the key of paths of gRPC methods that have it: a method is its path without the first `/`.
    fn grpc_key(self) -> Option<BucketKey<'t>> {
        let (Self::Whole(method) | Self::Begins(method)) = self;
        let mut path = ["/", method].concat().into_bytes();
        let is_prefix = match self {
            Self::Whole(_) => false,
            Self::Begins("") => return None,
            Self::Begins(_) => true,
        };
        if is_prefix {
            path.truncate(LONGEST);
        }
        Some(BucketKey {
            is_prefix,
            value: path.into(),
        })
    }
}

/// Calls `each` with anchors such that each value that satisfies `text` has one of them. Returns
/// `false` if there are none, or if `each` returns `false` for one.
fn anchors<'t, F: FnMut(Anchor<'t>) -> bool>(text: &'t Text, each: &mut F) -> bool {
    match text {
        Text::Is(value) | Text::Plain(value) => each(Anchor::Whole(value)),
        Text::Route(route) => each(match route.literal() {
            Some(path) => Anchor::Whole(path),
            None => Anchor::Begins(route.literal_prefix()),
        }),
        Text::Prefix(prefix) => each(Anchor::Begins(prefix)),
        Text::AnyOf(texts) => texts.iter().all(|text| anchors(text, each)),
        Text::Suffix(_) | Text::Regex(_) | Text::Present(_) | Text::Not(_) => false,
    }
}
