//! The rules that the environment of the process names: `CHAOS_RULES` and `CHAOS_FILE`.

use std::{env, ffi::OsString};

use chaos_core::{Injector, Rule, audit::Actor, wire};

use crate::{
    error::{Problem, SourceError},
    file::FileSource,
    installed::InstalledRules,
    watching::Watching,
};

const RULES: &str = "CHAOS_RULES";
const FILE: &str = "CHAOS_FILE";

/// The rules that the environment names: `CHAOS_RULES` contains rules in the [short
/// form](chaos_core::wire::rules_from_short), and `CHAOS_FILE` the path of a file of rules. Each
/// may be unset or empty.
///
/// ```
/// use chaos_core::Injector;
/// use chaos_sources::Environment;
///
/// let environment = Environment::of(|name| (name == "CHAOS_RULES").then(|| "db.write=5%sleep(200)".into()))?;
/// assert_eq!(environment.rules().len(), 1);
/// assert!(environment.file().is_none());
///
/// let injector = Injector::new();
/// assert!(environment.arm(&injector)?.is_none());
/// assert_eq!(injector.rules().rules().len(), 1);
/// # Ok::<(), chaos_sources::SourceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Environment {
    rules: Vec<Rule>,
    file: Option<FileSource>,
}

impl Environment {
    /// Reads the environment of this process. It arms no rule; [`arm`](Self::arm) does.
    ///
    /// # Errors
    /// Returns an error if `CHAOS_RULES` is not UTF-8 or contains an invalid rule.
    pub fn read() -> Result<Self, SourceError> {
        Self::of(|name| env::var_os(name))
    }

    /// Reads the variables that `variable` returns by name instead of those of this process. It
    /// arms no rule; [`arm`](Self::arm) does.
    ///
    /// # Errors
    /// Returns an error if `CHAOS_RULES` is not UTF-8 or contains an invalid rule.
    pub fn of(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, SourceError> {
        let text = variable(RULES).unwrap_or_default();
        let refuse = |problem: Problem| SourceError::new(RULES, problem);
        let text = (text.into_string()).map_err(|_| refuse("the text is not UTF-8".into()))?;
        let rules = wire::rules_from_short(&text);
        let file = variable(FILE).filter(|path| !path.is_empty());
        Ok(Self {
            rules: rules.map_err(|error| refuse(error.into()))?,
            file: file.map(FileSource::new),
        })
    }

    /// Returns the rules of `CHAOS_RULES`.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Returns the file that `CHAOS_FILE` names.
    #[must_use]
    pub fn file(&self) -> Option<&FileSource> {
        self.file.as_ref()
    }

    /// Appends the rules of `CHAOS_RULES` to those of `injector`, and [watches](FileSource::watch)
    /// the file of `CHAOS_FILE`. Returns `None` if no file is named.
    ///
    /// The rules stay in force when the returned value is dropped.
    ///
    /// # Errors
    /// Returns an error, and arms nothing, if the injector's policy refuses a rule of
    /// `CHAOS_RULES`, or another rule has its id. Returns an error if no thread can be started to
    /// watch the file; the rules of `CHAOS_RULES` are armed then.
    pub fn arm(&self, injector: &Injector) -> Result<Option<Watching>, SourceError> {
        if !self.rules.is_empty() {
            let actor = Actor::new(format!("env:{RULES}")).because("set in the environment");
            let put = InstalledRules::new(injector, actor).put(self.rules.clone());
            put.map_err(|problem| SourceError::new(RULES, problem))?;
        }
        self.file
            .as_ref()
            .map(|file| file.watch(injector))
            .transpose()
    }
}
