//! `article`: what the assistant answers from. Importing a folder stands in `import`, the head of a file in
//! `front_matter`.

mod front_matter;
mod import;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use fusionchat_proto::v1;
use serde_json::{Value, json};

use crate::cmd::list::{self, Limit, Page};
use crate::cmd::{Context, expect, name, object, text};
use crate::failure::Failure;
use crate::names;
use crate::output::{Cell, Column, Report, Row, Rows, Section, Shape};
use crate::view;

/// The most passages a search gives.
const PASSAGES_MAX: i64 = 20;

const COLUMNS: &[Column] = &[
    Column::flexible("TITLE"),
    Column::fixed("STATUS"),
    Column::fixed("LOCALE"),
    Column::fixed("UPDATED"),
    Column::flexible("SOURCE"),
    Column::fixed("ID"),
];

const PASSAGE_COLUMNS: &[Column] = &[
    Column::fixed("SCORE"),
    Column::flexible("TITLE"),
    Column::flexible("HEADING"),
    Column::flexible("TEXT"),
];

/// Verbs of `article`.
#[derive(Debug, Subcommand)]
pub(crate) enum ArticleCommand {
    /// Put every *.md of a folder; again, only what changed. Exits 11 if some were refused
    #[command(after_help = "Example:\n  fusionctl article import ./help -o json")]
    Import {
        /// The folder; a file's path below it is the article's key
        dir: PathBuf,
    },
    /// List the articles, without their bodies
    #[command(after_help = "Example:\n  fusionctl article list --all -o jsonl")]
    List(Limit),
    /// Show one article
    #[command(
        after_help = "Example:\n  fusionctl article get 019b2f6e-8c1f-7e21-9a3c-0242ac120002"
    )]
    Get {
        /// The article's id or source path
        id: String,
    },
    /// Let visitors and the assistant read an article
    #[command(after_help = "Example:\n  fusionctl article publish orders/returns.md")]
    Publish {
        /// The article's id or source path
        id: String,
    },
    /// Make an article a draft that only staff read
    #[command(after_help = "Example:\n  fusionctl article unpublish orders/returns.md")]
    Unpublish {
        /// The article's id or source path
        id: String,
    },
    /// Change what an article is for; what is not named stays as it is
    #[command(
        after_help = "Example:\n  fusionctl article edit orders/returns.md --inbox web --locale de"
    )]
    Edit(Edit),
    /// Delete an article
    #[command(
        after_help = "Example:\n  fusionctl article delete 019b2f6e-8c1f-7e21-9a3c-0242ac120002"
    )]
    Delete {
        /// The article's id or source path
        id: String,
    },
    /// Search as the assistant does, and show what it would do
    #[command(after_help = "Example:\n  fusionctl article search \"change my address\" --limit 3")]
    Search(Search),
}

/// Arguments of `article edit`.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true).args([
    "inbox", "all_inboxes", "locale",
]))]
pub(crate) struct Edit {
    /// The article's id or source path
    id: String,
    /// An inbox it is for, in place of those so far; may be repeated
    #[arg(long, value_name = "NAME")]
    inbox: Vec<String>,
    /// It is for all inboxes
    #[arg(long, conflicts_with = "inbox")]
    all_inboxes: bool,
    /// Its language, as BCP 47
    #[arg(long)]
    locale: Option<String>,
}

/// Arguments of `article search`.
#[derive(Args, Debug)]
pub(crate) struct Search {
    /// A visitor's question
    query: String,
    /// Only what this inbox's assistant reads; its name or id
    #[arg(long)]
    inbox: Option<String>,
    /// The visitor's language, as BCP 47; without it, the inbox's
    #[arg(long)]
    locale: Option<String>,
    /// At most this many passages, up to 20
    #[arg(
        long,
        default_value_t = 5,
        value_parser = clap::value_parser!(u32).range(1..=PASSAGES_MAX)
    )]
    limit: u32,
}

pub(crate) async fn run(context: &Context, command: ArticleCommand) -> Result<Report, Failure> {
    match command {
        ArticleCommand::Import { dir } => import::import(context, &dir).await,
        ArticleCommand::List(limit) => list(context, &limit).await,
        ArticleCommand::Get { id } => get(context, id).await,
        ArticleCommand::Publish { id } => {
            let status = v1::ArticleStatus::Published as i32;
            edit(context, v1::EditArticleRequest { article_id: id, status, ..Default::default() })
                .await
        }
        ArticleCommand::Unpublish { id } => {
            let status = v1::ArticleStatus::Draft as i32;
            edit(context, v1::EditArticleRequest { article_id: id, status, ..Default::default() })
                .await
        }
        ArticleCommand::Edit(arguments) => edit(context, arguments.request()).await,
        ArticleCommand::Delete { id } => delete(context, id).await,
        ArticleCommand::Search(arguments) => search(context, arguments).await,
    }
}

