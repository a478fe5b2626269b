//! A daemon for tests, in this process: it keeps one list of rows and messages, remembers what it
//! was asked, and breaks the connection when the test says so. It decides nothing a real daemon
//! decides.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use fusionchat_proto::v1;
use fusionchat_proto::v1::conversation_service_server::{
    ConversationService, ConversationServiceServer,
};
use fusionchat_proto::v1::escalation_service_server::{EscalationService, EscalationServiceServer};
use fusionchat_proto::v1::session_service_server::{SessionService, SessionServiceServer};
use fusionchat_proto::v1::watch_service_server::{WatchService, WatchServiceServer};
use futures::Stream;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status};

type Frames = mpsc::Sender<Result<v1::WatchResponse, Status>>;

/// What the daemon holds and remembers.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) rows: Vec<v1::Conversation>,
    pub(crate) messages: Vec<v1::Message>,
    /// The client id of every message asked for, repeats included.
    pub(crate) posted: Vec<String>,
    /// The cursor of every stream opened.
    pub(crate) resumed: Vec<Option<v1::Cursor>>,
    /// Answers to lose: the message is kept, the sender is told that the connection broke.
    pub(crate) answers_to_lose: u32,
    pub(crate) refuse_streams: u32,
    pub(crate) lists: u32,
    position: u64,
    stream: Option<Frames>,
    sent_before: u64,
}

/// A handle to the daemon.
#[derive(Clone, Default)]
pub(crate) struct Daemon(Arc<Mutex<Memory>>);

impl Daemon {
    /// Serves on a free port of the loopback; ends with `tasks`.
    pub(crate) async fn start(
        tasks: &mut JoinSet<()>,
        rows: Vec<v1::Conversation>,
    ) -> (Self, String) {
        let daemon = Self::default();
        daemon.memory().rows = rows;
        daemon.memory().position = 100;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = tonic::transport::Server::builder()
            .add_service(ConversationServiceServer::new(daemon.clone()))
            .add_service(EscalationServiceServer::new(daemon.clone()))
            .add_service(SessionServiceServer::new(daemon.clone()))
            .add_service(WatchServiceServer::new(daemon.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tasks.spawn(async move { server.await.unwrap() });
        (daemon, endpoint)
    }

    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap()
    }

    /// Ends the live stream as a broken connection would.
    pub(crate) fn break_stream(&self) {
        self.memory().stream = None;
    }

    /// Tells the live stream to begin anew.
    pub(crate) fn reset_stream(&self) {
        let head = Some(v1::Cursor { epoch: "e2".to_owned(), position: 200 });
        let frame = v1::watch_response::Frame::Reset(v1::Reset { head });
        let memory = self.memory();
        if let Some(stream) = &memory.stream {
            stream.try_send(Ok(v1::WatchResponse { frame: Some(frame) })).unwrap();
        }
    }

    /// A message of the visitor, written and told.
    pub(crate) fn visitor_says(&self, content: &str) {
        self.memory().add(v1::SenderType::User, content, "");
        self.memory().tell(0);
    }

    /// The same, with a hole in the stream before it.
    pub(crate) fn visitor_says_after_a_hole(&self, lost: &str, content: &str) {
        self.memory().add(v1::SenderType::User, lost, "");
        self.memory().add(v1::SenderType::User, content, "");
        self.memory().tell(1);
    }
}

impl Memory {
    fn add(&mut self, sender: v1::SenderType, content: &str, client_id: &str) -> v1::Message {
        self.position += 1;
        let message = v1::Message {
            id: format!("m-{}", self.position),
            conversation_id: "c-1".to_owned(),
            seq: self.messages.len() as u64 + 1,
            sender_type: sender.into(),
            sender_id: "u-1".to_owned(),
            sender_name: "agent1".to_owned(),
            content: content.to_owned(),
            position: self.position,
            client_id: client_id.to_owned(),
            ..Default::default()
        };
        self.messages.push(message.clone());
        message
    }

