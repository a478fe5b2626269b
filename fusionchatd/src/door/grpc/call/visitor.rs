//! Visitors.

use fusionchat_proto::v1;
use fusionchat_proto::v1::visitor_service_server::VisitorService;
use tonic::{Request, Response, Status};

use crate::door::grpc::{Door, wire};

#[tonic::async_trait]
impl VisitorService for Door {
    async fn list_visitors(
        &self,
        request: Request<v1::ListVisitorsRequest>,
    ) -> Result<Response<v1::ListVisitorsResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let page = self.service.list_visitors(&actor, body.limit, &body.page_token).await?;
        let visitors = page.visitors.into_iter().map(|it| v1::Visitor {
            id: it.user.id.to_string(),
            name: it.user.name.unwrap_or_default(),
            created_at: it.user.created_at,
            conversation: it.latest.as_ref().map(wire::conversation),
        });
        Ok(Response::new(v1::ListVisitorsResponse {
            visitors: visitors.collect(),
            next_page_token: page.next_page_token,
        }))
    }
}
