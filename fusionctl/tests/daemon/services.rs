//! The mock's smaller services: sign-in, escalations, articles and keys.

use fusionchat_proto::v1;
use tonic::{Code, Request, Response, Status, async_trait};

use crate::mock::{Answer, Mock, NUMBER, TOKEN, problem};

#[async_trait]
impl v1::session_service_server::SessionService for Mock {
    async fn create_session(
        &self,
        _: Request<v1::CreateSessionRequest>,
    ) -> Answer<v1::CreateSessionResponse> {
        Err(Status::unimplemented("sign-in"))
    }

    async fn accept_invite(
        &self,
        _: Request<v1::AcceptInviteRequest>,
    ) -> Answer<v1::AcceptInviteResponse> {
        Err(Status::unauthenticated("this invitation does not work"))
    }

    async fn get_session(
        &self,
        request: Request<v1::GetSessionRequest>,
    ) -> Answer<v1::GetSessionResponse> {
        let sent = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        if sent != Some(&format!("Bearer {TOKEN}")) {
            let problem_text = v1::Problem {
                code: "session_ended".into(),
                message: "this session has ended".into(),
                ..v1::Problem::default()
            };
            return Err(problem(Code::Unauthenticated, &problem_text));
        }
        let user = v1::User {
            name: Some("agent1".into()),
            role: v1::Role::Agent as i32,
            ..v1::User::default()
        };
        let session = v1::GetSessionResponse {
            kind: "session".into(),
            user: Some(user),
            ..v1::GetSessionResponse::default()
        };
        Ok(Response::new(session))
    }

    async fn list_sessions(
        &self,
        _: Request<v1::ListSessionsRequest>,
    ) -> Answer<v1::ListSessionsResponse> {
        Ok(Response::new(v1::ListSessionsResponse::default()))
    }

    async fn end_session(
        &self,
        _: Request<v1::EndSessionRequest>,
    ) -> Answer<v1::EndSessionResponse> {
        Err(Status::permission_denied("not yours"))
    }
}

#[async_trait]
impl v1::escalation_service_server::EscalationService for Mock {
    async fn return_escalation(
        &self,
        _: Request<v1::ReturnEscalationRequest>,
    ) -> Answer<v1::ReturnEscalationResponse> {
        Err(Status::unimplemented("return"))
    }

    async fn resolve_escalation(
        &self,
        _: Request<v1::ResolveEscalationRequest>,
    ) -> Answer<v1::ResolveEscalationResponse> {
        Err(Status::unimplemented("resolve"))
    }

    async fn list_escalations(
        &self,
        _: Request<v1::ListEscalationsRequest>,
    ) -> Answer<v1::ListEscalationsResponse> {
        let escalation = v1::Escalation {
            number: NUMBER,
            reason: "visitor_wish".into(),
            ..v1::Escalation::default()
        };
        let waiting = v1::WaitingConversation {
            escalation: Some(escalation),
            waiting_since: 1_789_999_748_000,
            visitor_name: "Jo\u{1b}[31m".into(),
            last_line: "I was charged twice".into(),
            ..v1::WaitingConversation::default()
        };
        let answer = v1::ListEscalationsResponse {
            waiting: vec![waiting],
            now: 1_790_000_000_000,
            ..v1::ListEscalationsResponse::default()
        };
        Ok(Response::new(answer))
    }

    async fn assign_escalation(
        &self,
        request: Request<v1::AssignEscalationRequest>,
    ) -> Answer<v1::AssignEscalationResponse> {
        let request = request.into_inner();
        self.taken(request.take)?;
        let escalation = Some(v1::Escalation { number: NUMBER, ..v1::Escalation::default() });
        Ok(Response::new(v1::AssignEscalationResponse { escalation }))
    }
}

#[async_trait]
impl v1::article_service_server::ArticleService for Mock {
    async fn put_article(
        &self,
        request: Request<v1::PutArticleRequest>,
    ) -> Answer<v1::PutArticleResponse> {
        use v1::put_article_response::Outcome;
        let request = request.into_inner();
        if request.body.contains("refuse me") {
            return Err(Status::invalid_argument("the body is not wanted"));
        }
        let path = request.source_path.clone();
        let before = self.rows().articles.insert(path.clone(), request.clone());
        let outcome = match before {
            None => Outcome::Created,
            Some(before) if before.body == request.body && before.title == request.title => {
                Outcome::Unchanged
            }
            Some(_) => Outcome::Changed,
        };
        let article = Some(v1::Article { id: format!("id of {path}"), ..v1::Article::default() });
        Ok(Response::new(v1::PutArticleResponse { article, outcome: outcome as i32 }))
    }

    async fn get_article(
        &self,
        _: Request<v1::GetArticleRequest>,
    ) -> Answer<v1::GetArticleResponse> {
        Err(Status::not_found("no such article"))
    }

    async fn list_articles(
        &self,
        _: Request<v1::ListArticlesRequest>,
    ) -> Answer<v1::ListArticlesResponse> {
        Ok(Response::new(v1::ListArticlesResponse::default()))
    }

    async fn delete_article(
        &self,
        _: Request<v1::DeleteArticleRequest>,
    ) -> Answer<v1::DeleteArticleResponse> {
        Ok(Response::new(v1::DeleteArticleResponse {}))
    }

    async fn search_articles(
        &self,
        _: Request<v1::SearchArticlesRequest>,
    ) -> Answer<v1::SearchArticlesResponse> {
        let passage = v1::Passage { title: "Delivery".into(), score: 0.9, ..Default::default() };
        let answer = v1::SearchArticlesResponse {
            passages: vec![passage],
            decision: "answer".into(),
            answer: "Two days.".into(),
        };
        Ok(Response::new(answer))
    }
}

#[async_trait]
impl v1::key_service_server::KeyService for Mock {
    /// A key named `again` was made before.
    async fn create_key(
        &self,
        request: Request<v1::CreateKeyRequest>,
    ) -> Answer<v1::CreateKeyResponse> {
        let request = request.into_inner();
        let secret = if request.name == "again" { "" } else { "fus_live_1_secret_2" };
        let key = v1::Key { name: request.name, scopes: request.scopes, ..v1::Key::default() };
        Ok(Response::new(v1::CreateKeyResponse { key: Some(key), secret: secret.into() }))
    }

    async fn list_keys(&self, _: Request<v1::ListKeysRequest>) -> Answer<v1::ListKeysResponse> {
        Ok(Response::new(v1::ListKeysResponse::default()))
    }

    async fn revoke_key(&self, _: Request<v1::RevokeKeyRequest>) -> Answer<v1::RevokeKeyResponse> {
        Err(Status::not_found("no such key"))
    }
}
