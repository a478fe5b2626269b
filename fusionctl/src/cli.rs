//! The command tree: global flags and nouns; each noun's verbs stand in its file under `cmd/`. Words only, no
//! work.

use std::time::Duration;

use clap::{Args, Command, CommandFactory, Parser, Subcommand, ValueEnum};
use fusionchat_client::resolve::Flags;

use crate::cmd::article::ArticleCommand;
use crate::cmd::audit::AuditCommand;
use crate::cmd::auth::AuthCommand;
use crate::cmd::context::ContextCommand;
use crate::cmd::conv::ConvCommand;
use crate::cmd::escalation::EscalationCommand;
use crate::cmd::inbox::InboxCommand;
use crate::cmd::key::KeyCommand;
use crate::cmd::message::MessageCommand;
use crate::cmd::server::ServerCommand;
use crate::cmd::session::SessionCommand;
use crate::cmd::tenant::TenantCommand;
use crate::cmd::test::TestArguments;
use crate::cmd::user::UserCommand;
use crate::cmd::visitor::VisitorCommand;
use crate::output::Format;
use crate::time::parse_duration;

/// Shown by `fusionctl --help` below the flags.
const AFTER_HELP: &str = "\
Plural nouns list (`fusionctl convs`), and the number may come first (`fusionctl conv 1042 reply hi`).

Environment:
  FUSION_TOKEN     a session token or an API key; never on the command line
  FUSION_ENDPOINT  the daemon, as --endpoint
  FUSION_READY_FILE  the file of `fusionchatd demo --ready-file`: address and credentials
  NO_COLOR         no colour, if it is not empty

Exit codes:
  0 done   1 failed   2 usage   3 not found   4 sign-in needed   5 forbidden   6 conflict
  7 input rejected   8 timed out   9 unreachable   11 some of several failed   130 interrupted
  143 terminated

Example:
  fusionctl --demo escalation list";

/// Fusionchat from the command line: tenants, keys, conversations, escalations and articles.
#[derive(Debug, Parser)]
#[command(name = "fusionctl", version, after_help = AFTER_HELP, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) noun: Noun,
}

/// Flags of every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// How stdout is written; lists in JSON stand in `items`
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: Format,
    /// The daemon's gRPC door [env FUSION_ENDPOINT; default the context's]
    #[arg(long, global = true, value_name = "URL", conflicts_with = "demo")]
    pub(crate) endpoint: Option<String>,
    /// Talk to the running demo, as admin, agent1, agent2 or operator
    #[arg(
        long,
        global = true,
        value_name = "USER",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "unnamed",
        value_enum
    )]
    pub(crate) demo: Option<DemoUser>,
    /// How long one call, or a wait, may take
    #[arg(
        long,
        global = true,
        value_name = "DURATION",
        default_value = "30s",
        value_parser = parse_duration
    )]
    pub(crate) timeout: Duration,
    /// Makes a repeat of the same command harmless: it is done once and answers the same
    #[arg(
        long,
        global = true,
        value_name = "KEY",
        value_parser = clap::builder::NonEmptyStringValueParser::new()
    )]
    pub(crate) idempotency_key: Option<String>,
    /// No colour
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Nothing on stderr but errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// The named way to a daemon [env FUSION_CONTEXT; default the current one]
    #[arg(short = 'c', long, global = true, value_name = "NAME", conflicts_with = "demo")]
    pub(crate) context: Option<String>,
    /// Trust these certificates, too (PEM) [env FUSION_CA_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca_file: Option<std::path::PathBuf>,
    /// Send the token in clear text to another machine
    #[arg(long, global = true)]
    pub(crate) insecure: bool,
}

impl Global {
    /// What decides which daemon is meant.
    pub(crate) fn flags(&self) -> Flags {
        Flags {
            context: self.context.clone(),
            endpoint: self.endpoint.clone(),
            ca_file: self.ca_file.clone(),
        }
    }
}

/// The demo's users.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum DemoUser {
    /// The operator for `tenant` commands, else the admin.
    #[value(hide = true)]
    Unnamed,
    Admin,
    Agent1,
    Agent2,
    Operator,
}

/// What a command is about.
#[derive(Debug, Subcommand)]
pub(crate) enum Noun {
    /// Signing in and out, and who the credential says you are
    #[command(subcommand)]
    Auth(AuthCommand),
    /// Named ways to a daemon, kept in a file without secrets
    #[command(subcommand)]
    Context(ContextCommand),
    /// The daemon itself
    #[command(subcommand)]
    Server(ServerCommand),
    /// Organizations of this daemon (operator only)
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Staff: admins and agents
    #[command(subcommand)]
    User(UserCommand),
    /// API keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Sign-ins
    #[command(subcommand)]
    Session(SessionCommand),
    /// Widgets of the organization
    #[command(subcommand)]
    Inbox(InboxCommand),
    /// Conversations, by number or id
    #[command(subcommand, alias = "conversation")]
    Conv(ConvCommand),
    /// The live queue of conversations that wait for a person
    #[command(subcommand)]
    Escalation(EscalationCommand),
    /// What was said in a conversation
    #[command(subcommand)]
    Message(MessageCommand),
    /// The people who write to you
    #[command(subcommand)]
    Visitor(VisitorCommand),
    /// What the assistant answers from
    #[command(subcommand)]
    Article(ArticleCommand),
    /// Play conversation tests; exits 1 if an expectation does not hold
    #[command(
        after_help = "Example:\n  fusionctl test conversations/ --junit out.xml --parallel 8"
    )]
    Test(TestArguments),
    /// Who did what, when (admins only)
    #[command(subcommand)]
    Audit(AuditCommand),
}

/// The whole command tree, for completion, manual pages and tests that walk it.
pub fn command() -> Command {
    Cli::command()
}

#[cfg(test)]
#[path = "cli_test.rs"]
mod cli_test;
