//! `X-Forwarded-For` from anybody.

use std::net::Ipv4Addr;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

fn proxies() -> Proxies {
    Proxies::from(vec!["10.0.0.0/8".parse().expect("a network")])
}

fn entries() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<IpAddr>().prop_map(|it| it.to_string().into_bytes()),
        any::<SocketAddr>().prop_map(|it| it.to_string().into_bytes()),
        (0..=255_u8).prop_map(|last| format!(" 10.1.1.{last}").into_bytes()),
        vec(any::<u8>(), 0..80),
    ]
}

proptest! {
    #[test]
    fn whoever_is_no_proxy_is_believed_nothing(
        peer in any::<IpAddr>(), lines in vec(vec(entries(), 0..4).prop_map(|it| it.join(&b',')), 0..4),
    ) {
        let peer = peer.to_canonical();
        prop_assume!(!proxies().trusts(peer));
        prop_assert_eq!(proxies().client(peer, lines.iter().map(Vec::as_slice)), peer);
    }

    #[test]
    fn what_stands_left_of_the_client_changes_nothing(
        client in any::<IpAddr>(), before in vec(entries(), 0..5),
        hops in vec(0..=255_u8, 0..5), cut in any::<bool>(),
    ) {
        prop_assume!(!proxies().trusts(client));
        let mut all = before;
        let at = all.len();
        all.push(client.to_string().into_bytes());
        all.extend(hops.iter().map(|last| format!("10.2.2.{last}").into_bytes()));
        // In one line, or over two.
        let lines = if cut {
            vec![all[..at].join(&b','), all[at..].join(&b',')]
        } else {
            vec![all.join(&b',')]
        };
        let found = proxies().client(PROXY, lines.iter().map(Vec::as_slice));
        prop_assert_eq!(found, client.to_canonical());
    }
}