    /// Sends the newest message down the stream; `skipped` changes before it are claimed to have
    /// been sent.
    fn tell(&mut self, skipped: u64) {
        let Some(message) = self.messages.last().cloned() else { return };
        let prev = if skipped == 0 { self.sent_before } else { message.position - skipped };
        self.sent_before = message.position;
        let cursor = Some(v1::Cursor { epoch: "e1".to_owned(), position: message.position });
        let change = v1::Change {
            cursor,
            prev,
            kind: "MessagePosted".to_owned(),
            message: Some(message),
            ..Default::default()
        };
        let frame = Some(v1::watch_response::Frame::Change(change));
        if let Some(stream) = &self.stream {
            stream.try_send(Ok(v1::WatchResponse { frame })).unwrap();
        }
    }

    /// The rows as they are, as new as the last message.
    fn row(&self) -> v1::Conversation {
        let row = self.rows.first().cloned().unwrap_or_default();
        v1::Conversation { position: self.position, ..row }
    }
}

#[tonic::async_trait]
impl SessionService for Daemon {
    async fn get_session(
        &self,
        request: Request<v1::GetSessionRequest>,
    ) -> Result<Response<v1::GetSessionResponse>, Status> {
        if request.metadata().get("authorization").is_none_or(|value| value != "Bearer secret") {
            return Err(Status::unauthenticated("sign in"));
        }
        let user = v1::User {
            id: "u-1".to_owned(),
            name: Some("agent1".to_owned()),
            ..Default::default()
        };
        let organization = v1::Organization { name: "demo".to_owned(), ..Default::default() };
        Ok(Response::new(v1::GetSessionResponse {
            kind: "session".to_owned(),
            user: Some(user),
            organization: Some(organization),
            ..Default::default()
        }))
    }

    async fn create_session(
        &self,
        _: Request<v1::CreateSessionRequest>,
    ) -> Result<Response<v1::CreateSessionResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn accept_invite(
        &self,
        _: Request<v1::AcceptInviteRequest>,
    ) -> Result<Response<v1::AcceptInviteResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn list_sessions(
        &self,
        _: Request<v1::ListSessionsRequest>,
    ) -> Result<Response<v1::ListSessionsResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn end_session(
        &self,
        _: Request<v1::EndSessionRequest>,
    ) -> Result<Response<v1::EndSessionResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }
}

#[tonic::async_trait]
impl WatchService for Daemon {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<v1::WatchResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<v1::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let mut memory = self.memory();
        if memory.refuse_streams > 0 {
            memory.refuse_streams -= 1;
            return Err(Status::unavailable("not now"));
        }
        let after = request.into_inner().after;
        memory.resumed.push(after.clone());
        let (frames, stream) = mpsc::channel(64);
        let head = Some(v1::Cursor { epoch: "e1".to_owned(), position: memory.position });
        let ready = v1::watch_response::Frame::Ready(v1::Ready { head });
        frames.try_send(Ok(v1::WatchResponse { frame: Some(ready) })).unwrap();
        memory.stream = Some(frames);
        memory.sent_before = 0;
        let missed: Vec<v1::Message> = memory
            .messages
            .iter()
            .filter(|message| after.as_ref().is_some_and(|after| message.position > after.position))
            .cloned()
            .collect();
        let newest = memory.messages.clone();
        for message in missed {
            memory.messages.retain(|known| known.seq <= message.seq);
            memory.tell(0);
            memory.messages.clone_from(&newest);
        }
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

/// The methods no test here asks for.
macro_rules! unasked {
    ($($method:ident($request:ident) -> $response:ident;)*) => {
        $(
            fn $method<'a, 'b>(
                &'a self,
                _: Request<v1::$request>,
            ) -> Pin<Box<dyn Future<Output = Result<Response<v1::$response>, Status>> + Send + 'b>>
            where
                'a: 'b,
                Self: 'b,
            {
                Box::pin(std::future::ready(Err(Status::unimplemented("not asked here"))))
            }
        )*
    };
}

#[tonic::async_trait]
impl EscalationService for Daemon {
    async fn list_escalations(
        &self,
        _: Request<v1::ListEscalationsRequest>,
    ) -> Result<Response<v1::ListEscalationsResponse>, Status> {
        Ok(Response::new(v1::ListEscalationsResponse { now: 1, ..Default::default() }))
    }

