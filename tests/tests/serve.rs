//! The first boot and the running of a daemon as an operator does it.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use fusionchat_proto::v1;
use fusionchat_tests::grpc::Staff;
use fusionchat_tests::program;
use fusionchat_tests::serve::{Served, fusionchatd, init};
use fusionchat_tests::source;
use fusionchat_tests::stage::{Stage, play};

#[test]
fn init_makes_a_desk_and_shows_each_secret_once() {
    play(async |stage: &Stage| {
        let data = stage.folder("data")?;
        let made = init(stage, &data).await?;
        let text = |name: &str| made[name].as_str().context("a text").map(str::to_owned);
        let (key, code) = (text("operatorKey")?, text("inviteCode")?);
        let tag = text("scriptTag")?;
        ensure!(tag.contains("/embed.js") && tag.contains(&text("inboxId")?), "{tag}");

        let path = data.to_string_lossy();
        let arguments = ["init", "--data", &path, "--tenant", "b", "--admin", "b@b.example"];
        let again = fusionchatd(stage, &arguments).await?.expect(1)?;
        ensure!(again.stderr.contains("is not empty"), "{again:?}");
        ensure!(again.stdout.is_empty(), "nothing is shown");

        let served = Served::start(stage, &data, "").await?;
        let endpoint = format!("http://{}", served.address("grpc")?);
        let operator = Staff::connect(&endpoint, &key).await?;
        let request = v1::GetServerStatusRequest {};
        let status = operator.server().get_server_status(request).await?.into_inner();
        ensure!(status.organizations == 1 && status.state == "ready", "{status:?}");
        let url = format!("http://{}/api/auth/accept", served.address("http")?);
        let body = serde_json::json!({ "code": code, "password": "a long enough password" });
        let client = fusionchat_tests::rest::client();
        let accepted = client.post(&url).json(&body).send().await?;
        ensure!(accepted.status().is_success(), "{accepted:?}");
        let twice = client.post(&url).json(&body).send().await?;
        ensure!(twice.status().is_client_error(), "a code works once: {twice:?}");
        Ok(())
    });
}

#[test]
fn an_interrupted_init_does_not_look_like_a_good_one() {
    play(async |stage: &Stage| {
        let data = stage.folder("data")?;
        fs::create_dir(data.join("init.unfinished"))?;
        let path = data.to_string_lossy();
        let arguments = ["init", "--data", &path, "--tenant", "b", "--admin", "b@b.example"];
        let refused = fusionchatd(stage, &arguments).await?.expect(1)?;
        ensure!(refused.stderr.contains("was interrupted"), "{refused:?}");
        let refused = fusionchatd(stage, &["serve", "--data", &path]).await?.expect(1)?;
        ensure!(refused.stderr.contains("holds no store"), "{refused:?}");
        Ok(())
    });
}

#[test]
fn a_wrong_configuration_ends_with_64_and_every_mistake() {
    play(async |stage: &Stage| {
        let folder = stage.folder("config")?;
        let config = folder.join("c.toml");
        fs::write(&config, "nonsense = 'hunter2'\n[http]\nlisten = 'x'\n[tls]\ncert = 'c'\n")?;
        let path = config.to_string_lossy();
        let refused = fusionchatd(stage, &["serve", "--config", &path]).await?.expect(64)?;
        for mistake in ["line 1: nonsense: ", "line 3: http.listen: ", "tls: a certificate and"] {
            ensure!(refused.stderr.contains(mistake), "{mistake}: {refused:?}");
        }
        ensure!(!refused.stderr.contains("hunter2"), "{refused:?}");
        let missing = folder.join("none").to_string_lossy().into_owned();
        let refused = fusionchatd(stage, &["serve", "--config", &missing]).await?.expect(64)?;
        ensure!(refused.stderr.contains("cannot read"), "{refused:?}");
        Ok(())
    });
}

#[test]
fn exit_codes_are_those_the_unit_knows_even_if_nobody_can_be_told() {
    play(async |stage: &Stage| {
        let typed_wrong = fusionchatd(stage, &["serve", "--nonsense"]).await?.expect(2)?;
        ensure!(typed_wrong.stderr.contains("--nonsense"), "{typed_wrong:?}");
        let unit = fs::read_to_string(source::root().join("deploy/fusionchatd.service"))?;
        ensure!(unit.lines().any(|it| it == "RestartPreventExitStatus=2 64"), "{unit}");
        for (arguments, code) in [(["--config", "/nowhere"], 64), (["--data", "/nowhere"], 1)] {
            let status = program::command("fusionchatd", &stage.folder("runtime")?)?
                .arg("serve")
                .args(arguments)
                .stderr(fs::File::options().write(true).open("/dev/full")?)
                .status()
                .await?;
            ensure!(status.code() == Some(code), "{arguments:?}: {status}");
        }
        Ok(())
    });
}

