//! R9: what one message costs for each of many sockets that hear it, by writing one prebuilt frame to each.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fusionchat_proto::v1;
use futures::SinkExt;
use futures::stream::{FuturesUnordered, StreamExt, TryStreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::Measured;
use super::kit::desk::{Desk, Tab, handshake, text};
use super::kit::process::Cpu;
use super::kit::ratio::{Goal, Ratio, plainly};
use super::kit::reference::Running;

/// How many sockets hear each message.
/// Ours and the reference's together are as many as a process may have open here, 20,000.
const WIDTHS: [usize; 3] = [100, 1_000, 9_900];
/// About how many deliveries a round has.
const DELIVERIES: usize = 99_000;
/// The most sockets opened at a time.
const OPEN_AT_A_TIME: usize = 64;

/// Measures every width.
pub(super) async fn measure(program: &Path, rounds: u16) -> Result<Measured> {
    let mut ratios = Vec::new();
    for width in WIDTHS {
        ratios.push(at_width(program, width, rounds).await?);
    }
    Ok(Measured { ratios, ..Measured::default() })
}

async fn at_width(program: &Path, width: usize, rounds: u16) -> Result<Ratio> {
    let mut desk = Desk::open(program).await?;
    let mut first = desk.tab(None).await?;
    let id = desk.chance.client_id();
    first.say(&id, "Hello").await?;
    let conversation = first.conversation.clone().context("a conversation")?;
    let agent = desk.agent()?;
    let request = v1::ClaimConversationRequest {
        client_id: desk.chance.client_id(),
        conversation: conversation.clone(),
        ..Default::default()
    };
    agent.conversations().claim_conversation(request).await?;
    let messages = (DELIVERIES / width).max(1);
    let alone =
        reply(&mut desk, &conversation, messages, std::slice::from_mut(&mut first)).await?.0;
    let open = (0..width).map(|_| desk.tab(Some(&first.session)));
    let mut tabs: Vec<Tab> =
        futures::stream::iter(open).buffer_unordered(OPEN_AT_A_TIME).try_collect().await?;
    let bare = Running::start(&["echo"]).await?;
    let mut control = handshake(&bare.address, "/").await?;
    let listen = (0..width).map(|_| listener(&bare.address));
    let mut sockets: Vec<WebSocketStream<TcpStream>> =
        futures::stream::iter(listen).buffer_unordered(OPEN_AT_A_TIME).try_collect().await?;
    let mut pairs = Vec::new();
    let each = |time: Duration| time.as_secs_f64() * 1e6 / (messages * width) as f64;
    let mut frame = String::new();
    for _ in 0..rounds {
        let time;
        (time, frame) = reply(&mut desk, &conversation, messages, &mut tabs).await?;
        let theirs = fan(&bare, &mut control, &mut sockets, messages, &frame).await?;
        pairs.push((each(time.saturating_sub(alone)), each(theirs)));
    }
    let plain =
        plainly(async || Ok(each(fan(&bare, &mut control, &mut sockets, messages, &frame).await?)));
    let plain = plain.await?;
    bare.close().await?;
    drop((tabs, first));
    desk.close().await?;
    let what = format!("CPU a delivery, 1 to {width}");
    Ok(Ratio::new("R9", what, "us", Goal::AtMost(1.3), &pairs, plain))
}

async fn listener(address: &str) -> Result<WebSocketStream<TcpStream>> {
    let mut socket = handshake(address, "/").await?;
    socket.send(Message::text("listen")).await?;
    Ok(socket)
}

/// Lets an agent answer until every tab has every answer; the daemon's processor time, and the last frame.
async fn reply(
    desk: &mut Desk,
    conversation: &str,
    messages: usize,
    tabs: &mut [Tab],
) -> Result<(Duration, String)> {
    let agent = desk.agent()?;
    let pid = desk.pid()?;
    let before = Cpu::of(pid)?;
    let mut last = String::new();
    for number in 0..messages {
        let request = v1::PostMessageRequest {
            client_id: desk.chance.client_id(),
            conversation: conversation.to_owned(),
            content: format!("{number:<300}"),
            sender_type: v1::SenderType::Agent.into(),
        };
        let posted = async {
            let posted = agent.conversations().post_message(request).await?.into_inner();
            posted.message.map(|it| it.seq).context("a message")
        };
        let hears: FuturesUnordered<_> = tabs.iter_mut().map(|tab| hear(tab, number)).collect();
        let (_, heard) = futures::future::try_join(posted, hears.try_collect::<Vec<_>>()).await?;
        last = heard.into_iter().next().context("a tab")?;
    }
    Ok((before.since(pid)?, last))
}

/// Reads until the answer with this number has come.
async fn hear(tab: &mut Tab, number: usize) -> Result<String> {
    let mark = format!("\"content\":\"{number:<300}\"");
    loop {
        let text = tab.text().await?;
        if text.contains(&mark) {
            return Ok(text);
        }
    }
}

/// Lets the bare server write the frame to every socket as often; its processor time.
async fn fan(
    bare: &Running,
    control: &mut WebSocketStream<TcpStream>,
    sockets: &mut [WebSocketStream<TcpStream>],
    messages: usize,
    frame: &str,
) -> Result<Duration> {
    let pid = bare.pid()?;
    let before = Cpu::of(pid)?;
    for _ in 0..messages {
        control.send(Message::text(format!("fan 1 {frame}"))).await?;
        let hears: FuturesUnordered<_> = sockets.iter_mut().map(text).collect();
        let (sent, heard) =
            futures::future::try_join(text(control), hears.try_collect::<Vec<_>>()).await?;
        ensure!(sent == heard.len().to_string(), "written to {sent}, heard by {}", heard.len());
    }
    before.since(pid)
}
