//! `user`: staff, that is admins and agents.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use fusionchat_proto::v1;
use serde_json::json;

use crate::cmd::key::Secret;
use crate::cmd::{Context, expect, name, object, text};
use crate::failure::Failure;
use crate::names::{self, AvailabilityChoice, RoleChoice};
use crate::output::{Cell, Column, Object, Report, Row, Rows, Shape};
use crate::view;

const COLUMNS: &[Column] = &[
    Column::flexible("NAME"),
    Column::flexible("EMAIL"),
    Column::fixed("ROLE"),
    Column::fixed("AVAILABILITY"),
    Column::fixed("STATE"),
    Column::fixed("ID"),
];

/// Verbs of `user`.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// List the staff
    #[command(after_help = "Example:\n  fusionctl user list -o json")]
    List,
    /// Show an admin or agent
    #[command(after_help = "Example:\n  fusionctl user get ana -o json")]
    Get {
        /// Their name, e-mail or id
        user: String,
    },
    /// Give an admin or agent another name or role
    #[command(after_help = "Example:\n  fusionctl user edit ana --role admin")]
    Edit(Edit),
    /// Make a new one-time code for an admin or agent, shown once; their password and sessions end
    #[command(after_help = "Example:\n  fusionctl user reset ana")]
    Reset {
        /// Their name, e-mail or id
        user: String,
        /// Write the code to this new file (mode 0600) instead of stdout
        #[arg(long, value_name = "FILE")]
        to_file: Option<PathBuf>,
    },
    /// Shut an admin or agent out: sessions, keys and open streams end, their conversations wait in the queue again
    #[command(after_help = "Example:\n  fusionctl user disable ana")]
    Disable {
        /// Their name, e-mail or id
        user: String,
    },
    /// Let a disabled admin or agent sign in again; keys they had stay ended
    #[command(after_help = "Example:\n  fusionctl user enable ana")]
    Enable {
        /// Their name, e-mail or id
        user: String,
    },
    /// Invite an admin or an agent; the one-time code with which they set their password is shown once and works
    /// for 24 hours
    #[command(after_help = "Example:\n  fusionctl user invite ana@acme.example --name ana \
                            --role agent")]
    Invite(Invite),
    /// Create an admin or an agent with a password you choose
    #[command(after_help = "Example:\n  fusionctl user create ana@acme.example --name ana \
                            --role agent --password-file ana.password")]
    Create(Create),
    /// Set your own availability
    #[command(after_help = "Example:\n  fusionctl user availability away")]
    Availability {
        /// Whether new conversations may come to you
        #[arg(value_enum)]
        availability: AvailabilityChoice,
    },
}

/// Arguments of `user invite`.
#[derive(Args, Debug)]
pub(crate) struct Invite {
    /// Unique inside the organization
    email: String,
    /// How visitors, colleagues and commands call this user; unique inside the organization. Without it, the part of
    /// the address before the @
    #[arg(long)]
    name: Option<String>,
    /// What this user may do
    #[arg(long, value_enum)]
    role: RoleChoice,
    /// Write the code to this new file (mode 0600) instead of stdout
    #[arg(long, value_name = "FILE")]
    to_file: Option<PathBuf>,
}

/// Arguments of `user edit`.
#[derive(Args, Debug)]
pub(crate) struct Edit {
    /// Their name, e-mail or id
    user: String,
    /// What they are called from now on
    #[arg(long, required_unless_present = "role")]
    name: Option<String>,
    /// What they may do from now on
    #[arg(long, value_enum)]
    role: Option<RoleChoice>,
}

/// Arguments of `user create`.
#[derive(Args, Debug)]
pub(crate) struct Create {
    /// Unique inside the organization
    email: String,
    /// How visitors, colleagues and commands call this user; unique inside the organization
    #[arg(long)]
    name: String,
    /// What this user may do
    #[arg(long, value_enum)]
    role: RoleChoice,
    /// The password, in a file or (-) on stdin: at least 12 characters
    #[arg(long, value_name = "FILE")]
    password_file: PathBuf,
}

pub(crate) async fn run(context: &Context, command: UserCommand) -> Result<Report, Failure> {
    match command {
        UserCommand::List => list(context).await,
        UserCommand::Get { user } => get(context, user).await,
        UserCommand::Edit(arguments) => edit(context, arguments).await,
        UserCommand::Reset { user, to_file } => reset(context, user, to_file).await,
        UserCommand::Disable { user } => disable(context, user).await,
        UserCommand::Enable { user } => enable(context, user).await,
        UserCommand::Invite(arguments) => invite(context, arguments).await,
        UserCommand::Create(arguments) => create(context, arguments).await,
        UserCommand::Availability { availability } => set(context, availability).await,
    }
}

