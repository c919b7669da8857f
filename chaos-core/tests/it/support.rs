//! What several modules use.

pub(crate) mod leashes;
pub(crate) mod listening;
pub(crate) mod waiting;
