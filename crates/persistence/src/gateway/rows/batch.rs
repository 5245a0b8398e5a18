//! Rows on their way in, cut into statements.
//!
//! An engine takes so many placeholders and so large a packet in one statement. Full
//! statements of one table have the same number of rows, a power of two, so that their text
//! is prepared once; what remains at the end is prepared for once.

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
    waiting: std::vec::IntoIter<Row>,
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
            waiting: Vec::new().into_iter(),
            most,
            alike,
        }
    }

    /// The next portion; `None` at the end.
    ///
    /// # Errors
    /// Those of the input.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Row>>, StoreError> {
        while self.waiting.len() == 0 {
            match self.input.try_next().await? {
                Some(rows) => self.waiting = rows.into_iter(),
                None => return Ok(None),
            }
        }
        let waiting = self.waiting.as_slice();
        let (mut size, alike) = (0, self.alike);
        let fitting = waiting.iter().take(self.most).take_while(|row| {
            size += weight(row);
            size <= STATEMENT_BYTES && (!alike || defaults_alike(row, &waiting[0]))
        });
        let count = fitting.count().max(1);
        Ok(Some(self.waiting.by_ref().take(count).collect()))
    }
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
