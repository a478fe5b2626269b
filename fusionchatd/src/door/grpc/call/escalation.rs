//! The live queue.

use fusionchat_proto::v1;
use fusionchat_proto::v1::escalation_service_server::EscalationService;
use tonic::{Request, Response, Status};

use crate::door::grpc::{Door, wire};

#[tonic::async_trait]
impl EscalationService for Door {
    async fn list_escalations(
        &self,
        request: Request<v1::ListEscalationsRequest>,
    ) -> Result<Response<v1::ListEscalationsResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let (waiting, more, position) = self.service.list_escalations(&actor, body.limit).await?;
        Ok(Response::new(v1::ListEscalationsResponse {
            waiting: waiting.iter().filter_map(wire::waiting).collect(),
            now: self.service.now(),
            more,
            cursor: Some(self.cursor(position)),
        }))
    }

    async fn assign_escalation(
        &self,
        request: Request<v1::AssignEscalationRequest>,
    ) -> Result<Response<v1::AssignEscalationResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = wire::client_id(&body.client_id)?;
        let ended = self
            .service
            .assign_escalation(&actor, Some(client_id), &body.conversation, &body.to, body.take)
            .await?;
        let escalation = ended.as_ref().map(wire::escalation);
        Ok(Response::new(v1::AssignEscalationResponse { escalation }))
    }

    async fn return_escalation(
        &self,
        request: Request<v1::ReturnEscalationRequest>,
    ) -> Result<Response<v1::ReturnEscalationResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = Some(wire::client_id(&body.client_id)?);
        let ended = self.service.return_escalation(&actor, client_id, &body.conversation).await?;
        let escalation = ended.as_ref().map(wire::escalation);
        Ok(Response::new(v1::ReturnEscalationResponse { escalation }))
    }

    async fn resolve_escalation(
        &self,
        request: Request<v1::ResolveEscalationRequest>,
    ) -> Result<Response<v1::ResolveEscalationResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = Some(wire::client_id(&body.client_id)?);
        let ended = self.service.resolve_escalation(&actor, client_id, &body.conversation).await?;
        let escalation = ended.as_ref().map(wire::escalation);
        Ok(Response::new(v1::ResolveEscalationResponse { escalation }))
    }
}
