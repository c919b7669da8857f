//! Who may ask: only a client that knows us by one of our names, and no page from elsewhere.
//!
//! A browser carries the wishes of any page to any port, loopback included. A page that has pointed
//! its own name at this machine (DNS rebinding) gives itself away by that name in `Host`; one that
//! asks across origins does so by `Origin` or `Sec-Fetch-Site`. Clients that are no browsers send
//! neither of these. A link on such a page is different: a browser shows what is behind it to the
//! person, and to no page.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header, uri::Authority};

use crate::{
    access::peer::{Peer, Remote},
    problem::Problem,
};

/// The names that this server answers to, with any port: it may be reached through a tunnel.
#[derive(Clone, Debug)]
pub(crate) struct Hosts(Vec<String>);

impl Default for Hosts {
    fn default() -> Self {
        Self(["localhost", "127.0.0.1", "[::1]"].map(String::from).into())
    }
}

impl Hosts {
    pub(crate) fn allow(&mut self, host: &str) {
        if !self.allows(host) {
            self.0.push(host.to_ascii_lowercase());
        }
    }

    fn allows(&self, host: &str) -> bool {
        self.0.iter().any(|name| name.eq_ignore_ascii_case(host))
    }

    /// Lets a request in or says why not.
    pub(crate) fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        peer: &Peer,
    ) -> Result<(), Problem> {
        // No browser opens a Unix socket, and there is no name to point at it.
        let is_local = matches!(peer.remote, Remote::Process { .. });
        let host = host_header(headers)?;
        // The target of HTTP/2, or of a client that takes us for a proxy, counts above `Host`.
        // A request that carries both must be right in both.
        let target = uri.authority();
        let names = || target.into_iter().chain(&host);
        let Some(asked) = names().next() else {
            if is_local {
                return Ok(());
            }
            let problem = Problem::new(StatusCode::BAD_REQUEST, "the request names no host");
            return Err(problem.at("Host", self.0.join(", ")));
        };
        let is_ours = |name: &&Authority| {
            is_local || self.allows(name.host()) || is_address(name.host(), peer.local)
        };
        if let Some(foreign) = names().find(|name| !is_ours(name)) {
            let detail = format!("`{}` is not a name of this server", foreign.host());
            let problem = Problem::new(StatusCode::MISDIRECTED_REQUEST, detail);
            return Err(problem.at("Host", self.0.join(", ")));
        }
        if !headers
            .get_all(header::ORIGIN)
            .iter()
            .all(|origin| is_same(origin, asked))
        {
            let problem = Problem::new(StatusCode::FORBIDDEN, "a page from elsewhere asks");
            return Err(problem.at("Origin", format!("http://{asked}, or left out")));
        }
        let mut sites = headers.get_all("sec-fetch-site").iter();
        if sites.any(|site| site == "cross-site") && !follows_a_link(method, headers) {
            let problem = Problem::new(StatusCode::FORBIDDEN, "a page from elsewhere asks");
            return Err(problem.at("Sec-Fetch-Site", "same-origin, same-site or none"));
        }
        Ok(())
    }
}

/// Whether `host` is the very address that was connected to: no name at all, so none that someone
/// could point elsewhere.
fn is_address(host: &str, local: Option<IpAddr>) -> bool {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    let address = literal
        .parse()
        .map(|address: IpAddr| address.to_canonical());
    local.is_some_and(|local| address == Ok(local.to_canonical()))
}

fn host_header(headers: &HeaderMap) -> Result<Option<Authority>, Problem> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let Some(host) = hosts.next() else {
        return Ok(None);
    };
    let authority = host
        .to_str()
        .ok()
        .and_then(|host| host.parse::<Authority>().ok());
    // A user name before the host would be no part of `Authority::host`.
    match authority.filter(|host| hosts.next().is_none() && !host.as_str().contains('@')) {
        Some(host) => Ok(Some(host)),
        None => {
            let problem = Problem::new(StatusCode::BAD_REQUEST, "Host is not one host");
            Err(problem.at("Host", "a name or an address, and a port if need be"))
        }
    }
}

/// Whether a browser asks for what fills a whole tab of its own. A frame, a script or a `fetch` is
/// called something else, and a page cannot have these headers say otherwise.
fn follows_a_link(method: &Method, headers: &HeaderMap) -> bool {
    let says = |name, value| headers.get_all(name).iter().eq([value]);
    method == Method::GET
        && says("sec-fetch-mode", "navigate")
        && says("sec-fetch-dest", "document")
}

/// Whether `origin` is the page of this very server, under the name it was `asked` by.
fn is_same(origin: &HeaderValue, asked: &Authority) -> bool {
    let Some(origin) = origin
        .to_str()
        .ok()
        .and_then(|text| text.parse::<Uri>().ok())
    else {
        return false;
    };
    // Of `null`, and of anything else that is no address, there is no scheme.
    let usual_port = match origin.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return false,
    };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(usual_port);
    origin.authority().is_some_and(|origin| {
        origin.host().eq_ignore_ascii_case(asked.host()) && port(origin) == port(asked)
    })
}
