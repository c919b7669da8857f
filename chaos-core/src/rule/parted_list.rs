//! `PartedList`: a list of which an edit copies a part.

use std::{ops::Index, sync::Arc};

/// An immutable list, in parts that the lists before and after an edit share.
///
/// To copy and to drop a list of ten thousand in one piece takes hundreds of microseconds, because each item is counted.
#[derive(Clone, Debug)]
pub(crate) struct PartedList<T> {
    /// The first part, which most lists have alone: it takes no further look to find an item in it.
    first: Arc<[T]>,
    /// The other parts. Each but the last of all is full.
    rest: Vec<Arc<[T]>>,
    len: usize,
}

/// The number of items in a full part.
pub(super) const FULL: usize = 128;

impl<T> Default for PartedList<T> {
    fn default() -> Self {
        Self {
            first: Arc::default(),
            rest: Vec::new(),
            len: 0,
        }
    }
}

impl<T: Clone> PartedList<T> {
    pub(crate) fn of(items: impl Iterator<Item = T>) -> Self {
        let mut items = items.peekable();
        let mut part = || {
            let mut part = Vec::with_capacity(FULL.min(items.size_hint().1.unwrap_or(FULL)));
            part.extend(items.by_ref().take(FULL));
            Arc::from(part)
        };
        let first = part();
        let rest = std::iter::from_fn(|| Some(part()).filter(|part: &Arc<[T]>| !part.is_empty()));
        let rest: Vec<_> = rest.collect();
        let len = first.len() + rest.iter().map(|part| part.len()).sum::<usize>();
        Self { first, rest, len }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        match at.checked_sub(FULL) {
            None => self.first.get(at),
            Some(at) => self.rest.get(at / FULL)?.get(at % FULL),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        let rest = self.rest.iter().flat_map(|part| part.iter());
        self.first.iter().chain(rest)
    }

    /// Returns the first items in one piece: all of them, if they are few.
    pub(crate) fn first_part(&self) -> &[T] {
        &self.first
    }

    /// Returns the list with `item` in the place of the one at `at`, or behind all if none is there.
    pub(crate) fn with(&self, at: usize, item: T) -> Self {
        let mut next = self.clone();
        next.len = next.len.max(at + 1);
        let part = match at.checked_sub(FULL) {
            None => &mut next.first,
            Some(at) => {
                if at / FULL == next.rest.len() {
                    next.rest.push(Arc::default());
                }
                &mut next.rest[at / FULL]
            }
        };
        let (before, after) = part.split_at(at % FULL);
        let items = before.iter().chain([&item]).chain(after.iter().skip(1));
        *part = items.cloned().collect();
        next
    }
}

impl<T> Index<usize> for PartedList<T> {
    type Output = T;

    #[inline(always)]
    fn index(&self, at: usize) -> &T {
        match self.first.get(at) {
            Some(item) => item,
            None => &self.rest[at / FULL - 1][at % FULL],
        }
    }
}
