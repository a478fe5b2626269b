//! Organizations: the operator's calls.

use fusionchat_proto::v1;
use fusionchat_proto::v1::organization_service_server::OrganizationService;
use tonic::{Request, Response, Status};

use super::inbox;
use crate::domain::name;
use crate::door::grpc::{Door, wire};
use crate::service::organization::CreateOrganization;

/// The first inbox's name where none is given.
const INBOX_DEFAULT: &str = "web";

#[tonic::async_trait]
impl OrganizationService for Door {
    async fn create_organization(
        &self,
        request: Request<v1::CreateOrganizationRequest>,
    ) -> Result<Response<v1::CreateOrganizationResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = wire::client_id(&body.client_id)?;
        let new = CreateOrganization {
            name: body.name,
            admin_name: name::of_email(&body.admin_email),
            admin_email: body.admin_email,
            admin_password: wire::given(body.admin_password),
            inbox_name: wire::given(body.inbox_name).unwrap_or_else(|| INBOX_DEFAULT.to_owned()),
            origins: body.origins,
            invite_admin: body.invite_admin,
        };
        let founded = self.service.create_organization(&actor, client_id, new).await?;
        let inbox = self.service.show_inbox(founded.inbox).await?;
        Ok(Response::new(v1::CreateOrganizationResponse {
            organization: Some(wire::organization(&founded.organization)),
            admin: Some(wire::user(&founded.admin)),
            inbox: Some(inbox::shown(&inbox)),
            admin_key: founded.admin_key.unwrap_or_default(),
            admin_invite: founded.admin_invite.map(|it| it.code).unwrap_or_default(),
        }))
    }

    async fn list_organizations(
        &self,
        request: Request<v1::ListOrganizationsRequest>,
    ) -> Result<Response<v1::ListOrganizationsResponse>, Status> {
        let (actor, _) = self.open(request).await?;
        let organizations = self.service.list_organizations(&actor).await?;
        let organizations = organizations.iter().map(wire::organization).collect();
        Ok(Response::new(v1::ListOrganizationsResponse { organizations }))
    }
}
