//! The extractors of query parameters. Unknown parameters are refused: a write with a misspelt
//! `dry_run` must not take effect.

pub(crate) mod wait;

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, Uri, request::Parts},
};
use chaos_core::SiteGlob;

use crate::{
    openapi::operation::{Asks, Operation},
    problem::Problem,
};

/// `?reason=…`: the reason for a write, for the audit.
#[derive(Debug)]
pub(crate) struct ReasonParam(pub(crate) Option<String>);

/// `?dry_run=true&reason=…`: with `dry_run`, the write is checked and described but not applied.
#[derive(Debug)]
pub(crate) struct DryRun {
    pub(crate) dry_run: bool,
    pub(crate) because: Option<String>,
}

/// `?after=12&limit=50`: at most `limit` audit entries that follow the entry `after`; without
/// `after`, the latest entries.
#[derive(Debug)]
pub(crate) struct PageParams {
    pub(crate) after: Option<u64>,
    pub(crate) limit: usize,
}

impl PageParams {
    /// The number of entries that the audit can hold: changes and refusals.
    const MOST: usize = 2 * chaos_core::audit::Audit::MOST;
}

impl<S: Sync> FromRequestParts<S> for PageParams {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let (mut after, mut limit) = (None, Self::MOST);
        for (name, value) in form_urlencoded::parse(query(parts)) {
            match &*name {
                "after" => {
                    let id = value.parse();
                    after = Some(id.map_err(|_| refuse(name, "the id of an entry, or 0"))?);
                }
                "limit" => limit = read_limit(&value, Self::MOST)?,
                _ => return Err(unknown(name, "after, limit, or no parameter")),
            }
        }
        Ok(Self { after, limit })
    }
}

/// `?after=ID&limit=50`: at most `limit` rules that follow the rule `after`; without `after`, from the first.
#[derive(Debug)]
pub(crate) struct RulesPage {
    pub(crate) after: Option<String>,
    pub(crate) limit: usize,
}

impl RulesPage {
    /// The number of rules on a page, at most.
    pub(crate) const MOST: usize = 10_000;
}

impl<S: Sync> FromRequestParts<S> for RulesPage {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let (mut after, mut limit) = (None, Self::MOST);
        for (name, value) in form_urlencoded::parse(query(parts)) {
            match &*name {
                "after" => after = Some(value.into_owned()),
                "limit" => limit = read_limit(&value, Self::MOST)?,
                _ => return Err(unknown(name, "after, limit, or no parameter")),
            }
        }
        Ok(Self { after, limit })
    }
}

impl Asks for RulesPage {
    fn asks(operation: &mut Operation) {
        let does = "Lists the rules after the one with this id; without it, from the first.";
        operation.query("after", "RuleId", does);
        operation.query("limit", "RulesLimit", "The maximum number of rules.");
    }
}

/// `?watch=http.server&watch=db.*`: the sites that a listener watches.
#[derive(Debug)]
pub(crate) struct WatchedSites(pub(crate) Vec<SiteGlob>);

impl WatchedSites {
    /// The number of names and patterns, at most: as many as fit into the target of a request, however long they are.
    const MOST: usize = 25;
}

impl<S: Sync> FromRequestParts<S> for WatchedSites {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut sites = Vec::new();
        for (name, value) in form_urlencoded::parse(query(parts)) {
            if name != "watch" {
                return Err(unknown(name, "watch, or no parameter"));
            }
            let site = value.parse::<SiteGlob>();
            let site =
                site.map_err(|_| refuse(&name, "a site, or a pattern such as db.* or **"))?;
            if sites.contains(&site) {
                continue;
            }
            if sites.len() == Self::MOST {
                let allowed = format!("at most {} different ones", Self::MOST);
                return Err(refuse(&name, &allowed));
            }
            sites.push(site);
        }
        Ok(Self(sites))
    }
}

impl Asks for WatchedSites {
    fn asks(operation: &mut Operation) {
        let does =
            "The sites to count calls at, as names or patterns, for as long as the stream is open.";
        operation.query("watch", "WatchedSites", does);
    }
}

