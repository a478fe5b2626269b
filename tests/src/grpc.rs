//! gRPC as staff and keys speak it: the generated clients with a bearer token, the few calls most tests need, and
//! the live stream.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use fusionchat_proto::{problem, v1};
use serde_json::{Value, json};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};

use v1::article_service_client::ArticleServiceClient;
use v1::conversation_service_client::ConversationServiceClient;
use v1::escalation_service_client::EscalationServiceClient;
use v1::inbox_service_client::InboxServiceClient;
use v1::key_service_client::KeyServiceClient;
use v1::organization_service_client::OrganizationServiceClient;
use v1::server_service_client::ServerServiceClient;
use v1::session_service_client::SessionServiceClient;
use v1::user_service_client::UserServiceClient;
use v1::watch_service_client::WatchServiceClient;

/// The channel every client speaks through.
pub type Line = InterceptedService<Channel, Bearer>;

/// Puts the token on every request.
#[derive(Clone)]
pub struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// A new `client_id`: 128 random bits as 32 hex digits.
pub fn client_id() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The stable code of a failed call.
pub fn code_of(status: &Status) -> String {
    problem(status).map_or_else(|| format!("no problem in {status:?}"), |problem| problem.code)
}

/// A connection with one credential. Clones share it.
#[derive(Clone)]
pub struct Staff {
    line: Line,
}

impl Staff {
    /// Connects to the gRPC door.
    pub async fn connect(endpoint: &str, token: &str) -> Result<Self> {
        let channel = Endpoint::from_shared(endpoint.to_owned())?
            .connect()
            .await
            .with_context(|| format!("connecting to {endpoint}"))?;
        let token = format!("Bearer {token}").parse()?;
        Ok(Self { line: InterceptedService::new(channel, Bearer(token)) })
    }

    /// Sets a password with a one-time code, and gets the token of the session that begins.
    pub async fn accept(endpoint: &str, code: &str, password: &str) -> Result<String> {
        let channel = Endpoint::from_shared(endpoint.to_owned())?.connect().await?;
        let (code, password) = (code.to_owned(), password.to_owned());
        let request = v1::AcceptInviteRequest { code, password };
        let answer = SessionServiceClient::new(channel).accept_invite(request).await?;
        Ok(answer.into_inner().token)
    }

    /// The channel, for calls by a method's name.
    pub fn line(&self) -> Line {
        self.line.clone()
    }

    /// Articles.
    pub fn articles(&self) -> ArticleServiceClient<Line> {
        ArticleServiceClient::new(self.line())
    }

    /// Conversations.
    pub fn conversations(&self) -> ConversationServiceClient<Line> {
        ConversationServiceClient::new(self.line())
    }

    /// The live queue.
    pub fn escalations(&self) -> EscalationServiceClient<Line> {
        EscalationServiceClient::new(self.line())
    }

    /// Inboxes.
    pub fn inboxes(&self) -> InboxServiceClient<Line> {
        InboxServiceClient::new(self.line())
    }

    /// API keys.
    pub fn keys(&self) -> KeyServiceClient<Line> {
        KeyServiceClient::new(self.line())
    }

    /// Organizations.
    pub fn organizations(&self) -> OrganizationServiceClient<Line> {
        OrganizationServiceClient::new(self.line())
    }

    /// The daemon itself.
    pub fn server(&self) -> ServerServiceClient<Line> {
        ServerServiceClient::new(self.line())
    }

    /// Sign-ins.
    pub fn sessions(&self) -> SessionServiceClient<Line> {
        SessionServiceClient::new(self.line())
    }

    /// Users.
    pub fn users(&self) -> UserServiceClient<Line> {
        UserServiceClient::new(self.line())
    }

    /// Starts the live stream and waits until it is live.
    pub async fn watch(&self, after: Option<v1::Cursor>, conversation: &str) -> Result<Watch> {
        let request = v1::WatchRequest { after, conversation: conversation.to_owned() };
        let stream = WatchServiceClient::new(self.line()).watch(request).await?.into_inner();
        let mut watch = Watch { stream, prev: 0, head: v1::Cursor::default() };
        let first = watch.frame().await?;
        let v1::watch_response::Frame::Ready(ready) = first else {
            bail!("the first frame was {first:?}");
        };
        watch.head = ready.head.context("a ready frame has a head")?;
        Ok(watch)
    }

    /// The live stream from a cursor on, whatever its first frame is.
    pub async fn watch_from(&self, after: v1::Cursor) -> Result<Watch> {
        let request = v1::WatchRequest { after: Some(after), conversation: String::new() };
        let stream = WatchServiceClient::new(self.line()).watch(request).await?.into_inner();
        Ok(Watch { stream, prev: 0, head: v1::Cursor::default() })
    }

    /// An inbox by name or id.
    pub async fn inbox(&self, inbox: &str) -> Result<v1::Inbox> {
        let request = v1::GetInboxRequest { inbox: inbox.to_owned() };
        let answer = self.inboxes().get_inbox(request).await?.into_inner();
        answer.inbox.context("an inbox")
    }

    /// A conversation by number or id.
    pub async fn conversation(&self, conversation: &str) -> Result<v1::Conversation> {
        let request = v1::GetConversationRequest { conversation: conversation.to_owned() };
        let answer = self.conversations().get_conversation(request).await?.into_inner();
        answer.conversation.context("a conversation")
    }

