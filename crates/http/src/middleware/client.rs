//! Who is at the other end: the peer, or whom a trusted proxy names.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use actix_web::http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Where a request comes from, as far as it can be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The client's address.
    pub address: IpAddr,
    /// Whether the client speaks TLS.
    pub https: bool,
    /// The host that the client asked for.
    pub host: Option<String>,
}

/// Who has connected, and how.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// The address.
    pub address: IpAddr,
    /// Whether the connection came by the Unix socket, which only a proxy on this machine can
    /// reach.
    pub unix: bool,
    /// Whether the connection has TLS.
    pub tls: bool,
}

impl Origin {
    /// Reads the headers of a request from `peer`. Those that proxies set count only if
    /// the peer is one of `trusted`: everybody else could have written them.
    pub fn of(peer: Peer, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let address = peer.address.to_canonical();
        let text = |name: &HeaderName| last(headers, name);
        let host = text(&HOST);
        if !peer.unix && !is_trusted(address, trusted) {
            return Self {
                address,
                https: peer.tls,
                host,
            };
        }
        Self {
            address: forwarded_for(address, headers, trusted),
            https: text(&FORWARDED_PROTO)
                .map_or(peer.tls, |proto| proto.eq_ignore_ascii_case("https")),
            host: text(&FORWARDED_HOST).or(host),
        }
    }

    /// The base of links, without a slash at the end.
    pub fn base_url(&self, public_url: Option<&str>) -> String {
        match (public_url, &self.host) {
            (Some(url), _) => url.trim_end_matches('/').to_owned(),
            (None, Some(host)) if is_host(host) => {
                format!("{}://{host}", if self.https { "https" } else { "http" })
            }
            // Links that begin with the path are right on any host.
            (None, _) => String::new(),
        }
    }
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// The rightmost address that no trusted proxy has: what stands left of it may be invented.
fn forwarded_for(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let lines: Vec<&HeaderValue> = headers.get_all(&FORWARDED_FOR).collect();
    let mut client = peer;
    for line in lines.iter().rev() {
        let Ok(line) = line.to_str() else {
            return client;
        };
        for entry in line.rsplit(',') {
            let Some(address) = parse(entry.trim()) else {
                return client;
            };
            client = address;
            if !is_trusted(address, trusted) {
                return client;
            }
        }
    }
    client
}

/// An address, which some proxies write with a port.
fn parse(text: &str) -> Option<IpAddr> {
    let address = text
        .parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|a| a.ip()));
    let bracketed = || {
        text.strip_prefix('[')?
            .strip_suffix(']')?
            .parse::<Ipv6Addr>()
            .ok()
    };
    address
        .or_else(|| bracketed().map(IpAddr::V6))
        .map(|address| address.to_canonical())
}

/// The last entry of a header: that of the proxy nearest to us.
fn last(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let line = headers.get_all(name).last()?.to_str().ok()?;
    let entry = line.rsplit(',').next()?.trim();
    (!entry.is_empty()).then(|| entry.to_owned())
}

/// Nothing but a host and port may get into links.
pub(crate) fn is_host(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn origin(peer: &str, headers: &[(&'static str, &str)]) -> Origin {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        let peer = Peer {
            address: peer.parse().unwrap_or(Ipv4Addr::LOCALHOST.into()),
            unix: peer == "unix",
            tls: false,
        };
        Origin::of(peer, &map, &trusted)
    }

    #[test]
    fn whoever_comes_by_the_unix_socket_is_a_proxy() {
        assert_eq!(address("unix", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(address("unix", &["203.0.113.9, 10.1.1.1"]), "203.0.113.9");
        assert_eq!(address("unix", &[]), "127.0.0.1");
    }

    #[test]
    fn a_proxy_knows_better_how_the_client_speaks() {
        let https = |address: &str, proto: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(proto) = proto {
                headers.insert(FORWARDED_PROTO.clone(), HeaderValue::from_static(proto));
            }
            let peer = Peer {
                address: address.parse().unwrap(),
                unix: false,
                tls: true,
            };
            Origin::of(peer, &headers, &["10.0.0.0/8".parse().unwrap()]).https
        };
        assert!(https("192.0.2.1", None) && https("192.0.2.1", Some("http")));
        assert!(https("10.0.0.1", None) && !https("10.0.0.1", Some("http")));
    }

    fn address(peer: &str, forwarded: &[&str]) -> String {
        let headers: Vec<_> = forwarded
            .iter()
            .map(|value| ("x-forwarded-for", *value))
            .collect();
        origin(peer, &headers).address.to_string()
    }

    #[test]
    fn an_untrusted_peer_cannot_name_another_address() {
        assert_eq!(address("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        let spoofed = origin(
            "192.0.2.1",
            &[
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "evil.example"),
                ("host", "a.example"),
            ],
        );
        assert!(!spoofed.https);
        assert_eq!(spoofed.base_url(None), "http://a.example");
    }

    #[test]
    fn behind_a_trusted_proxy_the_rightmost_untrusted_address_counts() {
        assert_eq!(address("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(
            address("10.0.0.1", &["203.0.113.9, 198.51.100.7"]),
            "198.51.100.7"
        );
        assert_eq!(
            address("10.0.0.1", &["203.0.113.9, 198.51.100.7, 10.2.3.4"]),
            "198.51.100.7"
        );
        assert_eq!(
            address("10.0.0.1", &["203.0.113.9", "198.51.100.7", "10.2.3.4"]),
            "198.51.100.7"
        );
        assert_eq!(address("10.0.0.1", &["10.9.9.9"]), "10.9.9.9");
        assert_eq!(
            address("::ffff:10.0.0.1", &["198.51.100.7"]),
            "198.51.100.7"
        );
        assert_eq!(address("fd00::1", &["[2001:db8::5]:443"]), "2001:db8::5");
        assert_eq!(address("10.0.0.1", &["198.51.100.7:5123"]), "198.51.100.7");
    }

    #[test]
    fn what_is_no_address_ends_the_search() {
        assert_eq!(address("10.0.0.1", &["198.51.100.7, unknown"]), "10.0.0.1");
        assert_eq!(
            address("10.0.0.1", &["198.51.100.7, unknown, 10.2.3.4"]),
            "10.2.3.4"
        );
        assert_eq!(address("10.0.0.1", &[""]), "10.0.0.1");
    }

    #[test]
    fn links_use_what_a_trusted_proxy_says() {
        let headers = [
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "api.example"),
            ("host", "in:8080"),
        ];
        let behind = origin("10.0.0.1", &headers);
        assert_eq!(behind.base_url(None), "https://api.example");
        assert_eq!(
            behind.base_url(Some("https://x.example/")),
            "https://x.example"
        );
        assert_eq!(origin("10.0.0.1", &[("host", "a/b\"")]).base_url(None), "");
    }
}
