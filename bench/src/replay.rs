//! Plays dialogues against a real daemon: visitors over WebSocket, agents over gRPC, faults in between. After each
//! kill, and at the end, another process holds the daemon to the ledger.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, future};
use tokio::process::Command;
use tokio::sync::{oneshot, watch};

use crate::articles;
use crate::chance::Chance;
use crate::daemon::Daemon;
use crate::desk::Desk;
use crate::dialogue::{Dialogue, Script, Side};
use crate::figures::Figures;
use crate::ledger::{Ledger, Sent};
use crate::report::{Kill, Report};
use crate::setup::{self, Ground};
use crate::staff::Staff;
use crate::verify::{Findings, KEY};
use crate::visitor::Visitor;
use crate::world::{PATIENCE, State, World};

/// How long after its message a kill comes, at most, in microseconds.
const KILL_WITHIN_US: u64 = 20_000;
/// The streams of chance that belong to no dialogue.
const SETUP: u64 = u64::MAX;
const KILLS: u64 = u64::MAX - 1;

/// What to play.
pub(crate) struct Play {
    /// The daemon's program.
    pub(crate) program: PathBuf,
    /// Where everything lies; empty.
    pub(crate) directory: PathBuf,
    /// What is said.
    pub(crate) script: Script,
    /// Articles to import first.
    pub(crate) articles: Option<PathBuf>,
    /// How many dialogues go on at a time.
    pub(crate) parallel: usize,
    /// How often the daemon is killed.
    pub(crate) kills: u64,
    /// What all faults are drawn from.
    pub(crate) seed: u64,
}

impl Play {
    /// Where the ledger is written.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.directory.join("ledger.jsonl")
    }

    /// Where what was read back is saved.
    pub(crate) fn readback(&self) -> PathBuf {
        self.directory.join("readback.jsonl")
    }

    fn messages(&self) -> u64 {
        self.script.dialogues.iter().map(|dialogue| dialogue.turns.len() as u64).sum()
    }
}

/// Plays it all and reports.
pub(crate) async fn play(play: &Play) -> Result<Report> {
    let mut chance = Chance::new(play.seed, SETUP);
    let mut daemon = Daemon::new(&play.program, &play.directory)?;
    let ground = setup::lay(&daemon, &mut chance).await?;
    let admin = Staff::new(&daemon.grpc(), Some(&ground.admin))?;
    daemon.start(&admin).await?;
    let imported = match &play.articles {
        Some(folder) => Some(articles::import(&admin, folder, &mut chance).await?),
        None => None,
    };
    let bytes_before = daemon.bytes_on_disk();
    let world = World {
        http: daemon.http(),
        inbox: ground.inbox.clone(),
        ledger: Ledger::create(&play.ledger())?,
        figures: Figures::default(),
        state: watch::Sender::new(State::Up(1)),
    };
    let (took, kills) = run(play, &world, &ground, &mut daemon, &admin).await?;
    // What is read back comes from the disk: the daemon that acknowledged it is gone.
    daemon.stop().await?;
    daemon.start(&admin).await?;
    let (ledger, readback) = (play.ledger(), play.readback());
    let findings = verify(&ledger, &daemon.http(), &ground.admin, Some(&readback)).await?;
    daemon.stop().await?;
    let held: Duration = kills.iter().map(|kill| kill.held).sum();
    Ok(Report::new(play, &world.figures, took.saturating_sub(held), kills, findings)
        .with_imported(imported)
        .with_daemon(&daemon, bytes_before))
}

/// Everybody plays until the last word; returns how long it took and how the kills went.
async fn run(
    play: &Play,
    world: &World,
    ground: &Ground,
    daemon: &mut Daemon,
    admin: &Staff,
) -> Result<(Duration, Vec<Kill>)> {
    let grpc = daemon.grpc();
    let desks: Result<Vec<Desk<'_>>> =
        ground.agents.iter().map(|token| Desk::new(world, &grpc, token)).collect();
    let desks = desks?;
    let (live, lives): (Vec<_>, Vec<_>) = desks.iter().map(|_| oneshot::channel()).unzip();
    let follow = desks.iter().zip(live).map(|(desk, live)| desk.follow(live));
    let follow = future::try_join_all(follow);
    let work = async {
        tokio::time::timeout(PATIENCE, future::try_join_all(lives)).await??;
        let began = Instant::now();
        let talks = play.script.dialogues.iter().enumerate().map(|(number, dialogue)| {
            let chance = Chance::new(play.seed, number as u64);
            talk(world, &desks[number % desks.len()], number, dialogue, chance)
        });
        let talks = futures::stream::iter(talks).buffer_unordered(play.parallel);
        let talks = talks.try_collect::<()>();
        let ((), kills) = future::try_join(talks, kill(play, world, ground, daemon, admin)).await?;
        let took = began.elapsed();
        world.state.send_replace(State::Over);
        Ok((took, kills))
    };
    let (_, done) = future::try_join(follow, work).await?;
    Ok(done)
}

