//! Where rules come from besides the port, as far as whoever reads them tells.

use std::{fmt, sync::Arc};

/// Says what is wrong with a source now, if anything is.
type SourceCheck = dyn Fn() -> Option<String> + Send + Sync;

/// The sources that the application has named.
#[derive(Clone, Default)]
pub(crate) struct Sources(Vec<(Arc<str>, Arc<SourceCheck>)>);

impl Sources {
    /// Adds one, in the place of one with the same name.
    pub(crate) fn add(&mut self, name: Arc<str>, problem: Arc<SourceCheck>) {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, problem));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each, and what is wrong with it.
    pub(crate) fn check(&self) -> Vec<(Arc<str>, Option<String>)> {
        let sources = self.0.iter();
        sources
            .map(|(name, problem)| (Arc::clone(name), problem()))
            .collect()
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}
