//! What the macros expand to. It is not part of the public API and may change at any time.

use std::{
    borrow::Cow,
    fmt::{Debug, Display},
};

pub use linkme;
#[cfg(feature = "serde")]
pub use serde_json::json;

#[cfg(feature = "tokio")]
pub use crate::macros::pass::{Pass, waiting, waiting_bare, waiting_bare_in};
use crate::{call::Label, plan::injected::Injected};
pub use crate::{
    macros::pass::{armed, armed_in, blocking, blocking_bare, blocking_bare_in},
    site::catalogue::SITES,
};
#[cfg(feature = "serde")]
use crate::{rule::Rule, wire};

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

/// An error type that an injected fault converts into, which a function with `#[site]` returns.
#[diagnostic::on_unimplemented(
    message = "an injected fault cannot be returned as `{Self}`",
    label = "write `err = |injected| …` after the name of the site, or implement `From<chaos_core::Injected>` for this type"
)]
pub trait FromInjected: Sized {
    /// Converts the fault.
    fn from_injected(injected: Injected) -> Self;
}

#[diagnostic::do_not_recommend]
impl<E: From<Injected>> FromInjected for E {
    fn from_injected(injected: Injected) -> Self {
        injected.into()
    }
}

/// Returns a fault as what a function with `#[site]` returns.
///
/// # Errors
/// Always returns the fault.
pub fn error<T, E: FromInjected>(injected: Injected) -> Result<T, E> {
    Err(E::from_injected(injected))
}

/// Returns a fault as what a function with `#[site(…, value)]` returns.
///
/// # Errors
/// Returns the fault if it has no value that is a `T`.
#[cfg(feature = "serde")]
pub fn value<T, E: FromInjected>(injected: Injected) -> Result<T, E>
where
    T: serde::de::DeserializeOwned,
{
    injected.into_value().map_err(E::from_injected)
}

/// The fields of a `rule!`.
#[cfg(feature = "serde")]
#[derive(Debug)]
pub enum Json {
    /// Literals, which the macro has checked.
    Text(&'static str),
    /// What is known at run time.
    Value(serde_json::Value),
}

/// Reads the rule of a `rule!`, with its default id if it does not name itself.
///
/// # Panics
/// Panics if the rule is not valid.
#[cfg(feature = "serde")]
#[must_use]
#[track_caller]
pub fn rule(json: Json, default_id: Option<&str>) -> Rule {
    let rule = match json {
        Json::Text(text) => wire::rule_from_json(text.as_bytes(), default_id),
        Json::Value(value) => wire::rule_from_value(value, default_id),
    };
    // A closure would be the place of the panic, in place of the macro.
    match rule {
        Ok(rule) => Rule {
            has_default_id: default_id.is_some(),
            ..rule
        },
        Err(error) => panic!("{error}"),
    }
}
