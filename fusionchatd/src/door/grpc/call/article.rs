//! Articles.

use fusionchat_proto::v1;
use fusionchat_proto::v1::article_service_server::ArticleService;
use fusionchat_proto::v1::put_article_response::Outcome;
use tonic::{Request, Response, Status};

use crate::door::grpc::{Door, wire};
use crate::service::article::{EditArticle, PutArticle, PutOutcome};

#[tonic::async_trait]
impl ArticleService for Door {
    async fn put_article(
        &self,
        request: Request<v1::PutArticleRequest>,
    ) -> Result<Response<v1::PutArticleResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = wire::client_id(&body.client_id)?;
        let new = PutArticle {
            source_path: body.source_path,
            title: body.title,
            body: body.body,
            locale: wire::given(body.locale),
            status: wire::article_status_of(body.status)?,
            inboxes: body.inboxes.map(|it| it.values),
        };
        let (article, outcome) = self.service.put_article(&actor, Some(client_id), new).await?;
        let outcome = match outcome {
            PutOutcome::Created => Outcome::Created,
            PutOutcome::Changed => Outcome::Changed,
            PutOutcome::Unchanged => Outcome::Unchanged,
        };
        let article = Some(wire::article(article));
        Ok(Response::new(v1::PutArticleResponse { article, outcome: outcome.into() }))
    }

    async fn edit_article(
        &self,
        request: Request<v1::EditArticleRequest>,
    ) -> Result<Response<v1::EditArticleResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = wire::client_id(&body.client_id)?;
        let edit = EditArticle {
            status: wire::article_status_of(body.status)?,
            inboxes: body.inboxes.map(|it| it.values),
            locale: body.locale,
        };
        let id = &body.article_id;
        let article = self.service.edit_article(&actor, Some(client_id), id, edit).await?;
        Ok(Response::new(v1::EditArticleResponse { article: Some(wire::article(article)) }))
    }

    async fn get_article(
        &self,
        request: Request<v1::GetArticleRequest>,
    ) -> Result<Response<v1::GetArticleResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let article = self.service.get_article(&actor, &body.article_id).await?;
        Ok(Response::new(v1::GetArticleResponse { article: Some(wire::article(article)) }))
    }

    async fn list_articles(
        &self,
        request: Request<v1::ListArticlesRequest>,
    ) -> Result<Response<v1::ListArticlesResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let page = self.service.list_articles(&actor, body.limit, &body.page_token).await?;
        let (articles, next_page_token) = page;
        let listed = |article| v1::Article { body: String::new(), ..wire::article(article) };
        let articles = articles.into_iter().map(listed).collect();
        Ok(Response::new(v1::ListArticlesResponse { articles, next_page_token }))
    }

    async fn delete_article(
        &self,
        request: Request<v1::DeleteArticleRequest>,
    ) -> Result<Response<v1::DeleteArticleResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let client_id = wire::client_id(&body.client_id)?;
        self.service.delete_article(&actor, Some(client_id), &body.article_id).await?;
        Ok(Response::new(v1::DeleteArticleResponse {}))
    }

    async fn search_articles(
        &self,
        request: Request<v1::SearchArticlesRequest>,
    ) -> Result<Response<v1::SearchArticlesResponse>, Status> {
        let (actor, body) = self.open(request).await?;
        let (inbox, locale) = (wire::given(body.inbox), wire::given(body.locale));
        let (query, inbox, locale) = (&body.query, inbox.as_deref(), locale.as_deref());
        let found = self.service.search_articles(&actor, query, inbox, locale, body.limit).await?;
        Ok(Response::new(v1::SearchArticlesResponse {
            passages: found.passages.into_iter().map(wire::passage).collect(),
            decision: found.decision.to_owned(),
            answer: found.answer,
        }))
    }
}