/// One dialogue from its first word to its resolution.
async fn talk(
    world: &World,
    desk: &Desk<'_>,
    dialogue: usize,
    script: &Dialogue,
    mut chance: Chance,
) -> Result<()> {
    let mut visitor = Visitor::new(world, Chance::new(chance.next(), 0));
    let mut conversation = String::new();
    let mut claimed = false;
    for (order, turn) in script.turns.iter().enumerate() {
        let client_id = chance.client_id();
        let (side, text) = (turn.from, turn.text.clone());
        let life = world.up().await?;
        world.will_send(Sent { dialogue, side, order, client_id: client_id.clone(), text })?;
        let told = async {
            match side {
                Side::Visitor => {
                    visitor.connect().await?;
                    let comes = desk.expect(&client_id, life);
                    conversation = visitor.say(&client_id, &turn.text).await?.conversation;
                    let came = tokio::time::timeout(PATIENCE, comes).await;
                    came.context("the agent's stream has not brought it")??;
                }
                Side::Agent => {
                    if !claimed {
                        desk.claim(&conversation, &mut chance).await?;
                        claimed = true;
                    }
                    let seq =
                        desk.reply(&conversation, &client_id, &turn.text, &mut chance).await?;
                    visitor.hears(seq).await?;
                }
            }
            anyhow::Ok(())
        };
        told.await.with_context(|| format!("dialogue {dialogue}, line {order}"))?;
    }
    if claimed {
        desk.resolve(&conversation, &mut chance).await?;
    }
    Ok(())
}

/// Kills the daemon in the midst of it all, looks at what is left before any client has come back, and lets them.
async fn kill(
    play: &Play,
    world: &World,
    ground: &Ground,
    daemon: &mut Daemon,
    admin: &Staff,
) -> Result<Vec<Kill>> {
    let mut chance = Chance::new(play.seed, KILLS);
    let mut progress = world.figures.progress.subscribe();
    let mut kills = Vec::new();
    for number in 1..=play.kills {
        let part = play.messages() / (play.kills + 1);
        let at = part * number + chance.below(part / 4 + 1);
        progress.wait_for(|count| *count >= at).await?;
        tokio::time::sleep(Duration::from_micros(chance.below(KILL_WITHIN_US))).await;
        let began = Instant::now();
        let acknowledged = *progress.borrow_and_update();
        daemon.kill9().await?;
        world.state.send_replace(State::Down);
        let recovery = daemon.start(admin).await?;
        let findings = verify(&play.ledger(), &daemon.http(), &ground.admin, None).await?;
        let life = u32::try_from(number)? + 1;
        world.state.send_replace(State::Up(life));
        kills.push(Kill { acknowledged, recovery, held: began.elapsed(), findings });
    }
    Ok(kills)
}

/// Another process of this program reads everything back and compares.
pub(crate) async fn verify(
    ledger: &Path,
    http: &str,
    key: &str,
    save: Option<&Path>,
) -> Result<Findings> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("verify").arg(ledger).args(["--http", http]).env(KEY, key).kill_on_drop(true);
    if let Some(save) = save {
        command.arg("--save").arg(save);
    }
    let output = command.output().await.context("starting the verification")?;
    let code = output.status.code();
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(matches!(code, Some(0 | 1)), "verification ended with {code:?}: {said}");
    let findings: Findings = serde_json::from_slice(&output.stdout)?;
    ensure!((code == Some(0)) == (findings.difference_count == 0), "{code:?} for {findings:?}");
    Ok(findings)
}
