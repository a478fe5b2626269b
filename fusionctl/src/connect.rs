//! The way to the daemon: where it is, who asks, and one guard round every call. It decides nothing about the
//! answers, and it never writes a token anywhere but into the `authorization` header.

use std::future::Future;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use fusionchat_proto::v1;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Request, Response, Status};

use crate::Environment;
use crate::cli::{DemoUser, Global};
use crate::demo::Demo;
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

/// Where a daemon listens when nothing else is said.
const ENDPOINT_DEFAULT: &str = "http://127.0.0.1:4882";
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
    token: String,
}

impl Target {
    /// Flags win over the environment; `--demo` takes nothing from it but the place of the demo's file.
    pub(crate) fn resolve(
        global: &Global,
        for_operator: bool,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let token = match (global.demo, environment.variable("FUSION_TOKEN")) {
            (None, Some(token)) => token.to_owned(),
            (user, _) => match demo(global, environment)? {
                Some(demo) => {
                    let user = user.unwrap_or(DemoUser::Unnamed);
                    demo.credential(name_of(user, for_operator))?.to_owned()
                }
                None => return Err(nobody()),
            },
        };
        Ok(Self { endpoint: Self::endpoint(global, environment)?, token })
    }

    /// Where the daemon is. In a demo's file it can be only once the demo is ready.
    pub(crate) fn endpoint(global: &Global, environment: &Environment) -> Result<String, Failure> {
        let said = global.endpoint.as_deref().or_else(|| match global.demo {
            Some(_) => None,
            None => environment.variable("FUSION_ENDPOINT"),
        });
        if let Some(endpoint) = said {
            return Ok(endpoint.to_owned());
        }
        let demo = demo(global, environment)?;
        Ok(demo.map_or_else(|| ENDPOINT_DEFAULT.to_owned(), |demo| demo.grpc))
    }
}

/// The demo that is meant: the one whose ready file is named, or with `--demo` the one that runs.
fn demo(global: &Global, environment: &Environment) -> Result<Option<Demo>, Failure> {
    match (environment.variable("FUSION_READY_FILE"), global.demo) {
        (Some(path), _) => Demo::read(Path::new(path)).map(Some),
        (None, Some(_)) => Demo::find(&environment.runtime_dir).map(Some),
        (None, None) => Ok(None),
    }
}

fn nobody() -> Failure {
    Failure::new(Exit::SignInNeeded, "sign_in_needed", "nobody is signed in")
        .with_hint("put a session token or an API key into FUSION_TOKEN, or use --demo")
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

/// The address, once it is known that a token may be sent there.
fn checked(endpoint: &str, insecure: bool) -> Result<Uri, Failure> {
    let bad = |text: &str| {
        Failure::usage("bad_endpoint", format!("`{endpoint}` {text}"))
            .with_hint("write http://127.0.0.1:4882")
    };
    let full =
        if endpoint.contains("://") { endpoint.to_owned() } else { format!("http://{endpoint}") };
    let uri: Uri = full.parse().map_err(|_| bad("is no address"))?;
    let authority = uri.authority().ok_or_else(|| bad("names no host"))?;
    if authority.as_str().contains('@') {
        return Err(bad("must not carry a user or password"));
    }
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => {
            return Err(Failure::usage("no_tls", "this fusionctl does not speak TLS")
                .with_hint("reach a remote daemon by `ssh -L 4882:127.0.0.1:4882 HOST`"));
        }
        Some(_) | None => return Err(bad("is no http:// address")),
    }
    if !insecure && !is_loopback(authority.host()) {
        let text = format!("refusing to send a token in clear text to {}", authority.host());
        return Err(Failure::usage("clear_text", text).with_hint(
            "use `ssh -L 4882:127.0.0.1:4882 HOST`, or accept the risk with --insecure",
        ));
    }
    Ok(uri)
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Puts the token on every request.
#[derive(Clone)]
pub(crate) struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
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
    pub(crate) async fn connect(
        target: &Target,
        insecure: bool,
        timeout: Duration,
    ) -> Result<Self, Failure> {
        let uri = checked(&target.endpoint, insecure)?;
        let mut token: MetadataValue<Ascii> = format!("Bearer {}", target.token)
            .parse()
            .map_err(|_| Failure::usage("bad_token", "the token has characters no token has"))?;
        token.set_sensitive(true);
        let channel = channel(uri, &target.endpoint, timeout).await?;
        Ok(Self { channel, bearer: Bearer(token), timeout })
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

/// A channel without a credential, for the probe that needs none.
pub(crate) async fn anonymous(endpoint: &str, timeout: Duration) -> Result<Channel, Failure> {
    channel(checked(endpoint, true)?, endpoint, timeout).await
}

async fn channel(uri: Uri, endpoint: &str, timeout: Duration) -> Result<Channel, Failure> {
    Endpoint::from(uri)
        .connect_timeout(timeout.min(CONNECT_TIMEOUT_MAX))
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .tcp_nodelay(true)
        .connect()
        .await
        .map_err(|error| unreachable(endpoint, &error))
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
    use super::{Backoff, DemoUser, checked, name_of};

    #[test]
    fn a_token_goes_in_clear_only_to_this_machine() {
        for endpoint in
            ["http://127.0.0.1:4882", "http://localhost:1", "http://[::1]:1", "127.0.0.1:4882"]
        {
            assert!(checked(endpoint, false).is_ok(), "{endpoint}");
        }
        for endpoint in ["http://desk.example.com:4882", "http://10.0.0.1:1", "0.0.0.0:4882"] {
            let failure = checked(endpoint, false).unwrap_err();
            assert_eq!((failure.exit as u8, failure.code.as_str()), (2, "clear_text"));
            assert!(checked(endpoint, true).is_ok(), "{endpoint}");
        }
    }

    #[test]
    fn the_demo_gives_tenants_to_its_operator() {
        assert_eq!(name_of(DemoUser::Unnamed, true), "operator");
        assert_eq!(name_of(DemoUser::Unnamed, false), "admin");
        assert_eq!(name_of(DemoUser::Agent2, true), "agent2");
    }

    #[test]
    fn other_addresses_are_refused() {
        for endpoint in
            ["", "http://", "ftp://127.0.0.1", "https://127.0.0.1", "http://a:b@127.0.0.1:1"]
        {
            assert_eq!(checked(endpoint, true).unwrap_err().exit as u8, 2, "{endpoint}");
        }
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
