//! Which fleet a command asks, in which etcd, and with which access: the arguments, the environment, or a context.

use std::path::Path;

use chaos_core::token::TokenKey;
use chaos_fleet::{Etcd, Name, Operator, Refusal, Trust};

use crate::{
    args::{Globals, fleet::FleetAccessArgs},
    client::address::Address,
    config::{
        contexts::{Context, Contexts, FleetContext},
        file, secret_file, shown, variable,
    },
    failure::Failure,
    fleet::confirm,
    output::Output,
};

const ALLOWED: &str = "http://HOST:PORT/FLEET, or https; with commas between several";

/// A fleet, and how it is reached.
pub(crate) struct Target {
    pub(crate) etcd: Etcd,
    /// The endpoints of etcd.
    #[cfg(feature = "gameday")]
    pub(crate) endpoints: Vec<String>,
    pub(crate) fleet: Name,
    /// How documents are signed, if it is said.
    pub(crate) trust: Option<Trust>,
    /// Who asks.
    pub(crate) by: String,
    /// The name of a context that is marked as production.
    production: Option<String>,
    yes: bool,
}

impl Target {
    /// Returns who looks at the fleet, and takes away.
    pub(crate) fn operator(&self) -> Operator {
        let operator = Operator::new(self.etcd.clone(), self.fleet.clone());
        match &self.trust {
            Some(trust) => operator.trusting(trust.clone()),
            None => operator,
        }
    }

    /// Returns how documents are signed.
    pub(crate) fn trust(&self) -> Result<Trust, Failure> {
        self.trust.clone().ok_or_else(|| {
            let failure = Failure::usage("nothing says how the document is signed");
            failure.at(
                "--key-file",
                "the file of the key that replicas know, or --trust-the-store",
            )
        })
    }

    /// Asks before a write that injects faults, in production.
    pub(crate) fn confirm(&self, out: &Output, what: &str) -> Result<(), Failure> {
        confirm(out, self.production.as_deref(), self.yes, what)
    }

    /// Names the context before a write that only takes faults away.
    pub(crate) fn announce(&self, out: &Output) {
        if let Some(context) = &self.production {
            out.note(format_args!("context {context} (production)"));
        }
    }
}

/// Returns the fleet that a command asks.
///
/// The access of a context goes to the fleet of that context alone: with `--fleet` or `CHAOSCTL_FLEET`, no context is read.
pub(crate) fn target(globals: &Globals, args: &FleetAccessArgs) -> Result<Target, Failure> {
    let (written, context) = written(globals, args)?;
    let (endpoints, fleet) = parse(&written)?;
    of(globals, args, &endpoints, fleet, context.as_ref())
}

/// Returns this fleet, unless the command line names another. It has no access of a context, which goes to its own fleet.
#[cfg(feature = "gameday")]
pub(crate) fn target_at(
    globals: &Globals,
    args: &FleetAccessArgs,
    endpoints: &[String],
    fleet: &str,
) -> Result<Target, Failure> {
    if args.fleet.is_some() || globals.context.is_some() {
        return target(globals, args);
    }
    let fleet = fleet.parse();
    let fleet = fleet.map_err(|refusal: Refusal| {
        Failure::usage(refusal.problem()).at("target.fleet.name", refusal.allowed())
    })?;
    of(globals, args, endpoints, fleet, None)
}

fn of(
    globals: &Globals,
    args: &FleetAccessArgs,
    endpoints: &[String],
    fleet: Name,
    context: Option<&Chosen>,
) -> Result<Target, Failure> {
    let etcd = Etcd::new(endpoints).map_err(|refusal| Failure::of_refusal(&refusal))?;
    let etcd = etcd.patience(*globals.timeout);
    let etcd = with_user(etcd, endpoints, globals, args, context)?;
    Ok(Target {
        etcd: with_certificates(etcd, globals, context)?,
        #[cfg(feature = "gameday")]
        endpoints: endpoints.to_vec(),
        fleet,
        trust: trust(args, context)?,
        by: by(args)?,
        production: context
            .filter(|(_, context)| context.production)
            .map(|(name, _)| name.clone()),
        yes: globals.yes,
    })
}

type Chosen = (String, Context);

fn fleet_of(context: Option<&Chosen>) -> Option<&FleetContext> {
    context.and_then(|(_, context)| context.fleet.as_ref())
}

fn written(globals: &Globals, args: &FleetAccessArgs) -> Result<(String, Option<Chosen>), Failure> {
    if let Some(fleet) = &args.fleet {
        return Ok((fleet.clone(), None));
    }
    if globals.context.is_none()
        && let Some(fleet) = variable("CHAOSCTL_FLEET")?
    {
        return Ok((fleet, None));
    }
    let chosen = Contexts::read()?.chosen(globals.context.as_deref())?;
    let fleet = chosen.as_ref().and_then(|chosen| fleet_of(Some(chosen)));
    match fleet.map(|fleet| fleet.url.clone()) {
        Some(url) => Ok((url, chosen)),
        None => {
            let failure = Failure::usage("no fleet is named");
            Err(failure.at(
                "--fleet",
                format!("{ALLOWED}; or CHAOSCTL_FLEET, or a context with one"),
            ))
        }
    }
}

