//! What the macros expand to. Not for use by hand, and free to change.

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

/// Keeps everything a site does when armed, the labels included, out of the caller's hot code.
#[cold]
#[inline(never)]
pub fn cold<R>(armed: impl FnOnce() -> R) -> R {
    armed()
}

pub fn text<'a>(name: &'static str, value: &'a (impl AsRef<str> + ?Sized)) -> Label<'a> {
    (name, Cow::Borrowed(value.as_ref()))
}

pub fn display(name: &'static str, value: &(impl Display + ?Sized)) -> Label<'static> {
    (name, Cow::Owned(value.to_string()))
}

pub fn debug(name: &'static str, value: &(impl Debug + ?Sized)) -> Label<'static> {
    (name, Cow::Owned(format!("{value:?}")))
}
