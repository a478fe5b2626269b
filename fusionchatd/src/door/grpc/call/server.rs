//! The daemon's own status.

use fusionchat_proto::v1;
use fusionchat_proto::v1::server_service_server::ServerService;
use futures::stream::{self, BoxStream, StreamExt as _};
use tonic::{Request, Response, Status};

use crate::door::grpc::{Door, draining, wire};

#[tonic::async_trait]
impl ServerService for Door {
    type CreateBackupStream = BoxStream<'static, Result<v1::CreateBackupResponse, Status>>;

    async fn create_backup(
        &self,
        request: Request<v1::CreateBackupRequest>,
    ) -> Result<Response<Self::CreateBackupStream>, Status> {
        let (actor, _) = self.open(request).await?;
        let parts = self.service.create_backup(&actor).await?;
        let state = Some((parts, self.stop.clone()));
        let answers = stream::unfold(state, async |state| {
            let (mut parts, stop) = state?;
            let part = tokio::select! {
                biased;
                () = stop.cancelled() => Err(draining()),
                part = parts.recv() => part?,
            };
            match part {
                Ok(part) => {
                    let (bytes, rows) = (part.bytes.to_vec(), part.rows);
                    let answer = v1::CreateBackupResponse { bytes, rows };
                    Some((Ok(answer), Some((parts, stop))))
                }
                Err(error) => Some((Err(Status::from(error)), None)),
            }
        });
        Ok(Response::new(answers.boxed()))
    }

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
