//! Merges the lists of positions that one call has met, without allocating.

use std::ops::ControlFlow;

/// How many lists can be merged. A call meets more only if it is crafted to: one list for each
/// level of its path and each value of a header.
const MOST: usize = 16;

/// The lists of positions that a call has met, each ascending.
pub(super) struct Found<'i> {
    lists: [&'i [u32]; MOST],
    len: usize,
}

impl<'i> Found<'i> {
    /// Starts with one list, which may be empty.
    pub(super) fn new(first: &'i [u32]) -> Self {
        let mut lists: [&[u32]; MOST] = [&[]; MOST];
        lists[0] = first;
        let len = usize::from(!first.is_empty());
        Self { lists, len }
    }

    /// Adds a list; `None` if there is no room for it.
    #[inline]
    pub(super) fn add(&mut self, list: &'i [u32]) -> Option<()> {
        if !list.is_empty() {
            *self.lists.get_mut(self.len)? = list;
            self.len += 1;
        }
        Some(())
    }

    /// Calls `ask` with each position once, in ascending order, from `from` on.
    #[inline]
    pub(super) fn each<B>(
        &mut self,
        from: usize,
        mut ask: impl FnMut(usize) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if from > 0 {
            for list in &mut self.lists[..self.len] {
                *list = &list[list.partition_point(|position| (*position as usize) < from)..];
            }
        }
        while self.len > 1 {
            let lists = &mut self.lists[..self.len];
            let Some(next) = lists.iter().filter_map(|list| list.first()).min().copied() else {
                return ControlFlow::Continue(());
            };
            for list in lists {
                if let Some((first, rest)) = list.split_first()
                    && *first == next
                {
                    *list = rest;
                }
            }
            self.drop_one_exhausted();
            ask(next as usize)?;
        }
        // The last list needs no merging.
        let mut rest = self.lists[..self.len].iter().copied().flatten();
        rest.try_for_each(|position| ask(*position as usize))
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
