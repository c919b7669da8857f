//! Merges the lists of positions that one call has met, without allocating.

use std::ops::Range;

/// How many lists can be merged. A call meets more only if it is crafted to: one list for each
/// level of its path and each value of a header or a parameter that differs.
const MOST: usize = 16;

/// The positions that a call has met.
#[expect(
    clippy::large_enum_variant,
    reason = "it is made on the stack and never moved, and a box would be an allocation"
)]
pub(crate) enum Found<'i> {
    /// One list, which may be empty. Most calls meet no other.
    One(&'i [u32]),
    Several(Lists<'i>),
    All(Range<u32>),
}

impl<'i> Found<'i> {
    /// Creates one without positions.
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Self::One(&[])
    }

    /// Finds all positions of so many.
    #[inline(always)]
    pub(crate) fn set_all(&mut self, count: usize) {
        *self = Self::All(0..u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// Adds a list; `None` if there is no room for it.
    #[inline(always)]
    pub(crate) fn add(&mut self, list: &'i [u32]) -> Option<()> {
        match self {
            _ if list.is_empty() => {}
            Self::One(first) if first.is_empty() => *first = list,
            _ => return self.add_another(list),
        }
        Some(())
    }

    #[cold]
    #[inline(never)]
    fn add_another(&mut self, list: &'i [u32]) -> Option<()> {
        if let Self::One(first) = *self {
            *self = Self::Several(Lists {
                lists: [&[]; MOST],
                len: 0,
            });
            self.add_another(first)?;
        }
        if let Self::Several(lists) = self {
            // A value that is repeated finds the same list again.
            let mut known = lists.lists[..lists.len].iter();
            if known.any(|known| std::ptr::eq(*known, list)) {
                return Some(());
            }
            *lists.lists.get_mut(lists.len)? = list;
            lists.len += 1;
        }
        Some(())
    }

    /// Leaves out the positions before this one.
    #[cold]
    #[inline(never)]
    pub(crate) fn skip_to(&mut self, from: usize) {
        let skip = |list: &mut &[u32]| {
            *list = &list[list.partition_point(|position| (*position as usize) < from)..];
        };
        match self {
            Self::One(list) => skip(list),
            Self::Several(lists) => lists.lists[..lists.len].iter_mut().for_each(skip),
            Self::All(range) => range.start = u32::try_from(from).unwrap_or(u32::MAX),
        }
    }

    /// Returns the next position: each once, in ascending order.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<u32> {
        match self {
            Self::One(list) => {
                let (first, rest) = list.split_first()?;
                *list = rest;
                Some(*first)
            }
            Self::Several(lists) => lists.next(),
            Self::All(range) => range.next(),
        }
    }
}

/// Several lists, each ascending.
pub(crate) struct Lists<'i> {
    lists: [&'i [u32]; MOST],
    len: usize,
}

impl Lists<'_> {
    #[inline(never)]
    fn next(&mut self) -> Option<u32> {
        let lists = &mut self.lists[..self.len];
        let next = lists
            .iter()
            .filter_map(|list| list.first())
            .min()
            .copied()?;
        for list in lists {
            if let Some((first, rest)) = list.split_first()
                && *first == next
            {
                *list = rest;
            }
        }
        self.drop_one_exhausted();
        Some(next)
    }

    /// Drops one exhausted list. If several are exhausted at once, later positions drop the others.
    fn drop_one_exhausted(&mut self) {
        let lists = &mut self.lists[..self.len];
        if let Some(ended) = lists.iter().position(|list| list.is_empty()) {
            lists.swap(ended, self.len - 1);
            self.len -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_met_again_takes_no_room() {
        let (first, second) = ([1, 3], [2, 3]);
        let mut found = Found::new();
        for _ in 0..=MOST {
            found.add(&first).unwrap();
            found.add(&second).unwrap();
        }
        let all: Vec<_> = std::iter::from_fn(|| found.next()).collect();
        assert_eq!(all, [1, 2, 3]);
    }
}
