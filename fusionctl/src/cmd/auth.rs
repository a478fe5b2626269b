//! `auth`: signing in and out, and who the credential says you are.

use std::io::ErrorKind;
use std::path::Path;

use clap::{Args, Subcommand, ValueEnum};
use fusionchat_client::context::Contexts;
use fusionchat_client::credential::{Entry, Place, PrivateFile, Vault as _};
use fusionchat_client::resolve::Resolved;
use fusionchat_proto::v1;
use serde_json::json;

use crate::cmd::{Context, expect, name, object, text};
use crate::failure::{Exit, Failure};
use crate::names;
use crate::output::{Cell, Report};
use crate::view;

/// Verbs of `auth`.
#[derive(Debug, Subcommand)]
pub(crate) enum AuthCommand {
    /// Sign in with e-mail and password, and keep the credential for the context
    #[command(after_help = "Example:\n  fusionctl auth login --email ana@acme.example")]
    Login(Login),
    /// Use an invite code: set your password and sign in
    #[command(after_help = "Example:\n  fusionctl auth accept CODE --store file")]
    Accept(Accept),
    /// End the session and forget the credential
    #[command(after_help = "Example:\n  fusionctl auth logout")]
    Logout,
    /// Show who you are; exits 4 when signed out
    #[command(after_help = "Example:\n  fusionctl auth status -o json")]
    Status,
}

/// Arguments of `auth login`.
#[derive(Args, Debug)]
pub(crate) struct Login {
    /// Your e-mail address; asked for on a terminal
    #[arg(long)]
    email: Option<String>,
    /// The tenant to sign in to; needed only where several know this address and password
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    keep: Keep,
}

/// Arguments of `auth accept`.
#[derive(Args, Debug)]
pub(crate) struct Accept {
    /// The one-time code of the invitation
    code: String,
    #[command(flatten)]
    keep: Keep,
}

/// How the password comes and where the credential goes.
#[derive(Args, Debug)]
pub(crate) struct Keep {
    /// Read the password from stdin instead of asking for it
    #[arg(long)]
    password_stdin: bool,
    /// Where the credential is kept; none shows it once, for FUSION_TOKEN
    #[arg(long, value_enum, default_value = "keyring")]
    store: Store,
}

/// Where a credential can go.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Store {
    Keyring,
    File,
    None,
}

/// The context that is made by the first sign-in without one.
const FIRST_CONTEXT: &str = "default";

pub(crate) async fn run(context: &Context, command: AuthCommand) -> Result<Report, Failure> {
    match command {
        AuthCommand::Login(arguments) => login(context, arguments).await,
        AuthCommand::Accept(arguments) => accept(context, arguments).await,
        AuthCommand::Logout => logout(context).await,
        AuthCommand::Status => status(context).await,
    }
}

async fn login(context: &Context, arguments: Login) -> Result<Report, Failure> {
    let resolved = way(context)?;
    let held = &resolved.held;
    let email = match arguments.email.or_else(|| held.user.clone()) {
        Some(email) => email,
        None => asked(context, "E-mail", true, "say it with --email")?,
    };
    let organization = arguments.tenant.or_else(|| held.tenant.clone()).unwrap_or_default();
    probe(context, arguments.keep.store, &email)?;
    let password = password(context, &arguments.keep).await?;
    let request = v1::CreateSessionRequest { email, password, organization: organization.clone() };
    let answer = context.client.call(context.client.sessions().create_session(request)).await?;
    keep(context, arguments.keep.store, &answer.token, answer.user, Some(organization))
}

async fn accept(context: &Context, arguments: Accept) -> Result<Report, Failure> {
    way(context)?;
    probe(context, arguments.keep.store, "")?;
    let password = password(context, &arguments.keep).await?;
    let request = v1::AcceptInviteRequest { code: arguments.code, password };
    let answer = context.client.call(context.client.sessions().accept_invite(request)).await?;
    keep(context, arguments.keep.store, &answer.token, answer.user, None)
}

/// The way to the daemon; a demo has credentials of its own.
fn way(context: &Context) -> Result<&Resolved, Failure> {
    context.resolved.as_ref().ok_or_else(|| {
        Failure::usage("demo", "the demo needs no sign-in: its credentials are in its file")
    })
}

