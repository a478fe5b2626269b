//! The assistant with a real OpenAI-compatible server, where there is one: name it with `FUSION_MODEL_URL` (such as
//! `http://127.0.0.1:8080/v1`) and `FUSION_MODEL` (its model). No package brings a model along, so `FUSION_REQUIRE`
//! does not ask for it; what any server might do is tested against the scripted one.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::stage::{Stage, play};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

const URL: &str = "FUSION_MODEL_URL";
const MODEL: &str = "FUSION_MODEL";
/// How much of what the server says is kept, in bytes.
const HEARD_MAX: usize = 64 * 1024;

/// Hands everything on to the server and keeps what it answered.
struct Between {
    address: String,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Between {
    async fn start(server: String) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heard);
        let tasks = TaskTracker::new();
        let lines = tasks.clone();
        tasks.spawn(async move {
            while let Ok((daemon, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else { continue };
                let (mut from_daemon, mut to_daemon) = daemon.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                let up = async move { tokio::io::copy(&mut from_daemon, &mut to_server).await };
                let kept = Arc::clone(&kept);
                let down = async move {
                    let mut piece = [0; 4096];
                    while let Ok(read @ 1..) = from_server.read(&mut piece).await {
                        {
                            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                            let room = HEARD_MAX.saturating_sub(kept.len());
                            kept.extend(&piece[..read.min(room)]);
                        }
                        if to_daemon.write_all(&piece[..read]).await.is_err() {
                            break;
                        }
                    }
                };
                lines.spawn(async move { tokio::join!(up, down) });
            }
        });
        Ok(Self { address, heard })
    }

    fn heard(&self) -> String {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&heard).into_owned()
    }
}

#[test]
fn a_real_model_server_is_asked_and_the_visitor_answered() {
    let (Ok(url), Ok(model)) = (std::env::var(URL), std::env::var(MODEL)) else {
        println!("needs: {URL} and {MODEL}");
        return;
    };
    play(async |stage: &Stage| {
        let (host, path) = url
            .strip_prefix("http://")
            .and_then(|it| it.split_once('/'))
            .with_context(|| format!("{URL} is like http://127.0.0.1:8080/v1"))?;
        let between = Between::start(host.to_owned()).await?;
        let mut daemon = Daemon::ci(stage).await?;
        let lines = format!(
            "[[assistant.provider]]\norganization = {:?}\nbase_url = \"http://{}/{path}\"\nmodel = {model:?}\n",
            daemon.field("organization")?,
            between.address,
        );
        daemon.serve(&lines).await?;
        let mut visitor = daemon.visitor().await?;
        let id = visitor.say("How do I return an item?").await?;
        visitor.acked(&id).await?;
        let answered =
            visitor.message(0, "the answer", |it| it["senderType"] == "assistant").await?;
        stage.note(format!("{answered}"));
        let heard = between.heard();
        ensure!(heard.contains("chat.completion.chunk"), "the server did not stream: {heard}");
        ensure!(answered["sources"].as_array().is_some_and(|it| !it.is_empty()), "{answered}");
        println!("{answered}");
        Ok(())
    });
}
