//! gRPC with one credential: the generated clients over a line that connects again by itself.

use std::time::Duration;

use anyhow::{Result, bail};
use fusionchat_proto::{problem, v1};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use v1::article_service_client::ArticleServiceClient;
use v1::conversation_service_client::ConversationServiceClient;
use v1::escalation_service_client::EscalationServiceClient;
use v1::inbox_service_client::InboxServiceClient;
use v1::organization_service_client::OrganizationServiceClient;
use v1::server_service_client::ServerServiceClient;
use v1::session_service_client::SessionServiceClient;
use v1::user_service_client::UserServiceClient;
use v1::watch_service_client::WatchServiceClient;

/// How long an answer may take, or the beginning of a stream; what comes on a stream is whoever reads it to bound.
const ANSWER_MAX: Duration = Duration::from_secs(120);

/// The channel every client speaks through.
pub(crate) type Line = InterceptedService<Channel, Bearer>;

/// Puts the token on every request.
#[derive(Clone)]
pub(crate) struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// A line with one credential, or none. Clones share it.
#[derive(Clone)]
pub(crate) struct Staff {
    channel: Channel,
    line: Line,
}

impl Staff {
    /// A line that connects when it is first used.
    pub(crate) fn new(endpoint: &str, token: Option<&str>) -> Result<Self> {
        let endpoint = Endpoint::from_shared(endpoint.to_owned())?.tcp_nodelay(true);
        Self::over(endpoint.timeout(ANSWER_MAX).connect_lazy(), token)
    }

    /// Somebody else on the same connection.
    pub(crate) fn with_token(&self, token: &str) -> Result<Self> {
        Self::over(self.channel.clone(), Some(token))
    }

    fn over(channel: Channel, token: Option<&str>) -> Result<Self> {
        let token = token.map(|token| format!("Bearer {token}").parse()).transpose()?;
        Ok(Self { line: InterceptedService::new(channel.clone(), Bearer(token)), channel })
    }

    /// Escalations.
    pub(crate) fn escalations(&self) -> EscalationServiceClient<Line> {
        EscalationServiceClient::new(self.line.clone())
    }

    /// Articles.
    pub(crate) fn articles(&self) -> ArticleServiceClient<Line> {
        ArticleServiceClient::new(self.line.clone())
    }

    /// Conversations.
    pub(crate) fn conversations(&self) -> ConversationServiceClient<Line> {
        ConversationServiceClient::new(self.line.clone())
    }

    /// Inboxes.
    pub(crate) fn inboxes(&self) -> InboxServiceClient<Line> {
        InboxServiceClient::new(self.line.clone())
    }

    /// Organizations.
    pub(crate) fn organizations(&self) -> OrganizationServiceClient<Line> {
        OrganizationServiceClient::new(self.line.clone())
    }

    /// The daemon itself.
    pub(crate) fn server(&self) -> ServerServiceClient<Line> {
        ServerServiceClient::new(self.line.clone())
    }

    /// Sign-ins.
    pub(crate) fn sessions(&self) -> SessionServiceClient<Line> {
        SessionServiceClient::new(self.line.clone())
    }

    /// Users.
    pub(crate) fn users(&self) -> UserServiceClient<Line> {
        UserServiceClient::new(self.line.clone())
    }

    /// The live stream.
    pub(crate) fn watch(&self) -> WatchServiceClient<Line> {
        WatchServiceClient::new(self.line.clone())
    }
}

/// Whether the same call may go through later: the daemon was away, or said so itself.
pub(crate) fn passes(status: &Status) -> Result<()> {
    match problem(status) {
        None => Ok(()),
        Some(_) if matches!(status.code(), Code::Unavailable | Code::ResourceExhausted) => Ok(()),
        Some(problem) => bail!("{}: {}", problem.code, problem.message),
    }
}
