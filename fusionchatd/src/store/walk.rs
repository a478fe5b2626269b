//! All rows of a range, page by page. Rows that others write meanwhile are met or missed, as they come.

use crate::store::{Direction, Engine, Key, Range, StoreError, Value};

/// How many rows a page has: with the largest values, 128 MB.
const PAGE_ROWS: u32 = 128;

/// A way through a range.
pub struct Walk<'a> {
    engine: &'a dyn Engine,
    rest: Option<Range>,
}

impl<'a> Walk<'a> {
    /// Begins at the start of `range`.
    pub fn new(engine: &'a dyn Engine, range: Range) -> Self {
        Self { engine, rest: Some(range) }
    }

    /// The next page; empty at the end.
    ///
    /// # Errors
    /// Those of a scan.
    pub async fn next(&mut self) -> Result<Vec<(Key, Value)>, StoreError> {
        let Some(rest) = &mut self.rest else { return Ok(Vec::new()) };
        let rows = self.engine.scan(rest, Direction::Forward, PAGE_ROWS).await?;
        match rows.last() {
            Some((last, _)) => rest.start = [last.as_ref(), &[0]].concat().into(),
            None => self.rest = None,
        }
        Ok(rows)
    }
}

/// How much there is: rows, and the bytes of their keys and values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Rows.
    pub rows: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

impl Amount {
    /// Adds a page.
    pub fn add(&mut self, rows: &[(Key, Value)]) {
        self.rows += rows.len() as u64;
        self.bytes += rows.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum::<u64>();
    }

    /// How much an engine holds now, read row by row.
    ///
    /// # Errors
    /// Those of a scan.
    pub async fn of(engine: &dyn Engine) -> Result<Self, StoreError> {
        let (mut amount, mut walk) = (Self::default(), Walk::new(engine, Range::prefix(b"")));
        loop {
            let rows = walk.next().await?;
            if rows.is_empty() {
                return Ok(amount);
            }
            amount.add(&rows);
        }
    }
}
