//! Finds the matchers that may match a call, at a cost that does not grow with their number.
//!
//! A condition on exact values (a path, a header, a query parameter, the host), or on what a path begins with,
//! gives keys, and a matcher is filed in the buckets of the keys of one condition. A call has a few values and
//! so meets few buckets; only the matchers in those are checked, and the matchers that could not be filed. A
//! bucket knows its value, so the condition by which a matcher was found is not checked again.

mod draft;
mod found;
mod key;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use self::found::Found;

use crate::{
    call::{Call, bytes::same},
    matcher::{
        Matcher,
        compiled::Known,
        index::{
            draft::Draft,
            key::{Dimension, Paths},
            table::Table,
        },
    },
};

/// An index over an ordered list of matchers, which it identifies by their positions.
///
/// It is pure data: keys, values and positions. It does not hold the matchers.
#[derive(Debug)]
pub(crate) struct Index {
    /// How paths become keys; `None` if no matcher is filed by its path.
    paths: Option<Paths>,
    /// What else is looked up in a call.
    dimensions: Vec<Dimension>,
    /// Behind the last one is an empty one.
    buckets: Box<[Bucket]>,
    /// The values of the buckets, one after the other.
    values: Box<[u8]>,
    /// The positions in each bucket, ascending within the bucket.
    positions: Vec<u32>,
    /// The matchers in no bucket, ascending.
    always: Vec<u32>,
    /// Of each matcher, what is known of a call that has met its bucket.
    known: Vec<Known>,
}

/// Where the value and the positions of a bucket start. They end where those of the next bucket start.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    value: u32,
    positions: u32,
}

impl Index {
    /// Builds the index. Positions are those of the matchers in the iterator.
    pub(crate) fn of<'m>(matchers: impl Iterator<Item = &'m Matcher>) -> Self {
        Draft::new(matchers.collect()).into_index()
    }

    /// Finds the positions of the matchers that may match `call`, in `found`, which is empty, and returns of each
    /// matcher what is known to hold, or an empty list if nothing is.
    ///
    /// The matcher at a position may still not match; no position of a matcher that does is left
    /// out. Allocates nothing, unless a value of the call has to be decoded.
    #[inline(always)]
    pub(crate) fn find<'i>(&'i self, call: &Call<'_>, found: &mut Found<'i>) -> &'i [Known] {
        *found = Found::One(&self.always);
        if self.meet_all(call, found).is_none() {
            found.set_all(self.known.len());
            return &[];
        }
        &self.known
    }

    /// Adds the buckets that the call meets; `None` if they are too many to merge.
    #[inline(always)]
    fn meet_all<'i>(&'i self, call: &Call<'_>, found: &mut Found<'i>) -> Option<()> {
        if let Some(paths) = &self.paths {
            self.meet_path(paths, call, found)?;
        }
        for dimension in &self.dimensions {
            self.meet_values(dimension, call, found)?;
        }
        Some(())
    }

    #[inline(never)]
    fn meet_path<'i>(
        &'i self,
        paths: &Paths,
        call: &Call<'_>,
        found: &mut Found<'i>,
    ) -> Option<()> {
        let Some(path) = call.path() else {
            return Some(());
        };
        paths.each(path.as_bytes(), |table, value| {
            self.meet(table, value, found)
        })
    }

    #[inline(never)]
    fn meet_values<'i>(
        &'i self,
        dimension: &Dimension,
        call: &Call<'_>,
        found: &mut Found<'i>,
    ) -> Option<()> {
        dimension.each(call, |table, value| self.meet(table, value, found))
    }

    /// Adds the bucket of a value, if there is one; `None` if it is one too many.
    #[inline(never)]
    fn meet<'i>(&'i self, table: &Table, value: &[u8], found: &mut Found<'i>) -> Option<()> {
        let positions = table.find(value, |bucket| {
            let [this, next] = self.buckets.get(bucket as usize..)?.first_chunk()?;
            let known = self.values.get(this.value as usize..next.value as usize)?;
            same(known, value).then_some(this.positions as usize..next.positions as usize)
        });
        match positions.and_then(|positions| self.positions.get(positions)) {
            Some(positions) => found.add(positions),
            None => Some(()),
        }
    }
}
