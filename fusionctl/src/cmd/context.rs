//! `context`: named ways to a daemon. Reads and writes the configuration file, never a secret, and calls nobody.

use std::path::Path;

use clap::{Args, Subcommand};
use fusionchat_client::context::{Context, Contexts};
use serde_json::{Map, Value, json};

use crate::Environment;
use crate::cli::Global;
use crate::cmd::{object, text};
use crate::failure::Failure;
use crate::output::{Cell, Column, Report, Row, Rows, Shape};

const COLUMNS: &[Column] = &[
    Column::fixed("CURRENT"),
    Column::fixed("NAME"),
    Column::flexible("ENDPOINT"),
    Column::fixed("TENANT"),
    Column::fixed("USER"),
    Column::fixed("CREDENTIAL"),
];

/// Verbs of `context`.
#[derive(Debug, Subcommand)]
pub(crate) enum ContextCommand {
    /// List the contexts
    #[command(after_help = "Example:\n  fusionctl context list")]
    List,
    /// Make a context the current one
    #[command(after_help = "Example:\n  fusionctl context use prod-eu")]
    Use {
        /// The context's name
        name: String,
    },
    /// Show what is in force; with --origin, where each value comes from
    #[command(after_help = "Example:\n  fusionctl context show --origin")]
    Show {
        /// Say where each value comes from
        #[arg(long)]
        origin: bool,
    },
    /// Make a context; --endpoint and --ca-file are kept in it
    #[command(
        after_help = "Example:\n  fusionctl context create prod-eu --endpoint https://desk.example.com"
    )]
    Create(Values),
    /// Change values of a context
    #[command(after_help = "Example:\n  fusionctl context edit prod-eu --tenant acme")]
    Edit(Values),
    /// Delete a context; its credential is forgotten by `auth logout`
    #[command(after_help = "Example:\n  fusionctl context delete prod-eu")]
    Delete {
        /// The context's name
        name: String,
    },
}

/// What a context can be given.
#[derive(Args, Debug)]
pub(crate) struct Values {
    /// The context's name: letters, digits, - _ and .
    name: String,
    /// The tenant to sign in to
    #[arg(long)]
    tenant: Option<String>,
    /// Where the credential is: keyring, file, env:NAME or command:LINE
    #[arg(long, value_name = "PLACE")]
    credential: Option<String>,
}

pub(crate) fn run(
    global: &Global,
    environment: &Environment,
    command: ContextCommand,
) -> Result<Report, Failure> {
    let path = environment.surroundings().config_file();
    let mut contexts = Contexts::read(&path)?;
    match command {
        ContextCommand::List => Ok(list(&contexts)),
        ContextCommand::Show { origin } => show(global, environment, origin),
        ContextCommand::Use { name } => {
            contexts.select(&name)?;
            contexts.write(&path)?;
            one(&contexts, &name)
        }
        ContextCommand::Create(values) => {
            if contexts.get(&values.name).is_ok() {
                let text = format!("there is a context `{}` already", values.name);
                let hint = "change it with `fusionctl context edit`";
                return Err(Failure::usage("context_exists", text).with_hint(hint));
            }
            put(&mut contexts, &path, global, values)
        }
        ContextCommand::Edit(values) => {
            contexts.get(&values.name)?;
            put(&mut contexts, &path, global, values)
        }
        ContextCommand::Delete { name } => {
            let gone = contexts.remove(&name)?;
            contexts.write(&path)?;
            Ok(object(as_json(&name, &gone, false), fields(&name, &gone)).into())
        }
    }
}

fn put(
    contexts: &mut Contexts,
    path: &Path,
    global: &Global,
    values: Values,
) -> Result<Report, Failure> {
    let before = contexts.get(&values.name).cloned().unwrap_or_default();
    let context = Context {
        endpoint: global.endpoint.clone().or(before.endpoint),
        tenant: values.tenant.or(before.tenant),
        user: before.user,
        credential: values.credential.or(before.credential),
        ca_file: global.ca_file.clone().or(before.ca_file),
    };
    contexts.put(&values.name, context)?;
    contexts.write(path)?;
    one(contexts, &values.name)
}

fn one(contexts: &Contexts, name: &str) -> Result<Report, Failure> {
    let context = contexts.get(name)?;
    let current = contexts.current.as_deref() == Some(name);
    Ok(object(as_json(name, context, current), fields(name, context)).into())
}

fn list(contexts: &Contexts) -> Report {
    let rows = contexts.contexts.iter().map(|(name, context)| {
        let current = contexts.current.as_ref() == Some(name);
        let cells = vec![
            Cell::text(if current { "*" } else { "" }),
            Cell::text(name),
            text(context.endpoint.as_deref()),
            text(context.tenant.as_deref()),
            text(context.user.as_deref()),
            text(context.credential.as_deref()),
        ];
        Row { json: as_json(name, context, current), shape: Shape::Cells(cells) }
    });
    Rows { columns: COLUMNS, rows: rows.collect(), ..Rows::default() }.into()
}

fn fields(name: &str, context: &Context) -> Vec<(&'static str, Cell)> {
    vec![
        ("context", Cell::text(name)),
        ("endpoint", text(context.endpoint.as_deref())),
        ("tenant", text(context.tenant.as_deref())),
        ("user", text(context.user.as_deref())),
        ("credential", text(context.credential.as_deref())),
    ]
}

fn as_json(name: &str, context: &Context, current: bool) -> Map<String, Value> {
    let values = [
        ("name", json!(name)),
        ("current", json!(current)),
        ("endpoint", json!(context.endpoint)),
        ("tenant", json!(context.tenant)),
        ("user", json!(context.user)),
        ("credential", json!(context.credential)),
        ("caFile", json!(context.ca_file)),
    ];
    let set = values.into_iter().filter(|(_, value)| !value.is_null());
    set.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What would be used, without looking at any secret.
fn show(global: &Global, environment: &Environment, origin: bool) -> Result<Report, Failure> {
    let resolved = environment.surroundings().resolve(&global.flags())?;
    let of_context = resolved.context.as_ref().map(|it| format!("context {}", it.value));
    let of_context = of_context.unwrap_or_default();
    let token = environment.variable("FUSION_TOKEN").map(|_| ("set", "FUSION_TOKEN".to_owned()));
    let held = &resolved.held;
    let of = |value: &Option<String>| value.clone().map(|value| (value, of_context.clone()));
    let ca_file = resolved.ca_file.as_ref();
    let values = [
        ("context", resolved.context.as_ref().map(|it| (it.value.clone(), it.origin.clone()))),
        ("endpoint", Some((resolved.endpoint.value.clone(), resolved.endpoint.origin.clone()))),
        ("tenant", of(&held.tenant)),
        ("user", of(&held.user)),
        ("credential", token.map(|(it, at)| (it.to_owned(), at)).or_else(|| of(&held.credential))),
        ("caFile", ca_file.map(|it| (it.value.display().to_string(), it.origin.clone()))),
    ];
    let mut json = Map::new();
    let mut fields = Vec::new();
    for (name, value) in values {
        let Some((value, from)) = value else { continue };
        let shown = if origin { format!("{value}   ({from})") } else { value.clone() };
        fields.push((name, Cell::Text(shown)));
        let one = if origin { json!({ "value": value, "origin": from }) } else { json!(value) };
        json.insert(name.to_owned(), one);
    }
    Ok(object(json, fields).into())
}
