//! The client's address behind proxies. A proxy that is trusted says in `X-Forwarded-For` who came to it; what
//! anybody else writes there is not believed.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// The most entries of a header that are looked at, from the right: longer chains of proxies are not built.
const HOPS_MAX: usize = 32;
/// The longest entry that is looked at, in bytes: an IPv6 address with its port is shorter.
const ENTRY_BYTES_MAX: usize = 64;

/// The networks of the proxies that are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies(Vec<IpNet>);

impl From<Vec<IpNet>> for Proxies {
    fn from(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }
}

impl Proxies {
    /// Whether an address is that of a trusted proxy.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|it| it.contains(&address))
    }

    /// Who is at the other end: the right-most entry that is no trusted proxy. `lines` are the header's lines in
    /// their order. An entry that is no address ends the search: the nearest address that is certain stands for it.
    pub fn client<'a>(
        &self,
        peer: IpAddr,
        lines: impl DoubleEndedIterator<Item = &'a [u8]>,
    ) -> IpAddr {
        let mut nearest = peer.to_canonical();
        if !self.trusts(nearest) {
            return nearest;
        }
        let entries = lines.rev().flat_map(|line| line.rsplit(|byte| *byte == b','));
        for entry in entries.take(HOPS_MAX) {
            let Some(address) = parse(entry) else { break };
            nearest = address;
            if !self.trusts(address) {
                break;
            }
        }
        nearest
    }
}

/// An address, with or without a port, an IPv6 one with or without brackets.
fn parse(entry: &[u8]) -> Option<IpAddr> {
    if entry.len() > ENTRY_BYTES_MAX {
        return None;
    }
    let text = std::str::from_utf8(entry).ok()?.trim_matches([' ', '\t']);
    let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(text);
    let alone = bare.parse::<IpAddr>().ok();
    let address = alone.or_else(|| text.parse::<SocketAddr>().ok().map(|it| it.ip()))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, lines: &[&str]) -> String {
        let networks = ["10.0.0.0/8", "fd00::/8"].map(|it| it.parse().expect("a network"));
        let proxies = Proxies::from(networks.to_vec());
        let lines = lines.iter().map(|it| it.as_bytes());
        proxies.client(peer.parse().expect("an address"), lines).to_string()
    }

    #[test]
    fn the_right_most_entry_that_is_no_proxy_is_the_client() {
        assert_eq!(client("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &["1.1.1.1, 198.51.100.7, 10.2.3.4"]), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &["1.1.1.1", "198.51.100.7,10.2.3.4"]), "198.51.100.7");
        assert_eq!(client("::ffff:10.0.0.1", &["[2001:db8::9]:443"]), "2001:db8::9");
        assert_eq!(client("fd00::1", &["198.51.100.7:5060"]), "198.51.100.7");
        assert_eq!(client("fd00::1", &["::ffff:198.51.100.7"]), "198.51.100.7");
    }

    #[test]
    fn what_a_stranger_writes_is_not_believed() {
        assert_eq!(client("198.51.100.7", &["1.1.1.1"]), "198.51.100.7");
    }

    #[test]
    fn hostile_values_end_at_the_nearest_address_that_is_certain() {
        let long = "1".repeat(100_000);
        let many = vec!["10.0.0.9"; 10_000].join(",");
        for hostile in ["", ",,,", "unknown", "1.1.1.1.1", "\u{0}", "٣.٣.٣.٣", &long] {
            assert_eq!(client("10.0.0.1", &[hostile]), "10.0.0.1", "{hostile:?}");
            let before = format!("{hostile},10.7.7.7");
            assert_eq!(client("10.0.0.1", &[&before]), "10.7.7.7", "{hostile:?}");
        }
        assert_eq!(client("10.0.0.1", &["1.1.1.1,not an address"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &[&format!("1.1.1.1,{many}")]), "10.0.0.9", "bounded");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }
}

#[cfg(test)]
#[path = "proxy_prop_test.rs"]
mod prop;
