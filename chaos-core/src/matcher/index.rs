//! Finds the matchers that may match a call, at a cost that does not grow with their number.
//!
//! A condition on one exact value (a path, the prefix of a route, a header, a label) gives a key,
//! and a matcher is filed in the buckets of the keys of one condition. A call has a few values and
//! so meets few buckets; only the matchers in those are checked, and the matchers that could not be
//! filed.

mod draft;
mod found;
mod key;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;

use fnv::FnvHashMap;

use crate::{
    call::Call,
    matcher::{
        Matcher,
        index::{
            draft::Draft,
            found::Found,
            key::{Dimension, Paths, Source},
        },
    },
};

/// An index over an ordered list of matchers, which it identifies by their positions.
///
/// It is pure data: keys and positions. It does not hold the matchers.
#[derive(Debug)]
pub(crate) struct Index {
    /// How many matchers there are.
    len: usize,
    /// How paths become keys; `None` if no matcher is filed by its path.
    paths: Option<Paths>,
    /// The headers and labels that are looked up in a call.
    dimensions: Vec<Dimension>,
    /// The bucket of each key. Keys are hashes: two values with the same hash share a bucket, which
    /// costs a superfluous check and never misses a matcher.
    buckets: FnvHashMap<u64, u32>,
    /// Where each bucket starts in `positions`. It ends where the next one starts.
    starts: Vec<u32>,
    /// The positions in each bucket, ascending within the bucket.
    positions: Vec<u32>,
    /// The matchers in no bucket, ascending.
    always: Vec<u32>,
}

impl Index {
    /// Builds the index. Positions are those of the matchers in the iterator.
    pub(crate) fn of<'m>(matchers: impl Iterator<Item = &'m Matcher>) -> Self {
        Draft::new(matchers.collect()).into_index()
    }

    /// Calls `ask` with the position of each matcher that may match `call`, in ascending order and
    /// once each, from the position `from` on, until `ask` returns `Break`.
    ///
    /// The matcher at a position may still not match; no position of a matcher that does is left
    /// out. Allocates nothing.
    #[inline]
    pub(crate) fn candidates<B>(
        &self,
        call: &Call<'_>,
        from: usize,
        ask: impl FnMut(usize) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let mut found = Found::new(&self.always);
        match self.find(call, &mut found) {
            Some(()) => found.each(from, ask),
            None => (from..self.len).try_for_each(ask),
        }
    }

    /// Adds the buckets that the call meets; `None` if they are too many to merge.
    fn find<'i>(&'i self, call: &Call<'_>, found: &mut Found<'i>) -> Option<()> {
        if let Some(paths) = &self.paths
            && let Some(path) = call.path()
        {
            paths.keys(path.as_bytes(), |key| found.add(self.bucket(key)))?;
        }
        for dimension in &self.dimensions {
            match &dimension.source {
                Source::Header(name) => {
                    for value in call.header(name) {
                        found.add(self.bucket(dimension.key(value.as_bytes())))?;
                    }
                }
                Source::Label(name) => {
                    if let Some(value) = call.label(name) {
                        found.add(self.bucket(dimension.key(value.as_bytes())))?;
                    }
                }
            }
        }
        Some(())
    }

    /// Returns the positions filed under `key`.
    fn bucket(&self, key: u64) -> &[u32] {
        let Some(bucket) = self.buckets.get(&key) else {
            return &[];
        };
        let bucket = *bucket as usize;
        &self.positions[self.starts[bucket] as usize..self.starts[bucket + 1] as usize]
    }
}
