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
use super::rest::{
    article, audit, auth, conversation, conversation_act, escalation, inbox, key, server, user,
    visitor,
};
use super::shape::Shape;
use super::{Door, openapi, probe, problem, widget};

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
    /// What it takes and gives.
    pub shape: Shape,
    /// Does it.
    pub run: fn(Call) -> Running,
}

impl Route {
    /// Whether it changes something, so that a repeat must be harmless.
    pub fn changes(&self) -> bool {
        self.verb != Verb::Get
    }
}

macro_rules! route {
    ($verb:ident $path:literal $name:literal $run:path, $shape:path) => {
        Route {
            verb: Verb::$verb,
            path: $path,
            name: $name,
            open: false,
            shape: $shape,
            run: |call| Box::pin($run(call)),
        }
    };
    (open $verb:ident $path:literal $name:literal $run:path, $shape:path) => {
        Route { open: true, ..route!($verb $path $name $run, $shape) }
    };
}

/// Every REST route there is.
pub const ROUTES: &[Route] = &[
    route!(open Post "/api/auth/session" "CreateSession" auth::create_session, auth::CREATE),
    route!(Get "/api/auth/session" "GetSession" auth::get_session, auth::GET),
    route!(Delete "/api/auth/session" "EndSession" auth::end_session, auth::END),
    route!(open Post "/api/auth/accept" "AcceptInvite" auth::accept_invite, auth::ACCEPT),
    route!(open Post "/api/visitor/session" "CreateVisitorSession" visitor::create_session, visitor::CREATE),
    route!(Get "/api/inboxes" "ListInboxes" inbox::list, inbox::LIST),
    route!(Post "/api/inboxes" "CreateInbox" inbox::create, inbox::CREATE),
    route!(Get "/api/inboxes/{ref}" "GetInbox" inbox::get, inbox::GET),
    route!(Patch "/api/inboxes/{ref}" "EditInbox" inbox::edit, inbox::EDIT),
    route!(Get "/api/inboxes/{ref}/test" "TestInbox" inbox::test, inbox::TEST),
    route!(Get "/api/users" "ListUsers" user::list, user::LIST),
    route!(Post "/api/users/invite" "InviteUser" user::invite, user::INVITE),
    route!(
        Put "/api/users/me/availability" "SetAvailability" user::set_availability, user::AVAILABILITY
    ),
    route!(Get "/api/users/{ref}" "GetUser" user::get, user::GET),
    route!(Patch "/api/users/{ref}" "EditUser" user::edit, user::EDIT),
    route!(Post "/api/users/{ref}/reset" "ResetUser" user::reset, user::RESET),
    route!(Post "/api/users/{ref}/disable" "DisableUser" user::disable, user::DISABLE),
    route!(Post "/api/users/{ref}/enable" "EnableUser" user::enable, user::ENABLE),
    route!(Post "/api/conversations" "StartConversation" conversation::start, conversation::START),
    route!(Get "/api/conversations" "ListConversations" conversation::list, conversation::LIST),
    route!(Get "/api/conversations/{ref}" "GetConversation" conversation::get, conversation::GET),
    route!(Get "/api/conversations/{ref}/messages" "ListMessages" conversation::list_messages, conversation::LIST_MESSAGES),
    route!(Post "/api/conversations/{ref}/messages" "PostMessage" conversation::post_message, conversation::POST_MESSAGE),
    route!(Post "/api/conversations/{ref}/notes" "AddNote" conversation::add_note, conversation::ADD_NOTE),
    route!(Post "/api/conversations/{ref}/claim" "ClaimConversation" conversation::claim, conversation::CLAIM),
    route!(Post "/api/conversations/{ref}/release" "ReleaseConversation" conversation::release, conversation::RELEASE),
    route!(Post "/api/conversations/{ref}/handback" "HandBackConversation" conversation::hand_back, conversation::HAND_BACK),
    route!(Post "/api/conversations/{ref}/reopen" "ReopenConversation" conversation::reopen, conversation::REOPEN),
    route!(Post "/api/conversations/{ref}/escalate" "EscalateConversation" conversation::escalate, conversation::ESCALATE),
    route!(Post "/api/conversations/{ref}/resolve" "ResolveConversation" conversation::resolve, conversation::RESOLVE),
    route!(
        Post "/api/conversations/{ref}/transfer" "TransferConversation" conversation_act::transfer, conversation_act::TRANSFER
    ),
    route!(Post "/api/conversations/{ref}/tags" "TagConversation" conversation_act::tag, conversation_act::TAG),
    route!(Post "/api/conversations/{ref}/priority" "SetPriority" conversation_act::prioritize, conversation_act::PRIORITIZE),
    route!(
        Post "/api/conversations/{ref}/messages/{seq}/flag" "FlagMessage" conversation_act::flag, conversation_act::FLAG
    ),
    route!(
        Post "/api/conversations/{ref}/messages/{seq}/retract" "RetractMessage" conversation_act::retract, conversation_act::RETRACT
    ),
    route!(Get "/api/escalations" "ListEscalations" escalation::list, escalation::LIST),
    route!(Post "/api/escalations/{ref}/assign" "AssignEscalation" escalation::assign, escalation::ASSIGN),
    route!(Post "/api/escalations/{ref}/return" "ReturnEscalation" escalation::give_back, escalation::RETURN),
    route!(Post "/api/escalations/{ref}/resolve" "ResolveEscalation" escalation::resolve, escalation::RESOLVE),
    route!(Get "/api/visitors" "ListVisitors" visitor::list, visitor::LIST),
    route!(Get "/api/audit" "ListEntries" audit::list, audit::LIST),
    route!(Put "/api/articles" "PutArticle" article::put, article::PUT),
    route!(Get "/api/articles" "ListArticles" article::list, article::LIST),
    route!(Get "/api/articles/search" "SearchArticles" article::search, article::SEARCH),
    route!(Get "/api/articles/{id}" "GetArticle" article::get, article::GET),
    route!(Patch "/api/articles/{id}" "EditArticle" article::edit, article::EDIT),
    route!(Delete "/api/articles/{id}" "DeleteArticle" article::delete, article::DELETE),
    route!(Get "/api/keys" "ListKeys" key::list, key::LIST),
    route!(Post "/api/keys" "CreateKey" key::create, key::CREATE),
    route!(Post "/api/keys/{id}/revoke" "RevokeKey" key::revoke, key::REVOKE),
    route!(Get "/api/server" "GetServerStatus" server::status, server::STATUS),
    route!(open Get "/api/openapi.json" "GetOpenApi" openapi::get, openapi::GET),
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
    use std::collections::BTreeSet;

    use schemars::SchemaGenerator;

    use super::{ROUTES, Route};

    /// A method with its path, and the names in its query.
    type Row = (String, BTreeSet<String>);

    fn documented(row: &str) -> Row {
        let (path, query) = row.split_once('?').unwrap_or((row, ""));
        let names = query.split_terminator('&').map(|it| it.trim_end_matches('=').to_owned());
        (path.to_owned(), names.collect())
    }

    fn served(route: &Route) -> Row {
        let mut types = SchemaGenerator::default();
        let query = route.shape.query.map(|query| query(&mut types).to_value());
        let names = query.iter().filter_map(|it| it["properties"].as_object()).flatten();
        let path = format!("{} {}", route.verb.name(), route.path);
        (path, names.map(|(name, _)| name.clone()).collect())
    }

    #[test]
    fn the_documentation_has_every_route_and_no_other() {
        let rows: BTreeSet<Row> = include_str!("../../../../docs/protocol.md")
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|it| it.0))
            .filter(|row| row.contains(" /api/"))
            .map(documented)
            .collect();
        let routes: BTreeSet<Row> = ROUTES.iter().map(served).collect();
        let untold: Vec<&Row> = routes.difference(&rows).collect();
        assert!(untold.is_empty(), "docs/protocol.md does not have {untold:?}");
        let absent: Vec<&Row> = rows.difference(&routes).collect();
        assert!(absent.is_empty(), "docs/protocol.md has what is not there: {absent:?}");
    }
}
