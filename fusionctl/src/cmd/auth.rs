//! `auth`: who the credential says you are.

use clap::Subcommand;
use fusionchat_proto::v1;

use crate::cmd::{Context, name, object, text};
use crate::failure::Failure;
use crate::names;
use crate::output::{Cell, Report};
use crate::view;

/// Verbs of `auth`.
#[derive(Debug, Subcommand)]
pub(crate) enum AuthCommand {
    /// Show who you are; exits 4 when signed out
    #[command(after_help = "Example:\n  fusionctl auth status -o json")]
    Status,
}

pub(crate) async fn run(context: &Context, command: AuthCommand) -> Result<Report, Failure> {
    match command {
        AuthCommand::Status => status(context).await,
    }
}

async fn status(context: &Context) -> Result<Report, Failure> {
    let request = v1::GetSessionRequest {};
    let who = context.client.call(context.client.sessions().get_session(request)).await?;
    let user = who.user.as_ref();
    let expires_at = who
        .session
        .as_ref()
        .map(|session| session.expires_at)
        .or_else(|| who.key.as_ref().and_then(|key| key.expires_at));
    let fields = vec![
        ("signed in as", Cell::text(&who.kind)),
        ("user", text(user.and_then(|user| user.name.as_deref()))),
        ("email", text(user.and_then(|user| user.email.as_deref()))),
        ("role", name(user.and_then(|user| names::role(user.role)))),
        ("availability", name(user.and_then(|user| names::availability(user.availability)))),
        ("tenant", text(who.organization.as_ref().map(|tenant| tenant.name.as_str()))),
        ("key", text(who.key.as_ref().map(|key| key.name.as_str()))),
        ("expires", Cell::at(expires_at)),
    ];
    Ok(object(view::who(&who), fields).into())
}
