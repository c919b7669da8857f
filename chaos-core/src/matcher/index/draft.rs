//! Builds the index: chooses the keys under which each matcher is filed.

use std::ops::Range;

use fnv::FnvHashMap;

use crate::matcher::{
    Matcher,
    compiled::Known,
    index::{
        Bucket, Index,
        key::{BucketKey, Dimension, Name, Paths, is_exact},
        table::Table,
    },
};

/// This many matchers or fewer are checked one by one, since a lookup costs about as much.
const FEW: usize = 4;

/// How many facts of a call besides its path are looked up, at most.
const MOST_DIMENSIONS: usize = 6;

/// An index under construction.
///
/// The dimensions are tried one after the other: first the path, then what is most common among the
/// matchers whose best bucket still holds too many: a header, a query parameter, the host. So ten thousand
/// rules on one path that differ by a header are filed by the header, and dimensions that no matcher is
/// filed by are not looked up.
pub(super) struct Draft<'m> {
    matchers: Vec<&'m Matcher>,
    /// The best filing of each matcher so far.
    filings: Vec<Option<Filing>>,
    /// The positions of matchers that are unfiled, or whose bucket holds too many.
    unsettled: Vec<u32>,
    /// The dimension of each bucket, and its key.
    buckets: Vec<(usize, BucketKey<'m>)>,
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
            buckets: Vec::new(),
            counts: Vec::new(),
            options: Vec::new(),
            matchers,
        }
    }

    /// Files the matchers, and builds the index.
    pub(super) fn into_index(mut self) -> Index {
        self.offer(0, Paths::keys_of);
        let mut names = Vec::new();
        for dimension in 1..=MOST_DIMENSIONS {
            let Some(name) = self.most_common_name(&names) else {
                break;
            };
            self.offer(dimension, |matcher, keys| name.keys_of(matcher, keys));
            names.push(name);
        }
        self.file(&names)
    }

    /// Files the unsettled matchers under the keys that `keys_of` gives, where that is better.
    fn offer(
        &mut self,
        dimension: usize,
        mut keys_of: impl FnMut(&'m Matcher, &mut Vec<BucketKey<'m>>) -> bool,
    ) {
        let (mut keys, mut offers) = (Vec::new(), Vec::new());
        let mut buckets = FnvHashMap::default();
        buckets.reserve(self.unsettled.len());
        for position in &self.unsettled {
            keys.clear();
            if !keys_of(self.matchers[*position as usize], &mut keys) {
                continue;
            }
            // A matcher is filed in a bucket only once.
            keys.sort_unstable();
            keys.dedup();
            let start = self.options.len();
            for key in keys.drain(..) {
                let bucket = *buckets.entry(key).or_insert_with_key(|key| {
                    self.counts.push(0);
                    self.buckets.push((dimension, key.clone()));
                    u32::try_from(self.counts.len() - 1).expect("fewer keys than fit in memory")
                });
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

    /// Returns what most of the unsettled matchers want a value of, among what was not yet `tried`. The method
    /// comes last, because it has few values.
    fn most_common_name(&self, tried: &[Name<'m>]) -> Option<Name<'m>> {
        let mut counts = FnvHashMap::default();
        for position in &self.unsettled {
            for (name, _) in Name::all_of(self.matchers[*position as usize]) {
                if !tried.contains(&name) {
                    *counts.entry(name).or_insert(0_u32) += 1;
                }
            }
        }
        let most = (counts.into_iter()).max_by_key(|(name, count)| (*name != Name::Method, *count));
        most.map(|(name, _)| name)
    }

    /// Fills the buckets in the order of the matchers, so that each bucket is sorted.
    fn file(self, names: &[Name<'m>]) -> Index {
        let length = |list: usize| u32::try_from(list).expect("shorter lists than fit in memory");
        let options = |filing: &Filing| self.options[filing.options.clone()].iter();
        let mut sizes = vec![0; self.buckets.len()];
        for bucket in self.filings.iter().flatten().flat_map(options) {
            sizes[*bucket as usize] += 1;
        }
        let (mut values, mut end) = (Vec::new(), 0);
        let mut buckets = Vec::with_capacity(self.buckets.len() + 1);
        for ((_, key), size) in self.buckets.iter().zip(&sizes) {
            buckets.push(Bucket {
                value: length(values.len()),
                positions: end,
            });
            values.extend_from_slice(&key.value);
            end += size;
        }
        buckets.push(Bucket {
            value: length(values.len()),
            positions: end,
        });
        // A bucket that no matcher is filed in is not looked up.
        let used = |dimension: usize, is_prefix: bool| {
            let used = (0..).zip(&self.buckets).filter_map(|(at, (of, key))| {
                let is_used = sizes[at as usize] > 0;
                let is_it = (*of, key.is_prefix) == (dimension, is_prefix) && is_used;
                is_it.then_some((&*key.value, at))
            });
            used.collect::<Vec<(&[u8], u32)>>()
        };
        let (whole, prefixes) = (used(0, false), used(0, true));
        let has_paths = !whole.is_empty() || !prefixes.is_empty();
        let paths = has_paths.then(|| Paths::new(&whole, &prefixes));
        let dimensions = (1..).zip(names).filter_map(|(dimension, name)| {
            let table = Table::of(used(dimension, false).into_iter());
            (!table.is_empty()).then(|| Dimension::new(*name, table))
        });
        let dimensions = dimensions.collect();
        let mut always = Vec::new();
        let mut ends: Vec<_> = buckets.iter().map(|bucket| bucket.positions).collect();
        let mut positions = vec![0; end as usize];
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
        let known = (self.filings.iter().zip(&self.matchers)).map(|(filing, matcher)| {
            let dimension = filing.as_ref().map(|filing| filing.dimension);
            match (dimension, &matcher.path) {
                (None, _) => Known::NOTHING,
                (Some(0), Some(path)) if is_exact(path) => Known::PATH,
                (Some(0), _) => Known::NOTHING,
                (Some(at), _) => names[at - 1].known(matcher),
            }
        });
        Index {
            known: known.collect(),
            paths,
            dimensions,
            buckets: buckets.into(),
            values: values.into(),
            positions,
            always,
        }
    }
}
