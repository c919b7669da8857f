//! The rules that a program loads from its environment and from files on its command line.

use std::path::PathBuf;

use chaos_core::Injector;
use chaos_http_admin::Admin;
use chaos_sources::{Environment, FileSource, FollowedHaltFile, SourceError, Watching};

use crate::Error;

/// The halt file and the rules files that are followed, until this is dropped.
#[derive(Debug)]
pub(crate) struct Sources {
    halt_file: Option<FollowedHaltFile>,
    files: Vec<Watching>,
}

impl Sources {
    /// Follows the halt file that `CHAOS_HALT_FILE` names, and arms the rules of `CHAOS_RULES`, of the
    /// file that `CHAOS_FILE` names, and of `files`, which it watches for changes.
    ///
    /// # Errors
    /// Returns an error if `CHAOS_RULES` or one of `files` is invalid, because the person who starts
    /// the program can correct it. An invalid file of `CHAOS_FILE` is only logged; its rules are armed
    /// when it becomes valid. The same holds for a file that becomes invalid later.
    pub(crate) fn arm(injector: &Injector, files: &[PathBuf]) -> Result<Self, Error> {
        let environment = Environment::read()?.arm(injector)?;
        let mut watched = Vec::from_iter(environment.file);
        for file in files {
            let file = FileSource::new(file).watch(injector)?;
            if let Some(error) = file.status().error {
                return Err(SourceError::clone(&error).into());
            }
            watched.push(file);
        }
        Ok(Self {
            halt_file: environment.halt_file,
            files: watched,
        })
    }

    /// Registers the files with the admin port, so that its status reports their errors.
    pub(crate) fn shown_by(&self, admin: Admin) -> Admin {
        let halt_file = self.halt_file.clone().into_iter();
        let admin = halt_file.fold(admin, |admin, file| {
            admin.source(file.path().display().to_string(), move || file.problem())
        });
        self.files.iter().fold(admin, |admin, file| {
            let (file, name) = (file.handle(), file.status().path);
            let problem = move || file.status().error.map(|error| error.to_string());
            admin.source(name.display().to_string(), problem)
        })
    }
}
