//! `conv list` and `conv get`.

use fusionchat_proto::v1;
use serde_json::{Value, json};

use crate::cmd::conv::{List, header, speech, state};
use crate::cmd::escalation::{tagged, visitor};
use crate::cmd::list::{self, PAGE_ROWS_MAX, Page};
use crate::cmd::{Context, expect, name};
use crate::connect::Client;
use crate::failure::{Failure, OUT_OF_RANGE};
use crate::names;
use crate::output::{Cell, Column, Report, Row, Rows, Section, Shape};
use crate::view;

const COLUMNS: &[Column] = &[
    Column::fixed("NUMBER"),
    Column::flexible("STATE"),
    Column::fixed("PRIORITY"),
    Column::fixed("UNREAD"),
    Column::fixed("UPDATED"),
    Column::fixed("VISITOR"),
    Column::flexible("LAST LINE"),
];

pub(crate) async fn list(context: &Context, arguments: List) -> Result<Report, Failure> {
    let client = context.client.clone();
    let statuses: Vec<i32> = arguments.status.iter().map(|status| status.wire()).collect();
    let assignee = arguments.assignee.unwrap_or_default();
    let tests = arguments.tests;
    list::list(&arguments.limit, COLUMNS, move |limit, page_token| {
        let client = client.clone();
        let (statuses, assignee) = (statuses.clone(), assignee.clone());
        let request = v1::ListConversationsRequest { statuses, assignee, limit, page_token, tests };
        async move {
            let answer = client.call(client.conversations().list_conversations(request)).await?;
            let rows = answer.conversations.iter().map(row).collect();
            Ok(Page { rows, next: answer.next_page_token })
        }
    })
    .await
}

fn row(conversation: &v1::Conversation) -> Row {
    let cells = vec![
        Cell::Number(conversation.number),
        Cell::Text(state(conversation)),
        name(names::priority(conversation.priority)),
        Cell::Number(conversation.unread),
        Cell::At(conversation.updated_at),
        Cell::Text(visitor(&conversation.visitor_name, &conversation.visitor_id)),
        Cell::Text(tagged(&conversation.tags, &conversation.last_line)),
    ];
    Row { json: view::conversation(conversation), shape: Shape::Cells(cells) }
}

pub(crate) async fn get(context: &Context, reference: String) -> Result<Report, Failure> {
    let request = v1::GetConversationRequest { conversation: reference.clone() };
    let answer =
        context.client.call(context.client.conversations().get_conversation(request)).await?;
    let conversation = expect(answer.conversation, "conversation")?;
    let request = v1::ListMessagesRequest {
        conversation: conversation.id.clone(),
        after_seq: 0,
        limit: PAGE_ROWS_MAX,
        last: true,
    };
    let history = page(&context.client, request).await?;
    let mut object = header(&conversation);
    let values = |rows: Vec<serde_json::Map<String, Value>>| {
        Value::Array(rows.into_iter().map(Value::Object).collect())
    };
    let messages = values(history.messages.iter().map(view::message).collect());
    object.json.insert("messages".into(), messages);
    object.json.insert("notes".into(), values(history.notes.iter().map(view::note).collect()));
    let cut = history.messages.first().is_some_and(|message| message.seq > 1);
    object.json.insert("moreMessages".into(), json!(cut));
    let rows = speech::merged(&history.messages, &history.notes);
    object.sections.push(Section::Rows(Rows { rows, ..Rows::default() }));
    if cut {
        object.notices.push(format!(
            "showing the last {}; `fusionctl conv tail {reference}` shows every one",
            history.messages.len()
        ));
    }
    Ok(object.into())
}

/// A page of messages; of very long ones as many as fit into one answer.
pub(crate) async fn page(
    client: &Client,
    mut request: v1::ListMessagesRequest,
) -> Result<v1::ListMessagesResponse, Failure> {
    loop {
        let answer = client.call(client.conversations().list_messages(request.clone())).await;
        match answer {
            Err(failure) if failure.code == OUT_OF_RANGE && request.limit > 1 => {
                request.limit /= 2;
            }
            answer => return answer,
        }
    }
}
