//! The wall at the gRPC door, by raw bytes: what the daemon sends is what is compared.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use bytes::{Buf, BufMut};
use fusionchat_proto::v1;
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::grpc::{Line, client_id};
use fusionchat_tests::stage::{Stage, play};
use prost::Message;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Request, Status};

use crate::side::{Side, tenant};

/// A method that names something. The calls are made in this order, each with an own, a foreign and an absent id;
/// `own` is the caller's side, `named` the one whose ids are used.
struct Case {
    method: &'static str,
    names: &'static str,
    request: fn(own: &Side, named: &Side) -> Vec<u8>,
}

macro_rules! case {
    ($method:literal, $names:literal, $request:expr) => {
        Case { method: $method, names: $names, request: |own, named| $request(own, named) }
    };
}

/// A request whose fields are `client_id` and what is given.
macro_rules! body {
    ($message:ident { $($field:ident: $value:expr),* $(,)? }) => {
        v1::$message { $($field: $value),* }.encode_to_vec()
    };
}

const CASES: &[Case] = &[
    case!("ConversationService/GetConversation", "conversation", |_: &Side, named: &Side| {
        body!(GetConversationRequest { conversation: named.conversation.clone() })
    }),
    case!("ConversationService/ListConversations", "user", |_: &Side, named: &Side| {
        let assignee = named.user.clone();
        v1::ListConversationsRequest { assignee, ..Default::default() }.encode_to_vec()
    }),
    case!("ConversationService/ListMessages", "conversation", |_: &Side, named: &Side| {
        let conversation = named.conversation.clone();
        v1::ListMessagesRequest { conversation, ..Default::default() }.encode_to_vec()
    }),
    case!("ConversationService/StartConversation", "inbox", |_: &Side, named: &Side| {
        let (inbox, content) = (named.inbox.clone(), "Hello".to_owned());
        body!(StartConversationRequest {
            client_id: client_id(),
            inbox: inbox,
            content: content,
            test: false,
        })
    }),
    case!("ConversationService/AddNote", "conversation", |_: &Side, named: &Side| {
        let (conversation, content) = (named.conversation.clone(), "noted".to_owned());
        body!(AddNoteRequest {
            client_id: client_id(),
            conversation: conversation,
            content: content,
        })
    }),
    case!("ConversationService/MarkRead", "conversation", |_: &Side, named: &Side| {
        body!(MarkReadRequest { conversation: named.conversation.clone(), seq: 1 })
    }),
    case!("ConversationService/SetTyping", "conversation", |_: &Side, named: &Side| {
        body!(SetTypingRequest { conversation: named.conversation.clone(), note: false })
    }),
    case!("WatchService/Watch", "conversation", |_: &Side, named: &Side| {
        body!(WatchRequest { after: None, conversation: named.conversation.clone() })
    }),
    case!("ConversationService/EscalateConversation", "conversation", |_: &Side, named: &Side| {
        escalate(&named.conversation)
    }),
    case!("EscalationService/ReturnEscalation", "conversation", |_: &Side, named: &Side| {
        let conversation = named.conversation.clone();
        body!(ReturnEscalationRequest { client_id: client_id(), conversation: conversation })
    }),
    case!("ConversationService/EscalateConversation", "conversation", |_: &Side, named: &Side| {
        escalate(&named.conversation)
    }),
    case!("EscalationService/ResolveEscalation", "conversation", |_: &Side, named: &Side| {
        let conversation = named.conversation.clone();
        body!(ResolveEscalationRequest { client_id: client_id(), conversation: conversation })
    }),
    case!("ConversationService/ReopenConversation", "conversation", |_: &Side, named: &Side| {
        let conversation = named.conversation.clone();
        body!(ReopenConversationRequest { client_id: client_id(), conversation: conversation })
    }),
    case!(
        "ConversationService/TransferConversation",
        "conversation",
        |own: &Side, named: &Side| {
            let (conversation, to) = (named.conversation.clone(), own.user.clone());
            let client_id = client_id();
            v1::TransferConversationRequest { client_id, conversation, to, ..Default::default() }
                .encode_to_vec()
        }
    ),
    case!("ConversationService/TagConversation", "conversation", |_: &Side, named: &Side| {
        let (conversation, add) = (named.conversation.clone(), vec!["refund".to_owned()]);
        let client_id = client_id();
        v1::TagConversationRequest { client_id, conversation, add, ..Default::default() }
            .encode_to_vec()
    }),
    case!("ConversationService/SetPriority", "conversation", |_: &Side, named: &Side| {
        let conversation = named.conversation.clone();
        body!(SetPriorityRequest {
            client_id: client_id(),
            conversation: conversation,
            priority: v1::Priority::High.into(),
        })
    }),
    case!("ConversationService/FlagMessage", "conversation", |_: &Side, named: &Side| {
        let (conversation, reason) = (named.conversation.clone(), "wrong".to_owned());
        body!(FlagMessageRequest {
            client_id: client_id(),
            conversation: conversation,
            seq: 1,
            reason: reason,
        })
    }),
    case!("ConversationService/RetractMessage", "conversation", |_: &Side, named: &Side| {
        let conversation = named.conversation.clone();
        body!(RetractMessageRequest { client_id: client_id(), conversation: conversation, seq: 1 })
    }),
    case!("AuditService/ListEntries", "filter", |_: &Side, named: &Side| {
        let conversation = named.conversation.clone();
        v1::ListEntriesRequest { conversation, ..Default::default() }.encode_to_vec()
    }),
    case!("AuditService/ListEntries", "user", |_: &Side, named: &Side| {
        v1::ListEntriesRequest { actor: named.user.clone(), ..Default::default() }.encode_to_vec()
    }),
    case!("EscalationService/AssignEscalation", "conversation", |own: &Side, named: &Side| {
        assign(&named.conversation, &own.user)
    }),
    case!("EscalationService/AssignEscalation", "user", |own: &Side, named: &Side| {
        assign(&own.conversation, &named.user)
    }),
    case!("ConversationService/PostMessage", "conversation", |_: &Side, named: &Side| {
        let (conversation, content) = (named.conversation.clone(), "Here".to_owned());
        body!(PostMessageRequest {
            client_id: client_id(),
            conversation: conversation,
            content: content,
            sender_type: v1::SenderType::Agent.into(),
        })
    }),
    case!("ConversationService/ReleaseConversation", "conversation", |_: &Side, named: &Side| {
        let conversation = named.conversation.clone();
        body!(ReleaseConversationRequest { client_id: client_id(), conversation: conversation })
    }),
    case!("ConversationService/ClaimConversation", "conversation", |_: &Side, named: &Side| {
        let conversation = named.conversation.clone();
        body!(ClaimConversationRequest {
            client_id: client_id(),
            conversation: conversation,
            take: false,
        })
    }),
    case!("ConversationService/HandBackConversation", "conversation", |_: &Side, named: &Side| {
        let conversation = named.conversation.clone();
        body!(HandBackConversationRequest { client_id: client_id(), conversation: conversation })
    }),
    case!("ConversationService/ResolveConversation", "conversation", |_: &Side, named: &Side| {
        let conversation = named.conversation.clone();
        body!(ResolveConversationRequest {
            client_id: client_id(),
            conversation: conversation,
            resolution: v1::Resolution::Agent.into(),
        })
    }),
    case!("ConversationService/ReopenConversation", "conversation", |_: &Side, named: &Side| {
        let conversation = named.conversation.clone();
        body!(ReopenConversationRequest { client_id: client_id(), conversation: conversation })
    }),
    case!("InboxService/GetInbox", "inbox", |_: &Side, named: &Side| {
        body!(GetInboxRequest { inbox: named.inbox.clone() })
    }),
    case!("InboxService/EditInbox", "inbox", |_: &Side, named: &Side| {
        let (inbox, locale) = (named.inbox.clone(), Some("en".to_owned()));
        v1::EditInboxRequest { client_id: client_id(), inbox, locale, ..Default::default() }
            .encode_to_vec()
    }),
    case!("InboxService/EditInbox", "member", |own: &Side, named: &Side| {
        let (inbox, add_members) = (own.inbox.clone(), vec![named.user.clone()]);
        v1::EditInboxRequest { client_id: client_id(), inbox, add_members, ..Default::default() }
            .encode_to_vec()
    }),
    case!("InboxService/TestInbox", "inbox", |own: &Side, named: &Side| {
        body!(TestInboxRequest { inbox: named.inbox.clone(), url: own.origin.clone() })
    }),
    case!("ArticleService/SearchArticles", "inbox", |_: &Side, named: &Side| {
        let (query, inbox) = ("rope".to_owned(), named.inbox.clone());
        v1::SearchArticlesRequest { query, inbox, limit: 5, ..Default::default() }.encode_to_vec()
    }),
    case!("ArticleService/GetArticle", "article", |_: &Side, named: &Side| {
        body!(GetArticleRequest { article_id: named.article.clone() })
    }),
    case!("ArticleService/EditArticle", "article", |_: &Side, named: &Side| {
        let (article_id, locale) = (named.article.clone(), Some("en".to_owned()));
        v1::EditArticleRequest { client_id: client_id(), article_id, locale, ..Default::default() }
            .encode_to_vec()
    }),
    case!("ArticleService/EditArticle", "inbox", |own: &Side, named: &Side| {
        let inboxes = Some(v1::Texts { values: vec![named.inbox.clone()] });
        let article_id = own.article.clone();
        v1::EditArticleRequest { client_id: client_id(), article_id, inboxes, ..Default::default() }
            .encode_to_vec()
    }),
    case!("ArticleService/DeleteArticle", "article", |_: &Side, named: &Side| {
        body!(DeleteArticleRequest { client_id: client_id(), article_id: named.article.clone() })
    }),
    case!("KeyService/RevokeKey", "key", |_: &Side, named: &Side| {
        body!(RevokeKeyRequest { client_id: client_id(), key_id: named.key.clone() })
    }),
    case!("UserService/GetUser", "user by id", |_: &Side, named: &Side| {
        body!(GetUserRequest { user: named.user.clone() })
    }),
    case!("UserService/EditUser", "user by id", |_: &Side, named: &Side| {
        let user = named.user.clone();
        v1::EditUserRequest { client_id: client_id(), user, ..Default::default() }.encode_to_vec()
    }),
    case!("UserService/ResetUser", "user by id", |_: &Side, named: &Side| {
        body!(ResetUserRequest { client_id: client_id(), user: named.colleague.clone() })
    }),
    case!("UserService/DisableUser", "colleague", |_: &Side, named: &Side| {
        let user = named.colleague.clone();
        body!(DisableUserRequest { client_id: client_id(), user: user })
    }),
    case!("UserService/EnableUser", "user by id", |_: &Side, named: &Side| {
        body!(EnableUserRequest { client_id: client_id(), user: named.colleague.clone() })
    }),
    case!("SessionService/EndSession", "session", |_: &Side, named: &Side| {
        body!(EndSessionRequest { client_id: client_id(), session_id: named.session.clone() })
    }),
    case!("SessionService/CreateSession", "organization", |own: &Side, named: &Side| {
        let ((email, password), organization) = (own.sign_in(), named.organization.clone());
        body!(CreateSessionRequest {
            email: email,
            password: password.to_owned(),
            organization: organization,
        })
    }),
];

