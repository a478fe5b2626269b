//! A daemon of a few rows over real gRPC: enough of the protocol to run the commands against, killed and started
//! again at will. Its rows survive a kill, as a disk would make them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use fusionchat_proto::v1;
use prost::Message;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Code, Request, Response, Status, async_trait};
use v1::watch_response::Frame;

pub(crate) const CONVERSATION: &str = "019b2f6e-0000-7000-8000-000000001042";
pub(crate) const NUMBER: u64 = 1042;
pub(crate) const TOKEN: &str = "a-token";
/// More than any test here sends.
const CHANGES: usize = 1_024;

#[derive(Default)]
pub(crate) struct Rows {
    pub(crate) messages: Vec<v1::Message>,
    pub(crate) notes: Vec<v1::Note>,
    pub(crate) articles: BTreeMap<String, v1::PutArticleRequest>,
    pub(crate) status: v1::Status,
    /// Who has the conversation, and since when.
    pub(crate) held: Option<(String, i64)>,
    posted: HashMap<String, v1::Message>,
    position: u64,
}

/// The services. Clones share the rows.
#[derive(Clone)]
pub(crate) struct Mock {
    rows: Arc<Mutex<Rows>>,
    changes: broadcast::Sender<v1::Change>,
}

pub(crate) fn problem(code: Code, problem: &v1::Problem) -> Status {
    let details = problem.encode_to_vec().into();
    Status::with_details(code, problem.message.clone(), details)
}

impl Mock {
    pub(crate) fn new() -> Self {
        let rows = Rows { status: v1::Status::Open, ..Rows::default() };
        Self { rows: Arc::new(Mutex::new(rows)), changes: broadcast::channel(CHANGES).0 }
    }

    pub(crate) fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap()
    }

    /// A message of the conversation, stored and sent to whoever watches.
    pub(crate) fn say(&self, sender: v1::SenderType, content: &str) -> v1::Message {
        let mut rows = self.rows();
        rows.position += 1;
        let message = v1::Message {
            id: format!("message-{}", rows.messages.len() + 1),
            conversation_id: CONVERSATION.into(),
            seq: rows.messages.len() as u64 + 1,
            sender_type: sender as i32,
            content: content.into(),
            position: rows.position,
            ..v1::Message::default()
        };
        rows.messages.push(message.clone());
        let change = v1::Change { message: Some(message.clone()), ..v1::Change::default() };
        // Nobody may be watching.
        let _ = self.changes.send(change);
        message
    }

    pub(crate) fn note(&self, content: &str) -> v1::Note {
        let mut rows = self.rows();
        rows.position += 1;
        let note = v1::Note {
            id: format!("note-{}", rows.notes.len() + 1),
            conversation_id: CONVERSATION.into(),
            author_name: "agent1".into(),
            content: content.into(),
            position: rows.position,
            ..v1::Note::default()
        };
        rows.notes.push(note.clone());
        let _ = self.changes.send(v1::Change { note: Some(note.clone()), ..v1::Change::default() });
        note
    }

    /// How many streams are open.
    pub(crate) fn watchers(&self) -> usize {
        self.changes.receiver_count()
    }

    pub(crate) fn escalate(&self) {
        self.rows().status = v1::Status::Escalated;
        let conversation = Some(self.conversation());
        let _ = self.changes.send(v1::Change { conversation, ..v1::Change::default() });
    }

    fn conversation(&self) -> v1::Conversation {
        let rows = self.rows();
        v1::Conversation {
            id: CONVERSATION.into(),
            number: NUMBER,
            status: rows.status as i32,
            handler: v1::Handler::Assistant as i32,
            last_seq: rows.messages.len() as u64,
            ..v1::Conversation::default()
        }
    }

    fn found(&self, reference: &str) -> Result<v1::Conversation, Status> {
        match reference {
            CONVERSATION | "1042" | "#1042" => Ok(self.conversation()),
            _ => Err(problem(
                Code::NotFound,
                &v1::Problem {
                    code: "not_found".into(),
                    message: "no such conversation".into(),
                    ..v1::Problem::default()
                },
            )),
        }
    }

    pub(crate) fn taken(&self, take: bool) -> Result<(), Status> {
        match &self.rows().held {
            Some((by, since)) if !take => Err(problem(
                Code::Aborted,
                &v1::Problem {
                    code: "already_claimed".into(),
                    message: format!("{by} claimed this conversation"),
                    hint: "take it with --take".into(),
                    params: [("by".into(), by.clone()), ("since".into(), since.to_string())].into(),
                    retry_after_ms: None,
                },
            )),
            Some(_) | None => Ok(()),
        }
    }
}

