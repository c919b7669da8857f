//! The file of contexts: named sets of endpoints with their access.
//!
//! Commands add to the file and never rewrite it, so comments stay. Which context is in use is kept in a file
//! beside it.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{ErrorKind, Write},
    path::PathBuf,
};

use etcetera::BaseStrategy;
use serde::Deserialize;

use crate::{
    config::{shown, unreadable},
    failure::{Exit, Failure},
};

/// A named set of endpoints.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    #[serde(default)]
    pub(crate) endpoints: Vec<String>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) cert: Option<PathBuf>,
    pub(crate) cert_key: Option<PathBuf>,
    /// Whether each write names the context, and those that inject faults ask.
    #[serde(default)]
    pub(crate) production: bool,
    pub(crate) fleet: Option<FleetContext>,
}

/// The fleet of a context.
#[cfg(feature = "fleet")]
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FleetContext {
    /// The etcd and the name of the fleet, as `--fleet` takes them.
    pub(crate) url: String,
    pub(crate) user: Option<String>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) key_file: Option<PathBuf>,
    #[serde(default)]
    pub(crate) trust_the_store: bool,
}

/// The fleet of a context. One file is for programs with the feature and without it, which only list it.
#[cfg(not(feature = "fleet"))]
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct FleetContext {
    pub(crate) url: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    #[serde(default)]
    contexts: BTreeMap<String, Context>,
}

/// The contexts of the file, and the one in use.
#[derive(Debug)]
pub(crate) struct Contexts {
    path: PathBuf,
    pub(crate) all: BTreeMap<String, Context>,
    /// A failure if what is kept beside the file cannot be read.
    pub(crate) in_use: Result<Option<String>, Failure>,
}

impl Contexts {
    /// Reads `config.toml` of the operator; `CHAOSCTL_CONFIG` names another file. No file is no context.
    pub(crate) fn read() -> Result<Self, Failure> {
        let path = path()?;
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(unreadable(&path, &error)),
        };
        let ConfigFile { contexts } = toml::from_str(&text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.unwrap_or_default().matches('\n').count() + 1;
            let place = format!("{}:{line}", path.display());
            let problem = error.message().lines().next().unwrap_or_default();
            let allowed =
                "[contexts.NAME] with endpoints, token_file, ca, cert, cert_key, production, and fleet: \
                 url, user, password_file, key_file, trust_the_store";
            Failure::usage(problem).at(place, allowed)
        })?;
        for (name, context) in &contexts {
            if context.endpoints.is_empty() && context.fleet.is_none() {
                let failure = Failure::usage("the context has no endpoint");
                return Err(failure.at(format!("contexts.{name}"), "at least one"));
            }
        }
        let kept = path.with_file_name("context");
        let in_use = match fs::read_to_string(&kept) {
            Ok(name) => Ok(Some(name.trim().to_owned()).filter(|name| !name.is_empty())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            // Taken for none, it would send a command to the endpoint that nothing names.
            Err(error) => Err(unreadable(&kept, &error)),
        };
        Ok(Self {
            path,
            all: contexts,
            in_use,
        })
    }

    /// Returns the context of this name, or the one in use.
    pub(crate) fn chosen(&self, name: Option<&str>) -> Result<Option<(String, Context)>, Failure> {
        let in_use = match name {
            Some(_) => None,
            None => self.in_use.clone()?,
        };
        let Some(name) = name.or(in_use.as_deref()) else {
            return Ok(None);
        };
        match self.all.get(name) {
            Some(context) => Ok(Some((name.to_owned(), context.clone()))),
            None => Err(self.unknown(name)),
        }
    }

    /// Makes the context of this name the one in use.
    pub(crate) fn use_context(&self, name: &str) -> Result<(), Failure> {
        if !self.all.contains_key(name) {
            return Err(self.unknown(name));
        }
        self.write(
            &self.path.with_file_name("context"),
            &format!("{name}\n"),
            false,
        )
    }

    /// Adds a context to the file, with its fleet if it has one.
    pub(crate) fn add(
        &self,
        name: &str,
        table: &toml::Table,
        fleet: Option<&toml::Table>,
    ) -> Result<(), Failure> {
        let allowed = "letters, digits, - and _";
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(is_plain) {
            return Err(Failure::usage("this is no name of a context").at("NAME", allowed));
        }
        if self.all.contains_key(name) {
            let failure = Failure::usage("there is such a context");
            return Err(failure.at(
                name,
                format!("another name, or an edit of {}", shown(&self.path)),
            ));
        }
        let mut text = format!("\n[contexts.{name}]\n{table}");
        if let Some(fleet) = fleet {
            text += &format!("\n[contexts.{name}.fleet]\n{fleet}");
        }
        self.write(&self.path, &text, true)
    }

    fn write(&self, path: &std::path::Path, text: &str, append: bool) -> Result<(), Failure> {
        let write = || {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let mut options = fs::OpenOptions::new();
            let options = options
                .create(true)
                .append(append)
                .write(true)
                .truncate(!append);
            options.open(path)?.write_all(text.as_bytes())
        };
        write().map_err(|error| {
            let detail = format!("the file cannot be written: {error}");
            Failure::new(Exit::Refused, detail).at(shown(path), "a file that can be written")
        })
    }

    fn unknown(&self, name: &str) -> Failure {
        let failure = Failure::usage(format!(
            "there is no context {name} in {}",
            shown(&self.path)
        ));
        let known: Vec<_> = self.all.keys().map(String::as_str).collect();
        match known.is_empty() {
            true => failure,
            false => failure.at("context", known.join(", ")),
        }
    }
}

fn path() -> Result<PathBuf, Failure> {
    if let Some(path) = env::var_os("CHAOSCTL_CONFIG").filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    let strategy = etcetera::choose_base_strategy();
    let strategy = strategy.map_err(|error| Failure::usage(format!("no home folder: {error}")))?;
    Ok(strategy.config_dir().join("chaosctl").join("config.toml"))
}