fn asked(context: &Context, what: &str, shown: bool, else_do: &str) -> Result<String, Failure> {
    let ask = context.ask.ok_or_else(|| {
        Failure::usage("not_a_terminal", format!("nobody can be asked for it here: {else_do}"))
    })?;
    ask(what, shown).map_err(|error| {
        if error.kind() == ErrorKind::Interrupted {
            return Failure::new(Exit::Interrupted, "interrupted", "interrupted");
        }
        Failure::new(Exit::Failed, "terminal", format!("the terminal cannot be read: {error}"))
    })
}

async fn password(context: &Context, keep: &Keep) -> Result<String, Failure> {
    if keep.password_stdin {
        return context.stdin.password(Path::new("-")).await;
    }
    asked(context, "Password", false, "use --password-stdin")
}

/// Finds out whether the place can be used before there is a session to lose.
fn probe(context: &Context, store: Store, user: &str) -> Result<(), Failure> {
    let entry = Entry { context: FIRST_CONTEXT, user };
    let here = context.environment.surroundings();
    match store {
        Store::Keyring => here.keyring().get(entry).map(drop)?,
        Store::File => PrivateFile(&here.credential_file()).get(entry).map(drop)?,
        Store::None => {}
    }
    Ok(())
}

/// Keeps the credential and the context it belongs to.
fn keep(
    context: &Context,
    store: Store,
    token: &str,
    user: Option<v1::User>,
    tenant: Option<String>,
) -> Result<Report, Failure> {
    let user = expect(user, "user")?;
    let email = user.email.clone().unwrap_or_default();
    let mut json = view::user(&user);
    let mut fields = vec![("signed in as", Cell::text(&email))];
    if store == Store::None {
        json.insert("token".into(), json!(token));
        fields.push(("token", Cell::text(token)));
        return Ok(object(json, fields).into());
    }
    let resolved = way(context)?;
    let here = context.environment.surroundings();
    let path = here.config_file();
    let mut contexts = Contexts::read(&path)?;
    let name = resolved.context.as_ref().map_or(FIRST_CONTEXT, |it| it.value.as_str());
    let entry = Entry { context: name, user: &email };
    let mut held = resolved.held.clone();
    held.endpoint = Some(resolved.endpoint.value.clone());
    held.ca_file = resolved.ca_file.as_ref().map(|it| it.value.clone());
    held.user = Some(email.clone());
    if let Some(tenant) = tenant.filter(|it| !it.is_empty()) {
        held.tenant = Some(tenant);
    }
    let place = match store {
        Store::Keyring => {
            here.keyring().put(entry, token)?;
            "keyring"
        }
        Store::File | Store::None => {
            PrivateFile(&here.credential_file()).put(entry, token)?;
            "file"
        }
    };
    held.credential = Some(place.to_owned());
    contexts.put(name, held)?;
    contexts.write(&path)?;
    json.insert("context".into(), json!(name));
    json.insert("credential".into(), json!(place));
    fields.push(("context", Cell::text(name)));
    fields.push(("credential", Cell::text(place)));
    Ok(object(json, fields).into())
}

/// Ends the session and forgets its credential, even where the session had ended before.
async fn logout(context: &Context) -> Result<Report, Failure> {
    let resolved = way(context)?;
    let request =
        v1::EndSessionRequest { client_id: context.once.client_id(), session_id: String::new() };
    let ended = context.change(context.client.sessions().end_session(request)).await;
    let here = context.environment.surroundings();
    if let (Some(name), None) = (&resolved.context, context.environment.variable("FUSION_TOKEN")) {
        let user = resolved.held.user.as_deref().unwrap_or_default();
        let entry = Entry { context: &name.value, user };
        match resolved.held.place()? {
            Some(Place::Keyring) => here.keyring().forget(entry)?,
            Some(Place::File) => PrivateFile(&here.credential_file()).forget(entry)?,
            Some(Place::Variable(_) | Place::Command(_)) | None => {}
        }
    }
    match ended {
        Ok(_) => {}
        Err(failure) if failure.exit == Exit::SignInNeeded => {}
        Err(failure) => return Err(failure),
    }
    let json = [("signedIn".to_owned(), json!(false))].into_iter().collect();
    Ok(object(json, vec![("signed in", Cell::Text("no".to_owned()))]).into())
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
