//! Signing in, and who is signed in.

use fusionchat_proto::v1;
use fusionchat_proto::v1::session_service_server::SessionService;
use tonic::{Request, Response, Status};

use crate::door::grpc::{Door, wire};

#[tonic::async_trait]
impl SessionService for Door {
    async fn create_session(
        &self,
        request: Request<v1::CreateSessionRequest>,
    ) -> Result<Response<v1::CreateSessionResponse>, Status> {
        let address = self.address(&request);
        let body = request.into_inner();
        let organization = wire::given(body.organization);
        let signed_in = self
            .service
            .sign_in(address, &body.email, body.password, organization.as_deref())
            .await?;
        Ok(Response::new(v1::CreateSessionResponse {
            token: signed_in.token,
            session: Some(wire::session(&signed_in.session)),
            user: Some(wire::user(&signed_in.user)),
        }))
    }

    async fn accept_invite(
        &self,
        request: Request<v1::AcceptInviteRequest>,
    ) -> Result<Response<v1::AcceptInviteResponse>, Status> {
        let address = self.address(&request);
        let body = request.into_inner();
        let signed_in = self.service.accept_invite(address, &body.code, body.password).await?;
        Ok(Response::new(v1::AcceptInviteResponse {
            token: signed_in.token,
            session: Some(wire::session(&signed_in.session)),
            user: Some(wire::user(&signed_in.user)),
        }))
    }

    async fn get_session(
        &self,
        request: Request<v1::GetSessionRequest>,
    ) -> Result<Response<v1::GetSessionResponse>, Status> {
        let (actor, _) = self.open(request).await?;
        let identity = self.service.identity(&actor).await?;
        Ok(Response::new(v1::GetSessionResponse {
            kind: identity.kind.to_owned(),
            user: identity.user.as_ref().map(wire::user),
            organization: identity.organization.as_ref().map(wire::organization),
            session: identity.session.as_ref().map(wire::session),
            key: identity.key.as_ref().map(wire::key),
        }))
    }

    async fn list_sessions(
        &self,
        request: Request<v1::ListSessionsRequest>,
    ) -> Result<Response<v1::ListSessionsResponse>, Status> {
        let (actor, _) = self.open(request).await?;
        let sessions = self.service.list_sessions(&actor).await?;
        let sessions = sessions.iter().map(wire::session).collect();
        Ok(Response::new(v1::ListSessionsResponse { sessions }))
    }

    async fn end_session(
        &self,
        request: Request<v1::EndSessionRequest>,
    ) -> Result<Response<v1::EndSessionResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = wire::client_id(&body.client_id)?;
        let ended = self.service.end_session(&actor, Some(client_id), &body.session_id).await?;
        Ok(Response::new(v1::EndSessionResponse { session: Some(wire::session(&ended)) }))
    }
}
