//! Lists that come in pages: `--limit` reads as many as it needs, `--all` hands on each row as it comes.

use std::collections::VecDeque;
use std::future::Future;

use clap::Args;
use futures::{StreamExt, stream};

use crate::failure::Failure;
use crate::output::{Column, Item, Report, Row, Rows, Stream};

/// How many rows a list shows when nothing else is asked.
pub(crate) const ROWS_DEFAULT: u32 = 50;
/// The largest page the daemon gives.
pub(crate) const PAGE_ROWS_MAX: u32 = 200;
/// The largest `--limit`; beyond it `--all` is meant.
const LIMIT_MAX: i64 = 100_000;

/// How much of a list is wanted.
#[derive(Args, Debug)]
pub(crate) struct Limit {
    /// At most this many
    #[arg(
        long,
        default_value_t = ROWS_DEFAULT,
        value_parser = clap::value_parser!(u32).range(1..=LIMIT_MAX)
    )]
    limit: u32,
    /// Every one; with -o jsonl each is written as it comes
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

/// A page's rows and the token of the next page, which is empty on the last.
pub(crate) struct Page {
    pub(crate) rows: Vec<Row>,
    pub(crate) next: String,
}

struct Pages<F> {
    fetch: F,
    page_rows: u32,
    token: String,
    ready: VecDeque<Row>,
    ended: bool,
}

impl<F, Fetching> Pages<F>
where
    F: Fn(u32, String) -> Fetching,
    Fetching: Future<Output = Result<Page, Failure>>,
{
    /// The next row, from the page at hand or the next one. A token that comes back unchanged ends the list.
    async fn next(&mut self) -> Result<Option<Row>, Failure> {
        while self.ready.is_empty() && !self.ended {
            let page = (self.fetch)(self.page_rows, self.token.clone()).await?;
            self.ended = page.next.is_empty() || page.next == self.token;
            self.token = page.next;
            self.ready = page.rows.into();
        }
        Ok(self.ready.pop_front())
    }
}

/// The list, from `fetch(page size, page token)`.
pub(crate) async fn list<F, Fetching>(
    limit: &Limit,
    columns: &'static [Column],
    fetch: F,
) -> Result<Report, Failure>
where
    F: Fn(u32, String) -> Fetching + Send + 'static,
    Fetching: Future<Output = Result<Page, Failure>> + Send + 'static,
{
    let page_rows = if limit.all { PAGE_ROWS_MAX } else { limit.limit.min(PAGE_ROWS_MAX) };
    let mut pages =
        Pages { fetch, page_rows, token: String::new(), ready: VecDeque::new(), ended: false };
    if limit.all {
        let items = stream::try_unfold(pages, |mut pages| async move {
            Ok(pages.next().await?.map(|row| (Item::Row(row), pages)))
        });
        return Ok(Stream { columns, endless: false, items: items.boxed() }.into());
    }
    let mut rows = Vec::new();
    while rows.len() < limit.limit as usize {
        match pages.next().await? {
            Some(row) => rows.push(row),
            None => break,
        }
    }
    let more = !pages.ready.is_empty() || !pages.ended;
    let notices = if more {
        vec![format!("showing the first {}; --all shows every one", rows.len())]
    } else {
        Vec::new()
    };
    Ok(Rows { columns, rows, now_ms: None, more, notices }.into())
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use serde_json::Map;

    use super::{Limit, Page, list};
    use crate::output::{Output, Row, Shape};

    /// Seven rows in pages of three at most.
    async fn page(rows: u32, token: String) -> Result<Page, crate::failure::Failure> {
        let from: u32 = token.parse().unwrap_or(0);
        let to = (from + rows.min(3)).min(7);
        let row = |_| Row { json: Map::new(), shape: Shape::Cells(Vec::new()) };
        let next = if to < 7 { to.to_string() } else { String::new() };
        Ok(Page { rows: (from..to).map(row).collect(), next })
    }

    #[tokio::test]
    async fn a_limit_reads_what_it_needs_and_says_when_it_cut() {
        for (limit, shown, more) in [(2, 2, true), (5, 5, true), (7, 7, false), (50, 7, false)] {
            let report = list(&Limit { limit, all: false }, &[], page).await.unwrap();
            let Output::Rows(rows) = report.output else { panic!("rows") };
            assert_eq!((rows.rows.len(), rows.more), (shown, more), "{limit}");
            assert_eq!(rows.notices.is_empty(), !more);
        }
    }

    #[tokio::test]
    async fn all_is_a_stream_of_every_row() {
        let report = list(&Limit { limit: 1, all: true }, &[], page).await.unwrap();
        let Output::Stream(stream) = report.output else { panic!("stream") };
        assert_eq!(stream.items.count().await, 7);
    }
}
