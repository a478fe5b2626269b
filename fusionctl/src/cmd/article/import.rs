//! `article import`: every `*.md` below a folder becomes an article, keyed by its path. A file that cannot be one
//! is named with the reason, and the others go on.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fusionchat_proto::v1;
use futures::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Map, Value, json};
use tokio::io::AsyncReadExt;

use crate::cmd::article::front_matter::{self, BadHead, PageStatus};
use crate::cmd::{Context, expect};
use crate::connect::Backoff;
use crate::failure::{Exit, Failure};
use crate::names;
use crate::output::{Cell, Column, Object, Output, Report, Row, Rows, Section, Shape};

/// The largest file, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// How many files one import takes.
const FILES_MAX: usize = 50_000;
/// How deep folders may nest.
const DEPTH_MAX: usize = 32;
/// How many articles are on their way at once.
const IN_FLIGHT_MAX: usize = 8;
/// How often one article is sent while the daemon is too busy or away.
const ATTEMPTS_MAX: u32 = 5;
/// How often the progress bar is drawn.
const BAR_HZ: u8 = 10;
/// An import that takes less shows no bar.
const BAR_AFTER: Duration = Duration::from_millis(500);

const COLUMNS: &[Column] =
    &[Column::fixed("OUTCOME"), Column::flexible("FILE"), Column::flexible("REASON")];

/// A file of the folder: something to read, or refused by its looks.
struct Found {
    path: PathBuf,
    source_path: String,
    refused: Option<Refusal>,
}

/// Why a file did not become an article.
#[derive(Debug)]
enum Refusal {
    SymbolicLink,
    NotAFile,
    /// Its name is not UTF-8.
    BadName,
    TooLarge,
    NotUtf8,
    Head(BadHead),
    Unreadable(String),
    /// The daemon did not take it.
    Daemon(Box<Failure>),
}

impl Refusal {
    /// A stable word for scripts.
    fn code(&self) -> &str {
        match self {
            Self::SymbolicLink => "symbolic_link",
            Self::NotAFile => "not_a_file",
            Self::BadName => "bad_name",
            Self::TooLarge => "too_large",
            Self::NotUtf8 => "not_utf8",
            Self::Head(head) => head.code(),
            Self::Unreadable(_) => "unreadable",
            Self::Daemon(failure) => &failure.code,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SymbolicLink => write!(formatter, "a symbolic link, which is not followed"),
            Self::NotAFile => write!(formatter, "no regular file"),
            Self::BadName => write!(formatter, "its name is not UTF-8"),
            Self::TooLarge => write!(formatter, "larger than {} KiB", FILE_BYTES_MAX / 1024),
            Self::NotUtf8 => write!(formatter, "not UTF-8 text"),
            Self::Head(head) => write!(formatter, "{head}"),
            Self::Unreadable(text) => write!(formatter, "cannot be read: {text}"),
            Self::Daemon(failure) => write!(formatter, "{}", failure.message),
        }
    }
}

/// What became of a file.
enum Outcome {
    Put { outcome: i32, article_id: String, external_id: Option<String> },
    Refused(Refusal),
}

pub(crate) async fn import(context: &Context, dir: &Path) -> Result<Report, Failure> {
    let files = walk(dir)?;
    let bar = bar(files.len());
    let mut done = Vec::with_capacity(files.len());
    let mut work = stream::iter(files)
        .map(|found| async {
            let source_path = found.source_path.clone();
            (source_path, put(context, found).await)
        })
        .buffer_unordered(IN_FLIGHT_MAX);
    while let Some((source_path, outcome)) = work.next().await {
        done.push((source_path, outcome.inspect_err(|_| bar.finish_and_clear())?));
        bar.inc(1);
        if context.progress && bar.is_hidden() && bar.elapsed() > BAR_AFTER {
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(BAR_HZ));
        }
    }
    bar.finish_and_clear();
    done.sort_by(|(left, _), (right, _)| left.cmp(right));
    Ok(report(&done))
}

/// Hidden at first; once the import has taken a while, it is drawn on stderr, if that is a terminal.
fn bar(files: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(files as u64), ProgressDrawTarget::hidden());
    let template = "{bar:30} {pos}/{len} articles  {per_sec}  {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// Every `*.md` below the folder, in the order of their paths. Hidden entries are skipped.
fn walk(dir: &Path) -> Result<Vec<Found>, Failure> {
    let mut found = Vec::new();
    let mut folders = vec![(dir.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let unreadable = |error: std::io::Error| {
            let text = format!("cannot read {}: {error}", folder.display());
            Failure::usage("unreadable", text)
        };
        for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let kind = entry.file_type().map_err(unreadable)?;
            let path = entry.path();
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            if kind.is_dir() {
                if depth + 1 >= DEPTH_MAX {
                    let text = format!("{} nests deeper than {DEPTH_MAX}", path.display());
                    return Err(Failure::usage("too_deep", text));
                }
                folders.push((path, depth + 1));
            } else if path.extension().is_some_and(|extension| extension == "md") {
                if found.len() >= FILES_MAX {
                    let text = format!("more than {FILES_MAX} files");
                    return Err(Failure::usage("too_many_files", text));
                }
                found.push(look(dir, path, kind));
            }
        }
    }
    found.sort_by(|left, right| left.source_path.cmp(&right.source_path));
    Ok(found)
}

