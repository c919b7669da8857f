//! `Asked`: which rules have decided about something that lasts, such as a connection.

/// Records which rules have decided about something that lasts, such as a connection. By default, none has.
///
/// [`Site::decide_news`](crate::Site::decide_news) updates it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked(
    /// The number of the gate of the rule that was put in force last.
    pub(crate) u64,
);
