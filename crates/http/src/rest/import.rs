//! CSV import: rows go to the database while the file is still arriving, in memory that
//! does not grow with it, and in one transaction.

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::stream;
use tidegate_application::idempotency::Reply;
use tidegate_domain::gateway::port::Written;
use tidegate_domain::query::error::QueryError;
use tidegate_domain::query::plan::{Cell as RowCell, InsertPlan};
use tokio::sync::mpsc;

use super::body::csv::{CsvRows, Line, Lines};
use super::repeat::Arriving;
use super::write::Target;
use crate::error::ApiError;
use crate::extract::body::BodyReader;

/// How long the rest of a file is read, and forgotten, when its import has failed.
const LINGER: Duration = Duration::from_secs(1);

/// Batches between the side that reads and the side that stores.
const BATCHES: usize = 2;

type Batch = Result<Vec<Vec<RowCell>>, QueryError>;

/// Inserts the rows of a CSV file whose lines have at most `line` bytes. With listed columns in
/// the target, others of the file are passed over and absent ones are filled in. `keyed` is
/// told of the file where the import may be repeated.
///
/// # Errors
/// A file that is not CSV, breaks off or is too large; rows that do not fit; a constraint; a
/// repetition under way or with another content. Nothing is stored then.
pub(super) async fn csv(
    target: &Target<'_>,
    body: BodyReader,
    keyed: Option<Arriving<'_>>,
    line: u64,
) -> Result<Reply<Written>, ApiError> {
    let most = usize::try_from(line).unwrap_or(usize::MAX);
    let mut file = File {
        body,
        csv: CsvRows::new(most),
        keyed,
        ended: false,
    };
    let outcome = store(target, &mut file).await;
    if outcome.is_err() {
        let _ = tokio::time::timeout(LINGER, file.drain(line)).await;
    }
    outcome
}

async fn store(target: &Target<'_>, file: &mut File<'_>) -> Result<Reply<Written>, ApiError> {
    let mut begun = Lines::default();
    while file.csv.header().is_none()
        && let Some(lines) = file.next().await?
    {
        begun = lines;
    }
    let header = file.csv.header().unwrap_or_default();
    let columns = target.listed.map_or(header, |listed| listed.columns);
    let places: Vec<Option<usize>> = columns
        .iter()
        .map(|column| header.iter().position(|name| name == column))
        .collect();
    let plan = target.plan(columns).await?;

    let reader = Cells {
        plan: &plan,
        places: &places,
        default: target.listed.is_some_and(|listed| listed.default),
    };

    // The body of a request stays on its thread, the store's input may move between them:
    // a channel stands between the two, and both run as one future.
    let (sender, mut receiver) = mpsc::channel::<Batch>(BATCHES);
    let fault = Cell::new(None);
    let reading = async {
        if let Err(error) = send(file, begun, &reader, &sender).await {
            fault.set(Some(error));
            // Without it the store would take what it has for the whole file.
            let cut = QueryError::Body {
                message: "The import broke off".to_owned(),
            };
            let _ = sender.send(Err(cut)).await;
        }
        drop(sender);
    };
    let input = Box::pin(stream::poll_fn(move |context| receiver.poll_recv(context)));
    let storing = target.insert(&plan, input);
    // A store that fails does not wait for the rest of the file.
    let stored = match select(pin!(reading), pin!(storing)).await {
        Either::Left(((), storing)) => storing.await,
        Either::Right((stored, _)) => stored,
    };
    match fault.take() {
        Some(error) => Err(error),
        None => Ok(stored?),
    }
}

/// Sends all rows; stops early, without an error of its own, when the other side is gone.
async fn send(
    file: &mut File<'_>,
    begun: Lines,
    reader: &Cells<'_>,
    sender: &mpsc::Sender<Batch>,
) -> Result<(), ApiError> {
    let mut next = Some(begun);
    while let Some(lines) = next {
        let rows = lines
            .iter()
            .map(|line| reader.row(line))
            .collect::<Result<Vec<_>, _>>()?;
        if !rows.is_empty() && sender.send(Ok(rows)).await.is_err() {
            return Ok(());
        }
        next = file.next().await?;
    }
    Ok(())
}

/// Turns lines into rows of cells.
struct Cells<'a> {
    plan: &'a InsertPlan,
    /// Where the file has each column of the plan.
    places: &'a [Option<usize>],
    /// Whether columns that the file has not get their default, and not null.
    default: bool,
}

impl Cells<'_> {
    fn row(&self, line: Line<'_>) -> Result<Vec<RowCell>, ApiError> {
        let cell = |(at, place): (usize, &Option<usize>)| match place {
            Some(place) => self.plan.cell_from_text(at, line.field(*place)),
            None if self.default => Ok(RowCell::Default),
            None => self.plan.cell_from_text(at, None),
        };
        let cells = self
            .places
            .iter()
            .enumerate()
            .map(cell)
            .collect::<Result<_, _>>();
        cells.map_err(|error| {
            ApiError::from(error).details(format!("in line {} of the body", line.number))
        })
    }
}

/// The file as it arrives.
struct File<'a> {
    body: BodyReader,
    csv: CsvRows,
    keyed: Option<Arriving<'a>>,
    ended: bool,
}

impl File<'_> {
    /// The rows that are complete with the next piece; `None` after the last one.
    async fn next(&mut self) -> Result<Option<Lines>, ApiError> {
        if self.ended {
            return Ok(None);
        }
        let next = self.body.next().await;
        // Whatever comes but a piece is the end.
        self.ended = !matches!(next, Ok(Some(_)));
        match next? {
            Some(piece) => {
                if let Some(keyed) = &mut self.keyed {
                    keyed.piece(&piece);
                }
                Ok(Some(self.csv.feed(&piece)?))
            }
            None => {
                if let Some(keyed) = self.keyed.take() {
                    keyed.end();
                }
                Ok(Some(self.csv.finish()?))
            }
        }
    }

    /// Reads on for a while and forgets: a client that is still sending would otherwise find
    /// the connection closed and never see the answer.
    async fn drain(&mut self, most: u64) {
        let mut left = most;
        while !self.ended {
            match self.body.next().await {
                Ok(Some(piece)) => match left.checked_sub(piece.len() as u64) {
                    Some(less) => left = less,
                    None => return,
                },
                _ => self.ended = true,
            }
        }
    }
}
