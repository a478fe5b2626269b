//! Both clients over TLS, from the invitation of the first admin to an agent's console; and nobody in between.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use fusionchat_tests::program::Ctl;
use fusionchat_tests::serve::{Served, init};
use fusionchat_tests::stage::{Stage, play};
use fusionchat_tests::terminal::Terminal;

const PASSWORD: &str = "correct horse battery\n";

/// A certificate for this machine, signed by nobody else; the files of it and of its key.
fn certificate(folder: &Path, name: &str) -> Result<(PathBuf, PathBuf)> {
    let pair =
        rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    let at = |what: &str| folder.join(format!("{name}-{what}.pem"));
    let (cert, key) = (at("cert"), at("key"));
    fs::write(&cert, pair.cert.pem())?;
    fs::write(&key, pair.signing_key.serialize_pem())?;
    Ok((cert, key))
}

#[test]
fn both_clients_speak_tls_from_the_invitation_on() {
    play(async |stage: &Stage| {
        let (data, folder) = (stage.folder("data")?, stage.folder("tls")?);
        let made = init(stage, &data).await?;
        let code = made["inviteCode"].as_str().context("a code")?;
        let (cert, key) = certificate(&folder, "ours")?;
        let (other, _) = certificate(&folder, "another")?;
        let served =
            Served::start(stage, &data, &format!("[tls]\ncert = {cert:?}\nkey = {key:?}\n"))
                .await?;
        let port = served.address("grpc")?.rsplit_once(':').context("a port")?.1;
        let endpoint = format!("https://localhost:{port}");
        let (home, desk) = (stage.folder("admin")?, stage.folder("agent")?);
        let (ca, other) = (cert.to_string_lossy(), other.to_string_lossy());
        let trusting = |home: &Path, ca: &str| {
            Ctl::with(stage, home, &[("FUSION_ENDPOINT", &endpoint), ("FUSION_CA_FILE", ca)])
        };

        // Somebody else's certificate, none at all, and a clear line to a door that speaks TLS.
        let accept = ["auth", "accept", code, "--password-stdin", "--store", "file", "-o", "json"];
        let refused = trusting(&home, &other).run_with(&accept, PASSWORD).await?.expect(9)?;
        ensure!(refused.stderr.contains("certificate"), "{refused:?}");
        let nobody = Ctl::with(stage, &home, &[("FUSION_ENDPOINT", &endpoint)]);
        nobody.run_with(&accept, PASSWORD).await?.expect(9)?;
        let clear = format!("http://localhost:{port}");
        let clear = Ctl::with(stage, &home, &[("FUSION_ENDPOINT", &clear)]);
        clear.run_with(&accept, PASSWORD).await?.expect(9)?;

        // The code was not used up by any of them.
        let admin = trusting(&home, &ca);
        admin.run_with(&accept, PASSWORD).await?.expect(0)?;
        let status = admin.run(&["auth", "status", "-o", "json"]).await?.expect(0)?;
        ensure!(status.stdout.contains("ana@acme.example"), "{status:?}");
        let invite = ["user", "invite", "bo@acme.example", "--role", "agent", "-o", "json"];
        let invited = admin.run(&invite).await?.expect(0)?.json()?;
        let code = invited["code"].as_str().context("a code")?;
        let agent = trusting(&desk, &ca);
        let accept = ["auth", "accept", code, "--password-stdin", "--store", "file"];
        agent.run_with(&accept, PASSWORD).await?.expect(0)?;
        agent.run_with(&accept, PASSWORD).await?.expect(4)?;

        let arguments = ["--endpoint", &endpoint, "--ca-file", &ca];
        let mut console = Terminal::start(stage, &desk, "fusion-tui", &arguments, 100, 30)?;
        console.shows("live").await?;

        admin.run(&["auth", "logout"]).await?.expect(0)?;
        admin.run(&["auth", "status"]).await?.expect(4)?;
        Ok(())
    });
}
