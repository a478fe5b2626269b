//! A door on a free port of the loopback over a store in memory, with one organization, for the
//! tests beside it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use fusionchat_proto::v1;
use fusionchat_proto::v1::conversation_service_client::ConversationServiceClient;
use fusionchat_proto::v1::escalation_service_client::EscalationServiceClient;
use fusionchat_proto::v1::inbox_service_client::InboxServiceClient;
use fusionchat_proto::v1::key_service_client::KeyServiceClient;
use fusionchat_proto::v1::organization_service_client::OrganizationServiceClient;
use fusionchat_proto::v1::server_service_client::ServerServiceClient;
use fusionchat_proto::v1::session_service_client::SessionServiceClient;
use fusionchat_proto::v1::user_service_client::UserServiceClient;
use fusionchat_proto::v1::watch_service_client::WatchServiceClient;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use uuid::Uuid;

use crate::domain::actor::{Actor, Grants, Who};
use crate::domain::id::SessionId;
use crate::domain::timer::Delays;
use crate::service::key::CreateKey;
use crate::service::limit::Limits;
use crate::service::proxy::Proxies;
use crate::service::{Service, Settings};
use crate::store::open::{OpenOptions, open};

use super::{Timing, serve};

/// Fails a test that waits for what does not come.
const WATCHDOG: Duration = Duration::from_secs(60);
const STARTED_AT: i64 = 1_790_000_000_000;

/// What every test waits through.
pub(super) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(WATCHDOG, future).await.expect("watchdog: nothing came")
}

/// The code of a failure's problem.
pub(super) fn code(status: &Status) -> String {
    fusionchat_proto::problem(status).expect("a problem in the details").code
}

/// A client id nobody has used.
pub(super) fn client_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{:032x}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Sends a token with every call.
#[derive(Clone)]
pub(super) struct Bearer(Option<MetadataValue<Ascii>>);