async fn list(context: &Context) -> Result<Report, Failure> {
    let request = v1::ListUsersRequest {};
    let answer = context.client.call(context.client.users().list_users(request)).await?;
    let rows = answer.users.iter().map(|user| Row {
        json: view::user(user),
        shape: Shape::Cells(vec![
            text(user.name.as_deref()),
            text(user.email.as_deref()),
            name(names::role(user.role)),
            name(names::availability(user.availability)),
            Cell::text(state(user)),
            Cell::text(&user.id),
        ]),
    });
    Ok(Rows { columns: COLUMNS, rows: rows.collect(), ..Rows::default() }.into())
}

async fn invite(context: &Context, arguments: Invite) -> Result<Report, Failure> {
    let secret = Secret::prepare(arguments.to_file.as_deref())?;
    let request = v1::InviteUserRequest {
        client_id: context.once.client_id(),
        email: arguments.email,
        name: arguments.name.unwrap_or_default(),
        role: arguments.role.wire(),
    };
    let answer = context.change(context.client.users().invite_user(request)).await?;
    let user = expect(answer.user, "user")?;
    invited(secret, &answer.code, answer.expires_at, one(&user))
}

async fn get(context: &Context, user: String) -> Result<Report, Failure> {
    let request = v1::GetUserRequest { user };
    let answer = context.client.call(context.client.users().get_user(request)).await?;
    Ok(one(&expect(answer.user, "user")?).into())
}

async fn edit(context: &Context, arguments: Edit) -> Result<Report, Failure> {
    let request = v1::EditUserRequest {
        client_id: context.once.client_id(),
        user: arguments.user,
        name: arguments.name,
        role: arguments.role.map(RoleChoice::wire),
    };
    let answer = context.change(context.client.users().edit_user(request)).await?;
    Ok(one(&expect(answer.user, "user")?).into())
}

async fn reset(
    context: &Context,
    user: String,
    to_file: Option<PathBuf>,
) -> Result<Report, Failure> {
    let secret = Secret::prepare(to_file.as_deref())?;
    let request = v1::ResetUserRequest { client_id: context.once.client_id(), user };
    let answer = context.change(context.client.users().reset_user(request)).await?;
    let user = expect(answer.user, "user")?;
    invited(secret, &answer.code, answer.expires_at, one(&user))
}

async fn disable(context: &Context, user: String) -> Result<Report, Failure> {
    let request = v1::DisableUserRequest { client_id: context.once.client_id(), user };
    let answer = context.change(context.client.users().disable_user(request)).await?;
    Ok(one(&expect(answer.user, "user")?).into())
}

async fn enable(context: &Context, user: String) -> Result<Report, Failure> {
    let request = v1::EnableUserRequest { client_id: context.once.client_id(), user };
    let answer = context.change(context.client.users().enable_user(request)).await?;
    Ok(one(&expect(answer.user, "user")?).into())
}

/// What a user can do just now, in a word.
fn state(user: &v1::User) -> &'static str {
    match (user.disabled_at, user.invited_until) {
        (Some(_), _) => "disabled",
        (None, Some(_)) => "invited",
        (None, None) => "active",
    }
}

/// A user with the one-time code they were given.
fn invited(
    secret: Secret,
    code: &str,
    expires_at: i64,
    mut user: Object,
) -> Result<Report, Failure> {
    user.json.insert("expiresAt".to_owned(), json!(expires_at));
    user.fields.push(("code expires", Cell::At(expires_at)));
    secret.report(code, "code", "code", user)
}

async fn create(context: &Context, arguments: Create) -> Result<Report, Failure> {
    let password = context.stdin.password(&arguments.password_file).await?;
    let request = v1::CreateUserRequest {
        client_id: context.once.client_id(),
        email: arguments.email,
        name: arguments.name,
        role: arguments.role.wire(),
        password,
    };
    let answer = context.change(context.client.users().create_user(request)).await?;
    Ok(one(&expect(answer.user, "user")?).into())
}

async fn set(context: &Context, availability: AvailabilityChoice) -> Result<Report, Failure> {
    let request = v1::SetAvailabilityRequest {
        client_id: context.once.client_id(),
        availability: availability.wire(),
    };
    let answer = context.change(context.client.users().set_availability(request)).await?;
    Ok(one(&expect(answer.user, "user")?).into())
}

fn one(user: &v1::User) -> Object {
    let fields = vec![
        ("name", text(user.name.as_deref())),
        ("email", text(user.email.as_deref())),
        ("role", name(names::role(user.role))),
        ("availability", name(names::availability(user.availability))),
        ("state", Cell::text(state(user))),
        ("id", Cell::text(&user.id)),
    ];
    object(view::user(user), fields)
}