    unasked! {
        assign_escalation(AssignEscalationRequest) -> AssignEscalationResponse;
        return_escalation(ReturnEscalationRequest) -> ReturnEscalationResponse;
        resolve_escalation(ResolveEscalationRequest) -> ResolveEscalationResponse;
    }
}

#[tonic::async_trait]
impl ConversationService for Daemon {
    async fn list_conversations(
        &self,
        request: Request<v1::ListConversationsRequest>,
    ) -> Result<Response<v1::ListConversationsResponse>, Status> {
        let wanted = request.into_inner().statuses;
        let mut memory = self.memory();
        memory.lists += 1;
        let rows = memory.rows.iter().filter(|row| wanted.contains(&row.status)).cloned();
        let conversations = rows.collect();
        Ok(Response::new(v1::ListConversationsResponse { conversations, ..Default::default() }))
    }

    async fn list_messages(
        &self,
        request: Request<v1::ListMessagesRequest>,
    ) -> Result<Response<v1::ListMessagesResponse>, Status> {
        let request = request.into_inner();
        let memory = self.memory();
        let after = memory.messages.iter().filter(|message| message.seq > request.after_seq);
        let messages = after.cloned().collect();
        Ok(Response::new(v1::ListMessagesResponse { messages, ..Default::default() }))
    }

    async fn claim_conversation(
        &self,
        _: Request<v1::ClaimConversationRequest>,
    ) -> Result<Response<v1::ClaimConversationResponse>, Status> {
        let mut memory = self.memory();
        memory.position += 1;
        if let Some(row) = memory.rows.first_mut() {
            row.status = v1::Status::Open.into();
            row.handler = v1::Handler::Agent.into();
            row.assignee = Some("u-1".to_owned());
            row.assignee_name = "agent1".to_owned();
        }
        let conversation = Some(memory.row());
        Ok(Response::new(v1::ClaimConversationResponse { conversation }))
    }

    async fn post_message(
        &self,
        request: Request<v1::PostMessageRequest>,
    ) -> Result<Response<v1::PostMessageResponse>, Status> {
        let request = request.into_inner();
        let mut memory = self.memory();
        memory.posted.push(request.client_id.clone());
        let known = memory.messages.iter().find(|known| known.client_id == request.client_id);
        let message = match known.cloned() {
            Some(message) => message,
            None => memory.add(v1::SenderType::Agent, &request.content, &request.client_id),
        };
        if memory.answers_to_lose > 0 {
            memory.answers_to_lose -= 1;
            memory.stream = None;
            return Err(Status::unavailable("the answer was lost"));
        }
        let conversation = Some(memory.row());
        Ok(Response::new(v1::PostMessageResponse { message: Some(message), conversation }))
    }

    unasked! {
        start_conversation(StartConversationRequest) -> StartConversationResponse;
        get_conversation(GetConversationRequest) -> GetConversationResponse;
        add_note(AddNoteRequest) -> AddNoteResponse;
        release_conversation(ReleaseConversationRequest) -> ReleaseConversationResponse;
        hand_back_conversation(HandBackConversationRequest) -> HandBackConversationResponse;
        escalate_conversation(EscalateConversationRequest) -> EscalateConversationResponse;
        resolve_conversation(ResolveConversationRequest) -> ResolveConversationResponse;
        reopen_conversation(ReopenConversationRequest) -> ReopenConversationResponse;
        transfer_conversation(TransferConversationRequest) -> TransferConversationResponse;
        tag_conversation(TagConversationRequest) -> TagConversationResponse;
        set_priority(SetPriorityRequest) -> SetPriorityResponse;
        flag_message(FlagMessageRequest) -> FlagMessageResponse;
        retract_message(RetractMessageRequest) -> RetractMessageResponse;
        mark_read(MarkReadRequest) -> MarkReadResponse;
        set_typing(SetTypingRequest) -> SetTypingResponse;
    }
}
