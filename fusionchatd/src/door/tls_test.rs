//! TLS at both doors, with certificates made here.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::harness::{Daemon, patient, soon};
use super::http::HttpOptions;
use super::tls::{Protocol, Tls, TlsError, TlsFiles};
use crate::service::limit::Limits;

/// Writes a new certificate of `localhost` and its key.
fn issue(directory: &Path) -> (TlsFiles, CertificateDer<'static>) {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a pair");
    let files = TlsFiles { cert: directory.join("cert.pem"), key: directory.join("key.pem") };
    std::fs::write(&files.cert, pair.cert.pem()).expect("written");
    std::fs::write(&files.key, pair.signing_key.serialize_pem()).expect("written");
    (files, pair.cert.der().clone())
}

/// Makes the files look changed, whatever the clock's grain.
fn touch(files: &TlsFiles, second: u64) {
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
    let file = std::fs::File::options().write(true).open(&files.cert).expect("opened");
    file.set_modified(at).expect("touched");
}

async fn connect(
    at: std::net::SocketAddr,
    root: &CertificateDer<'static>,
    alpn: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|it| it.to_vec()).collect();
    let stream = TcpStream::connect(at).await?;
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn daemon(tls: &Arc<Tls>, options: HttpOptions) -> Daemon {
    let options = HttpOptions { tls: Some(Arc::clone(tls)), ..options };
    Daemon::start_with(options, Limits::default()).await
}

#[tokio::test]
async fn http_speaks_tls_and_says_which_protocol() {
    let directory = tempfile::tempdir().expect("a directory");
    let (files, root) = issue(directory.path());
    let tls = Arc::new(Tls::open(files, Protocol::Http1).expect("a pair"));
    let daemon = daemon(&tls, patient()).await;
    let mut stream = soon(connect(daemon.at, &root, &[b"h2", b"http/1.1"])).await.expect("TLS");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let request = b"GET /embed.js HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.expect("sent");
    let mut answer = Vec::new();
    soon(stream.read_to_end(&mut answer)).await.expect("an answer that ends properly");
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    let refused = soon(connect(daemon.at, &root, &[b"h2"])).await;
    assert!(refused.is_err(), "a client that speaks something else is told at once");
    assert!(daemon.raw(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.len() < 16, "not in clear");
    daemon.end().await;
}

/// Nobody else writes to a socket within TLS, however many of them a visitor has.
#[tokio::test]
async fn many_tabs_within_tls_hear_everything() {
    let directory = tempfile::tempdir().expect("a directory");
    let (files, root) = issue(directory.path());
    let tls = Arc::new(Tls::open(files, Protocol::Http1).expect("a pair"));
    let daemon = daemon(&tls, patient()).await;
    let (mut tabs, mut session) = (Vec::new(), json!({}));
    for _ in 0..6 {
        let stream = soon(connect(daemon.at, &root, &[])).await.expect("TLS");
        let origin = format!("https://{}", daemon.at);
        let mut tab = daemon.socket_over(stream, Some(&origin)).await.expect("a socket");
        tab.hello(&daemon.inbox(), session).await;
        session = json!({ "session": tab.until("welcome").await["session"] });
        tabs.push(tab);
    }
    tabs[0].message(1, "hello").await;
    let conversation = tabs[0].until("ack").await["conversation"].clone();
    let conversation = conversation.as_str().expect("an id");
    let agent = daemon.service.authenticate(&daemon.key()).await.expect("the admin");
    daemon.service.claim(&agent, None, conversation, None, false).await.expect("claimed");
    for text in ["one", "two", "three"] {
        let posted =
            daemon.service.post_message(&agent, None, conversation, text.to_owned(), None).await;
        let seq = posted.expect("posted").message.message.seq;
        for tab in &mut tabs {
            while tab.until("message").await["seq"] != seq {}
        }
    }
    drop(tabs);
    daemon.end().await;
}

#[tokio::test]
async fn grpc_speaks_tls() {
    let directory = tempfile::tempdir().expect("a directory");
    let (files, root) = issue(directory.path());
    let tls = Arc::new(Tls::open(files, Protocol::Http2).expect("a pair"));
    let daemon = Daemon::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = listener.local_addr().expect("its address");
    let (service, stop) = (Arc::clone(&daemon.service), daemon.stop.clone());
    let (tasks, timing) = (daemon.tasks.clone(), super::grpc::Timing::default());
    let door = super::grpc::serve(listener, Some(tls), service, stop, tasks, timing);
    daemon.tasks.spawn(async move { door.await.expect("the door") });
    let mut stream = soon(connect(at, &root, &[b"h2"])).await.expect("TLS");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.expect("sent");
    let mut frame = [0; 9];
    soon(stream.read_exact(&mut frame)).await.expect("a frame");
    assert_eq!(frame[3], 4, "SETTINGS");
    drop(stream);
    daemon.end().await;
}

#[tokio::test]
async fn a_client_that_never_shakes_hands_is_given_up() {
    let directory = tempfile::tempdir().expect("a directory");
    let tls = Arc::new(Tls::open(issue(directory.path()).0, Protocol::Http1).expect("a pair"));
    let short = HttpOptions { handshake_timeout: Duration::from_millis(20), ..patient() };
    let daemon = daemon(&tls, short).await;
    assert!(daemon.raw(b"\x16\x03\x01").await.is_empty());
    daemon.end().await;
}

#[tokio::test]
async fn a_renewed_certificate_is_used_and_a_broken_one_is_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let (files, first) = issue(directory.path());
    let tls = Arc::new(Tls::open(files.clone(), Protocol::Http1).expect("a pair"));
    let daemon = daemon(&tls, patient()).await;
    assert!(matches!(tls.look(), Ok(false)));

    let (_, second) = issue(directory.path());
    touch(&files, 1);
    assert!(matches!(tls.look(), Ok(true)));
    soon(connect(daemon.at, &second, &[])).await.expect("the second");
    assert!(soon(connect(daemon.at, &first, &[])).await.is_err(), "the first is gone");

    let other = tempfile::tempdir().expect("a directory");
    std::fs::copy(issue(other.path()).0.key, &files.key).expect("copied");
    touch(&files, 2);
    assert!(matches!(tls.look(), Err(TlsError::Mismatch { .. })));
    assert!(matches!(tls.look(), Ok(false)), "said once");
    soon(connect(daemon.at, &second, &[])).await.expect("the second still");
    assert_eq!(tls.counts(), (2, 1));
    daemon.end().await;
}

#[test]
fn a_pair_that_cannot_be_used_says_why() {
    let directory = tempfile::tempdir().expect("a directory");
    let other = tempfile::tempdir().expect("a directory");
    let (files, _) = issue(directory.path());
    let (theirs, _) = issue(other.path());
    let why = |cert: &Path, key: &Path| {
        let files = TlsFiles { cert: cert.to_owned(), key: key.to_owned() };
        Tls::open(files, Protocol::Http1).expect_err("refused").to_string()
    };
    let mismatch = why(&files.cert, &theirs.key);
    assert!(mismatch.contains("does not match the key"), "{mismatch}");
    assert!(why(&files.key, &files.key).contains("holds no certificate"));
    assert!(why(&files.cert, &files.cert).contains("holds no private key"));
    assert!(why(&directory.path().join("none"), &files.key).contains("cannot read"));
    std::fs::write(&theirs.cert, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .expect("written");
    assert!(why(&theirs.cert, &theirs.key).contains("cannot be used"));
}
