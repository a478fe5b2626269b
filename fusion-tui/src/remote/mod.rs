//! The console's hands: calls to the daemon and the live stream, each a task of one set that ends
//! with the console. It decides nothing; it turns effects into calls and answers into events.

mod backoff;
pub(crate) mod call;
pub(crate) mod client;
mod convert;
mod list;
mod watch;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::client::Client;
use crate::effect::Call;
use crate::event::Event;

/// How many calls may wait to be made.
pub(crate) const CALLS_QUEUE_MAX: usize = 128;
/// How many events may wait for the console.
pub(crate) const EVENTS_QUEUE_MAX: usize = 256;
/// How many calls are under way at once.
const CALLS_MAX: usize = 32;

/// Follows the stream and makes calls until nobody asks for any more; then everything under way is
/// dropped.
pub(crate) async fn serve(
    client: Client,
    mut calls: mpsc::Receiver<Call>,
    events: mpsc::Sender<Event>,
) {
    let mut tasks = JoinSet::new();
    tasks.spawn(watch::follow(client.clone(), events.clone()));
    loop {
        tokio::select! {
            call = calls.recv(), if tasks.len() <= CALLS_MAX => match call {
                Some(call) => {
                    tasks.spawn(call::run(client.clone(), call, events.clone()));
                }
                None => break,
            },
            Some(_) = tasks.join_next() => {}
        }
    }
}
