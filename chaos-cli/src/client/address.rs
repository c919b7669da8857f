//! Where a port is.

use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

use reqwest::Url;

use crate::failure::Failure;

const ALLOWED: &str =
    "http://HOST:PORT, https://HOST:PORT, either with a path that stands before /v1, or unix:/PATH";

/// The address of an admin port: HTTP, HTTPS, or a Unix socket.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Address {
    base: Url,
    socket: Option<PathBuf>,
}

impl Address {
    /// Returns whether only this machine, or nobody on the way, can read what is sent.
    pub(crate) fn is_private(&self) -> bool {
        self.socket.is_some() || self.base.scheme() == "https" || is_loopback(&self.base)
    }

    pub(crate) fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }

    /// Returns the URL of a path below the address.
    pub(crate) fn url(&self, path: &[String], query: &[(&'static str, String)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

impl FromStr for Address {
    type Err = Failure;

    fn from_str(written: &str) -> Result<Self, Failure> {
        // The text may hold a password, so it is not shown.
        let refuse = |problem: &str| Failure::usage(problem).at("endpoint", ALLOWED);
        if let Some(path) = written.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path.starts_with('/') && cfg!(unix) {
                true => Ok(Self {
                    base: Url::parse("http://localhost/").expect("a valid URL"),
                    socket: Some(path.into()),
                }),
                false => Err(refuse("the path of the socket is not absolute")),
            };
        }
        let base = Url::parse(written).map_err(|error| refuse(&error.to_string()))?;
        let problem = match &base {
            url if !["http", "https"].contains(&url.scheme()) => "the scheme is unknown",
            url if !url.username().is_empty() || url.password().is_some() => {
                "the address holds a name or a password"
            }
            url if url.query().is_some() || url.fragment().is_some() => {
                "the address holds a query or a fragment"
            }
            _ => return Ok(Self { base, socket: None }),
        };
        Err(refuse(problem))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Some(path) => write!(f, "unix:{}", path.display()),
            None => f.write_str(self.base.as_str().trim_end_matches('/')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(address: &str) -> String {
        let address: Address = address.parse().unwrap();
        let path = ["v1", "rules", "a/b c"].map(str::to_owned);
        address.url(&path, &[("reason", "a&b".to_owned())]).into()
    }

    #[test]
    fn a_path_of_the_address_stands_before_that_of_the_route() {
        const REST: &str = "/v1/rules/a%2Fb%20c?reason=a%26b";
        for address in ["http://h:9", "http://h:9/"] {
            assert_eq!(url(address), format!("http://h:9{REST}"));
        }
        for address in ["https://h/shop/chaos", "https://h/shop/chaos/"] {
            assert_eq!(url(address), format!("https://h/shop/chaos{REST}"));
        }
        assert_eq!(url("unix:/run/a.sock"), format!("http://localhost{REST}"));
    }

    #[test]
    fn only_what_nobody_can_read_is_private() {
        for (address, private) in [
            ("http://127.0.0.1:9900", true),
            ("http://127.8.8.8", true),
            ("http://[::1]:9900", true),
            ("http://[::ffff:127.0.0.1]:9900", true),
            ("http://localhost:9900", true),
            ("http://shop.localhost", true),
            ("https://shop.example", true),
            ("unix:/run/a.sock", true),
            ("http://shop.example", false),
            ("http://localhost.example", false),
            ("http://127.0.0.1.example", false),
            ("http://10.0.0.1:9900", false),
            ("http://[2001:db8::1]", false),
        ] {
            let parsed: Address = address.parse().unwrap();
            assert_eq!(parsed.is_private(), private, "{address}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_showing_it() {
        for address in [
            "",
            "localhost:9900",
            "ftp://h",
            "unix:run/a.sock",
            "http://",
            "http://ann:hunter2@h",
            "http://h/?token=hunter2",
            "http://h/#hunter2",
        ] {
            let error = address.parse::<Address>().unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