pub(crate) type Answer<T> = Result<Response<T>, Status>;

#[async_trait]
impl v1::conversation_service_server::ConversationService for Mock {
    async fn start_conversation(
        &self,
        request: Request<v1::StartConversationRequest>,
    ) -> Answer<v1::StartConversationResponse> {
        let message = self.say(v1::SenderType::User, &request.into_inner().content);
        let conversation = Some(self.conversation());
        Ok(Response::new(v1::StartConversationResponse { conversation, message: Some(message) }))
    }

    async fn get_conversation(
        &self,
        request: Request<v1::GetConversationRequest>,
    ) -> Answer<v1::GetConversationResponse> {
        let conversation = Some(self.found(&request.into_inner().conversation)?);
        Ok(Response::new(v1::GetConversationResponse { conversation, cursor: None }))
    }

    /// 120 conversations, in pages.
    async fn list_conversations(
        &self,
        request: Request<v1::ListConversationsRequest>,
    ) -> Answer<v1::ListConversationsResponse> {
        let request = request.into_inner();
        let from: u64 = request.page_token.parse().unwrap_or(0);
        let to = (from + u64::from(request.limit)).min(from + 50).min(120);
        let row = |n| v1::Conversation { number: 1001 + n, ..v1::Conversation::default() };
        let next_page_token = if to < 120 { to.to_string() } else { String::new() };
        let conversations = (from..to).map(row).collect();
        let answer = v1::ListConversationsResponse { conversations, next_page_token, cursor: None };
        Ok(Response::new(answer))
    }

    /// Pages of two at most, to make readers page.
    async fn list_messages(
        &self,
        request: Request<v1::ListMessagesRequest>,
    ) -> Answer<v1::ListMessagesResponse> {
        let request = request.into_inner();
        self.found(&request.conversation)?;
        let rows = self.rows();
        let last_page = (rows.messages.len() as u64).saturating_sub(request.limit.into());
        let after = if request.last { last_page } else { request.after_seq };
        let later: Vec<_> =
            rows.messages.iter().filter(|message| message.seq > after).cloned().collect();
        let take = if request.last { later.len() } else { later.len().min(2) };
        let messages = later[..take].to_vec();
        let more = take < later.len();
        let first = messages.first().map_or(0, |message| message.position);
        let last = messages.last().map_or(0, |message| message.position);
        let between = |note: &&v1::Note| note.position > first && (!more || note.position < last);
        let notes = rows.notes.iter().filter(between).cloned().collect();
        Ok(Response::new(v1::ListMessagesResponse { messages, notes, more }))
    }

    async fn post_message(
        &self,
        request: Request<v1::PostMessageRequest>,
    ) -> Answer<v1::PostMessageResponse> {
        let request = request.into_inner();
        let conversation = Some(self.found(&request.conversation)?);
        let known = self.rows().posted.get(&request.client_id).cloned();
        let message = match known {
            Some(message) if message.content == request.content => message,
            Some(_) => {
                let problem_text = v1::Problem {
                    code: "client_id_reused".into(),
                    message: "this client id was used with another body".into(),
                    ..v1::Problem::default()
                };
                return Err(problem(Code::Aborted, &problem_text));
            }
            None => {
                let message = self.say(v1::SenderType::Agent, &request.content);
                self.rows().posted.insert(request.client_id, message.clone());
                message
            }
        };
        Ok(Response::new(v1::PostMessageResponse { message: Some(message), conversation }))
    }

    async fn add_note(&self, request: Request<v1::AddNoteRequest>) -> Answer<v1::AddNoteResponse> {
        let note = Some(self.note(&request.into_inner().content));
        let conversation = Some(self.conversation());
        Ok(Response::new(v1::AddNoteResponse { note, conversation }))
    }