impl Bearer {
    /// A token; none if it is empty.
    pub(super) fn of(token: &str) -> Self {
        Self((!token.is_empty()).then(|| format!("Bearer {token}").parse().expect("ASCII")))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

pub(super) type Signed = InterceptedService<Channel, Bearer>;

/// An organization somebody runs.
pub(super) struct Founded {
    pub(super) admin_key: String,
    pub(super) admin: v1::User,
}

/// A running door.
pub(super) struct Desk {
    pub(super) service: Arc<Service>,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) channel: Channel,
    pub(super) operator: String,
    pub(super) acme: Founded,
    clock: Arc<AtomicI64>,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Desk {
    pub(super) async fn open() -> Self {
        Self::open_with(Timing::default()).await
    }

    pub(super) async fn open_with(timing: Timing) -> Self {
        let engine = open("memory:", &OpenOptions::default()).await.expect("store");
        let settings = Settings {
            delays: Delays { assistant_ms: 10_000, ..Delays::default() },
            mark_interval_ms: 1,
            public_url: "http://chat.test".to_owned(),
            limits: Limits::default(),
            proxies: Proxies::default(),
        };
        let clock = Arc::new(AtomicI64::new(STARTED_AT));
        let reads = Arc::clone(&clock);
        let now = Arc::new(move || reads.load(Ordering::Relaxed));
        let tasks = TaskTracker::new();
        let service = Service::open(engine, settings, now, tasks.clone()).await.expect("service");
        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
        let address = listener.local_addr().expect("address");
        let door = serve(listener, None, Arc::clone(&service), stop.clone(), tasks.clone(), timing);
        tasks.spawn(async move { door.await.expect("door") });
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("endpoint");
        let channel = within(endpoint.connect()).await.expect("connection");
        let operator = service.create_operator_key().await.expect("operator");
        let acme = found(&channel, &operator, "acme", "").await;
        Self { service, stop, tasks, channel, operator, acme, clock }
    }

    /// A further organization.
    pub(super) async fn found(&self, name: &str, password: &str) -> Founded {
        found(&self.channel, &self.operator, name, password).await
    }

    pub(super) fn later(&self, ms: i64) {
        self.clock.fetch_add(ms, Ordering::Relaxed);
    }

    fn signed(&self, token: &str) -> Signed {
        signed(&self.channel, token)
    }

    pub(super) fn conversations(&self, token: &str) -> ConversationServiceClient<Signed> {
        ConversationServiceClient::new(self.signed(token))
    }

    pub(super) fn escalations(&self, token: &str) -> EscalationServiceClient<Signed> {
        EscalationServiceClient::new(self.signed(token))
    }

    pub(super) fn inboxes(&self, token: &str) -> InboxServiceClient<Signed> {
        InboxServiceClient::new(self.signed(token))
    }

    pub(super) fn keys(&self, token: &str) -> KeyServiceClient<Signed> {
        KeyServiceClient::new(self.signed(token))
    }

    pub(super) fn servers(&self, token: &str) -> ServerServiceClient<Signed> {
        ServerServiceClient::new(self.signed(token))
    }

    pub(super) fn sessions(&self, token: &str) -> SessionServiceClient<Signed> {
        SessionServiceClient::new(self.signed(token))
    }

    pub(super) fn users(&self, token: &str) -> UserServiceClient<Signed> {
        UserServiceClient::new(self.signed(token))
    }

    pub(super) fn watching(&self, token: &str) -> WatchServiceClient<Signed> {
        WatchServiceClient::new(self.signed(token))
    }

    /// A new visitor's first message, sent by a key for them.
    pub(super) async fn start(&self, token: &str, content: &str) -> v1::Conversation {
        let request = v1::StartConversationRequest {
            client_id: client_id(),
            inbox: "web".to_owned(),
            content: content.to_owned(),
            test: false,
        };
        let started = within(self.conversations(token).start_conversation(request)).await;
        started.expect("start").into_inner().conversation.expect("conversation")
    }

    /// A member of staff of the first organization, and a key of theirs that lives for `ttl_ms`.
    pub(super) async fn agent(
        &self,
        name: &str,
        ttl_ms: Option<i64>,
    ) -> (v1::User, v1::Key, String) {
        let request = v1::CreateUserRequest {
            client_id: client_id(),
            email: format!("{name}@acme.test"),
            name: name.to_owned(),
            role: v1::Role::Agent.into(),
            password: String::new(),
        };
        let created = within(self.users(&self.acme.admin_key).create_user(request)).await;
        let user = created.expect("user").into_inner().user.expect("user");
        let owner = Actor {
            organization: user.organization_id.parse().expect("id"),
            who: Who::Agent { user: user.id.parse().expect("id"), session: SessionId(Uuid::nil()) },
            grants: Grants::Internal,
        };
        let new = CreateKey { name: name.to_owned(), scopes: vec!["*".to_owned()], ttl_ms };
        let (key, secret) = self.service.create_key(&owner, None, new).await.expect("key");
        (user, super::wire::key(&key), secret.expect("secret"))
    }
}

fn signed(channel: &Channel, token: &str) -> Signed {
    let bearer = (!token.is_empty()).then(|| format!("Bearer {token}").parse().expect("token"));
    InterceptedService::new(channel.clone(), Bearer(bearer))
}

async fn found(channel: &Channel, operator: &str, name: &str, password: &str) -> Founded {
    let mut organizations = OrganizationServiceClient::new(signed(channel, operator));
    let request = v1::CreateOrganizationRequest {
        client_id: client_id(),
        name: name.to_owned(),
        admin_email: format!("admin@{name}.test"),
        admin_password: password.to_owned(),
        inbox_name: String::new(),
        origins: vec![format!("https://{name}.test")],
        invite_admin: false,
    };
    let founded = within(organizations.create_organization(request)).await;
    let founded = founded.expect("organization").into_inner();
    assert_eq!(founded.inbox.expect("inbox").name, "web");
    Founded { admin_key: founded.admin_key, admin: founded.admin.expect("admin") }
}
