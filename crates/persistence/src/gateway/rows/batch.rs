//! Rows on their way in, cut into statements.
//!
//! An engine takes so many placeholders and so large a packet in one statement. Full
//! statements of one table have the same number of rows, a power of two, so that their text
//! is prepared once, however unevenly the rows arrive; what remains at the end is prepared for
//! once.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use futures_util::stream::Fuse;
use futures_util::{StreamExt as _, TryStreamExt as _};
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::port::RowInput;
use tidegate_domain::gateway::value::Value;
use tidegate_domain::query::plan::Cell;

/// How large the values of one statement may be together, as far as more than one row is
/// concerned. Servers take packets of 16 MiB and more; less keeps the memory small.
const STATEMENT_BYTES: usize = 1024 * 1024;

/// One row.
pub(crate) type Row = Vec<Cell>;

/// Why rows on their way in could not be stored.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The engine refused them.
    Engine(sqlx::Error),
    /// They broke off.
    Input(StoreError),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Engine(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Input(error)
    }
}

/// Gives the rows of an input in portions that fit one statement.
pub(crate) struct Batches<'a> {
    input: Fuse<RowInput<'a>>,
    waiting: Vec<Row>,
    // How many bytes the first rows of those have, as far as they were looked at.
    looked_at: usize,
    bytes: usize,
    most: usize,
    // Whether rows of one statement have to have their defaults in the same columns.
    alike: bool,
}

impl<'a> Batches<'a> {
    /// Portions of at most `placeholders` values and `rows` rows.
    pub(crate) fn new(
        input: RowInput<'a>,
        columns: usize,
        placeholders: usize,
        rows: usize,
        alike: bool,
    ) -> Self {
        let fitting = (placeholders / columns.max(1)).clamp(1, rows);
        let most = 1 << fitting.ilog2();
        Self {
            input: input.fuse(),
            waiting: Vec::new(),
            looked_at: 0,
            bytes: 0,
            most,
            alike,
        }
    }

    /// The next portion; `None` at the end.
    ///
    /// # Errors
    /// Those of the input.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Row>>, StoreError> {
        while !self.is_full() {
            match self.input.try_next().await? {
                Some(rows) => self.keep(rows),
                None => break,
            }
        }
        let Some(first) = self.waiting.first() else {
            return Ok(None);
        };
        let mut size = 0;
        let fitting = self.waiting.iter().take(self.most).take_while(|row| {
            size += weight(row);
            size <= STATEMENT_BYTES && (!self.alike || defaults_alike(row, first))
        });
        let count = fitting.count().max(1);
        let rest = self.waiting.split_off(count);
        (self.looked_at, self.bytes) = (0, 0);
        Ok(Some(std::mem::replace(&mut self.waiting, rest)))
    }

    fn keep(&mut self, mut rows: Vec<Row>) {
        if self.waiting.is_empty() {
            self.waiting = rows;
        } else {
            self.waiting.append(&mut rows);
        }
    }

    /// Whether there is enough for a statement.
    fn is_full(&mut self) -> bool {
        for row in self.waiting.iter().skip(self.looked_at) {
            self.bytes += weight(row);
        }
        self.looked_at = self.waiting.len();
        self.waiting.len() >= self.most || self.bytes > STATEMENT_BYTES
    }
}

/// Cuts rows so that no statement has more than so many bytes, as far as more than one row is
/// concerned. What has to be cut, or is to be `even`, is cut to powers of two.
pub(crate) fn cut(mut rows: &[Row], bytes: usize, mut even: bool) -> impl Iterator<Item = &[Row]> {
    std::iter::from_fn(move || {
        let mut size = 0;
        let fitting = rows.iter().take_while(|row| {
            size += weight(row);
            size <= bytes
        });
        let fitting = fitting.count().max(1).min(rows.len());
        even |= fitting < rows.len();
        let count = match fitting.checked_ilog2() {
            Some(power) if even => 1 << power,
            _ => fitting,
        };
        let (now, rest) = rows.split_at(count);
        rows = rest;
        (count > 0).then_some(now)
    })
}

fn defaults_alike(a: &[Cell], b: &[Cell]) -> bool {
    a.iter()
        .zip(b)
        .all(|(a, b)| (*a == Cell::Default) == (*b == Cell::Default))
}

