//! The connection that a request came on, as far as it is known.

use std::marker::PhantomData;

use http::Extensions;

/// Nothing is known of it yet, so nothing can be done to it.
pub(crate) struct Connection<'a>(PhantomData<&'a Extensions>);

impl<'a> Connection<'a> {
    pub(crate) fn of(_: &'a Extensions) -> Self {
        Self(PhantomData)
    }

    pub(crate) fn reset(&self) {}

    pub(crate) fn go_away(&self) {}
}
