//! The connection: one lazy HTTP/2 channel with the credential in every call's metadata. The
//! credential is never shown, logged or put anywhere else.

use std::time::Duration;

use fusionchat_client::address;
use fusionchat_proto::MESSAGE_BYTES_MAX;
use fusionchat_proto::v1::conversation_service_client::ConversationServiceClient;
use fusionchat_proto::v1::escalation_service_client::EscalationServiceClient;
use fusionchat_proto::v1::session_service_client::SessionServiceClient;
use fusionchat_proto::v1::user_service_client::UserServiceClient;
use fusionchat_proto::v1::watch_service_client::WatchServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::cli::{Config, StartError};

/// How long a connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often HTTP/2 asks whether the other side lives, and how long it waits for the answer.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Calls of one console to one daemon. Cloning shares the connection.
#[derive(Clone)]
pub(crate) struct Client {
    service: Service,
}

type Service = InterceptedService<Channel, Bearer>;

#[derive(Clone)]
pub(crate) struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

impl Client {
    /// A client that connects when it is first used. Must be called inside a runtime.
    pub(crate) fn new(config: &Config) -> Result<Self, StartError> {
        // What may be sent where was decided when the command line was read.
        let uri = address::check(&config.endpoint, true)?;
        let channel = address::endpoint(uri, config.ca_file.as_deref())?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .connect_lazy();
        let mut value = MetadataValue::try_from(format!("Bearer {}", config.token))
            .map_err(|_| StartError::Token)?;
        value.set_sensitive(true);
        Ok(Self { service: InterceptedService::new(channel, Bearer(value)) })
    }

    pub(super) fn conversations(&self) -> ConversationServiceClient<Service> {
        ConversationServiceClient::new(self.service.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    pub(super) fn escalations(&self) -> EscalationServiceClient<Service> {
        EscalationServiceClient::new(self.service.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    pub(super) fn sessions(&self) -> SessionServiceClient<Service> {
        SessionServiceClient::new(self.service.clone())
    }

    pub(super) fn users(&self) -> UserServiceClient<Service> {
        UserServiceClient::new(self.service.clone())
    }

    pub(super) fn watch(&self) -> WatchServiceClient<Service> {
        WatchServiceClient::new(self.service.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }
}
