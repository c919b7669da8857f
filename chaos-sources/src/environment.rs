//! What the environment of the process says: rules in the short form, and a file of rules.

use std::{env, ffi::OsString};

use chaos_core::{Actor, Injector, Rule, wire};

use crate::{
    error::{Problem, SourceError},
    file::FileSource,
    holder::Holder,
    watching::Watching,
};

const RULES: &str = "CHAOS_RULES";
const FILE: &str = "CHAOS_FILE";

/// `CHAOS_RULES`, rules in the [short form](chaos_core::wire::rules_from_short), and `CHAOS_FILE`, the
/// path of a file of rules. Either may be missing or empty.
#[derive(Clone, Debug)]
pub struct Environment {
    rules: Vec<Rule>,
    file: Option<FileSource>,
}

impl Environment {
    /// Reads the environment of this process. Nothing is armed yet.
    ///
    /// # Errors
    /// If `CHAOS_RULES` cannot be read, or holds anything that is not allowed.
    pub fn read() -> Result<Self, SourceError> {
        Self::of(|name| env::var_os(name))
    }

    /// The same, of any variables by name.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn of(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, SourceError> {
        let text = variable(RULES).unwrap_or_default();
        let refuse = |problem: Problem| SourceError::new(RULES, problem);
        let text = (text.into_string()).map_err(|_| refuse("no UTF-8".into()))?;
        let rules = wire::rules_from_short(&text);
        let file = variable(FILE).filter(|path| !path.is_empty());
        Ok(Self {
            rules: rules.map_err(|error| refuse(error.into()))?,
            file: file.map(FileSource::new),
        })
    }

    /// The rules of `CHAOS_RULES`.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The file that `CHAOS_FILE` names.
    #[must_use]
    pub fn file(&self) -> Option<&FileSource> {
        self.file.as_ref()
    }

    /// Puts the rules in force behind those that are, and [follows](FileSource::watch) the file, if
    /// one is named.
    ///
    /// # Errors
    /// If one of the rules of `CHAOS_RULES` is not allowed here, or its id is taken; then nothing is
    /// armed. If the system gives no thread to follow the file on.
    pub fn arm(&self, injector: &Injector) -> Result<Option<Watching>, SourceError> {
        if !self.rules.is_empty() {
            let actor = Actor::new(format!("env:{RULES}")).because("the environment says so");
            let put = Holder::new(injector, actor).put(self.rules.clone());
            put.map_err(|problem| SourceError::new(RULES, problem))?;
        }
        self.file
            .as_ref()
            .map(|file| file.watch(injector))
            .transpose()
    }
}