/// Methods that name nothing of anybody: whatever they answer must hold nothing of another organization.
const NAMES_NOTHING: [&str; 18] = [
    "ArticleService/ListArticles",
    "ArticleService/PutArticle",
    "EscalationService/ListEscalations",
    "InboxService/CreateInbox",
    "InboxService/ListInboxes",
    "KeyService/CreateKey",
    "KeyService/ListKeys",
    "OrganizationService/CreateOrganization",
    "OrganizationService/ListOrganizations",
    "ServerService/GetServerStatus",
    "ServerService/GetServerStore",
    "SessionService/AcceptInvite",
    "SessionService/GetSession",
    "SessionService/ListSessions",
    "UserService/CreateUser",
    "UserService/InviteUser",
    "UserService/ListUsers",
    "VisitorService/ListVisitors",
];

/// Refused with an own id too, for another reason: to oneself, and of a visitor's message.
const REFUSED: [&str; 3] = [
    "ConversationService/TransferConversation",
    "ConversationService/FlagMessage",
    "ConversationService/RetractMessage",
];

/// Hold what everybody has: for the operator, and refused to every organization.
const HOLDS_EVERYTHING: [&str; 1] = ["ServerService/CreateBackup"];

/// Names the caller alone.
const NAMES_THE_CALLER: [&str; 1] = ["UserService/SetAvailability"];

