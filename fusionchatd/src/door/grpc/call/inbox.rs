//! Inboxes.

use fusionchat_proto::v1;
use fusionchat_proto::v1::inbox_service_server::InboxService;
use tonic::{Request, Response, Status};

use crate::door::grpc::{Door, wire};
use crate::service::inbox::CreateInbox;

/// The language of an inbox that names none.
const LOCALE_DEFAULT: &str = "en";

#[tonic::async_trait]
impl InboxService for Door {
    async fn create_inbox(
        &self,
        request: Request<v1::CreateInboxRequest>,
    ) -> Result<Response<v1::CreateInboxResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = wire::client_id(&body.client_id)?;
        let new = CreateInbox {
            name: body.name,
            origins: body.origins,
            assistant: wire::assistant_mode_of(body.assistant)?,
            locale: wire::given(body.locale).unwrap_or_else(|| LOCALE_DEFAULT.to_owned()),
        };
        let inbox = self.service.create_inbox(&actor, Some(client_id), new).await?;
        let staffed = self.service.is_staffed(&actor).await?;
        Ok(Response::new(v1::CreateInboxResponse { inbox: Some(wire::inbox(&inbox, staffed)) }))
    }

    async fn get_inbox(
        &self,
        request: Request<v1::GetInboxRequest>,
    ) -> Result<Response<v1::GetInboxResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let inbox = self.service.get_inbox(&actor, &body.inbox).await?;
        let staffed = self.service.is_staffed(&actor).await?;
        Ok(Response::new(v1::GetInboxResponse { inbox: Some(wire::inbox(&inbox, staffed)) }))
    }

    async fn list_inboxes(
        &self,
        request: Request<v1::ListInboxesRequest>,
    ) -> Result<Response<v1::ListInboxesResponse>, Status> {
        let (actor, _) = self.open(request).await?;
        let inboxes = self.service.list_inboxes(&actor).await?;
        let staffed = self.service.is_staffed(&actor).await?;
        let inboxes = inboxes.iter().map(|it| wire::inbox(it, staffed)).collect();
        Ok(Response::new(v1::ListInboxesResponse { inboxes }))
    }
}
