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
use super::kit::deadline::within;
use super::kit::desk::{Desk, Tab, handshake, text};
use super::kit::plain::Fanned;
use super::kit::process::Cpu;
use super::kit::ratio::{Goal, Ratio, beside_plain_loop, remainder};
use super::kit::reference::{LISTEN, Running};

/// How many sockets hear each message.
/// Ours and the reference's together are as many as a process may have open here, 20,000.
const WIDTHS: [usize; 3] = [100, 1_000, 9_900];
/// About how many deliveries a round has.
const DELIVERIES: usize = 99_000;
/// The most sockets opened at a time.
const OPEN_AT_A_TIME: usize = 64;
/// The reference cost 0.89 to 1.17 times its plain loop on a quiet machine, 1.34 at most on a busy one; about twice as
/// dear it cost 2.1 to 3.1.
const PLAIN_TIMES_MAX: f64 = 1.7;

/// Measures every width.
pub(super) async fn measure(program: &Path, rounds: u16) -> Result<Measured> {
    let mut ratios = Vec::new();
    for width in WIDTHS {
        ratios.push(at_width(program, width, rounds).await?);
    }
    Ok(Measured { ratios, ..Measured::default() })
}

/// On either side the same messages go to one socket and to all of them, in each round: what a message costs once is no
/// delivery.
async fn at_width(program: &Path, width: usize, rounds: u16) -> Result<Ratio> {
    let mut ours = Ours::open(program, width).await?;
    let mut theirs = Theirs::open(width).await?;
    let messages = (DELIVERIES / width).max(1);
    let each = |all: Duration, one: Duration| {
        remainder(us(all), us(one)) / (messages * (width - 1)) as f64
    };
    let mut pairs = Vec::new();
    let mut frame = String::new();
    for _ in 0..rounds {
        let (one, all);
        (one, _) = ours.alone.reply(&mut ours.desk, messages).await?;
        (all, frame) = ours.crowd.reply(&mut ours.desk, messages).await?;
        let bare_one = theirs.fan(1, messages, &frame).await?;
        let bare_all = theirs.fan(width, messages, &frame).await?;
        pairs.push((each(all, one), each(bare_all, bare_one)));
    }
    // As many sockets again are more than this process may have.
    ours.close().await?;
    let plain = Running::start_plain(&["fan"]).await?;
    let mut fanned = Fanned::open(&plain.address, width)?;
    let check = beside_plain_loop(PLAIN_TIMES_MAX, async || {
        let bare_one = theirs.fan(1, messages, &frame).await?;
        let bare_all = theirs.fan(width, messages, &frame).await?;
        let plain_one = fan_plainly(plain.pid()?, &mut fanned, 1, messages, &frame)?;
        let plain_all = fan_plainly(plain.pid()?, &mut fanned, width, messages, &frame)?;
        Ok((each(bare_all, bare_one), each(plain_all, plain_one)))
    });
    let check = check.await?;
    plain.close().await?;
    theirs.bare.close().await?;
    let what = format!("CPU a delivery, 1 to {width}");
    Ok(Ratio::new("R9", what, "us", Goal::AtMost(1.3), &pairs, &check))
}

