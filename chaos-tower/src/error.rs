//! `BoxError`: the error type that HTTP stacks pass on.

use std::error::Error;

/// A boxed error, as tower, hyper, axum and tonic pass it on.
pub type BoxError = Box<dyn Error + Send + Sync>;
