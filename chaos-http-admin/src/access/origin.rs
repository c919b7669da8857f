//! The key by which connections and failures of authentication are counted.

use std::net::{IpAddr, Ipv6Addr};

/// The source of a connection: an address, a network, or a user of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    /// The server that the router is nested into does not provide the address.
    Unknown,
    Address(IpAddr),
    /// The user id of a process that connected through a Unix socket.
    User(u32),
}

impl Origin {
    /// Returns the origin of an address. An IPv6 address stands for its /64 network, since the host
    /// may use every address in it.
    pub(crate) fn of(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            address => address,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_site_is_one_origin() {
        let origin = |address: &str| Origin::of(address.parse().unwrap());
        assert_eq!(origin("2001:db8:1:2::3"), origin("2001:db8:1:2:ffff::4"));
        assert_ne!(origin("2001:db8:1:2::3"), origin("2001:db8:1:3::3"));
        assert_eq!(origin("::ffff:192.0.2.1"), origin("192.0.2.1"));
        assert_ne!(origin("192.0.2.2"), origin("192.0.2.1"));
    }
}