    async fn claim_conversation(
        &self,
        request: Request<v1::ClaimConversationRequest>,
    ) -> Answer<v1::ClaimConversationResponse> {
        self.taken(request.into_inner().take)?;
        let conversation = Some(self.conversation());
        Ok(Response::new(v1::ClaimConversationResponse { conversation }))
    }

    async fn release_conversation(
        &self,
        _: Request<v1::ReleaseConversationRequest>,
    ) -> Answer<v1::ReleaseConversationResponse> {
        let conversation = Some(self.conversation());
        Ok(Response::new(v1::ReleaseConversationResponse { conversation }))
    }

    async fn hand_back_conversation(
        &self,
        _: Request<v1::HandBackConversationRequest>,
    ) -> Answer<v1::HandBackConversationResponse> {
        let conversation = Some(self.conversation());
        Ok(Response::new(v1::HandBackConversationResponse { conversation }))
    }

    async fn escalate_conversation(
        &self,
        _: Request<v1::EscalateConversationRequest>,
    ) -> Answer<v1::EscalateConversationResponse> {
        self.rows().status = v1::Status::Escalated;
        let conversation = Some(self.conversation());
        Ok(Response::new(v1::EscalateConversationResponse { conversation }))
    }

    async fn resolve_conversation(
        &self,
        _: Request<v1::ResolveConversationRequest>,
    ) -> Answer<v1::ResolveConversationResponse> {
        let conversation = Some(self.conversation());
        Ok(Response::new(v1::ResolveConversationResponse { conversation }))
    }

    async fn reopen_conversation(
        &self,
        _: Request<v1::ReopenConversationRequest>,
    ) -> Answer<v1::ReopenConversationResponse> {
        let conversation = Some(self.conversation());
        Ok(Response::new(v1::ReopenConversationResponse { conversation }))
    }

    async fn transfer_conversation(
        &self,
        _: Request<v1::TransferConversationRequest>,
    ) -> Answer<v1::TransferConversationResponse> {
        Err(Status::unimplemented("transfer"))
    }

    async fn tag_conversation(
        &self,
        _: Request<v1::TagConversationRequest>,
    ) -> Answer<v1::TagConversationResponse> {
        Err(Status::unimplemented("tags"))
    }

    async fn set_priority(
        &self,
        _: Request<v1::SetPriorityRequest>,
    ) -> Answer<v1::SetPriorityResponse> {
        Err(Status::unimplemented("priority"))
    }

    async fn flag_message(
        &self,
        _: Request<v1::FlagMessageRequest>,
    ) -> Answer<v1::FlagMessageResponse> {
        Err(Status::unimplemented("flag"))
    }

    async fn retract_message(
        &self,
        _: Request<v1::RetractMessageRequest>,
    ) -> Answer<v1::RetractMessageResponse> {
        Err(Status::unimplemented("retract"))
    }

    async fn mark_read(&self, _: Request<v1::MarkReadRequest>) -> Answer<v1::MarkReadResponse> {
        Ok(Response::new(v1::MarkReadResponse {}))
    }

    async fn set_typing(&self, _: Request<v1::SetTypingRequest>) -> Answer<v1::SetTypingResponse> {
        Ok(Response::new(v1::SetTypingResponse {}))
    }
}

#[async_trait]
impl v1::watch_service_server::WatchService for Mock {
    type WatchStream =
        std::pin::Pin<Box<dyn Stream<Item = Result<v1::WatchResponse, Status>> + Send>>;

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Answer<Self::WatchStream> {
        self.found(&request.into_inner().conversation)?;
        let changes = BroadcastStream::new(self.changes.subscribe());
        let frame = |frame| Ok(v1::WatchResponse { frame: Some(frame) });
        let ready = tokio_stream::once(frame(Frame::Ready(v1::Ready::default())));
        let changes = changes.map(move |change| match change {
            Ok(change) => frame(Frame::Change(change)),
            Err(_) => Err(Status::unavailable("too slow")),
        });
        Ok(Response::new(Box::pin(ready.chain(changes))))
    }
}
