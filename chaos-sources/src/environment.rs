//! Rules and files that the environment of the process names: `CHAOS_HALT_FILE`, `CHAOS_RULES` and
//! `CHAOS_FILE`.

use std::{env, ffi::OsString};

use chaos_core::{Injector, Rule, audit::Actor, wire};

use crate::{
    error::{Problem, SourceError},
    file::FileSource,
    halt_file::{FollowedHaltFile, HaltFile},
    installed::InstalledRules,
    watching::Watching,
};

const HALT_FILE: &str = "CHAOS_HALT_FILE";
const RULES: &str = "CHAOS_RULES";
const FILE: &str = "CHAOS_FILE";

/// The rules and files that environment variables name. `CHAOS_HALT_FILE` has the path of a
/// [`HaltFile`], `CHAOS_RULES` has rules in the [short form](chaos_core::wire::rules_from_short), and
/// `CHAOS_FILE` has the path of a file of rules. Each may be unset or empty.
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
/// let armed = environment.arm(&injector)?;
/// assert!(armed.file.is_none());
/// assert_eq!(injector.rules().rules().len(), 1);
/// # Ok::<(), chaos_sources::SourceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Environment {
    halt_file: Option<HaltFile>,
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
        let path = |name| variable(name).filter(|path| !path.is_empty());
        let file = path(FILE);
        Ok(Self {
            halt_file: path(HALT_FILE).map(HaltFile::new),
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

    /// Returns the halt file that `CHAOS_HALT_FILE` names.
    #[must_use]
    pub fn halt_file(&self) -> Option<&HaltFile> {
        self.halt_file.as_ref()
    }

    /// [Follows](HaltFile::follow) the halt file of `CHAOS_HALT_FILE`, appends the rules of `CHAOS_RULES`
    /// to those of `injector`, and [watches](FileSource::watch) the file of `CHAOS_FILE`, in this order.
    ///
    /// The rules stay in force when the returned value is dropped.
    ///
    /// # Errors
    /// Returns an error, and arms nothing, if the injector's policy refuses a rule of
    /// `CHAOS_RULES`, or another rule has its id. Returns an error if no thread can be started to
    /// follow a file; the rules of `CHAOS_RULES` may be armed then.
    pub fn arm(&self, injector: &Injector) -> Result<ArmedEnvironment, SourceError> {
        let halt_file = (self.halt_file.as_ref())
            .map(|file| file.follow(injector))
            .transpose()?;
        if !self.rules.is_empty() {
            let actor = Actor::new(format!("env:{RULES}")).because("set in the environment");
            let put = InstalledRules::new(injector, actor).put(self.rules.clone());
            put.map_err(|problem| SourceError::new(RULES, problem))?;
        }
        let file = (self.file.as_ref())
            .map(|file| file.watch(injector))
            .transpose()?;
        Ok(ArmedEnvironment { halt_file, file })
    }
}

/// The files of an [`Environment`], which are followed until this is dropped.
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "the files are followed until this is dropped"]
pub struct ArmedEnvironment {
    /// The halt file of `CHAOS_HALT_FILE`.
    pub halt_file: Option<FollowedHaltFile>,
    /// The file of rules of `CHAOS_FILE`.
    pub file: Option<Watching>,
}
