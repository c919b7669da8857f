//! Builds the index: chooses the keys under which each matcher is filed.

use std::ops::Range;

use fnv::FnvHashMap;

use crate::matcher::{
    Matcher,
    index::{
        Index,
        key::{Dimension, Name, Paths},
    },
};

/// This many matchers or fewer are checked one by one, since a lookup costs about as much.
const FEW: usize = 4;

/// How many headers and labels are looked up on each call, at most.
const MOST_DIMENSIONS: usize = 4;

/// An index under construction.
///
/// The dimensions are tried one after the other: first the path, then the header or label that is
/// most common among the matchers whose best bucket still holds too many. So ten thousand rules on
/// one path that differ by a header are filed by the header, and dimensions that no matcher is
/// filed by are not looked up.
pub(super) struct Draft<'m> {
    matchers: Vec<&'m Matcher>,
    /// The best filing of each matcher so far.
    filings: Vec<Option<Filing>>,
    /// The positions of matchers that are unfiled, or whose bucket holds too many.
    unsettled: Vec<u32>,
    /// The bucket of each key.
    buckets: FnvHashMap<u64, u32>,
    /// How many matchers could be filed in each bucket.
    counts: Vec<u32>,
    /// The buckets of all filings, each of which is a range of it. One list, as most have one
    /// bucket.
    options: Vec<u32>,
}

/// The buckets of one dimension in which a matcher is filed.
#[derive(Clone)]
struct Filing {
    /// 0 for the path.
    dimension: usize,
    options: Range<usize>,
    /// The size of the fullest of the buckets, at most.
    largest: u32,
}

impl<'m> Draft<'m> {
    /// Creates a draft in which no matcher is filed.
    pub(super) fn new(matchers: Vec<&'m Matcher>) -> Self {
        let len = u32::try_from(matchers.len()).expect("fewer rules than fit in memory");
        Self {
            filings: vec![None; matchers.len()],
            unsettled: (0..len).collect(),
            buckets: FnvHashMap::default(),
            counts: Vec::new(),
            options: Vec::new(),
            matchers,
        }
    }

    /// Files the matchers, and builds the index.
    pub(super) fn into_index(mut self) -> Index {
        let mut paths = Paths::default();
        self.offer(0, |matcher, keys| paths.keys_of(matcher, keys));
        let (mut names, mut dimensions) = (Vec::new(), Vec::new());
        for salt in (1..).take(MOST_DIMENSIONS) {
            let Some(name) = self.most_common_name(&names) else {
                break;
            };
            let dimension = Dimension::new(name, salt);
            self.offer(salt.into(), |matcher, keys| {
                let condition = Name::all_of(matcher).find(|(known, _)| *known == name);
                condition.is_some_and(|(_, text)| dimension.keys_of(text, keys))
            });
            names.push(name);
            dimensions.push(dimension);
        }
        let mut is_used = [false; 1 + MOST_DIMENSIONS];
        for filing in self.filings.iter().flatten() {
            is_used[filing.dimension] = true;
        }
        let mut used = is_used[1..].iter();
        dimensions.retain(|_| used.next() == Some(&true));
        self.file(is_used[0].then_some(paths), dimensions)
    }

    /// Files the unsettled matchers under the keys that `keys_of` gives, where that is better.
    fn offer(
        &mut self,
        dimension: usize,
        mut keys_of: impl FnMut(&'m Matcher, &mut Vec<u64>) -> bool,
    ) {
        let (mut keys, mut offers) = (Vec::new(), Vec::new());
        self.buckets.reserve(self.unsettled.len());
        for position in &self.unsettled {
            keys.clear();
            if !keys_of(self.matchers[*position as usize], &mut keys) {
                continue;
            }
            // A matcher is filed in a bucket only once.
            keys.sort_unstable();
            keys.dedup();
            let start = self.options.len();
            for key in &keys {
                let next = u32::try_from(self.counts.len()).expect("fewer keys than fit in memory");
                let bucket = *self.buckets.entry(*key).or_insert(next);
                if bucket == next {
                    self.counts.push(0);
                }
                self.counts[bucket as usize] += 1;
                self.options.push(bucket);
            }
            offers.push((*position as usize, start..self.options.len()));
        }
        if offers.len() <= FEW {
            return;
        }
        for (position, options) in offers {
            let counts = self.options[options.clone()].iter();
            let largest = counts.map(|bucket| self.counts[*bucket as usize]).max();
            // An empty list of values never holds, so the matcher is filed in no bucket.
            let largest = largest.unwrap_or(0);
            let filing = &mut self.filings[position];
            if filing
                .as_ref()
                .is_none_or(|filing| largest < filing.largest)
            {
                *filing = Some(Filing {
                    dimension,
                    options,
                    largest,
                });
            }
        }
        let filings = &self.filings;
        self.unsettled.retain(|position| {
            let filing = filings[*position as usize].as_ref();
            filing.is_none_or(|filing| filing.largest as usize > FEW)
        });
    }

    /// Returns the header or label that most of the unsettled matchers name values of, among those
    /// not yet `tried`.
    fn most_common_name(&self, tried: &[Name<'m>]) -> Option<Name<'m>> {
        let mut counts = FnvHashMap::default();
        for position in &self.unsettled {
            for (name, _) in Name::all_of(self.matchers[*position as usize]) {
                if !tried.contains(&name) {
                    *counts.entry(name).or_insert(0_u32) += 1;
                }
            }
        }
        let most = counts.into_iter().max_by_key(|(_, count)| *count);
        most.map(|(name, _)| name)
    }

    /// Fills the buckets in the order of the matchers, so that each bucket is sorted.
    fn file(self, paths: Option<Paths>, dimensions: Vec<Dimension>) -> Index {
        let mut starts = vec![0; self.counts.len() + 1];
        let options = |filing: &Filing| self.options[filing.options.clone()].iter();
        for bucket in self.filings.iter().flatten().flat_map(options) {
            starts[*bucket as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let (mut ends, mut always) = (starts.clone(), Vec::new());
        let mut positions = vec![0; starts.last().map_or(0, |end| *end as usize)];
        for (position, filing) in (0..).zip(&self.filings) {
            let Some(filing) = filing else {
                always.push(position);
                continue;
            };
            for bucket in options(filing) {
                let end = &mut ends[*bucket as usize];
                positions[*end as usize] = position;
                *end += 1;
            }
        }
        Index {
            len: self.matchers.len(),
            paths,
            dimensions,
            buckets: self.buckets,
            starts,
            positions,
            always,
        }
    }
}
