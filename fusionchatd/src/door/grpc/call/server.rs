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

    async fn get_server_store(
        &self,
        request: Request<v1::GetServerStoreRequest>,
    ) -> Result<Response<v1::GetServerStoreResponse>, Status> {
        let (actor, _) = self.open(request).await?;
        let size = self.service.store_size(&actor).await?;
        Ok(Response::new(v1::GetServerStoreResponse {
            engine: size.engine.to_owned(),
            schema: size.schema,
            disk_bytes: size.disk_bytes,
            live_bytes: size.live.bytes,
            rows: size.live.rows,
            disk_full: size.disk_full,
        }))
    }
}