fn us(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// A daemon with a conversation of one tab and another of many.
struct Ours {
    desk: Desk,
    alone: Audience,
    crowd: Audience,
}

impl Ours {
    async fn open(program: &Path, width: usize) -> Result<Self> {
        let mut desk = Desk::open(program).await?;
        let alone = Audience::gather(&mut desk, 1).await?;
        let crowd = Audience::gather(&mut desk, width).await?;
        Ok(Self { desk, alone, crowd })
    }

    async fn close(self) -> Result<()> {
        drop((self.alone, self.crowd));
        self.desk.close().await
    }
}

/// A conversation that an agent has, and the tabs of its visitor.
struct Audience {
    conversation: String,
    tabs: Vec<Tab>,
}

impl Audience {
    async fn gather(desk: &mut Desk, width: usize) -> Result<Self> {
        let mut first = desk.tab(None).await?;
        first.say(&desk.chance.client_id(), "Hello").await?;
        let conversation = first.conversation.clone().context("a conversation")?;
        let request = v1::ClaimConversationRequest {
            client_id: desk.chance.client_id(),
            conversation: conversation.clone(),
            ..Default::default()
        };
        desk.agent()?.conversations().claim_conversation(request).await?;
        let more = (1..width).map(|_| desk.tab(Some(&first.session)));
        let mut tabs: Vec<Tab> =
            futures::stream::iter(more).buffer_unordered(OPEN_AT_A_TIME).try_collect().await?;
        tabs.push(first);
        Ok(Self { conversation, tabs })
    }

    /// Lets an agent answer until every tab has every answer; the daemon's processor time, and the last frame.
    async fn reply(&mut self, desk: &mut Desk, messages: usize) -> Result<(Duration, String)> {
        let agent = desk.agent()?;
        let pid = desk.pid()?;
        let before = Cpu::of(pid)?;
        let mut last = String::new();
        for number in 0..messages {
            let request = v1::PostMessageRequest {
                client_id: desk.chance.client_id(),
                conversation: self.conversation.clone(),
                content: format!("{number:<300}"),
                sender_type: v1::SenderType::Agent.into(),
            };
            let posted = async {
                let posted = agent.conversations().post_message(request).await?.into_inner();
                posted.message.map(|it| it.seq).context("a message")
            };
            let hears: FuturesUnordered<_> =
                self.tabs.iter_mut().map(|tab| hear(tab, number)).collect();
            let heard = futures::future::try_join(posted, hears.try_collect::<Vec<_>>());
            let (_, heard) = within("an answer on every tab", heard).await?;
            last = heard.into_iter().next().context("a tab")?;
        }
        Ok((before.since(pid)?, last))
    }
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

/// A bare server, the sockets that hear what it fans out, in their order there, and the one that orders it.
struct Theirs {
    bare: Running,
    control: WebSocketStream<TcpStream>,
    sockets: Vec<WebSocketStream<TcpStream>>,
}

impl Theirs {
    async fn open(width: usize) -> Result<Self> {
        let bare = Running::start(&["echo"]).await?;
        let control = handshake(&bare.address, "/").await?;
        // The first one is known to be the first there; the order of the others does not matter.
        let mut sockets = vec![listener(&bare.address).await?];
        let more = (1..width).map(|_| listener(&bare.address));
        let more: Vec<_> =
            futures::stream::iter(more).buffer_unordered(OPEN_AT_A_TIME).try_collect().await?;
        sockets.extend(more);
        Ok(Self { bare, control, sockets })
    }

    /// Lets the bare server write the frame to the first sockets as often; its processor time.
    async fn fan(&mut self, count: usize, messages: usize, frame: &str) -> Result<Duration> {
        let pid = self.bare.pid()?;
        let before = Cpu::of(pid)?;
        for _ in 0..messages {
            self.control.send(Message::text(format!("fan {count} {frame}"))).await?;
            let sockets = self.sockets.get_mut(..count).context("so many sockets")?;
            let hears: FuturesUnordered<_> = sockets.iter_mut().map(text).collect();
            let heard =
                futures::future::try_join(text(&mut self.control), hears.try_collect::<Vec<_>>());
            let (sent, heard) = within("a frame on every socket", heard).await?;
            ensure!(sent == heard.len().to_string(), "written to {sent}, heard by {}", heard.len());
        }
        before.since(pid)
    }
}

/// A socket that the bare server has among those it writes to.
async fn listener(address: &str) -> Result<WebSocketStream<TcpStream>> {
    let mut socket = handshake(address, "/").await?;
    socket.send(Message::text(LISTEN)).await?;
    let known = text(&mut socket).await?;
    ensure!(known == LISTEN, "the bare server said {known}");
    Ok(socket)
}

/// As many bytes written to each of the first sockets by the plain server, as often; its processor time.
fn fan_plainly(
    pid: u32,
    fanned: &mut Fanned,
    count: usize,
    messages: usize,
    frame: &str,
) -> Result<Duration> {
    let before = Cpu::of(pid)?;
    for _ in 0..messages {
        fanned.write(count, frame.as_bytes())?;
    }
    before.since(pid)
}