fn look(dir: &Path, path: PathBuf, kind: std::fs::FileType) -> Found {
    let below = path.strip_prefix(dir).unwrap_or(&path);
    let parts: Option<Vec<&str>> = below.iter().map(std::ffi::OsStr::to_str).collect();
    let source_path = parts
        .as_ref()
        .map_or_else(|| below.to_string_lossy().into_owned(), |parts| parts.join("/"));
    let refused = if kind.is_symlink() {
        Some(Refusal::SymbolicLink)
    } else if !kind.is_file() {
        Some(Refusal::NotAFile)
    } else {
        parts.is_none().then_some(Refusal::BadName)
    };
    Found { path, source_path, refused }
}

/// Reads one file and puts it. An error ends the whole import: nobody is signed in, or the daemon is gone.
async fn put(context: &Context, found: Found) -> Result<Outcome, Failure> {
    if let Some(refusal) = found.refused {
        return Ok(Outcome::Refused(refusal));
    }
    let text = match read(&found.path).await {
        Ok(text) => text,
        Err(refusal) => return Ok(Outcome::Refused(refusal)),
    };
    let page = match front_matter::parse(&text) {
        Ok(page) => page,
        Err(head) => return Ok(Outcome::Refused(Refusal::Head(head))),
    };
    let status = match page.status {
        Some(PageStatus::Draft) => v1::ArticleStatus::Draft,
        Some(PageStatus::Published) => v1::ArticleStatus::Published,
        None => v1::ArticleStatus::Unspecified,
    };
    let request = v1::PutArticleRequest {
        client_id: context.once.client_id_of(&[found.source_path.as_bytes(), text.as_bytes()]),
        source_path: found.source_path,
        title: page.title,
        body: page.body.to_owned(),
        locale: page.locale.unwrap_or_default(),
        status: status as i32,
        inboxes: page.inboxes.map(|values| v1::Texts { values }),
    };
    match send(context, request).await {
        Ok(answer) => {
            let article = expect(answer.article, "article")?;
            let (outcome, article_id) = (answer.outcome, article.id);
            Ok(Outcome::Put { outcome, article_id, external_id: page.id })
        }
        Err(failure) if matches!(failure.exit, Exit::Rejected | Exit::Conflict) => {
            Ok(Outcome::Refused(Refusal::Daemon(Box::new(failure))))
        }
        Err(failure) => Err(failure),
    }
}

/// The same request, with the same id, until the daemon has time for it.
async fn send(
    context: &Context,
    request: v1::PutArticleRequest,
) -> Result<v1::PutArticleResponse, Failure> {
    let mut backoff = Backoff::new();
    for _ in 1..ATTEMPTS_MAX {
        let mut articles = context.client.articles();
        match context.client.call(articles.put_article(request.clone())).await {
            Err(failure) if failure.retryable => {
                tokio::time::sleep(backoff.next(failure.retry_after_ms)).await;
            }
            result => return result,
        }
    }
    context.client.call(context.client.articles().put_article(request)).await
}

async fn read(path: &Path) -> Result<String, Refusal> {
    let unreadable = |error: std::io::Error| Refusal::Unreadable(error.to_string());
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).await.map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Refusal::TooLarge);
    }
    String::from_utf8(bytes).map_err(|_| Refusal::NotUtf8)
}

fn report(done: &[(String, Outcome)]) -> Report {
    let mut counts = [("created", 0_u64), ("changed", 0), ("unchanged", 0), ("refused", 0)];
    let mut files = Vec::with_capacity(done.len());
    let mut rows = Vec::new();
    for (source_path, outcome) in done {
        let (word, mut json) = view(outcome);
        if let Some((_, count)) = counts.iter_mut().find(|(name, _)| *name == word) {
            *count += 1;
        }
        json.insert("sourcePath".into(), json!(source_path));
        json.insert("outcome".into(), json!(word));
        if let Outcome::Refused(refusal) = outcome {
            let cells =
                vec![Cell::Text(word), Cell::text(source_path), Cell::Text(refusal.to_string())];
            rows.push(Row { json: Map::new(), shape: Shape::Cells(cells) });
        }
        files.push(Value::Object(json));
    }
    let mut object = Object::default();
    for (name, count) in counts {
        object.json.insert(name.to_owned(), json!(count));
        object.fields.push((name, Cell::Number(count)));
    }
    object.json.insert("files".into(), Value::Array(files));
    let refused = rows.len();
    if refused > 0 {
        object.sections.push(Section::Rows(Rows { columns: COLUMNS, rows, ..Rows::default() }));
    }
    let failure = (refused > 0).then(|| {
        let text = format!("{refused} of {} files were refused", done.len());
        Failure::new(Exit::Partial, "partial", text)
            .with_hint("mend the named files and import again: the others stay as they are")
    });
    Report { output: Output::Object(object), failure }
}

fn view(outcome: &Outcome) -> (String, Map<String, Value>) {
    let mut json = Map::new();
    match outcome {
        Outcome::Put { outcome, article_id, external_id } => {
            json.insert("articleId".into(), json!(article_id));
            if let Some(external_id) = external_id {
                json.insert("externalId".into(), json!(external_id));
            }
            let word = names::put_outcome(*outcome).unwrap_or_else(|| "unchanged".to_owned());
            (word, json)
        }
        Outcome::Refused(refusal) => {
            json.insert("code".into(), json!(refusal.code()));
            json.insert("reason".into(), json!(refusal.to_string()));
            ("refused".to_owned(), json)
        }
    }
}