fn escalate(conversation: &str) -> Vec<u8> {
    let (conversation, reason) = (conversation.to_owned(), "a test".to_owned());
    body!(EscalateConversationRequest {
        client_id: client_id(),
        conversation: conversation,
        reason: reason,
    })
}

fn assign(conversation: &str, to: &str) -> Vec<u8> {
    let (conversation, to) = (conversation.to_owned(), to.to_owned());
    body!(AssignEscalationRequest {
        client_id: client_id(),
        conversation: conversation,
        to: to,
        take: true,
    })
}

/// Bytes as they are.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut item = vec![0; from.remaining()];
        from.copy_to_slice(&mut item);
        Ok(Some(item))
    }
}

/// The first answer of a method, whether it streams or not.
async fn call(line: Line, method: &str, request: Vec<u8>) -> Result<Result<Vec<u8>, Status>> {
    let path = PathAndQuery::try_from(format!("/fusionchat.v1.{method}"))?;
    let mut client = tonic::client::Grpc::new(line);
    client.ready().await?;
    let answer = client.server_streaming(Request::new(request), path, Raw).await;
    let mut stream = match answer {
        Ok(response) => response.into_inner(),
        Err(status) => return Ok(Err(status)),
    };
    Ok(match stream.message().await {
        Ok(message) => Ok(message.context("an answer")?),
        Err(status) => Err(status),
    })
}

