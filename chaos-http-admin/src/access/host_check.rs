//! The check of `Host` and `Origin`, which keeps pages of other sites from using the port through a
//! browser.
//!
//! A browser sends requests to any port, loopback included, on behalf of any page. A page whose
//! host name has been pointed at this machine (DNS rebinding) is recognized by that name in `Host`;
//! one that sends cross-origin requests, by `Origin` or `Sec-Fetch-Site`. Clients other than
//! browsers do not send the latter two. Following a link from such a page is allowed: the browser
//! shows the answer to the user in a tab of its own, and the page cannot read it.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header, uri::Authority};

use crate::{
    access::peer::{Peer, Remote},
    problem::Problem,
};

const CROSS_SITE: &str = "the request comes from a page of another site";

/// The host names that requests may use, with any port, since the port may be reached through a
/// tunnel.
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

    /// Checks the host that a request names and the page that it comes from.
    pub(crate) fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        peer: &Peer,
    ) -> Result<(), Problem> {
        // Browsers do not connect to Unix sockets, and no host name can be pointed at one.
        let is_local = matches!(peer.remote, Remote::Process { .. });
        let host = host_header(headers)?;
        // The request target of HTTP/2, and of a client that uses us as a proxy, takes precedence
        // over `Host`. If a request has both, both must be ours.
        let target = uri.authority();
        let names = || target.into_iter().chain(&host);
        let Some(asked) = names().next() else {
            if is_local {
                return Ok(());
            }
            let problem = Problem::new(StatusCode::BAD_REQUEST, "the request has no Host header");
            return Err(problem.at("Host", self.0.join(", ")));
        };
        let is_ours = |name: &&Authority| {
            is_local || self.allows(name.host()) || is_address(name.host(), peer.local)
        };
        if let Some(foreign) = names().find(|name| !is_ours(name)) {
            let detail = format!("this server does not have the name `{}`", foreign.host());
            let problem = Problem::new(StatusCode::MISDIRECTED_REQUEST, detail);
            return Err(problem.at("Host", self.0.join(", ")));
        }
        if !headers
            .get_all(header::ORIGIN)
            .iter()
            .all(|origin| is_same(origin, asked))
        {
            let problem = Problem::new(StatusCode::FORBIDDEN, CROSS_SITE);
            return Err(problem.at("Origin", format!("http://{asked}, or no Origin")));
        }
        let mut sites = headers.get_all("sec-fetch-site").iter();
        if sites.any(|site| site == "cross-site") && !follows_a_link(method, headers) {
            let problem = Problem::new(StatusCode::FORBIDDEN, CROSS_SITE);
            return Err(problem.at("Sec-Fetch-Site", "same-origin, same-site or none"));
        }
        Ok(())
    }
}

/// Returns whether `host` is the address that the client connected to. An address, unlike a name,
/// cannot be pointed at another machine.
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
    // `Authority::host` leaves out user information before the host, so it is refused here.
    match authority.filter(|host| hosts.next().is_none() && !host.as_str().contains('@')) {
        Some(host) => Ok(Some(host)),
        None => {
            let problem = Problem::new(StatusCode::BAD_REQUEST, "Host is not a single host");
            Err(problem.at("Host", "a name or an address, optionally with a port"))
        }
    }
}

/// Returns whether a browser navigates a whole tab to this URL. Frames, scripts and `fetch` send
/// other values in these headers, which a page cannot set.
fn follows_a_link(method: &Method, headers: &HeaderMap) -> bool {
    let says = |name, value| headers.get_all(name).iter().eq([value]);
    method == Method::GET
        && says("sec-fetch-mode", "navigate")
        && says("sec-fetch-dest", "document")
}

/// Returns whether `origin` is this server, under the host name that the request uses.
fn is_same(origin: &HeaderValue, asked: &Authority) -> bool {
    let Some(origin) = origin
        .to_str()
        .ok()
        .and_then(|text| text.parse::<Uri>().ok())
    else {
        return false;
    };
    // `null`, and every other origin that is no URL, has no scheme.
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
