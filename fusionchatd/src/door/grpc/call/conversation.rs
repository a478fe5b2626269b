//! Conversations, their messages and notes.

use fusionchat_proto::v1;
use fusionchat_proto::v1::conversation_service_server::ConversationService;
use tonic::{Request, Response, Status};

use crate::door::grpc::{Door, page, wire};
use crate::service::conversation::ListConversations;
use crate::service::view::ConversationView;

/// How many messages a page has where the request does not say.
const MESSAGES_DEFAULT: u32 = 100;

fn shown(view: &ConversationView) -> Option<v1::Conversation> {
    Some(wire::conversation(view))
}

#[tonic::async_trait]
impl ConversationService for Door {
    async fn start_conversation(
        &self,
        request: Request<v1::StartConversationRequest>,
    ) -> Result<Response<v1::StartConversationResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = Some(wire::client_id(&body.client_id)?);
        // The token is for a visitor's own start, which is not made here.
        let posted = self
            .service
            .start_conversation(&actor, "", client_id, &body.inbox, body.content, body.test)
            .await?;
        Ok(Response::new(v1::StartConversationResponse {
            conversation: shown(&posted.conversation),
            message: Some(self.message(&posted.message)),
        }))
    }

    async fn get_conversation(
        &self,
        request: Request<v1::GetConversationRequest>,
    ) -> Result<Response<v1::GetConversationResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let found = self.service.get_conversation(&actor, &body.conversation).await?;
        let (view, position) = found;
        Ok(Response::new(v1::GetConversationResponse {
            conversation: shown(&view),
            cursor: Some(self.cursor(position)),
        }))
    }

    async fn list_conversations(
        &self,
        request: Request<v1::ListConversationsRequest>,
    ) -> Result<Response<v1::ListConversationsResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let statuses = body.statuses.into_iter().map(wire::status_of);
        let query = ListConversations {
            statuses: statuses.collect::<Result<_, _>>()?,
            assignee: wire::given(body.assignee),
            tests: body.tests,
            limit: body.limit,
            page_token: body.page_token,
        };
        let page = self.service.list_conversations(&actor, &query).await?;
        Ok(Response::new(v1::ListConversationsResponse {
            conversations: page.conversations.iter().map(wire::conversation).collect(),
            next_page_token: page.next_page_token,
            cursor: Some(self.cursor(page.position)),
        }))
    }

    async fn list_messages(
        &self,
        request: Request<v1::ListMessagesRequest>,
    ) -> Result<Response<v1::ListMessagesResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let limit = if body.limit == 0 { MESSAGES_DEFAULT } else { body.limit };
        let page = self
            .service
            .list_messages(&actor, &body.conversation, body.after_seq, limit, body.last)
            .await?;
        let public_url = &self.service.settings().public_url;
        let mut answer = v1::ListMessagesResponse {
            messages: page.messages.iter().map(|it| self.message(it)).collect(),
            notes: page.notes.iter().map(|it| wire::note(it, public_url)).collect(),
            more: page.more,
        };
        page::fit(&mut answer, body.last);
        Ok(Response::new(answer))
    }

    async fn post_message(
        &self,
        request: Request<v1::PostMessageRequest>,
    ) -> Result<Response<v1::PostMessageResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = Some(wire::client_id(&body.client_id)?);
        let sender_type = wire::sender_type_of(body.sender_type)?;
        let posted = self
            .service
            .post_message(&actor, client_id, &body.conversation, body.content, sender_type)
            .await?;
        Ok(Response::new(v1::PostMessageResponse {
            message: Some(self.message(&posted.message)),
            conversation: shown(&posted.conversation),
        }))
    }

    async fn add_note(
        &self,
        request: Request<v1::AddNoteRequest>,
    ) -> Result<Response<v1::AddNoteResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = Some(wire::client_id(&body.client_id)?);
        let (note, view) =
            self.service.add_note(&actor, client_id, &body.conversation, body.content).await?;
        Ok(Response::new(v1::AddNoteResponse {
            note: Some(wire::note(&note, &self.service.settings().public_url)),
            conversation: shown(&view),
        }))
    }

    async fn claim_conversation(
        &self,
        request: Request<v1::ClaimConversationRequest>,
    ) -> Result<Response<v1::ClaimConversationResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = Some(wire::client_id(&body.client_id)?);
        let view =
            self.service.claim(&actor, client_id, &body.conversation, None, body.take).await?;
        Ok(Response::new(v1::ClaimConversationResponse { conversation: shown(&view) }))
    }

    async fn release_conversation(
        &self,
        request: Request<v1::ReleaseConversationRequest>,
    ) -> Result<Response<v1::ReleaseConversationResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = Some(wire::client_id(&body.client_id)?);
        let view = self.service.release(&actor, client_id, &body.conversation).await?;
        Ok(Response::new(v1::ReleaseConversationResponse { conversation: shown(&view) }))
    }

    async fn hand_back_conversation(
        &self,
        request: Request<v1::HandBackConversationRequest>,
    ) -> Result<Response<v1::HandBackConversationResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = Some(wire::client_id(&body.client_id)?);
        let view = self.service.hand_back(&actor, client_id, &body.conversation).await?;
        Ok(Response::new(v1::HandBackConversationResponse { conversation: shown(&view) }))
    }

    async fn escalate_conversation(
        &self,
        request: Request<v1::EscalateConversationRequest>,
    ) -> Result<Response<v1::EscalateConversationResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = Some(wire::client_id(&body.client_id)?);
        let view =
            self.service.escalate(&actor, client_id, &body.conversation, body.reason).await?;
        Ok(Response::new(v1::EscalateConversationResponse { conversation: shown(&view) }))
    }

    async fn resolve_conversation(
        &self,
        request: Request<v1::ResolveConversationRequest>,
    ) -> Result<Response<v1::ResolveConversationResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = Some(wire::client_id(&body.client_id)?);
        let resolution = wire::resolution_of(body.resolution)?;
        let view = self.service.resolve(&actor, client_id, &body.conversation, resolution).await?;
        Ok(Response::new(v1::ResolveConversationResponse { conversation: shown(&view) }))
    }

    async fn reopen_conversation(
        &self,
        request: Request<v1::ReopenConversationRequest>,
    ) -> Result<Response<v1::ReopenConversationResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = Some(wire::client_id(&body.client_id)?);
        let view = self.service.reopen(&actor, client_id, &body.conversation).await?;
        Ok(Response::new(v1::ReopenConversationResponse { conversation: shown(&view) }))
    }

    async fn transfer_conversation(
        &self,
        request: Request<v1::TransferConversationRequest>,
    ) -> Result<Response<v1::TransferConversationResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = Some(wire::client_id(&body.client_id)?);
        let note = wire::given(body.note);
        let view =
            self.service.transfer(&actor, client_id, &body.conversation, &body.to, note).await?;
        Ok(Response::new(v1::TransferConversationResponse { conversation: shown(&view) }))
    }

    async fn tag_conversation(
        &self,
        request: Request<v1::TagConversationRequest>,
    ) -> Result<Response<v1::TagConversationResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = Some(wire::client_id(&body.client_id)?);
        let view =
            self.service.tag(&actor, client_id, &body.conversation, body.add, body.remove).await?;
        Ok(Response::new(v1::TagConversationResponse { conversation: shown(&view) }))
    }

    async fn set_priority(
        &self,
        request: Request<v1::SetPriorityRequest>,
    ) -> Result<Response<v1::SetPriorityResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = Some(wire::client_id(&body.client_id)?);
        let priority = wire::priority_of(body.priority)?;
        let view = self.service.prioritize(&actor, client_id, &body.conversation, priority).await?;
        Ok(Response::new(v1::SetPriorityResponse { conversation: shown(&view) }))
    }

    async fn flag_message(
        &self,
        request: Request<v1::FlagMessageRequest>,
    ) -> Result<Response<v1::FlagMessageResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = Some(wire::client_id(&body.client_id)?);
        let flagged = self
            .service
            .flag_message(&actor, client_id, &body.conversation, body.seq, body.reason)
            .await?;
        let message = Some(self.message(&flagged.message));
        Ok(Response::new(v1::FlagMessageResponse { message }))
    }

    async fn retract_message(
        &self,
        request: Request<v1::RetractMessageRequest>,
    ) -> Result<Response<v1::RetractMessageResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = Some(wire::client_id(&body.client_id)?);
        let left =
            self.service.retract_message(&actor, client_id, &body.conversation, body.seq).await?;
        let message = Some(self.message(&left.message));
        Ok(Response::new(v1::RetractMessageResponse { message }))
    }

    async fn mark_read(
        &self,
        request: Request<v1::MarkReadRequest>,
    ) -> Result<Response<v1::MarkReadResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        self.service.mark_read(&actor, &body.conversation, body.seq).await?;
        Ok(Response::new(v1::MarkReadResponse {}))
    }

    async fn set_typing(
        &self,
        request: Request<v1::SetTypingRequest>,
    ) -> Result<Response<v1::SetTypingResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        self.service.set_typing(&actor, &body.conversation, body.note).await?;
        Ok(Response::new(v1::SetTypingResponse {}))
    }
}
