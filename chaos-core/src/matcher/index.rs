//! Which of many matchers may match a call, at a cost that does not grow with their number.
//!
//! A condition on one exact value (a path, the beginning of a route, a header, a label) is a key,
//! and a matcher is filed under the keys of one condition. A call brings a few values, so it meets
//! few keys; whoever is filed under those is asked, with those that could not be filed.

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

/// An index over an ordered list of matchers, which it knows by their positions.
///
/// Pure: it holds keys and positions, and no matcher.
#[derive(Debug)]
pub(crate) struct Index {
    /// How many matchers there are.
    len: usize,
    /// What the paths are that are keys; `None` if none is.
    paths: Option<Paths>,
    /// What else is looked up of a call.
    dimensions: Vec<Dimension>,
    /// From a key to the number of its bucket. Keys are hashes: two that are one by chance share a
    /// bucket, which costs a question and loses nothing.
    buckets: FnvHashMap<u64, u32>,
    /// Where each bucket starts in `positions`; it ends where the next one starts.
    starts: Vec<u32>,
    /// What is in the buckets: in each of them ascending.
    positions: Vec<u32>,
    /// The matchers in no bucket, ascending.
    always: Vec<u32>,
}

impl Index {
    /// Positions are those of the matchers in the iterator.
    pub(crate) fn of<'m>(matchers: impl Iterator<Item = &'m Matcher>) -> Self {
        Draft::new(matchers.collect()).into_index()
    }

    /// Calls `ask` with the position of every matcher that may match the call, in ascending order,
    /// each once, until it says `Break`. Starts from the position `from`.
    ///
    /// It may name one that does not match, and leaves out none that does. It allocates nothing.
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

    /// Adds the buckets that the call meets; `None` if they are more than it is worth to merge.
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

    fn bucket(&self, key: u64) -> &[u32] {
        let Some(bucket) = self.buckets.get(&key) else {
            return &[];
        };
        let bucket = *bucket as usize;
        &self.positions[self.starts[bucket] as usize..self.starts[bucket + 1] as usize]
    }
}
