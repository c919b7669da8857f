//! The sources of rules other than the port, such as files, as far as the application reports them.

use std::{fmt, sync::Arc};

/// Returns what is wrong with a source at the moment, or `None`.
type SourceCheck = dyn Fn() -> Option<String> + Send + Sync;

/// The sources that the application has added, each with a name.
#[derive(Clone, Default)]
pub(crate) struct Sources(Vec<(Arc<str>, Arc<SourceCheck>)>);

impl Sources {
    /// Adds a source. It replaces an earlier one of the same name.
    pub(crate) fn add(&mut self, name: Arc<str>, problem: Arc<SourceCheck>) {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, problem));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the name of each source, and what is wrong with it at the moment.
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
