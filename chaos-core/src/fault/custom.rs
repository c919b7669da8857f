//! A fault that the application defines: its name, and what the rule says besides.

use std::sync::Arc;

/// A fault by the name that the application gave it, with its arguments as a JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomFault {
    pub(crate) name: Arc<str>,
    pub(crate) arguments: Arc<str>,
}

impl CustomFault {
    /// A fault defined by [`Injector::define`](crate::Injector::define), with its arguments as JSON.
    #[must_use]
    pub fn new(name: &str, arguments: &str) -> Self {
        let (name, arguments) = (name.into(), arguments.into());
        Self { name, arguments }
    }
}
