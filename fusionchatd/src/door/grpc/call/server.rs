//! The daemon's own status.

use fusionchat_proto::v1;
use fusionchat_proto::v1::server_service_server::ServerService;
use tonic::{Request, Response, Status};

use crate::door::grpc::{Door, wire};

#[tonic::async_trait]
impl ServerService for Door {
    async fn get_server_status(
        &self,
        request: Request<v1::GetServerStatusRequest>,
    ) -> Result<Response<v1::GetServerStatusResponse>, Status> {
        let (actor, _) = self.open(request).await?;
        let status = self.service.server_status(&actor).await?;
        Ok(Response::new(wire::server_status(status)))
    }
}
