//! Imports a folder of Markdown before the dialogues, one article a file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use fusionchat_proto::v1;
use futures::{StreamExt, TryStreamExt};

use crate::chance::Chance;
use crate::report::Imported;
use crate::staff::Staff;

/// How many are put at a time.
const PARALLEL: usize = 8;
/// The most a folder may hold.
const ARTICLES_MAX: usize = 20_000;

/// Puts every `*.md` below `folder`.
pub(crate) async fn import(staff: &Staff, folder: &Path, chance: &mut Chance) -> Result<Imported> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    ensure!(!files.is_empty(), "{} holds no *.md", folder.display());
    let mut requests = Vec::new();
    for file in &files {
        let text =
            fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let source_path = file.strip_prefix(folder).unwrap_or(file).to_string_lossy().into_owned();
        let (title, body) = article(&text, &source_path);
        requests.push(v1::PutArticleRequest {
            client_id: chance.client_id(),
            source_path,
            title,
            body,
            status: v1::ArticleStatus::Published.into(),
            ..Default::default()
        });
    }
    let began = Instant::now();
    let puts = requests.into_iter().map(async |request| {
        let path = request.source_path.clone();
        staff.articles().put_article(request).await.with_context(|| format!("putting {path}"))
    });
    let puts = futures::stream::iter(puts).buffer_unordered(PARALLEL);
    puts.try_for_each(async |_| Ok(())).await?;
    Ok(Imported { articles: files.len(), took: began.elapsed() })
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|it| it == "md") {
            ensure!(files.len() < ARTICLES_MAX, "more than {ARTICLES_MAX} articles");
            files.push(path);
        }
    }
    files.sort();
    Ok(())
}

/// The title of the front matter, else of the first heading, else the path; and the text without front matter.
fn article(text: &str, path: &str) -> (String, String) {
    let parts = text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n"));
    let (front, body) = parts.unwrap_or(("", text));
    let named = front.lines().find_map(|line| line.strip_prefix("title:"));
    let heading = || body.lines().find_map(|line| line.strip_prefix("# "));
    let title = named.or_else(heading).unwrap_or(path).trim().trim_matches(['"', '\'']);
    (title.to_owned(), body.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_found() {
        let of = |text| article(text, "a/b.md").0;
        assert_eq!(of("---\nid: 1\ntitle: \"Pair it\"\n---\n# Other\n"), "Pair it");
        assert_eq!(of("# Pair it\ntext"), "Pair it");
        assert_eq!(of("text"), "a/b.md");
    }
}
