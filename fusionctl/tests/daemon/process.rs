//! The mock as a process: its own runtime, so that killing it drops every connection at once.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use fusionchat_proto::v1;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;

use crate::mock::Mock;

const SHUTDOWN_MAX: Duration = Duration::from_secs(10);

/// The process: its own runtime, so that killing it drops every connection at once.
pub(crate) struct Daemon {
    pub(crate) mock: Mock,
    pub(crate) address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Daemon {
    pub(crate) async fn start() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut daemon = Self { mock: Mock::new(), address: any, runtime: None };
        daemon.serve().await;
        daemon
    }

    /// Serves on the address it had.
    pub(crate) async fn serve(&mut self) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (mock, address) = (self.mock.clone(), self.address);
        let serving = runtime.spawn(async move {
            let listener = TcpListener::bind(address).await.unwrap();
            let address = listener.local_addr().unwrap();
            let server = Server::builder()
                .add_service(v1::session_service_server::SessionServiceServer::new(mock.clone()))
                .add_service(v1::conversation_service_server::ConversationServiceServer::new(
                    mock.clone(),
                ))
                .add_service(v1::escalation_service_server::EscalationServiceServer::new(
                    mock.clone(),
                ))
                .add_service(v1::article_service_server::ArticleServiceServer::new(mock.clone()))
                .add_service(v1::key_service_server::KeyServiceServer::new(mock.clone()))
                .add_service(v1::watch_service_server::WatchServiceServer::new(mock))
                .serve_with_incoming(TcpListenerStream::new(listener));
            (address, server)
        });
        let (address, server) = serving.await.unwrap();
        runtime.spawn(server);
        self.address = address;
        self.runtime = Some(runtime);
    }

    /// Ends it without a goodbye, as `kill -9` does.
    pub(crate) async fn kill(&mut self) {
        let runtime = self.runtime.take().expect("it runs");
        let stop = move || runtime.shutdown_timeout(SHUTDOWN_MAX);
        tokio::task::spawn_blocking(stop).await.unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
