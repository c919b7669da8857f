//! The kubelet and Prometheus ask by the address that they connect to, and operators by the name of a
//! service: the first is always accepted, the second if it is allowed. Every other name is refused.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use chaos_core::Injector;
use chaos_http_admin::Admin;
use tokio::net::TcpStream;

use crate::support::wire::{EVE, exchange, request, tokens};

const SERVICE: &str = "shop-chaos.shop.svc";

/// The addresses of this machine that are neither names of every port nor link-local: `127.0.0.2`, and
/// those under which other machines reach it.
fn addresses() -> Vec<IpAddr> {
    let mut found = vec![IpAddr::from([127, 0, 0, 2])];
    // Connecting a UDP socket sends nothing, and chooses the address that would be sent from.
    let outside = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("198.51.100.1:9")?;
        socket.local_addr()
    });
    found.extend(outside.map(|address| address.ip()));
    // An address, the interface's index, the length of the prefix, the scope (0 is global), flags, a name.
    let table = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    for line in table.lines() {
        let mut columns = line.split_whitespace();
        let address = columns.next().unwrap();
        if columns.nth(2) == Some("00") {
            let bits = u128::from_str_radix(address, 16).unwrap();
            found.push(Ipv6Addr::from_bits(bits).into());
        }
    }
    found
}

async fn status(to: SocketAddr, host: &str, line: &str, secret: Option<&str>) -> u16 {
    let token = secret.map(|secret| format!("Authorization: Bearer {secret}\r\n"));
    let headers = format!("Host: {host}\r\n{}", token.unwrap_or_default());
    let stream = TcpStream::connect(to).await.unwrap();
    let bytes = request(line, &headers, "");
    exchange(stream, bytes.as_bytes()).await.status()
}

#[tokio::test]
async fn by_the_address_that_they_connect_to_and_by_no_other_name() {
    for ip in addresses() {
        let every: IpAddr = match ip {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        for bound in [ip, every] {
            let admin = Admin::new(Injector::new()).access_tokens(tokens());
            let admin = admin.allow_plaintext_access_tokens().allow_host(SERVICE);
            let server = admin.bind(SocketAddr::new(bound, 0)).unwrap();
            let to = SocketAddr::new(ip, server.local_addr().port());
            let alone = match ip {
                IpAddr::V4(_) => ip.to_string(),
                IpAddr::V6(_) => format!("[{ip}]"),
            };
            for (host, expected) in [
                (to.to_string(), 200),
                (alone, 200),
                (format!("{SERVICE}:{}", to.port()), 200),
                (format!("shop.shop.svc:{}", to.port()), 421),
                (format!("rebound.example:{}", to.port()), 421),
                (format!("203.0.113.9:{}", to.port()), 421),
                (format!("[2001:db8::9]:{}", to.port()), 421),
            ] {
                let place = format!("{host} at {to}, bound to {bound}");
                let probe = status(to, &host, "GET /healthz", None).await;
                assert_eq!(probe, expected, "a probe of {place}");
                let scrape = status(to, &host, "GET /metrics", Some(EVE)).await;
                assert_eq!(scrape, expected, "a scrape of {place}");
            }
            let scrape = status(to, &to.to_string(), "GET /metrics", None).await;
            assert_eq!(scrape, 401, "a scrape of {to} without a token");
        }
    }
}

/// A port on `[::]` takes IPv4 too, from addresses that are written as IPv6.
#[tokio::test]
async fn by_an_ipv4_address_at_a_port_for_both() {
    let admin = Admin::new(Injector::new()).access_tokens(tokens());
    let admin = admin.allow_plaintext_access_tokens();
    // Without IPv6, there is no such port.
    let Ok(server) = admin.bind("[::]:0".parse().unwrap()) else {
        return;
    };
    for ip in addresses().into_iter().filter(IpAddr::is_ipv4) {
        let to = SocketAddr::new(ip, server.local_addr().port());
        let probe = status(to, &to.to_string(), "GET /healthz", None).await;
        assert_eq!(probe, 200, "a probe of {to}");
        let foreign = status(to, "rebound.example", "GET /healthz", None).await;
        assert_eq!(foreign, 421, "a foreign name at {to}");
    }
}
