//! The error of a `main`.

use std::fmt;

use crate::Error;

/// The error that the `main` of a program returns, which the standard library prints with `Debug`. That of a
/// boxed error shows the fields of a type; this one writes the sentence of the error, and those of its sources behind
/// colons.
pub struct MainError(Error);

impl<E: Into<Error>> From<E> for MainError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Debug for MainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
