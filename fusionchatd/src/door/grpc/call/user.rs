//! Staff.

use fusionchat_proto::v1;
use fusionchat_proto::v1::user_service_server::UserService;
use tonic::{Request, Response, Status};

use crate::door::grpc::{Door, wire};
use crate::service::user::{CreateUser, EditUser, InviteUser};

#[tonic::async_trait]
impl UserService for Door {
    async fn invite_user(
        &self,
        request: Request<v1::InviteUserRequest>,
    ) -> Result<Response<v1::InviteUserResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = wire::client_id(&body.client_id)?;
        let new = InviteUser {
            email: body.email,
            name: wire::given(body.name),
            role: wire::role_of(body.role)?,
        };
        let (user, invite) = self.service.invite_user(&actor, Some(client_id), new).await?;
        Ok(Response::new(v1::InviteUserResponse {
            expires_at: user.invited_until.unwrap_or(0),
            user: Some(wire::user(&user)),
            code: invite.map(|it| it.code).unwrap_or_default(),
        }))
    }

    async fn create_user(
        &self,
        request: Request<v1::CreateUserRequest>,
    ) -> Result<Response<v1::CreateUserResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = wire::client_id(&body.client_id)?;
        let new = CreateUser {
            email: body.email,
            name: body.name,
            role: wire::role_of(body.role)?,
            password: wire::given(body.password),
        };
        let user = self.service.create_user(&actor, Some(client_id), new).await?;
        Ok(Response::new(v1::CreateUserResponse { user: Some(wire::user(&user)) }))
    }

    async fn list_users(
        &self,
        request: Request<v1::ListUsersRequest>,
    ) -> Result<Response<v1::ListUsersResponse>, Status> {
        let (actor, _) = self.open(request).await?;
        let users = self.service.list_users(&actor).await?;
        Ok(Response::new(v1::ListUsersResponse { users: users.iter().map(wire::user).collect() }))
    }

    async fn get_user(
        &self,
        request: Request<v1::GetUserRequest>,
    ) -> Result<Response<v1::GetUserResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let user = self.service.get_user(&actor, &body.user).await?;
        Ok(Response::new(v1::GetUserResponse { user: Some(wire::user(&user)) }))
    }

    async fn edit_user(
        &self,
        request: Request<v1::EditUserRequest>,
    ) -> Result<Response<v1::EditUserResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = wire::client_id(&body.client_id)?;
        let role = body.role.map(wire::role_of).transpose()?;
        let edit = EditUser { name: body.name, role };
        let user = self.service.edit_user(&actor, Some(client_id), &body.user, edit).await?;
        Ok(Response::new(v1::EditUserResponse { user: Some(wire::user(&user)) }))
    }

    async fn reset_user(
        &self,
        request: Request<v1::ResetUserRequest>,
    ) -> Result<Response<v1::ResetUserResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = wire::client_id(&body.client_id)?;
        let (user, invite) = self.service.reset_user(&actor, Some(client_id), &body.user).await?;
        Ok(Response::new(v1::ResetUserResponse {
            expires_at: user.invited_until.unwrap_or(0),
            user: Some(wire::user(&user)),
            code: invite.map(|it| it.code).unwrap_or_default(),
        }))
    }

    async fn disable_user(
        &self,
        request: Request<v1::DisableUserRequest>,
    ) -> Result<Response<v1::DisableUserResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = wire::client_id(&body.client_id)?;
        let user = self.service.disable_user(&actor, Some(client_id), &body.user, true).await?;
        Ok(Response::new(v1::DisableUserResponse { user: Some(wire::user(&user)) }))
    }

    async fn enable_user(
        &self,
        request: Request<v1::EnableUserRequest>,
    ) -> Result<Response<v1::EnableUserResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = wire::client_id(&body.client_id)?;
        let user = self.service.disable_user(&actor, Some(client_id), &body.user, false).await?;
        Ok(Response::new(v1::EnableUserResponse { user: Some(wire::user(&user)) }))
    }

    async fn set_availability(
        &self,
        request: Request<v1::SetAvailabilityRequest>,
    ) -> Result<Response<v1::SetAvailabilityResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = wire::client_id(&body.client_id)?;
        let availability = wire::availability_of(body.availability)?;
        let user = self.service.set_availability(&actor, Some(client_id), availability).await?;
        Ok(Response::new(v1::SetAvailabilityResponse { user: Some(wire::user(&user)) }))
    }
}
