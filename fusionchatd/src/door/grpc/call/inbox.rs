//! Inboxes.

use fusionchat_proto::v1;
use fusionchat_proto::v1::inbox_service_server::InboxService;
use tonic::{Request, Response, Status};

use crate::domain::embed::Refusal;
use crate::domain::inbox::{AssistantMode, ListEdit, Silences};
use crate::door::grpc::{Door, wire};
use crate::service::inbox::{CreateInbox, EditInbox, InboxView};

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
            members: body.members,
        };
        let inbox = self.service.create_inbox(&actor, Some(client_id), new).await?;
        Ok(Response::new(v1::CreateInboxResponse { inbox: Some(shown(&inbox)) }))
    }

    async fn edit_inbox(
        &self,
        request: Request<v1::EditInboxRequest>,
    ) -> Result<Response<v1::EditInboxResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = wire::client_id(&body.client_id)?;
        let said = body.assistant != i32::from(v1::AssistantMode::Unspecified);
        let assistant = if said { Some(wire::assistant_mode_of(body.assistant)?) } else { None };
        let list = |replace: Option<v1::Texts>, add, remove| ListEdit {
            replace: replace.map(|it| it.values),
            add,
            remove,
        };
        let edit = EditInbox {
            name: body.name,
            assistant,
            locale: body.locale,
            origins: list(body.origins, body.add_origins, body.remove_origins),
            members: list(body.members, body.add_members, body.remove_members),
            silences: Silences {
                abandon_ms: body.abandon_after_ms,
                notice_ms: body.notice_after_ms,
                no_reply_ms: body.no_reply_after_ms,
            },
        };
        let inbox = self.service.edit_inbox(&actor, Some(client_id), &body.inbox, edit).await?;
        Ok(Response::new(v1::EditInboxResponse { inbox: Some(shown(&inbox)) }))
    }

    async fn test_inbox(
        &self,
        request: Request<v1::TestInboxRequest>,
    ) -> Result<Response<v1::TestInboxResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let tested = self.service.test_page(&actor, &body.inbox, &body.url).await?;
        let verdict = tested.verdict;
        Ok(Response::new(v1::TestInboxResponse {
            allowed: verdict.refusal.is_none(),
            code: verdict.refusal.map(Refusal::code).unwrap_or_default().to_owned(),
            message: verdict.message,
            origin: verdict.origin,
            nearest: verdict.nearest,
            fix: verdict.fix,
            inbox_id: tested.inbox.id.to_string(),
            inbox_name: tested.inbox.name,
        }))
    }

    async fn get_inbox(
        &self,
        request: Request<v1::GetInboxRequest>,
    ) -> Result<Response<v1::GetInboxResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let inbox = self.service.get_inbox(&actor, &body.inbox).await?;
        Ok(Response::new(v1::GetInboxResponse { inbox: Some(shown(&inbox)) }))
    }

    async fn list_inboxes(
        &self,
        request: Request<v1::ListInboxesRequest>,
    ) -> Result<Response<v1::ListInboxesResponse>, Status> {
        let (actor, _) = self.open(request).await?;
        let inboxes = self.service.list_inboxes(&actor).await?;
        let inboxes = inboxes.iter().map(shown).collect();
        Ok(Response::new(v1::ListInboxesResponse { inboxes }))
    }
}

/// An inbox as a message.
pub(super) fn shown(view: &InboxView) -> v1::Inbox {
    let inbox = &view.inbox;
    let assistant = match inbox.assistant {
        AssistantMode::On => v1::AssistantMode::On,
        AssistantMode::Off => v1::AssistantMode::Off,
        AssistantMode::DraftOnly => v1::AssistantMode::DraftOnly,
    };
    v1::Inbox {
        id: inbox.id.to_string(),
        organization_id: inbox.organization.to_string(),
        name: inbox.name.clone(),
        origins: inbox.origins.clone(),
        assistant: assistant.into(),
        locale: inbox.locale.clone(),
        created_at: inbox.created_at,
        staffed: view.staffed,
        members: inbox.members.iter().map(ToString::to_string).collect(),
        member_names: view.member_names.clone(),
        snippet: view.snippet.clone(),
        abandon_after_ms: inbox.silences.abandon_ms,
        notice_after_ms: inbox.silences.notice_ms,
        no_reply_after_ms: inbox.silences.no_reply_ms,
    }
}