/// Everything of a refusal that goes over the wire.
fn bytes_of(status: &Status) -> (i32, String, Vec<u8>) {
    (status.code().into(), status.message().to_owned(), status.details().to_vec())
}

fn methods() -> Result<BTreeSet<String>> {
    let set = prost_types::FileDescriptorSet::decode(fusionchat_proto::DESCRIPTOR_SET)?;
    let services = set.file.iter().flat_map(|file| &file.service);
    let names = services.flat_map(|service| {
        service.method.iter().map(move |method| format!("{}/{}", service.name(), method.name()))
    });
    Ok(names.collect())
}

#[test]
fn every_method_is_in_a_table() -> Result<()> {
    let tables = CASES.iter().map(|case| case.method).chain(NAMES_NOTHING);
    let tables = tables.chain(HOLDS_EVERYTHING).chain(NAMES_THE_CALLER);
    let known: BTreeSet<String> = tables.map(str::to_owned).collect();
    assert_eq!(methods()?, known);
    Ok(())
}

#[test]
fn fault_85_foreign_and_absent_are_the_same_bytes_by_grpc() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let own = tenant(&daemon, "own").await?;
        let other = tenant(&daemon, "other").await?;
        let absent = Side::absent(&own.side);
        for Case { method, names, request } in CASES {
            let what = format!("{method} by {names}");
            stage.note(&what);
            let foreign = call(own.key.line(), method, request(&own.side, &other.side)).await?;
            let nobody = call(own.key.line(), method, request(&own.side, &absent)).await?;
            match (&foreign, &nobody) {
                (Ok(foreign), Ok(nobody)) => {
                    ensure!(foreign == nobody, "{what}: {foreign:?} and {nobody:?}");
                    let filters = matches!(*names, "user" | "filter");
                    ensure!(filters, "{what}: a foreign id was taken");
                }
                (Err(foreign), Err(nobody)) => {
                    let (foreign, nobody) = (bytes_of(foreign), bytes_of(nobody));
                    ensure!(foreign == nobody, "{what}: {foreign:?} and {nobody:?}");
                }
                (foreign, nobody) => anyhow::bail!("{what}: {foreign:?} and {nobody:?}"),
            }
            let ours = call(own.key.line(), method, request(&own.side, &own.side)).await?;
            let found = |status: &Status| status.code() != tonic::Code::NotFound;
            let known = REFUSED.contains(method) && ours.as_ref().err().is_some_and(found);
            ensure!(ours.is_ok() || known, "{what}: an own id is refused: {ours:?}");
        }
        Ok(())
    });
}

#[test]
fn fault_87_lists_hold_nothing_of_another_organization() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let own = tenant(&daemon, "own").await?;
        let other = tenant(&daemon, "other").await?;
        for method in NAMES_NOTHING {
            let answer = call(own.key.line(), method, vec![]).await?;
            let bytes = match answer {
                Ok(bytes) => bytes,
                Err(status) => bytes_of(&status).2,
            };
            let text = String::from_utf8_lossy(&bytes);
            for id in other.side.ids() {
                ensure!(!text.contains(id), "{method} tells {id}: {text}");
            }
        }
        for method in HOLDS_EVERYTHING {
            let refused = call(own.key.line(), method, vec![]).await?.err();
            let code = refused.as_ref().map(Status::code);
            ensure!(code == Some(tonic::Code::PermissionDenied), "{method}: {refused:?}");
        }
        Ok(())
    });
}
