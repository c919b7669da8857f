//! Rules that a program takes from its environment, and from the files that it was told of.

use std::path::PathBuf;

use chaos_core::Injector;
use chaos_http_admin::Admin;
use chaos_sources::{Environment, FileSource, SourceError, Watching};

use crate::Error;

/// The files that are followed, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Sources {
    files: Vec<Watching>,
}

impl Sources {
    /// Puts in force what `CHAOS_RULES`, the file of `CHAOS_FILE`, and `files` say.
    ///
    /// # Errors
    /// If `CHAOS_RULES` or one of `files` is not good: whoever starts the program is there to see it.
    /// The file of `CHAOS_FILE` may become good later, as any may that was good once.
    pub(crate) fn arm(injector: &Injector, files: &[PathBuf]) -> Result<Self, Error> {
        // As text, which a program that ends with it prints on one line.
        let said = |error: SourceError| Error::from(error.to_string());
        let environment = Environment::read().and_then(|found| found.arm(injector));
        let mut watched = Vec::from_iter(environment.map_err(said)?);
        for file in files {
            let file = FileSource::new(file).watch(injector).map_err(said)?;
            if let Some(error) = file.status().error {
                return Err(said(SourceError::clone(&error)));
            }
            watched.push(file);
        }
        Ok(Self { files: watched })
    }

    /// Has the admin port say what is wrong with the files.
    pub(crate) fn shown_by(&self, admin: Admin) -> Admin {
        self.files.iter().fold(admin, |admin, file| {
            let (file, name) = (file.handle(), file.status().path);
            let problem = move || file.status().error.map(|error| error.to_string());
            admin.source(name.display().to_string(), problem)
        })
    }
}
