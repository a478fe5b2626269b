//! The journal as an audit log.

use fusionchat_proto::v1;
use fusionchat_proto::v1::audit_service_server::AuditService;
use tonic::{Request, Response, Status};

use crate::door::grpc::{Door, wire};
use crate::service::audit::{EntryView, ListEntries, kinds_of};

#[tonic::async_trait]
impl AuditService for Door {
    async fn list_entries(
        &self,
        request: Request<v1::ListEntriesRequest>,
    ) -> Result<Response<v1::ListEntriesResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let query = ListEntries {
            actor: wire::given(body.actor),
            kinds: kinds_of(&body.kinds)?,
            since: body.since,
            until: body.until,
            conversation: wire::given(body.conversation),
            limit: body.limit,
            page_token: body.page_token,
        };
        let page = self.service.list_entries(&actor, &query).await?;
        Ok(Response::new(v1::ListEntriesResponse {
            entries: page.entries.iter().map(entry).collect(),
            next_page_token: page.next_page_token,
        }))
    }
}

fn entry(view: &EntryView) -> v1::Entry {
    let row = &view.entry;
    v1::Entry {
        position: row.position,
        time: row.time,
        actor: Some(wire::actor(&row.actor, &view.actor_name)),
        kind: row.kind.name().to_owned(),
        conversation_id: row.conversation.map(|it| it.to_string()).unwrap_or_default(),
        number: view.number,
        subject_id: row.subject.map(|it| it.to_string()).unwrap_or_default(),
        other_id: row.other.map(|it| it.to_string()).unwrap_or_default(),
        other_name: view.other_name.clone(),
        seq: row.seq,
        detail: row.detail.clone().unwrap_or_default(),
    }
}
