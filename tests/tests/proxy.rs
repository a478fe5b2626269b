//! The reverse-proxy example as it is committed, behind a real nginx: only its ports, names and paths are changed.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use fusionchat_tests::serve::{Served, init};
use fusionchat_tests::source;
use fusionchat_tests::stage::{Stage, play};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpSocket;
use tokio::process::{Child, Command};
use tokio_rustls::TlsConnector;

/// What the daemon is told visitors reach it by.
const PUBLIC: &str = "https://chat.example.com";

/// Whether nginx is there; a failure where everything is required.
fn has_nginx() -> Result<bool> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join("nginx").is_file());
    if !found {
        ensure!(std::env::var("FUSION_REQUIRE").as_deref() != Ok("all"), "needs: nginx");
        println!("needs: nginx");
    }
    Ok(found)
}

/// A port nobody has now: nginx cannot choose one itself.
fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.2:0")?.local_addr()?.port())
}

/// The committed text with this test's places in it.
fn adapted(folder: &Path, upstream: &str, port: u16) -> Result<String> {
    let mut text = source::text("deploy/nginx.conf");
    for (theirs, ours) in [
        ("server 127.0.0.1:4880;", format!("server {upstream};")),
        ("listen 443 ssl;", format!("listen 127.0.0.2:{port} ssl;")),
        ("/etc/fusionchat/cert.pem", folder.join("cert.pem").display().to_string()),
        ("/etc/fusionchat/key.pem", folder.join("key.pem").display().to_string()),
    ] {
        ensure!(text.matches(theirs).count() == 1, "{theirs} is not once in the example");
        text = text.replace(theirs, &ours);
    }
    let folder = folder.display();
    Ok(format!(
        "master_process off;\npid {folder}/pid;\nerror_log stderr notice;\nevents {{}}\nhttp {{\n\
         access_log off;\nclient_body_temp_path {folder}/body;\nproxy_temp_path {folder}/proxy;\n\
         fastcgi_temp_path {folder}/f;\nuwsgi_temp_path {folder}/u;\nscgi_temp_path {folder}/s;\n\
         {text}}}\n"
    ))
}

/// Starts nginx and waits until it listens.
async fn nginx(stage: &Stage, folder: &Path) -> Result<Child> {
    let mut child = Command::new("nginx")
        .arg("-p")
        .arg(folder)
        .arg("-c")
        .arg(folder.join("nginx.conf"))
        .args(["-g", "daemon off;"])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut log = BufReader::new(child.stderr.take().context("stderr is piped")?).lines();
    while let Some(line) = log.next_line().await? {
        stage.note(format!("nginx: {line}"));
        if line.contains("event method") {
            child.stderr = Some(log.into_inner().into_inner());
            return Ok(child);
        }
    }
    bail!("nginx ended before it listened")
}

/// Sends a request by TLS from an address of its own; the head of the answer.
async fn ask(
    from: &str,
    port: u16,
    root: &CertificateDer<'static>,
    request: &str,
) -> Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = TcpSocket::new_v4()?;
    socket.bind(format!("{from}:0").parse()?)?;
    let stream = socket.connect(SocketAddr::from(([127, 0, 0, 2], port))).await?;
    let name = ServerName::try_from("chat.example.com")?;
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8(head)?)
}

#[test]
fn the_nginx_example_ends_tls_upgrades_and_names_the_client() {
    play(async |stage: &Stage| {
        if !has_nginx()? {
            return Ok(());
        }
        let data = stage.folder("data")?;
        init(stage, &data).await?;
        let settings = format!(
            "[http]\npublic_url = \"{PUBLIC}\"\ntrusted_proxies = [\"127.0.0.1\"]\n\
             [limits]\nsign_ins_per_five_minutes = 1\n"
        );
        let served = Served::start(stage, &data, &settings).await?;
        let (folder, port) = (stage.folder("nginx")?, free_port()?);
        let pair = rcgen::generate_simple_self_signed(["chat.example.com".to_owned()])?;
        fs::write(folder.join("cert.pem"), pair.cert.pem())?;
        fs::write(folder.join("key.pem"), pair.signing_key.serialize_pem())?;
        let text = adapted(&folder, served.address("http")?, port)?;
        fs::write(folder.join("nginx.conf"), text)?;
        let _nginx = nginx(stage, &folder).await?;
        let root = pair.cert.der();

        let socket = format!(
            "GET /ws HTTP/1.1\r\nHost: chat.example.com\r\nOrigin: {PUBLIC}\r\n\
             Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let upgraded = ask("127.0.0.3", port, root, &socket).await?;
        ensure!(upgraded.starts_with("HTTP/1.1 101 "), "{upgraded}");

        let body = r#"{"email":"a@b.example","password":"not the password"}"#;
        let sign_in = format!(
            "POST /api/auth/session HTTP/1.1\r\nHost: chat.example.com\r\n\
             X-Forwarded-For: 198.51.100.1\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let first = ask("127.0.0.3", port, root, &sign_in).await?;
        ensure!(first.starts_with("HTTP/1.1 401 "), "{first}");
        let second = ask("127.0.0.3", port, root, &sign_in).await?;
        ensure!(second.starts_with("HTTP/1.1 429 "), "what it forwards does not help: {second}");
        let other = ask("127.0.0.4", port, root, &sign_in).await?;
        ensure!(other.starts_with("HTTP/1.1 401 "), "another client: {other}");
        Ok(())
    });
}
