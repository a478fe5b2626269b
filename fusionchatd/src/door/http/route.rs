//! The one table of the REST routes. The router is built from it, and so is every test that must
//! know them all.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::{MethodFilter, get, on};
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};

use crate::door::live;
use crate::service::error::Error;

use super::call::{self, Call};
use super::widget;
use super::{
    Door, article, audit, auth, conversation, conversation_act, escalation, inbox, probe, problem,
    server, user, visitor,
};

/// What a route's work comes to.
pub type Running = BoxFuture<'static, Result<Response<Body>, Error>>;

/// The methods in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
}

impl Verb {
    /// As it is written in a request.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Whether a request has a body that is read.
    pub const fn has_body(self) -> bool {
        match self {
            Self::Post | Self::Put | Self::Patch => true,
            Self::Get | Self::Delete => false,
        }
    }

    const fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

/// One REST route.
#[derive(Debug)]
pub struct Route {
    /// Its method.
    pub verb: Verb,
    /// Its path; `{name}` stands for one part.
    pub path: &'static str,
    /// Its name, the same as the gRPC method's where there is one.
    pub name: &'static str,
    /// Whether it needs no credential.
    pub open: bool,
    /// Does it.
    pub run: fn(Call) -> Running,
}

macro_rules! route {
    ($verb:ident $path:literal $name:literal $run:path) => {
        Route {
            verb: Verb::$verb,
            path: $path,
            name: $name,
            open: false,
            run: |call| Box::pin($run(call)),
        }
    };
    (open $verb:ident $path:literal $name:literal $run:path) => {
        Route { open: true, ..route!($verb $path $name $run) }
    };
}

/// Every REST route there is.
pub const ROUTES: &[Route] = &[
    route!(open Post "/api/auth/session" "CreateSession" auth::create_session),
    route!(Get "/api/auth/session" "GetSession" auth::get_session),
    route!(Delete "/api/auth/session" "EndSession" auth::end_session),
    route!(open Post "/api/auth/accept" "AcceptInvite" auth::accept_invite),
    route!(open Post "/api/visitor/session" "CreateVisitorSession" visitor::create_session),
    route!(Get "/api/inboxes" "ListInboxes" inbox::list),
    route!(Post "/api/inboxes" "CreateInbox" inbox::create),
    route!(Get "/api/inboxes/{ref}" "GetInbox" inbox::get),
    route!(Patch "/api/inboxes/{ref}" "EditInbox" inbox::edit),
    route!(Get "/api/inboxes/{ref}/test" "TestInbox" inbox::test),
    route!(Get "/api/users" "ListUsers" user::list),
    route!(Post "/api/users/invite" "InviteUser" user::invite),
    route!(Get "/api/users/{ref}" "GetUser" user::get),
    route!(Put "/api/users/{ref}" "EditUser" user::edit),
    route!(Post "/api/users/{ref}/reset" "ResetUser" user::reset),
    route!(Post "/api/users/{ref}/disable" "DisableUser" user::disable),
    route!(Post "/api/users/{ref}/enable" "EnableUser" user::enable),
    route!(Post "/api/conversations" "StartConversation" conversation::start),
    route!(Get "/api/conversations" "ListConversations" conversation::list),
    route!(Get "/api/conversations/{ref}" "GetConversation" conversation::get),
    route!(Get "/api/conversations/{ref}/messages" "ListMessages" conversation::list_messages),
    route!(Post "/api/conversations/{ref}/messages" "PostMessage" conversation::post_message),
    route!(Post "/api/conversations/{ref}/notes" "AddNote" conversation::add_note),
    route!(Post "/api/conversations/{ref}/claim" "ClaimConversation" conversation::claim),
    route!(Post "/api/conversations/{ref}/release" "ReleaseConversation" conversation::release),
    route!(Post "/api/conversations/{ref}/handback" "HandBackConversation" conversation::hand_back),
    route!(Post "/api/conversations/{ref}/reopen" "ReopenConversation" conversation::reopen),
    route!(Post "/api/conversations/{ref}/escalate" "EscalateConversation" conversation::escalate),
    route!(Post "/api/conversations/{ref}/resolve" "ResolveConversation" conversation::resolve),
    route!(
        Post "/api/conversations/{ref}/transfer" "TransferConversation" conversation_act::transfer
    ),
    route!(Post "/api/conversations/{ref}/tags" "TagConversation" conversation_act::tag),
    route!(Post "/api/conversations/{ref}/priority" "SetPriority" conversation_act::prioritize),
    route!(
        Post "/api/conversations/{ref}/messages/{seq}/flag" "FlagMessage" conversation_act::flag
    ),
    route!(
        Post "/api/conversations/{ref}/messages/{seq}/retract" "RetractMessage"
        conversation_act::retract
    ),
    route!(Get "/api/escalations" "ListEscalations" escalation::list),
    route!(Post "/api/escalations/{ref}/assign" "AssignEscalation" escalation::assign),
    route!(Post "/api/escalations/{ref}/return" "ReturnEscalation" escalation::give_back),
    route!(Post "/api/escalations/{ref}/resolve" "ResolveEscalation" escalation::resolve),
    route!(Get "/api/visitors" "ListVisitors" visitor::list),
    route!(Get "/api/audit" "ListEntries" audit::list),
    route!(Put "/api/articles" "PutArticle" article::put),
    route!(Get "/api/articles" "ListArticles" article::list),
    route!(Get "/api/articles/search" "SearchArticles" article::search),
    route!(Get "/api/articles/{id}" "GetArticle" article::get),
    route!(Patch "/api/articles/{id}" "EditArticle" article::edit),
    route!(Delete "/api/articles/{id}" "DeleteArticle" article::delete),
    route!(Get "/api/server" "GetServerStatus" server::status),
];

/// Everything the HTTP door answers.
pub(super) fn router(door: &Arc<Door>) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let door = Arc::clone(door);
        let run = move |request: Request<Body>| call::serve(Arc::clone(&door), route, request);
        router = router.route(route.path, on(route.verb.filter(), run));
    }
    let (frame, page, socket) = (Arc::clone(door), Arc::clone(door), Arc::clone(door));
    let ready = Arc::clone(door);
    router
        .route("/livez", get(async || probe::live()))
        .route("/readyz", get(move || std::future::ready(probe::ready(&ready.service))))
        .route("/embed.js", get(widget::loader))
        .route("/w/assets/{file}", get(widget::asset))
        .route("/w/{inbox}", get(move |r| widget::frame(Arc::clone(&frame), r)))
        .route("/a/{article}", get(move |r| widget::article(Arc::clone(&page), r)))
        .route("/ws", get(move |r| std::future::ready(live::upgrade(&socket, r))))
        .fallback(|| async {
            problem::of_status(StatusCode::NOT_FOUND, "not_found", "there is nothing here")
        })
        .method_not_allowed_fallback(|| async {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            problem::of_status(status, "method_not_allowed", "this method does nothing here")
        })
}

#[cfg(test)]
mod tests {
    use super::ROUTES;

    #[test]
    fn the_documentation_has_every_route_and_no_other() {
        let documented = include_str!("../../../../docs/protocol.md");
        let rows: Vec<&str> = documented
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|it| it.0))
            .filter(|row| row.contains(" /api/"))
            .map(|row| row.split('?').next().unwrap_or(row))
            .collect();
        let routes: Vec<String> =
            ROUTES.iter().map(|it| format!("{} {}", it.verb.name(), it.path)).collect();
        for route in &routes {
            assert!(rows.contains(&route.as_str()), "docs/protocol.md has no {route}");
        }
        for row in rows {
            assert!(routes.iter().any(|it| it == row), "there is no route {row}");
        }
    }
}