    /// Every message of a conversation, page by page, by seq from 1.
    pub async fn all_messages(&self, conversation: &str) -> Result<Vec<v1::Message>> {
        let mut all: Vec<v1::Message> = vec![];
        loop {
            let request = v1::ListMessagesRequest {
                conversation: conversation.to_owned(),
                after_seq: all.len() as u64,
                limit: 200,
                last: false,
            };
            let page = self.conversations().list_messages(request).await?.into_inner();
            all.extend(page.messages);
            if !page.more {
                return Ok(all);
            }
        }
    }

    /// A conversation's first 200 messages and its notes.
    pub async fn messages(&self, conversation: &str) -> Result<(Vec<v1::Message>, Vec<v1::Note>)> {
        let conversation = conversation.to_owned();
        let request =
            v1::ListMessagesRequest { conversation, after_seq: 0, limit: 200, last: false };
        let answer = self.conversations().list_messages(request).await?.into_inner();
        Ok((answer.messages, answer.notes))
    }

    /// Claims a conversation.
    pub async fn claim(&self, conversation: &str, take: bool) -> Result<v1::Conversation, Status> {
        let conversation = conversation.to_owned();
        let request = v1::ClaimConversationRequest { client_id: client_id(), conversation, take };
        let answer = self.conversations().claim_conversation(request).await?.into_inner();
        answer.conversation.ok_or_else(|| Status::internal("no conversation in the answer"))
    }

    /// Replies to the visitor; the same `client_id` again is the same reply.
    pub async fn reply(
        &self,
        client_id: &str,
        conversation: &str,
        content: &str,
    ) -> Result<v1::Message, Status> {
        let request = v1::PostMessageRequest {
            client_id: client_id.to_owned(),
            conversation: conversation.to_owned(),
            content: content.to_owned(),
            sender_type: v1::SenderType::Unspecified.into(),
        };
        let answer = self.conversations().post_message(request).await?.into_inner();
        answer.message.ok_or_else(|| Status::internal("no message in the answer"))
    }

    /// Leaves a note.
    pub async fn add_note(&self, conversation: &str, content: &str) -> Result<v1::Note> {
        let request = v1::AddNoteRequest {
            client_id: client_id(),
            conversation: conversation.to_owned(),
            content: content.to_owned(),
        };
        let answer = self.conversations().add_note(request).await?.into_inner();
        answer.note.context("a note")
    }

    /// Resolves a conversation.
    pub async fn resolve(&self, conversation: &str) -> Result<v1::Conversation> {
        let request = v1::ResolveConversationRequest {
            client_id: client_id(),
            conversation: conversation.to_owned(),
            resolution: v1::Resolution::Agent.into(),
        };
        let answer = self.conversations().resolve_conversation(request).await?.into_inner();
        answer.conversation.context("a conversation")
    }

    /// The live queue, longest waiting first.
    pub async fn queue(&self) -> Result<Vec<v1::WaitingConversation>> {
        let request = v1::ListEscalationsRequest { limit: 200 };
        Ok(self.escalations().list_escalations(request).await?.into_inner().waiting)
    }
}

/// A live stream; it checks that no change is skipped.
pub struct Watch {
    stream: Streaming<v1::WatchResponse>,
    prev: u64,
    /// The journal's head when the stream went live.
    pub head: v1::Cursor,
}

impl Watch {
    /// The next frame that is no heartbeat.
    pub async fn frame(&mut self) -> Result<v1::watch_response::Frame> {
        loop {
            let response = self.stream.message().await?.context("the stream ended")?;
            let frame = response.frame.context("a frame that this test knows")?;
            if let v1::watch_response::Frame::Change(change) = &frame {
                if self.prev != 0 && change.prev != self.prev {
                    bail!("after position {} came {change:?}", self.prev);
                }
                self.prev = change.cursor.as_ref().map_or(0, |cursor| cursor.position);
            }
            if !matches!(frame, v1::watch_response::Frame::Heartbeat(_)) {
                return Ok(frame);
            }
        }
    }

    /// The next change that `wanted` accepts; others, and typing, are passed over.
    pub async fn change(&mut self, wanted: impl Fn(&v1::Change) -> bool) -> Result<v1::Change> {
        loop {
            if let v1::watch_response::Frame::Change(change) = self.frame().await?
                && wanted(&change)
            {
                return Ok(change);
            }
        }
    }

    /// The next typing signal.
    pub async fn typing(&mut self) -> Result<v1::Typing> {
        loop {
            if let v1::watch_response::Frame::Typing(typing) = self.frame().await? {
                return Ok(typing);
            }
        }
    }

    /// The next frame of an answer in the making, as the visitor's socket has it; others are passed over.
    pub async fn streamed(&mut self) -> Result<Value> {
        use v1::watch_response::Frame;
        loop {
            match self.frame().await? {
                Frame::Stream(v1::Stream { conversation_id, turn, n, text }) => {
                    return Ok(json!({ "type": "stream", "conversation": conversation_id,
                        "turn": turn, "n": n, "text": text }));
                }
                Frame::Committed(v1::Committed { conversation_id, turn, seq }) => {
                    return Ok(json!({ "type": "committed", "conversation": conversation_id,
                        "turn": turn, "seq": seq }));
                }
                Frame::Dropped(v1::Dropped { conversation_id, turn }) => {
                    return Ok(json!({ "type": "dropped", "conversation": conversation_id,
                        "turn": turn }));
                }
                Frame::Ready(_)
                | Frame::Change(_)
                | Frame::Typing(_)
                | Frame::Reset(_)
                | Frame::Heartbeat(_) => {}
            }
        }
    }
}
