//! `Aims`: which rules of a list aim at a site, found by its name.

use fnv::FnvHashMap;

use crate::matcher::glob::SiteGlob;

/// The positions of the rules that aim at each site: by name where a rule names one, and in a list of their own where
/// it has a pattern, which is compared with the name of the site.
#[derive(Debug, Default)]
pub(super) struct Aims {
    /// Ascending for each name.
    named: FnvHashMap<Box<str>, Vec<u32>>,
    /// Ascending.
    patterns: Vec<u32>,
}

impl Aims {
    pub(super) fn of<'g>(globs: impl Iterator<Item = &'g SiteGlob>) -> Self {
        let mut aims = Self::default();
        for (at, glob) in globs.enumerate() {
            aims.list_of(glob).push(narrow(at));
        }
        let lists = aims.named.values_mut().chain([&mut aims.patterns]);
        lists.for_each(Vec::shrink_to_fit);
        aims
    }

    /// Adds a rule at the position `at`, where none is.
    pub(super) fn add(&mut self, at: usize, glob: &SiteGlob) {
        let (list, at) = (self.list_of(glob), narrow(at));
        let place = list.partition_point(|other| *other < at);
        list.insert(place, at);
    }

    /// Removes the rule at the position `at`, and leaves the others where they are.
    pub(super) fn remove(&mut self, at: usize, glob: &SiteGlob) {
        let (list, at) = (self.list_of(glob), narrow(at));
        if let Ok(place) = list.binary_search(&at) {
            list.remove(place);
        }
        if let Some(name) = glob.exact().filter(|_| list.is_empty()) {
            self.named.remove(name);
        }
    }

    /// Moves the rules behind the position `at` up by one.
    pub(super) fn close_gap(&mut self, at: usize) {
        let at = narrow(at);
        let lists = self.named.values_mut().chain([&mut self.patterns]);
        for list in lists {
            let first_behind = list.partition_point(|other| *other <= at);
            list[first_behind..]
                .iter_mut()
                .for_each(|other| *other -= 1);
        }
    }

    /// Returns the positions of the rules that may aim at the site called `name`, ascending: those that name it, and
    /// those with a pattern that `matches` says to match it.
    pub(super) fn at(&self, name: &str, mut matches: impl FnMut(usize) -> bool) -> Vec<usize> {
        let named = self.named.get(name).map_or(&[][..], |list| list);
        let widen = |at: &u32| *at as usize;
        let mut all: Vec<_> = named.iter().map(widen).collect();
        all.extend(self.patterns.iter().map(widen).filter(|at| matches(*at)));
        // Both parts are sorted, and most often one of them is empty.
        all.sort();
        all
    }

    fn list_of(&mut self, glob: &SiteGlob) -> &mut Vec<u32> {
        match glob.exact() {
            None => &mut self.patterns,
            Some(name) if self.named.contains_key(name) => {
                self.named.get_mut(name).expect("it was looked up")
            }
            Some(name) => self.named.entry(name.into()).or_default(),
        }
    }
}

fn narrow(at: usize) -> u32 {
    u32::try_from(at).expect("fewer rules than fit in memory")
}
