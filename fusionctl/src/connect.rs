//! The way to the daemon: where it is, who asks, and one guard round every call. It decides nothing about the
//! answers, and it never writes a token anywhere but into the `authorization` header.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fusionchat_client::address;
use fusionchat_client::demo::Demo;
use fusionchat_client::resolve::Resolved;
use fusionchat_proto::v1;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use crate::Environment;
use crate::cli::{DemoUser, Global};
use crate::failure::{Exit, Failure};

use v1::article_service_client::ArticleServiceClient;
use v1::audit_service_client::AuditServiceClient;
use v1::conversation_service_client::ConversationServiceClient;
use v1::escalation_service_client::EscalationServiceClient;
use v1::inbox_service_client::InboxServiceClient;
use v1::key_service_client::KeyServiceClient;
use v1::organization_service_client::OrganizationServiceClient;
use v1::server_service_client::ServerServiceClient;
use v1::session_service_client::SessionServiceClient;
use v1::user_service_client::UserServiceClient;
use v1::visitor_service_client::VisitorServiceClient;
use v1::watch_service_client::WatchServiceClient;

/// A daemon that does not accept within this is not there.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(5);
/// How often a silent connection is probed.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// How long a probe may stay unanswered.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The first wait before a new attempt.
const BACKOFF_MIN: Duration = Duration::from_millis(200);
/// The longest wait between two attempts.
const BACKOFF_MAX: Duration = Duration::from_secs(3);

/// Where the daemon is and who asks.
pub(crate) struct Target {
    endpoint: String,
    ca_file: Option<PathBuf>,
    insecure: bool,
    /// None only for the calls that make one.
    token: Option<String>,
    /// What was found out, unless the demo says everything.
    pub(crate) resolved: Option<Resolved>,
}

impl Target {
    /// Flags win over the environment, which wins over the context; `--demo` takes nothing from them but the place
    /// of the demo's file.
    pub(crate) fn resolve(
        global: &Global,
        for_operator: bool,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let mut target = Self::place(global, environment)?;
        target.token = match (global.demo, environment.variable("FUSION_TOKEN")) {
            (None, Some(token)) => Some(token.to_owned()),
            (user, _) => match (demo(global, environment)?, &target.resolved) {
                (Some(demo), _) => {
                    let user = user.unwrap_or(DemoUser::Unnamed);
                    Some(demo.credential(name_of(user, for_operator))?.to_owned())
                }
                (None, Some(resolved)) => environment.surroundings().credential(resolved)?,
                (None, None) => None,
            },
        };
        if target.token.is_none() {
            return Err(nobody());
        }
        Ok(target)
    }

    /// Where the daemon is, and nobody. In a demo's file it can be only once the demo is ready.
    pub(crate) fn place(global: &Global, environment: &Environment) -> Result<Self, Failure> {
        let insecure = global.insecure;
        let says = global.endpoint.is_some()
            || (global.demo.is_none() && environment.variable("FUSION_ENDPOINT").is_some());
        if !says && let Some(demo) = demo(global, environment)? {
            let endpoint = demo.grpc;
            return Ok(Self { endpoint, ca_file: None, insecure, token: None, resolved: None });
        }
        let resolved = environment.surroundings().resolve(&global.flags())?;
        Ok(Self {
            endpoint: resolved.endpoint.value.clone(),
            ca_file: resolved.ca_file.as_ref().map(|it| it.value.clone()),
            insecure,
            token: None,
            resolved: Some(resolved),
        })
    }

    /// The address, for messages.
    pub(crate) fn address(&self) -> &str {
        &self.endpoint
    }

    async fn channel(&self, insecure: bool, timeout: Duration) -> Result<Channel, Failure> {
        let uri = address::check(&self.endpoint, insecure)?;
        address::endpoint(uri, self.ca_file.as_deref())?
            .connect_timeout(timeout.min(CONNECT_TIMEOUT_MAX))
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .tcp_nodelay(true)
            .connect()
            .await
            .map_err(|error| unreachable(&self.endpoint, &error))
    }

    /// A channel without a credential, for the probe that needs none.
    pub(crate) async fn anonymous(&self, timeout: Duration) -> Result<Channel, Failure> {
        self.channel(true, timeout).await
    }
}

/// The demo that is meant: the one whose ready file is named, or with `--demo` the one that runs.
fn demo(global: &Global, environment: &Environment) -> Result<Option<Demo>, Failure> {
    match (environment.variable("FUSION_READY_FILE"), global.demo) {
        (Some(path), _) => Ok(Some(Demo::read(Path::new(path))?)),
        (None, Some(_)) => {
            Ok(Some(Demo::find(&|name| environment.variable(name).map(str::to_owned))?))
        }
        (None, None) => Ok(None),
    }
}

fn nobody() -> Failure {
    Failure::new(Exit::SignInNeeded, "sign_in_needed", "nobody is signed in")
        .with_hint("run `fusionctl auth login`, put a key into FUSION_TOKEN, or use --demo")
}

