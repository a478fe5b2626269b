//! API keys. A secret leaves once, in the answer that creates it.

use fusionchat_proto::v1;
use fusionchat_proto::v1::key_service_server::KeyService;
use tonic::{Request, Response, Status};

use crate::door::grpc::{Door, wire};
use crate::service::key::CreateKey;

#[tonic::async_trait]
impl KeyService for Door {
    async fn create_key(
        &self,
        request: Request<v1::CreateKeyRequest>,
    ) -> Result<Response<v1::CreateKeyResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = wire::client_id(&body.client_id)?;
        let new = CreateKey { name: body.name, scopes: body.scopes, ttl_ms: body.ttl_ms };
        let (key, secret) = self.service.create_key(&actor, Some(client_id), new).await?;
        Ok(Response::new(v1::CreateKeyResponse {
            key: Some(wire::key(&key)),
            secret: secret.unwrap_or_default(),
        }))
    }

    async fn list_keys(
        &self,
        request: Request<v1::ListKeysRequest>,
    ) -> Result<Response<v1::ListKeysResponse>, Status> {
        let (actor, _) = self.open(request).await?;
        let keys = self.service.list_keys(&actor).await?;
        Ok(Response::new(v1::ListKeysResponse { keys: keys.iter().map(wire::key).collect() }))
    }

    async fn revoke_key(
        &self,
        request: Request<v1::RevokeKeyRequest>,
    ) -> Result<Response<v1::RevokeKeyResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = wire::client_id(&body.client_id)?;
        let key = self.service.revoke_key(&actor, Some(client_id), &body.key_id).await?;
        Ok(Response::new(v1::RevokeKeyResponse { key: Some(wire::key(&key)) }))
    }
}
