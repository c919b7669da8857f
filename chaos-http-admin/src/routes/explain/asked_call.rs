//! `AskedCall`: a call as a question describes it.

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use chaos_core::{Call, Label, Site};
use serde_json::{Map, Value};

use super::{CALL, nothing_else, refuse};
use crate::problem::Problem;

const TEXTS: &str = "an object of texts";

/// The facts of a call, owned.
#[derive(Debug, Default)]
pub(super) struct AskedCall {
    /// `None` if the question names no fact of a request.
    request: Option<(Method, Uri, HeaderMap)>,
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
        let labels = labels(&texts(&mut call, "labels")?, sites)?;
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
        nothing_else(&call, "call.", CALL)?;
        let request = is_request.then_some((method, uri, headers));
        Ok(Self { request, labels })
    }

    /// Returns whether the question names a fact of a request.
    pub(super) fn is_request(&self) -> bool {
        self.request.is_some()
    }

    /// Returns the call.
    pub(super) fn as_call(&self) -> Call<'_> {
        let call = match &self.request {
            Some((method, uri, headers)) => Call::http(method, uri, headers),
            None => Call::new(),
        };
        call.labels(&self.labels)
    }
}

fn text(call: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Problem> {
    match call.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(refuse(&format!("call.{name}"), "not a text", "a text")),
    }
}

/// Takes names and their values.
fn texts(call: &mut Map<String, Value>, name: &str) -> Result<Vec<(String, String)>, Problem> {
    let texts = match call.remove(name) {
        None => return Ok(Vec::new()),
        Some(Value::Object(texts)) => texts,
        Some(_) => return Err(refuse(&format!("call.{name}"), "not an object", TEXTS)),
    };
    let texts = texts.into_iter().map(|(key, value)| match value {
        Value::String(value) => Ok((key, value)),
        _ => Err(refuse(
            &format!("call.{name}.{key}"),
            "not a text",
            "a text",
        )),
    });
    texts.collect()
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
    let uri = target.parse().ok().filter(|_| path.starts_with('/'));
    uri.ok_or_else(|| refuse("call.path", format!("{path:?} is no path"), ALLOWED))
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
            refuse(&field, "the site has no such label", &allowed)
        })?;
        Ok((known, Cow::Owned(value.clone())))
    });
    labels.collect()
}