fn name_of(user: DemoUser, for_operator: bool) -> &'static str {
    match user {
        DemoUser::Unnamed if for_operator => "operator",
        DemoUser::Unnamed | DemoUser::Admin => "admin",
        DemoUser::Agent1 => "agent1",
        DemoUser::Agent2 => "agent2",
        DemoUser::Operator => "operator",
    }
}

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

/// The channel every service client speaks through.
pub(crate) type Line = InterceptedService<Channel, Bearer>;

/// A connected daemon. Clones share the connection.
#[derive(Clone)]
pub(crate) struct Client {
    channel: Channel,
    bearer: Bearer,
    timeout: Duration,
}

impl Client {
    /// Connects, so that a daemon that is not there is told apart from one that refuses.
    pub(crate) async fn connect(target: &Target, timeout: Duration) -> Result<Self, Failure> {
        let bearer = match &target.token {
            None => None,
            Some(token) => {
                let bad = |_| Failure::usage("bad_token", "the token has characters no token has");
                let value = format!("Bearer {token}").parse();
                let mut value: MetadataValue<Ascii> = value.map_err(bad)?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        // A password or a code is as good as a token.
        let channel = target.channel(target.insecure, timeout).await?;
        Ok(Self { channel, bearer: Bearer(bearer), timeout })
    }

    /// How long one call may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// One call under the time limit.
    pub(crate) async fn call<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(self.timeout, call).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(Failure::from_status(&status)),
            Err(_) => Err(Failure::timed_out("the daemon did not answer")),
        }
    }

    fn line(&self) -> Line {
        InterceptedService::new(self.channel.clone(), self.bearer.clone())
    }

    pub(crate) fn articles(&self) -> ArticleServiceClient<Line> {
        ArticleServiceClient::new(self.line())
    }

    pub(crate) fn conversations(&self) -> ConversationServiceClient<Line> {
        ConversationServiceClient::new(self.line())
    }

    pub(crate) fn escalations(&self) -> EscalationServiceClient<Line> {
        EscalationServiceClient::new(self.line())
    }

    pub(crate) fn inboxes(&self) -> InboxServiceClient<Line> {
        InboxServiceClient::new(self.line())
    }

    pub(crate) fn keys(&self) -> KeyServiceClient<Line> {
        KeyServiceClient::new(self.line())
    }

    pub(crate) fn organizations(&self) -> OrganizationServiceClient<Line> {
        OrganizationServiceClient::new(self.line())
    }

    pub(crate) fn server(&self) -> ServerServiceClient<Line> {
        ServerServiceClient::new(self.line())
    }

    pub(crate) fn sessions(&self) -> SessionServiceClient<Line> {
        SessionServiceClient::new(self.line())
    }

    pub(crate) fn users(&self) -> UserServiceClient<Line> {
        UserServiceClient::new(self.line())
    }

    pub(crate) fn audit(&self) -> AuditServiceClient<Line> {
        AuditServiceClient::new(self.line())
    }

    pub(crate) fn visitors(&self) -> VisitorServiceClient<Line> {
        VisitorServiceClient::new(self.line())
    }

    pub(crate) fn watch(&self) -> WatchServiceClient<Line> {
        WatchServiceClient::new(self.line())
    }
}

/// Waits that double, from 200 ms to 3 s.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self(BACKOFF_MIN)
    }

    /// How long to wait now; the next wait is longer. The daemon's own wish wins, up to the longest wait.
    pub(crate) fn next(&mut self, wished_ms: Option<u64>) -> Duration {
        let wait = wished_ms.map_or(self.0, Duration::from_millis).clamp(BACKOFF_MIN, BACKOFF_MAX);
        self.0 = (self.0 * 2).min(BACKOFF_MAX);
        wait
    }
}

/// The innermost cause says most: `connection refused`, `timed out`.
fn unreachable(endpoint: &str, error: &tonic::transport::Error) -> Failure {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let text = format!("cannot reach a daemon at {endpoint}: {cause}");
    Failure::new(Exit::Unreachable, "unreachable", text)
        .with_hint("is fusionchatd running there? see --endpoint")
}

#[cfg(test)]
mod tests {
    use super::{Backoff, DemoUser, name_of};

    #[test]
    fn the_demo_gives_tenants_to_its_operator() {
        assert_eq!(name_of(DemoUser::Unnamed, true), "operator");
        assert_eq!(name_of(DemoUser::Unnamed, false), "admin");
        assert_eq!(name_of(DemoUser::Agent2, true), "agent2");
    }

    #[test]
    fn waits_double_up_to_a_bound() {
        let mut backoff = Backoff::new();
        let waits: Vec<u128> = (0..7).map(|_| backoff.next(None).as_millis()).collect();
        assert_eq!(waits, [200, 400, 800, 1_600, 3_000, 3_000, 3_000]);
        let mut backoff = Backoff::new();
        assert_eq!(backoff.next(Some(1_000)).as_millis(), 1_000);
        assert_eq!(backoff.next(Some(60_000)).as_millis(), 3_000);
        assert_eq!(backoff.next(Some(0)).as_millis(), 200);
    }
}
