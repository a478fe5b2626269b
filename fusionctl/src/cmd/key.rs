//! `key`: API keys. A secret is shown once, on stdout or in a new file, and goes nowhere else.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use fusionchat_proto::v1;
use serde_json::json;

use crate::cmd::{Context, expect, object};
use crate::failure::{Exit, Failure};
use crate::input::SecretFile;
use crate::output::{Cell, Column, Object, Output, Report, Row, Rows, Shape};
use crate::time::parse_duration;
use crate::view;

const COLUMNS: &[Column] = &[
    Column::flexible("NAME"),
    Column::flexible("SCOPES"),
    Column::fixed("CREATED"),
    Column::fixed("EXPIRES"),
    Column::fixed("REVOKED"),
    Column::fixed("ID"),
];

/// Verbs of `key`.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Create a key; its secret is shown once and never again
    #[command(after_help = "Example:\n  fusionctl key create --name ci \
                            --scope conversation:read,article:write --ttl 90d --to-file ci.key")]
    Create(Create),
    /// List the keys, without their secrets
    #[command(after_help = "Example:\n  fusionctl key list -o json")]
    List,
    /// Revoke a key; what it has open ends within a second
    #[command(after_help = "Example:\n  fusionctl key revoke 019b2f6e-8c1f-7e21-9a3c-0242ac120002")]
    Revoke {
        /// The key's id
        id: String,
    },
}

/// Arguments of `key create`.
#[derive(Args, Debug)]
pub(crate) struct Create {
    /// What it is for
    #[arg(long)]
    name: String,
    /// What it may do: `*`, or names such as conversation:read, separated by commas
    #[arg(long, value_name = "SCOPE", value_delimiter = ',', required = true)]
    scope: Vec<String>,
    /// How long it lives; without it, it does not expire
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    ttl: Option<Duration>,
    /// Write the secret to this new file (mode 0600) instead of stdout
    #[arg(long, value_name = "FILE")]
    to_file: Option<PathBuf>,
}

pub(crate) async fn run(context: &Context, command: KeyCommand) -> Result<Report, Failure> {
    match command {
        KeyCommand::Create(arguments) => create(context, arguments).await,
        KeyCommand::List => list(context).await,
        KeyCommand::Revoke { id } => revoke(context, id).await,
    }
}

async fn create(context: &Context, arguments: Create) -> Result<Report, Failure> {
    let secret = Secret::prepare(arguments.to_file.as_deref())?;
    let request = v1::CreateKeyRequest {
        client_id: context.once.client_id(),
        name: arguments.name,
        scopes: arguments.scope,
        ttl_ms: arguments.ttl.map(|ttl| i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX)),
    };
    let answer = context.change(context.client.keys().create_key(request)).await?;
    let key = expect(answer.key, "key")?;
    secret.report(&answer.secret, "secret", "secret", one(&key))
}

async fn list(context: &Context) -> Result<Report, Failure> {
    let request = v1::ListKeysRequest {};
    let answer = context.client.call(context.client.keys().list_keys(request)).await?;
    let rows = answer.keys.iter().map(|key| Row {
        json: view::key(key),
        shape: Shape::Cells(vec![
            Cell::text(&key.name),
            Cell::Text(key.scopes.join(",")),
            Cell::At(key.created_at),
            Cell::at(key.expires_at),
            Cell::at(key.revoked_at),
            Cell::text(&key.id),
        ]),
    });
    Ok(Rows { columns: COLUMNS, rows: rows.collect(), ..Rows::default() }.into())
}

async fn revoke(context: &Context, key_id: String) -> Result<Report, Failure> {
    let request = v1::RevokeKeyRequest { client_id: context.once.client_id(), key_id };
    let answer = context.change(context.client.keys().revoke_key(request)).await?;
    Ok(one(&expect(answer.key, "key")?).into())
}

fn one(key: &v1::Key) -> Object {
    let fields = vec![
        ("name", Cell::text(&key.name)),
        ("id", Cell::text(&key.id)),
        ("scopes", Cell::Text(key.scopes.join(","))),
        ("expires", Cell::at(key.expires_at)),
        ("revoked", Cell::at(key.revoked_at)),
    ];
    object(view::key(key), fields)
}

/// Where a secret goes that is shown once.
pub(crate) struct Secret(Option<SecretFile>);

impl Secret {
    /// Makes the file, if one is wanted, before there is a secret to lose.
    pub(crate) fn prepare(to_file: Option<&Path>) -> Result<Self, Failure> {
        to_file.map(SecretFile::create).transpose().map(Self)
    }

    /// Adds the secret, or the file it went to, to what is shown. A repeated request brings no secret.
    pub(crate) fn report(
        self,
        secret: &str,
        json_name: &str,
        field: &'static str,
        mut object: Object,
    ) -> Result<Report, Failure> {
        let Some(file) = self.0 else {
            if secret.is_empty() {
                object.notices.push(format!("the {field} was shown before and is not shown again"));
            } else {
                object.json.insert(json_name.to_owned(), json!(secret));
                object.fields.push((field, Cell::text(secret)));
                object.notices.push(format!("keep the {field}: it is not shown again"));
            }
            return Ok(object.into());
        };
        if secret.is_empty() {
            let text = format!("the {field} was shown before and is not shown again");
            let failure = Failure::new(Exit::Conflict, "secret_already_shown", text)
                .with_hint("make a new one with another --idempotency-key");
            return Ok(Report { output: Output::Object(object), failure: Some(failure) });
        }
        let path = file.path();
        file.write(secret)?;
        object.json.insert(format!("{json_name}File"), json!(path));
        object.fields.push((field, Cell::Text(format!("in {path}"))));
        Ok(object.into())
    }
}