async fn list(context: &Context, limit: &Limit) -> Result<Report, Failure> {
    let client = context.client.clone();
    list::list(limit, COLUMNS, move |limit, page_token| {
        let client = client.clone();
        let request = v1::ListArticlesRequest { limit, page_token };
        async move {
            let answer = client.call(client.articles().list_articles(request)).await?;
            let rows = answer.articles.iter().map(row).collect();
            Ok(Page { rows, next: answer.next_page_token })
        }
    })
    .await
}

fn row(article: &v1::Article) -> Row {
    let cells = vec![
        Cell::text(&article.title),
        name(names::article_status(article.status)),
        Cell::text(&article.locale),
        Cell::At(article.updated_at),
        text(article.source_path.as_deref()),
        Cell::text(&article.id),
    ];
    Row { json: view::article(article), shape: Shape::Cells(cells) }
}

async fn get(context: &Context, article_id: String) -> Result<Report, Failure> {
    let request = v1::GetArticleRequest { article_id };
    let answer = context.client.call(context.client.articles().get_article(request)).await?;
    Ok(one(expect(answer.article, "article")?))
}

async fn edit(context: &Context, request: v1::EditArticleRequest) -> Result<Report, Failure> {
    let request = v1::EditArticleRequest { client_id: context.once.client_id(), ..request };
    let answer = context.change(context.client.articles().edit_article(request)).await?;
    let article = expect(answer.article, "article")?;
    // What it says has not changed.
    Ok(one(v1::Article { body: String::new(), ..article }))
}

impl Edit {
    fn request(self) -> v1::EditArticleRequest {
        let named = !self.inbox.is_empty() || self.all_inboxes;
        v1::EditArticleRequest {
            article_id: self.id,
            inboxes: named.then_some(v1::Texts { values: self.inbox }),
            locale: self.locale,
            ..Default::default()
        }
    }
}

fn one(article: v1::Article) -> Report {
    let fields = vec![
        ("title", Cell::text(&article.title)),
        ("id", Cell::text(&article.id)),
        ("status", name(names::article_status(article.status))),
        ("locale", Cell::text(&article.locale)),
        ("inboxes", inboxes(&article)),
        ("source", text(article.source_path.as_deref())),
        ("updated", Cell::At(article.updated_at)),
    ];
    let mut object = object(view::article(&article), fields);
    if !article.body.is_empty() {
        object.sections.push(Section::Text(article.body));
    }
    object.into()
}

fn inboxes(article: &v1::Article) -> Cell {
    if article.inboxes.is_empty() {
        return Cell::Text("all".to_owned());
    }
    Cell::Text(article.inboxes.join(" "))
}

async fn delete(context: &Context, article_id: String) -> Result<Report, Failure> {
    let request = v1::DeleteArticleRequest {
        client_id: context.once.client_id(),
        article_id: article_id.clone(),
    };
    context.change(context.client.articles().delete_article(request)).await?;
    let json = [("id".to_owned(), json!(article_id)), ("deleted".to_owned(), json!(true))];
    let fields = vec![("deleted", Cell::Text(article_id))];
    Ok(object(json.into_iter().collect(), fields).into())
}

async fn search(context: &Context, arguments: Search) -> Result<Report, Failure> {
    let request = v1::SearchArticlesRequest {
        query: arguments.query,
        inbox: arguments.inbox.unwrap_or_default(),
        limit: arguments.limit,
        locale: arguments.locale.unwrap_or_default(),
    };
    let found = context.client.call(context.client.articles().search_articles(request)).await?;
    let passages: Vec<Value> =
        found.passages.iter().map(|passage| Value::Object(view::passage(passage))).collect();
    let json = [
        ("passages".to_owned(), Value::Array(passages)),
        ("decision".to_owned(), json!(found.decision)),
        ("answer".to_owned(), json!(found.answer)),
    ];
    let fields = vec![("the assistant would", Cell::text(&found.decision))];
    let mut object = object(json.into_iter().collect(), fields);
    if !found.answer.is_empty() {
        object.sections.push(Section::Text(found.answer));
    }
    let rows = found.passages.iter().map(|passage| Row {
        json: view::passage(passage),
        shape: Shape::Cells(vec![
            Cell::Text(format!("{:.2}", passage.score)),
            Cell::text(&passage.title),
            Cell::text(&passage.heading),
            Cell::text(&passage.text),
        ]),
    });
    let rows = Rows { columns: PASSAGE_COLUMNS, rows: rows.collect(), ..Rows::default() };
    object.sections.push(Section::Rows(rows));
    Ok(object.into())
}
