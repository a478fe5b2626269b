//! Rates behind a proxy: by the client it names, and by nobody a stranger names.

use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::door::harness::{Daemon, patient, soon};
use crate::service::limit::Limits;
use crate::service::proxy::Proxies;

fn trust(daemon: &Daemon, network: &str) {
    let mut settings = (*daemon.service.settings()).clone();
    settings.proxies = Proxies::from(vec![network.parse().expect("a network")]);
    daemon.service.reconfigure(settings);
}

async fn sign_in(daemon: &Daemon, forwarded: &str) -> u16 {
    let body = json!({ "email": "a@b.example", "password": "not the password" }).to_string();
    let headers = [("content-type", "application/json"), ("x-forwarded-for", forwarded)];
    let path = "/api/auth/session";
    daemon.send("POST", path, &headers, Some(body.as_bytes())).await.status
}

#[tokio::test]
async fn rates_count_the_client_a_trusted_proxy_names() {
    let limits = Limits { sign_ins_per_five_minutes: 1, ..Limits::default() };
    let daemon = Daemon::start_with(patient(), limits).await;
    trust(&daemon, "127.0.0.0/8");
    assert_eq!(sign_in(&daemon, "198.51.100.1").await, 401);
    assert_eq!(sign_in(&daemon, "198.51.100.1").await, 429);
    assert_eq!(sign_in(&daemon, "198.51.100.2").await, 401, "another client");
    assert_eq!(sign_in(&daemon, "9.9.9.9, 198.51.100.2").await, 429, "what it says itself");
    assert_eq!(sign_in(&daemon, "2001:db8::1").await, 401);
    assert_eq!(sign_in(&daemon, "2001:db8::2").await, 429, "the same /64");
    daemon.end().await;
}

#[tokio::test]
async fn a_stranger_cannot_change_what_it_is_counted_by() {
    let limits = Limits { sign_ins_per_five_minutes: 1, ..Limits::default() };
    let daemon = Daemon::start_with(patient(), limits).await;
    assert_eq!(sign_in(&daemon, "198.51.100.1").await, 401);
    assert_eq!(sign_in(&daemon, "198.51.100.2").await, 429);
    daemon.end().await;
}

#[tokio::test]
async fn connections_behind_a_proxy_count_by_client() {
    let limits = Limits { sockets_per_address: 1, ..Limits::default() };
    let daemon = Daemon::start_with(patient(), limits).await;
    trust(&daemon, "127.0.0.0/8");
    let (first, second) =
        (TcpStream::connect(daemon.at).await, TcpStream::connect(daemon.at).await);
    assert_eq!(sign_in(&daemon, "198.51.100.1").await, 401, "a third connection of the proxy");
    drop((first, second));
    daemon.end().await;

    let limits = Limits { sockets_per_address: 1, ..Limits::default() };
    let daemon = Daemon::start_with(patient(), limits).await;
    let first = TcpStream::connect(daemon.at).await.expect("connected");
    let mut second = TcpStream::connect(daemon.at).await.expect("connected");
    let mut answer = Vec::new();
    // The rest of the refusal may be lost with the connection.
    let _ = soon(second.read_to_end(&mut answer)).await;
    assert!(answer.starts_with(b"HTTP/1.1 429 "), "without a proxy");
    drop(first);
    daemon.end().await;
}