#[test]
fn a_certificate_that_does_not_match_its_key_is_refused_at_the_start() {
    play(async |stage: &Stage| {
        let folder = stage.folder("tls")?;
        let issue = || rcgen::generate_simple_self_signed(["localhost".to_owned()]);
        let (cert, key, config) =
            (folder.join("c.pem"), folder.join("k.pem"), folder.join("c.toml"));
        fs::write(&cert, issue()?.cert.pem())?;
        fs::write(&key, issue()?.signing_key.serialize_pem())?;
        fs::write(&config, format!("[tls]\ncert = {cert:?}\nkey = {key:?}\n"))?;
        let path = config.to_string_lossy();
        let refused = fusionchatd(stage, &["serve", "--config", &path]).await?.expect(64)?;
        ensure!(refused.stderr.matches("does not match the key").count() == 1, "{refused:?}");
        Ok(())
    });
}

#[test]
fn fault_61_a_reload_with_an_error_keeps_the_old_configuration() {
    play(async |stage: &Stage| {
        let data = stage.folder("data")?;
        init(stage, &data).await?;
        let mut served =
            Served::start(stage, &data, "[limits]\nsockets_per_address = 90\n").await?;

        served.reload("[limits]\nsockets_per_address = 1\nmessage_burst = 'many'\n").await?;
        let said = served.said("configuration not reloaded").await?;
        let reason = said["reason"].as_str().context("a reason")?;
        ensure!(reason.starts_with("line 4: limits.message_burst: "), "{said}");
        ensure!(said["file"].is_string(), "{said}");
        let both = tokio::try_join!(connect(&served), connect(&served))?;
        ensure!(served.get("http", "/livez").await?.0 == 200, "three at once still: 90 hold");
        drop(both);

        served.reload("[limits]\nsockets_per_address = 1\n[stop]\ngrace_ms = 9\n").await?;
        let said = served.said("needs a restart; the old one stays").await?;
        ensure!(said["setting"] == "stop.grace_ms" && said["old"] == "5000", "{said}");
        served.said("configuration reloaded").await?;
        let one = connect(&served).await?;
        let second = served.get("http", "/livez").await;
        ensure!(second.is_err() || second.is_ok_and(|it| it.0 == 429), "the new limit holds");
        drop(one);
        served.signal("-HUP").await?;
        let said = served.said("needs a restart; the old one stays").await?;
        ensure!(said["setting"] == "stop.grace_ms", "as long as it differs: {said}");
        Ok(())
    });
}

#[test]
fn a_reload_says_nothing_of_a_directory_that_the_command_line_names() {
    play(async |stage: &Stage| {
        let data = stage.folder("data")?;
        init(stage, &data).await?;
        let flag = ["--data", &data.to_string_lossy()];
        let other = stage.folder("other")?;
        let mut served = Served::start_with(stage, &other, "", &flag).await?;
        for (settings, setting) in [("", None), ("[stop]\ngrace_ms = 9\n", Some("stop.grace_ms"))] {
            served.reload(settings).await?;
            let messages = ["needs a restart; the old one stays", "configuration reloaded"];
            let said = served.said_one_of(&messages).await?;
            ensure!(said["setting"].as_str() == setting, "{said}");
        }
        Ok(())
    });
}

#[test]
fn probes_and_metrics_say_how_it_is() {
    play(async |stage: &Stage| {
        let data = stage.folder("data")?;
        init(stage, &data).await?;
        let mut served = Served::start(stage, &data, "").await?;
        ensure!(served.get("http", "/livez").await? == (200, "ok\n".to_owned()), "live");
        ensure!(served.get("http", "/readyz").await? == (200, "ok\n".to_owned()), "ready");
        ensure!(served.get("http", "/metrics").await?.0 == 404, "never on the public door");
        let (status, text) = served.get("metrics", "/metrics").await?;
        ensure!(status == 200, "{text}");
        for line in ["fusionchat_ready 1", "fusionchat_http_responses_total{status=\"404\"} 1"] {
            ensure!(text.lines().any(|it| it == line), "{line}: {text}");
        }
        ensure!(!text.contains("acme"), "no organization is named");
        served.signal("-TERM").await?;
        served.said("stopping").await?;
        Ok(())
    });
}

async fn connect(served: &Served) -> Result<tokio::net::TcpStream> {
    Ok(tokio::net::TcpStream::connect(served.address("http")?).await?)
}
