//! What the macros expand to. It is not part of the public API and may change at any time.

use std::{
    borrow::Cow,
    fmt::{Debug, Display},
};

pub use linkme;

use crate::call::Label;
#[cfg(feature = "tokio")]
pub use crate::macros::pass::{Pass, waiting, waiting_bare};
pub use crate::{
    macros::pass::{armed, armed_in, blocking, blocking_bare},
    site::catalogue::SITES,
};

/// Calls `armed` in a cold function, which keeps everything that an armed site does, evaluating
/// labels included, out of the caller's hot code.
#[cold]
#[inline(never)]
pub fn cold<R>(armed: impl FnOnce() -> R) -> R {
    armed()
}

/// Makes the label of `name = value`.
///
/// It is a method, so that the compiler reports a value that is not text at the value itself: the
/// span of `&value` in a macro is the span of the whole call.
pub trait IntoLabel {
    /// Returns the label.
    fn __chaos_label(&self, name: &'static str) -> Label<'_>
    where
        Self: LabelText;
}

impl<T: ?Sized> IntoLabel for T {
    fn __chaos_label(&self, name: &'static str) -> Label<'_>
    where
        T: LabelText,
    {
        (name, Cow::Borrowed(self.text()))
    }
}

/// What a label can be without `%` or `?`: any text.
#[diagnostic::on_unimplemented(
    message = "the label is not text: `{Self}` is not `AsRef<str>`",
    label = "write `%` before the value for its `Display`, or `?` for its `Debug`"
)]
pub trait LabelText {
    /// Returns the text.
    fn text(&self) -> &str;
}

#[diagnostic::do_not_recommend]
impl<T: AsRef<str> + ?Sized> LabelText for T {
    fn text(&self) -> &str {
        self.as_ref()
    }
}

/// Returns the label of `name = %value`.
pub fn display<T: Display + ?Sized>(name: &'static str, value: &T) -> Label<'static> {
    (name, Cow::Owned(value.to_string()))
}

/// Returns the label of `name = ?value`.
pub fn debug<T: Debug + ?Sized>(name: &'static str, value: &T) -> Label<'static> {
    (name, Cow::Owned(format!("{value:?}")))
}
