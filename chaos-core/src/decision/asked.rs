//! About which rules something that lasts was asked.

/// About which rules something that lasts was asked, such as a connection: those in force by then, and none by
/// default.
///
/// [`Site::decide_news`](crate::Site::decide_news) notes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked(
    /// The number of the gate of the rule that was put in force last.
    pub(crate) u64,
);