/// Reads where a fleet is.
fn parse(written: &str) -> Result<(Vec<String>, Name), Failure> {
    // The text may hold a password, so it is not shown.
    let refuse = |problem: &str| Failure::usage(problem).at("--fleet", ALLOWED);
    if written.contains('@') {
        return Err(refuse("the URL holds a name or a password"));
    }
    let parts = written.trim_end_matches('/').rsplit_once('/');
    let parts = parts.filter(|(endpoints, _)| !endpoints.ends_with('/'));
    let (endpoints, fleet) = parts.ok_or_else(|| refuse("the URL does not end with a fleet"))?;
    let fleet = fleet
        .parse()
        .map_err(|refusal: Refusal| refuse(refusal.problem()))?;
    let endpoints = endpoints.split(',').map(|one| one.trim().to_owned());
    let endpoints: Vec<_> = endpoints.collect();
    match Etcd::new(endpoints.iter()) {
        Ok(_) => Ok((endpoints, fleet)),
        Err(refusal) => Err(refuse(refusal.problem())),
    }
}

fn with_user(
    etcd: Etcd,
    endpoints: &[String],
    globals: &Globals,
    args: &FleetAccessArgs,
    context: Option<&Chosen>,
) -> Result<Etcd, Failure> {
    let of_context = fleet_of(context).and_then(|fleet| fleet.user.as_ref());
    let Some(user) = args.user.as_ref().or(of_context) else {
        return match args.password_file {
            None => Ok(etcd),
            Some(_) => {
                let failure = Failure::usage("a password, and no user");
                Err(failure.at("--user", "the name of a user"))
            }
        };
    };
    let of_context = fleet_of(context).and_then(|fleet| fleet.password_file.as_deref());
    let Some(file) = args.password_file.as_deref().or(of_context) else {
        let failure = Failure::usage("a user, and no password");
        return Err(failure.at("--password-file", "a file"));
    };
    for endpoint in endpoints {
        let is_private = |address: Address| address.is_private();
        if !globals.insecure_token && !endpoint.parse().is_ok_and(is_private) {
            let detail = "the password would be sent over plain HTTP to another machine";
            let allowed = "https or a loopback address; or --insecure-token";
            return Err(Failure::usage(detail).at(endpoint.as_str(), allowed));
        }
    }
    Ok(etcd.user(user, &secret_file::read(file)?))
}

fn with_certificates(
    etcd: Etcd,
    globals: &Globals,
    context: Option<&Chosen>,
) -> Result<Etcd, Failure> {
    let of_context = |path: fn(&Context) -> &Option<std::path::PathBuf>| {
        context.and_then(|(_, it)| path(it).as_deref())
    };
    let ca = globals.ca.as_deref().or(of_context(|it| &it.ca));
    let cert = globals.cert.as_deref().or(of_context(|it| &it.cert));
    let key = globals
        .cert_key
        .as_deref()
        .or(of_context(|it| &it.cert_key));
    let etcd = match ca {
        Some(ca) => etcd.authority(pem(ca)?),
        None => etcd,
    };
    match (cert, key) {
        (Some(cert), Some(key)) => Ok(etcd.certificate(pem(cert)?, pem(key)?)),
        (None, None) => Ok(etcd),
        _ => {
            let failure = Failure::usage("one of --cert and --cert-key is missing");
            Err(failure.at("--cert", "both, or neither"))
        }
    }
}

fn pem(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = file(path)?;
    match bytes.windows(11).any(|part| part == b"-----BEGIN ") {
        true => Ok(bytes),
        false => Err(Failure::usage("the file is not in PEM").at(shown(path), "PEM")),
    }
}

fn trust(args: &FleetAccessArgs, context: Option<&Chosen>) -> Result<Option<Trust>, Failure> {
    let fleet = fleet_of(context);
    let file = match (&args.key_file, args.trust_the_store) {
        (Some(file), _) => Some(file),
        (None, true) => return Ok(Some(Trust::Store)),
        (None, false) => fleet.and_then(|fleet| fleet.key_file.as_ref()),
    };
    let Some(file) = file else {
        let trusts = fleet.is_some_and(|fleet| fleet.trust_the_store);
        return Ok(trusts.then_some(Trust::Store));
    };
    let key = TokenKey::new(secret_file::read(file)?.as_bytes());
    let key = key.map_err(|error| {
        Failure::usage(error.to_string()).at(shown(file), "a secret of at least 32 bytes")
    })?;
    Ok(Some(Trust::Key(key)))
}

fn by(args: &FleetAccessArgs) -> Result<String, Failure> {
    let by = match &args.by {
        Some(by) => Some(by.clone()),
        None => match variable("USER")? {
            Some(user) => Some(user),
            None => variable("LOGNAME")?,
        },
    };
    match by {
        Some(by) if by.len() > 256 => {
            Err(Failure::usage("the name is too long").at("--by", "at most 256 bytes"))
        }
        by => Ok(by.unwrap_or_else(|| "chaosctl".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_is_the_last_segment() {
        let read = |written| {
            let (endpoints, fleet) = parse(written).unwrap();
            (endpoints.join(" "), fleet.as_str().to_owned())
        };
        let one = ("http://127.0.0.1:2379".to_owned(), "demo".to_owned());
        assert_eq!(read("http://127.0.0.1:2379/demo"), one);
        assert_eq!(read("http://127.0.0.1:2379/demo/"), one);
        let two = ("https://a:1 https://b:2".to_owned(), "demo".to_owned());
        assert_eq!(read("https://a:1,https://b:2/demo"), two);
    }

    #[test]
    fn what_is_no_fleet_is_refused_without_showing_it() {
        for written in [
            "",
            "demo",
            "http://127.0.0.1:2379",
            "http://127.0.0.1:2379/",
            "http://127.0.0.1:2379/a b",
            "http://ann:hunter2@h:1/demo",
            "http://h:1/hunter2?",
        ] {
            let failure = parse(written).unwrap_err();
            assert_eq!(failure.field.as_deref(), Some("--fleet"), "{written}");
            assert!(!failure.to_string().contains("hunter2"), "{failure}");
        }
    }
}
