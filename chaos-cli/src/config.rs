//! Which endpoints a command asks, and with which access: the arguments, the environment, or a context.

pub(crate) mod contexts;
#[cfg(feature = "fleet")]
pub(crate) mod etcd;
pub(crate) mod secret_file;

use std::{env, fs, path::Path};

use reqwest::{Certificate, Identity, header::HeaderValue};

use crate::{
    args::Globals,
    client::{Access, Client, address::Address},
    config::contexts::{Context, Contexts},
    failure::Failure,
    fleet::Fleet,
};

/// The endpoint if nothing names one.
const DEFAULT: &str = "http://127.0.0.1:9900";

/// Returns the endpoints that a command asks.
///
/// The access of a context goes to the endpoints of that context alone: with `-e` or `CHAOSCTL_ENDPOINT`, no
/// context is read.
pub(crate) fn fleet(globals: &Globals) -> Result<Fleet, Failure> {
    let (written, context) = endpoints(globals)?;
    of(globals, &written, context)
}

/// Returns these endpoints, unless the command line names others.
///
/// They have the access of the command line and the environment alone: a context's goes to its own endpoints.
#[cfg(feature = "gameday")]
pub(crate) fn fleet_at(globals: &Globals, endpoints: &[String]) -> Result<Fleet, Failure> {
    match globals.endpoints.is_empty() && globals.context.is_none() {
        true => of(globals, endpoints, None),
        false => fleet(globals),
    }
}

/// Returns these endpoints, with the access of the command line and the environment alone.
#[cfg(all(feature = "fleet", feature = "gameday"))]
pub(crate) fn fleet_of(globals: &Globals, endpoints: &[String]) -> Result<Fleet, Failure> {
    of(globals, endpoints, None)
}

fn of(
    globals: &Globals,
    written: &[String],
    context: Option<(String, Context)>,
) -> Result<Fleet, Failure> {
    let access = access(globals, context.as_ref().map(|(_, context)| context))?;
    let (mut clients, mut unusable) = (Vec::<Client>::new(), Vec::new());
    for (at, endpoint) in written.iter().enumerate() {
        let address = endpoint.parse();
        match address.and_then(|address: Address| Client::new(address, &access)) {
            // Named twice, it would be written to twice.
            Ok(client) if clients.iter().any(|known| known.name() == client.name()) => {}
            Ok(client) => clients.push(client),
            // The text may hold a password, so it is not shown.
            Err(failure) => unusable.push((format!("endpoint {}", at + 1), failure)),
        }
    }
    let production = context.filter(|(_, context)| context.production);
    Ok(Fleet {
        clients,
        unusable,
        production: production.map(|(name, _)| name),
        yes: globals.yes,
    })
}

/// The endpoints of a command, and the context that names them.
type Endpoints = (Vec<String>, Option<(String, Context)>);

fn endpoints(globals: &Globals) -> Result<Endpoints, Failure> {
    if !globals.endpoints.is_empty() {
        return Ok((globals.endpoints.clone(), None));
    }
    if globals.context.is_none()
        && let Some(listed) = variable("CHAOSCTL_ENDPOINT")?
    {
        let listed = listed.split(',').map(|one| one.trim().to_owned());
        let listed: Vec<_> = listed.filter(|one| !one.is_empty()).collect();
        return match listed.is_empty() {
            true => {
                let failure = Failure::usage("no endpoint is named");
                Err(failure.at("CHAOSCTL_ENDPOINT", "at least one, or no variable"))
            }
            false => Ok((listed, None)),
        };
    }
    let contexts = Contexts::read()?;
    match contexts.chosen(globals.context.as_deref())? {
        Some((name, context)) if context.endpoints.is_empty() => {
            let failure = Failure::usage("the context has a fleet, and no endpoint");
            Err(failure.at(format!("contexts.{name}"), "endpoints, or `chaosctl fleet`"))
        }
        Some((name, context)) => Ok((context.endpoints.clone(), Some((name, context)))),
        None => Ok((vec![DEFAULT.to_owned()], None)),
    }
}

fn access(globals: &Globals, context: Option<&Context>) -> Result<Access, Failure> {
    let of_context = |path: fn(&Context) -> &Option<std::path::PathBuf>| {
        context.and_then(|it| path(it).as_deref())
    };
    let token_file = globals.token_file.as_deref();
    let token = match (token_file, variable("CHAOSCTL_TOKEN")?) {
        (Some(path), _) => Some(secret_file::read(path)?),
        (None, Some(token)) => Some(token),
        (None, None) => match of_context(|it| &it.token_file) {
            Some(path) => Some(secret_file::read(path)?),
            None => None,
        },
    };
    let ca = globals.ca.as_deref().or(of_context(|it| &it.ca));
    let cert = globals.cert.as_deref().or(of_context(|it| &it.cert));
    let key = globals
        .cert_key
        .as_deref()
        .or(of_context(|it| &it.cert_key));
    let identity = match (cert, key) {
        (Some(cert), Some(key)) => Some(identity(cert, key)?),
        (None, None) => None,
        _ => {
            let failure = Failure::usage("one of --cert and --cert-key is missing");
            return Err(failure.at("--cert", "both, or neither"));
        }
    };
    Ok(Access {
        token: token.as_deref().map(authorization).transpose()?,
        insecure_token: globals.insecure_token,
        authorities: ca.map(authorities).transpose()?,
        identity,
        timeout: *globals.timeout,
    })
}

/// Returns the header `Authorization` for a token.
fn authorization(token: &str) -> Result<HeaderValue, Failure> {
    let header = HeaderValue::from_str(&format!("Bearer {}", token.trim()));
    let mut header = header.map_err(|_| {
        let failure = Failure::usage("the token has characters that no token has");
        failure.at("token", "A-Z a-z 0-9 - . _ ~ + / =")
    })?;
    header.set_sensitive(true);
    Ok(header)
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, Failure> {
    let certificates = Certificate::from_pem_bundle(&file(path)?);
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(Failure::usage("the file holds no certificate").at(shown(path), "PEM")),
    }
}

fn identity(cert: &Path, key: &Path) -> Result<Identity, Failure> {
    let mut pem = file(cert)?;
    pem.push(b'\n');
    pem.extend(file(key)?);
    Identity::from_pem(&pem).map_err(|_| {
        let failure = Failure::usage("the files hold no certificate with its key");
        failure.at(shown(cert), "a certificate and its key, both in PEM")
    })
}

fn file(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| unreadable(path, &error))
}

/// Returns the failure for a file that cannot be read.
pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let detail = format!("the file cannot be read: {error}");
    Failure::usage(detail).at(shown(path), "a file that can be read")
}

pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Returns the value of an environment variable that is set and not empty.
fn variable(name: &str) -> Result<Option<String>, Failure> {
    match env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => {
            Err(Failure::usage("the variable is not UTF-8").at(name, "UTF-8"))
        }
    }
}
