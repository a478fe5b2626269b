//! Reading the board from the daemon: the live queue first, because somebody waits there, then the
//! rows page by page. Bounded: what does not fit is read when it is needed.

use fusionchat_proto::v1;
use tokio::sync::mpsc;

use super::call::within;
use super::client::Client;
use super::convert;
use crate::event::{Event, Problem};
use crate::state::row::UserId;

/// Rows of one page, the most the daemon gives.
const PAGE: u32 = 200;

/// One kind of row, and how many pages of it are read.
struct Part {
    status: v1::Status,
    mine: bool,
    pages_max: u32,
}

/// What is read, in order.
const PARTS: [Part; 4] = [
    Part { status: v1::Status::Open, mine: true, pages_max: 2 },
    Part { status: v1::Status::Escalated, mine: false, pages_max: 4 },
    Part { status: v1::Status::Open, mine: false, pages_max: 3 },
    Part { status: v1::Status::Resolved, mine: false, pages_max: 1 },
];

/// Reads everything and sends it on in pages.
pub(super) async fn run(
    client: &Client,
    generation: u64,
    me: Option<&UserId>,
    events: &mpsc::Sender<Event>,
) -> Result<(), Problem> {
    let request = v1::ListEscalationsRequest { limit: PAGE };
    let queue = within(client.escalations().list_escalations(request)).await?;
    let rows = queue.waiting.into_iter().filter_map(convert::waiting).collect();
    // Without a receiver the console has ended, and so will this task.
    drop(events.send(Event::DaemonClock(queue.now)).await);
    drop(events.send(Event::Rows { generation, rows }).await);
    for part in PARTS {
        let assignee = match me {
            Some(me) if part.mine => me.0.to_string(),
            None if part.mine => continue,
            Some(_) | None => String::new(),
        };
        read_part(client, generation, &part, assignee, events).await?;
    }
    Ok(())
}

async fn read_part(
    client: &Client,
    generation: u64,
    part: &Part,
    assignee: String,
    events: &mpsc::Sender<Event>,
) -> Result<(), Problem> {
    let mut page_token = String::new();
    for _ in 0..part.pages_max {
        let request = v1::ListConversationsRequest {
            statuses: vec![part.status.into()],
            assignee: assignee.clone(),
            limit: PAGE,
            page_token,
            tests: false,
        };
        let page = within(client.conversations().list_conversations(request)).await?;
        let rows = page.conversations.into_iter().map(convert::conversation).collect();
        drop(events.send(Event::Rows { generation, rows }).await);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok(())
}
