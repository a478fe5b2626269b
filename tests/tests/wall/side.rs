//! The two organizations of the wall and what each has; and a third that does not exist.

use anyhow::{Context, Result};
use fusionchat_proto::v1;
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::grpc::{Staff, client_id};
use serde_json::json;

const PASSWORD: &str = "correct horse battery";

/// What an organization has, by name or id.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub(crate) organization: String,
    pub(crate) origin: String,
    pub(crate) inbox: String,
    pub(crate) conversation: String,
    pub(crate) article: String,
    pub(crate) key: String,
    pub(crate) session: String,
    pub(crate) user: String,
    /// An agent who was invited.
    pub(crate) colleague: String,
    /// A visitor's token, and the conversation that visitor has.
    pub(crate) visitor: String,
    pub(crate) visitor_conversation: String,
}

/// An organization with its ways in.
pub(crate) struct Tenant {
    pub(crate) side: Side,
    pub(crate) key: Staff,
    pub(crate) key_secret: String,
}

impl Side {
    /// Ids in the right form that belong to nobody.
    pub(crate) fn absent(like: &Self) -> Self {
        let id = |number: u32| format!("019b2f6e-8c1f-7e21-9a3c-{number:012}");
        Self {
            organization: "nobody".to_owned(),
            origin: like.origin.clone(),
            inbox: id(1),
            conversation: id(2),
            article: id(3),
            key: id(4),
            session: id(5),
            user: id(6),
            colleague: id(8),
            visitor: String::new(),
            visitor_conversation: id(7),
        }
    }

    /// Every id, to look for in answers that must not have them.
    pub(crate) fn ids(&self) -> [&str; 8] {
        [
            &self.inbox,
            &self.conversation,
            &self.article,
            &self.key,
            &self.session,
            &self.user,
            &self.colleague,
            &self.visitor_conversation,
        ]
    }

    /// The e-mail and password of its admin.
    pub(crate) fn sign_in(&self) -> (String, &'static str) {
        (email(&self.organization), PASSWORD)
    }
}

fn email(organization: &str) -> String {
    format!("admin@{organization}.example")
}

fn rope() -> v1::PutArticleRequest {
    v1::PutArticleRequest {
        client_id: client_id(),
        source_path: "rope.md".to_owned(),
        title: "Rope".to_owned(),
        body: "The rope is twelve metres long.".to_owned(),
        locale: "en".to_owned(),
        status: v1::ArticleStatus::Published.into(),
        inboxes: None,
    }
}

/// Makes an organization with one of everything.
pub(crate) async fn tenant(daemon: &Daemon, name: &str) -> Result<Tenant> {
    let origin = format!("https://{name}.example");
    let request = v1::CreateOrganizationRequest {
        client_id: client_id(),
        name: name.to_owned(),
        admin_email: email(name),
        admin_password: PASSWORD.to_owned(),
        inbox_name: "web".to_owned(),
        origins: vec![origin.clone()],
        invite_admin: false,
    };
    let operator = daemon.staff("operator").await?;
    let made = operator.organizations().create_organization(request).await?.into_inner();
    let key = daemon.staff_with(&made.admin_key).await?;
    let inbox = made.inbox.context("an inbox")?.id;
    let request = v1::StartConversationRequest {
        client_id: client_id(),
        inbox: inbox.clone(),
        content: "Is anybody there?".to_owned(),
        test: false,
    };
    let begun = key.conversations().start_conversation(request).await?.into_inner();
    let article = key.articles().put_article(rope()).await?.into_inner().article;
    let request = v1::CreateKeyRequest {
        client_id: client_id(),
        name: "spare".to_owned(),
        scopes: vec!["conversation:read".to_owned()],
        ttl_ms: None,
    };
    let spare = key.keys().create_key(request).await?.into_inner().key;
    let request = v1::InviteUserRequest {
        client_id: client_id(),
        email: format!("agent@{name}.example"),
        name: String::new(),
        role: v1::Role::Agent.into(),
    };
    let colleague = key.users().invite_user(request).await?.into_inner().user;
    let open = daemon.rest_with(None)?;
    let body = json!({ "email": email(name), "password": PASSWORD, "organization": name });
    open.post("/api/auth/session", &body).await?.expect(201)?;
    let request = v1::ListSessionsRequest {};
    let sessions = key.sessions().list_sessions(request).await?.into_inner().sessions;
    let body = json!({ "inbox": inbox, "origin": origin });
    let visitor = open.post("/api/visitor/session", &body).await?.expect(201)?;
    let token = visitor["token"].as_str().context("a token")?.to_owned();
    let body = json!({ "clientId": client_id(), "inbox": inbox, "content": "hi" });
    let own = open.with(&token).post("/api/conversations", &body).await?.expect(201)?;
    let side = Side {
        organization: name.to_owned(),
        origin,
        inbox,
        conversation: begun.conversation.context("a conversation")?.id,
        article: article.context("an article")?.id,
        key: spare.context("a key")?.id,
        session: sessions.first().context("a session")?.id.clone(),
        colleague: colleague.context("a user")?.id,
        user: made.admin.context("an admin")?.id,
        visitor: token,
        visitor_conversation: own["conversation"]["id"].as_str().context("an id")?.to_owned(),
    };
    Ok(Tenant { side, key, key_secret: made.admin_key })
}