/// No query parameters.
#[derive(Debug)]
pub(crate) struct NoQuery;

impl<S: Sync> FromRequestParts<S> for ReasonParam {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut because = None;
        for (name, value) in form_urlencoded::parse(query(parts)) {
            because = match &*name {
                "reason" => Some(reason(&value)?),
                _ => return Err(unknown(name, "reason, or no parameter")),
            };
        }
        Ok(Self(because))
    }
}

impl<S: Sync> FromRequestParts<S> for DryRun {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let (mut dry_run, mut because) = (false, None);
        for (name, value) in form_urlencoded::parse(query(parts)) {
            match (&*name, &*value) {
                ("dry_run", "true") => dry_run = true,
                ("dry_run", "false") => dry_run = false,
                ("dry_run", _) => return Err(refuse("dry_run", "true or false")),
                ("reason", value) => because = Some(reason(value)?),
                _ => return Err(unknown(name, "dry_run, reason, or no parameter")),
            }
        }
        Ok(Self { dry_run, because })
    }
}

/// Returns whether a request to a route with a [`DryRun`] is one.
pub(crate) fn is_dry_run(uri: &Uri) -> bool {
    let parameters = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let said = parameters.filter(|(name, _)| name == "dry_run").last();
    said.is_some_and(|(_, value)| value == "true")
}

impl Asks for PageParams {
    fn asks(operation: &mut Operation) {
        let does = "Lists the entries after the one with this id; without it, the latest entries.";
        operation.query("after", "EntryId", does);
        operation.query("limit", "Limit", "The maximum number of entries.");
    }
}

const WHY: &str = "The reason for the change, for the audit.";

impl Asks for ReasonParam {
    fn asks(operation: &mut Operation) {
        operation.query("reason", "ReasonText", WHY);
    }
}

impl Asks for DryRun {
    fn asks(operation: &mut Operation) {
        operation.query("reason", "ReasonText", WHY);
        let does = "Whether to answer with what would change, without changing it.";
        operation.query("dry_run", "DryRun", does);
    }
}

impl Asks for NoQuery {
    fn asks(_: &mut Operation) {}
}

impl<S: Sync> FromRequestParts<S> for NoQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match form_urlencoded::parse(query(parts)).next() {
            Some((name, _)) => Err(unknown(name, "no parameter")),
            None => Ok(Self),
        }
    }
}

/// The length limit of a reason, in characters.
pub(crate) const MAX_REASON: usize = 1000;

fn reason(value: &str) -> Result<String, Problem> {
    match !value.trim().is_empty() && value.chars().count() <= MAX_REASON {
        true => Ok(value.to_owned()),
        false => Err(refuse("reason", "a text of 1 to 1000 characters")),
    }
}

/// Reads how many items a page has, `most` at most.
fn read_limit(value: &str, most: usize) -> Result<usize, Problem> {
    let number = value.parse().ok();
    let allowed = number.filter(|number| (1..=most).contains(number));
    allowed.ok_or_else(|| refuse("limit", &format!("a whole number from 1 to {most}")))
}

fn query(parts: &Parts) -> &[u8] {
    parts.uri.query().unwrap_or_default().as_bytes()
}

/// Returns the 400 for a known parameter with an invalid value.
fn refuse(name: impl AsRef<str>, allowed: &str) -> Problem {
    let name = name.as_ref();
    let detail = format!("the value of the parameter `{name}` is invalid");
    Problem::new(StatusCode::BAD_REQUEST, detail).at(name, allowed)
}

/// Returns the 400 for a parameter that the route does not have.
///
/// The detail does not quote the name, because the audit records the detail, and a client may have
/// written a secret there.
fn unknown(name: impl AsRef<str>, allowed: &str) -> Problem {
    let name = name.as_ref();
    let detail = "the route does not have this parameter";
    let problem = Problem::new(StatusCode::BAD_REQUEST, detail);
    // A parameter may have an empty name.
    match name.is_empty() {
        true => problem.at("query", allowed),
        false => problem.at(name, allowed),
    }
}
