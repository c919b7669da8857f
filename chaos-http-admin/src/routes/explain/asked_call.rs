//! `AskedCall`: a call as a question describes it.

use std::{borrow::Cow, net::IpAddr};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use chaos_core::{Call, Label, Site, SiteKind};
use serde_json::{Map, Value};

use crate::{extract::fields::refuse, problem::Problem};

const CALL: &str = "an object with `method`, `path`, `host`, `headers`, `query`, `peer` and `labels`, all optional";
const TEXT: &str = "a text of at most 8192 bytes";
const TEXTS: &str = "an object of at most 100 texts of at most 8192 bytes";
/// How many headers, parameters or labels a call may have.
const MOST: usize = 100;
/// How many bytes a text may have: what servers take for all headers together.
const LONGEST: usize = 8192;

/// The facts of a call, owned.
#[derive(Debug, Default)]
pub(super) struct AskedCall {
    /// `None` if the question names no fact of a request.
    request: Option<(Method, Uri, HeaderMap)>,
    peer: Option<IpAddr>,
    labels: Vec<Label<'static>>,
}

impl AskedCall {
    /// Reads the call of a question about these sites, which share one name.
    pub(super) fn read(call: Option<Value>, sites: &[&'static Site]) -> Result<Self, Problem> {
        let mut call = match call {
            None => return Ok(Self::default()),
            Some(Value::Object(call)) => call,
            Some(_) => return Err(refuse("call", "the call is not an object", CALL)),
        };
        let peer = peer(text(&mut call, "peer")?)?;
        let mut labels = labels(&texts(&mut call, "labels")?, sites)?;
        if let Some(peer) = peer
            && sites.iter().any(|site| site.kind() == SiteKind::Connection)
        {
            labels.push(("peer", peer.to_string().into()));
        }
        let names = ["method", "path", "host", "headers", "query"];
        let is_request = names.iter().any(|name| call.contains_key(*name));
        let method = method(text(&mut call, "method")?)?;
        let query = texts(&mut call, "query")?;
        let uri = uri(text(&mut call, "path")?.as_deref().unwrap_or("/"), &query)?;
        let mut headers = headers(&texts(&mut call, "headers")?)?;
        if let Some(host) = text(&mut call, "host")? {
            let value = HeaderValue::try_from(host);
            let value = value.map_err(|_| refuse("call.host", "not a host", "a host"))?;
            headers.insert(header::HOST, value);
        }
        if let Some(other) = call.keys().next() {
            let detail = format!("unknown field `{other}`");
            return Err(refuse(&format!("call.{other}"), detail, CALL));
        }
        let request = is_request.then_some((method, uri, headers));
        Ok(Self {
            request,
            peer,
            labels,
        })
    }

    /// Returns whether the question names a fact of a request.
    pub(super) fn is_request(&self) -> bool {
        self.request.is_some()
    }

    /// Returns what `ask` returns about the call.
    pub(super) fn with<T>(&self, ask: impl FnOnce(&Call<'_>) -> T) -> T {
        let call = match &self.request {
            Some((method, uri, headers)) => Call::http(method, uri, headers),
            None => Call::new(),
        };
        let peer = || self.peer;
        ask(&call.labels(&self.labels).lazy_facts(&peer))
    }
}

fn text(call: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Problem> {
    let value = call.remove(name);
    value
        .map(|value| short(value, || format!("call.{name}")))
        .transpose()
}

/// Takes names and their values.
fn texts(call: &mut Map<String, Value>, name: &str) -> Result<Vec<(String, String)>, Problem> {
    let texts = match call.remove(name) {
        None => return Ok(Vec::new()),
        Some(Value::Object(texts)) if texts.len() <= MOST => texts,
        Some(Value::Object(texts)) => {
            let detail = format!("there are {}", texts.len());
            return Err(refuse(&format!("call.{name}"), detail, TEXTS));
        }
        Some(_) => return Err(refuse(&format!("call.{name}"), "not an object", TEXTS)),
    };
    let texts = texts.into_iter().map(|(key, value)| {
        let value = short(value, || format!("call.{name}.{key}"))?;
        Ok((key, value))
    });
    texts.collect()
}

/// Returns a text that is not too long: explanations repeat it for each rule that it does not match.
fn short(value: Value, field: impl Fn() -> String) -> Result<String, Problem> {
    match value {
        Value::String(text) if text.len() <= LONGEST => Ok(text),
        Value::String(text) => {
            let detail = format!("the text has {} bytes", text.len());
            Err(refuse(&field(), detail, TEXT))
        }
        _ => Err(refuse(&field(), "not a text", TEXT)),
    }
}

fn peer(peer: Option<String>) -> Result<Option<IpAddr>, Problem> {
    let Some(peer) = peer else {
        return Ok(None);
    };
    let parsed = peer.parse().map(Some);
    parsed.map_err(|_| {
        let detail = format!("{peer:?} is no IP address");
        refuse("call.peer", detail, "an IP address, without a port")
    })
}

fn method(method: Option<String>) -> Result<Method, Problem> {
    let Some(method) = method else {
        return Ok(Method::GET);
    };
    let parsed = Method::from_bytes(method.as_bytes());
    parsed.map_err(|_| refuse("call.method", "not a method", "a method, such as GET"))
}

/// Makes the target of a request: a path, which may have a query, and further parameters of it.
fn uri(path: &str, query: &[(String, String)]) -> Result<Uri, Problem> {
    const ALLOWED: &str = "a path that begins with `/`, percent-encoded";
    let mut target = path.to_owned();
    if !query.is_empty() {
        target.push(if path.contains('?') { '&' } else { '?' });
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        pairs.extend_pairs(query);
        target.push_str(&pairs.finish());
    }
    let is_path = path.starts_with('/') && !path.contains('#') && path.parse::<Uri>().is_ok();
    if !is_path {
        return Err(refuse("call.path", format!("{path:?} is no path"), ALLOWED));
    }
    target.parse().map_err(|_| {
        let detail = "the parameters do not fit into a request";
        refuse("call.query", detail, TEXTS)
    })
}

fn headers(all: &[(String, String)]) -> Result<HeaderMap, Problem> {
    let mut headers = HeaderMap::new();
    for (name, value) in all {
        let wrong = |detail: &str, allowed: &str| {
            Err(refuse(&format!("call.headers.{name}"), detail, allowed))
        };
        let Ok(known) = HeaderName::try_from(name) else {
            return wrong("not the name of a header", "the name of a header");
        };
        let Ok(value) = HeaderValue::try_from(value) else {
            return wrong("not the value of a header", "the value of a header");
        };
        headers.append(known, value);
    }
    Ok(headers)
}

/// Finds the names of labels among those that the sites declare.
fn labels(
    all: &[(String, String)],
    sites: &[&'static Site],
) -> Result<Vec<Label<'static>>, Problem> {
    let declared = || {
        let all = sites.iter().flat_map(|site| site.labels());
        all.copied()
    };
    let labels = all.iter().map(|(name, value)| {
        let known = declared().find(|known| known == name);
        let known = known.ok_or_else(|| {
            let names: Vec<_> = declared().collect();
            let allowed = match names[..] {
                [] => "no labels: the site declares none".to_owned(),
                _ => format!("a label that the site declares: {}", names.join(", ")),
            };
            let field = format!("call.labels.{name}");
            let problem = refuse(&field, "the site has no such label", &allowed);
            // Which labels there are is not in the question, as which sites there are.
            problem.with_status(StatusCode::NOT_FOUND)
        })?;
        Ok((known, Cow::Owned(value.clone())))
    });
    labels.collect()
}