/// About how many bytes a row has in a packet.
fn weight(row: &[Cell]) -> usize {
    let value = |cell: &Cell| match cell {
        Cell::Value(Value::Decimal(text) | Value::Text(text) | Value::Json(text)) => text.len() + 9,
        Cell::Value(Value::Bytes(bytes)) => bytes.len() + 9,
        _ => 9,
    };
    row.iter().map(value).sum::<usize>() + 16
}

/// Whether a statement of so many rows is likely to come again.
pub(crate) fn is_repeated(rows: usize) -> bool {
    rows.is_power_of_two()
}

/// The statements that were run last, by what their texts hash to: a client that sends as many
/// rows again and again sends the same text.
#[derive(Default)]
pub(crate) struct Lately([u64; Self::MANY]);

impl Lately {
    /// So many that a client who sends many different numbers finds hardly one again: what is
    /// kept costs the server memory.
    const MANY: usize = 8;

    /// Whether this was among them; it is from now on.
    pub(crate) fn ran(&mut self, text: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let hash = hasher.finish();
        let at = self.0.iter().position(|it| *it == hash);
        let end = at.unwrap_or(Self::MANY - 1);
        self.0[..=end].rotate_right(1);
        self.0[0] = hash;
        at.is_some()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt as _, stream};

    use super::*;

    async fn sizes(rows: Vec<Row>, placeholders: usize, most: usize, alike: bool) -> Vec<usize> {
        let columns = rows[0].len();
        let input = stream::iter([Ok(Vec::new()), Ok(rows)]).boxed();
        let mut batches = Batches::new(input, columns, placeholders, most, alike);
        let mut sizes = Vec::new();
        while let Some(batch) = batches.next().await.unwrap() {
            sizes.push(batch.len());
        }
        sizes
    }

    fn text(length: usize) -> Cell {
        Cell::Value(Value::Text("x".repeat(length)))
    }

    #[tokio::test]
    async fn statements_are_bounded_in_placeholders_rows_and_bytes() {
        assert_eq!(
            sizes(vec![vec![text(1), text(1)]; 10], 9, 100, false).await,
            [4, 4, 2]
        );
        assert_eq!(
            sizes(vec![vec![text(1)]; 10], 1000, 4, false).await,
            [4, 4, 2]
        );
        assert_eq!(
            sizes(vec![vec![text(600_000)]; 3], 1000, 100, false).await,
            [1, 1, 1]
        );
        assert_eq!(
            sizes(vec![vec![text(5_000_000)]], 1000, 100, false).await,
            [1]
        );
        assert_eq!(sizes(vec![Vec::new(); 3], 1000, 100, false).await, [3]);
    }

    #[tokio::test]
    async fn statements_are_full_however_the_rows_arrive() {
        let portions = [3, 1, 7, 0, 9].map(|rows| Ok(vec![vec![text(1)]; rows]));
        let mut batches = Batches::new(stream::iter(portions).boxed(), 1, 1000, 8, false);
        let mut sizes = Vec::new();
        while let Some(batch) = batches.next().await.unwrap() {
            sizes.push(batch.len());
        }
        assert_eq!(sizes, [8, 8, 4]);
    }

    #[test]
    fn what_is_too_large_for_one_statement_is_cut_to_powers_of_two() {
        let rows = vec![vec![text(75)]; 10];
        let sizes = |bytes, even| {
            let pieces = cut(&rows, bytes, even).map(<[Row]>::len);
            pieces.collect::<Vec<_>>()
        };
        assert_eq!(sizes(1000, false), [10]);
        assert_eq!(sizes(1000, true), [8, 2]);
        assert_eq!(sizes(700, false), [4, 4, 2]);
        assert_eq!(sizes(10, false), [1; 10]);
        assert_eq!(cut(&[], 10, true).count(), 0);
    }

    #[test]
    fn a_text_that_came_lately_comes_again() {
        let mut lately = Lately::default();
        assert!(!lately.ran("a") && !lately.ran("b") && lately.ran("a") && lately.ran("b"));
        for other in 0..Lately::MANY {
            assert!(!lately.ran(&other.to_string()));
        }
        assert!(!lately.ran("a"));
    }

    #[tokio::test]
    async fn rows_of_one_statement_have_their_defaults_in_the_same_columns() {
        let rows = vec![
            vec![text(1)],
            vec![Cell::Default],
            vec![Cell::Default],
            vec![text(1)],
        ];
        assert_eq!(sizes(rows.clone(), 1000, 100, true).await, [1, 2, 1]);
        assert_eq!(sizes(rows, 1000, 100, false).await, [4]);
    }
}
