//! Writes that are carried out once, or for as long as a client sends, on SQLite: the work is
//! done on the thread of the writer, and what it needs of the request comes to it there.

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use tidegate_domain::error::StoreError;
use tidegate_domain::idempotency::{Kept, Once, Outcome};
use tokio::sync::{mpsc, oneshot};

use super::super::once::{CREATE_HIDDEN, Keys};
use super::super::pool::{Kind, Local, Pace, SqliteDatabase};
use super::super::rows::batch::{Fault, Row};
use super::super::sql::Statement;
use super::fields::Values;
use super::run::{execute, rows};
use crate::error::local::engine;
use crate::idempotency::restored;

/// What the request says to the thread that writes.
pub(super) enum Word {
    /// More rows.
    Rows(Vec<Row>),
    /// That was all.
    End,
}

/// What the thread hears.
pub(super) struct Heard(mpsc::Receiver<Word>);

impl Heard {
    /// The next rows; `None` when there are no more.
    ///
    /// # Errors
    /// Nobody is there any more who could send them.
    pub(super) fn rows(&mut self) -> Result<Option<Vec<Row>>, Fault> {
        match self.0.blocking_recv() {
            Some(Word::Rows(rows)) => Ok(Some(rows)),
            Some(Word::End) => Ok(None),
            None => Err(Fault::Input(gone())),
        }
    }
}

/// What came of a write, with the way on which the statement comes back that keeps it.
type Told<T> = (T, oneshot::Sender<Result<Statement, sqlx::Error>>);

/// Carries out a write in a transaction of its own, with the rows that `feed` sends. With `once`
/// it claims its key first, and keeps what came of it.
pub(super) async fn carry_out<T, W, F>(
    database: &SqliteDatabase,
    once: Option<&Once<'_, T>>,
    undo: bool,
    mut work: W,
    feed: impl FnOnce(mpsc::Sender<Word>) -> F,
) -> Result<Outcome<T>, StoreError>
where
    T: Clone + Send + Sync + 'static,
    W: FnMut(&mut Local, &mut Heard) -> Result<T, Fault> + Send + 'static,
    F: Future<Output = Result<(), StoreError>>,
{
    let (say, heard) = mpsc::channel(2);
    let (tell, mut told) = mpsc::channel::<Told<T>>(1);
    let claim = once.map(Claim::new);
    let mut heard = Heard(heard);
    let write = move |local: &mut Local| {
        if let Some(claim) = &claim
            && let Some(kept) = local.within(|connection| claim.repeated(connection))?
        {
            return Ok(Outcome::Repeated(kept));
        }
        let done = work(local, &mut heard)?;
        if claim.is_some() {
            let (answer, keep) = oneshot::channel();
            let asked = tell.blocking_send((done.clone(), answer));
            asked.map_err(|_| Fault::Input(gone()))?;
            let keep = keep.blocking_recv().map_err(|_| Fault::Input(gone()))??;
            execute(&local.connection, &keep)?;
        }
        Ok(Outcome::Done(done))
    };
    let kind = Kind {
        pace: Pace::Stream,
        undo,
    };
    let pending = database.write(kind, write).await?;
    let told = async {
        feed(say).await?;
        if let (Some(once), Some((done, answer))) = (once, told.recv().await) {
            // The thread says itself why it is not there.
            let _ = answer.send(Keys::of_file().keep(once, &done));
        }
        Ok::<_, StoreError>(())
    };
    let mut outcome = std::pin::pin!(pending.outcome());
    tokio::select! {
        biased;
        outcome = &mut outcome => outcome,
        fed = told => {
            // What the input is refused for counts, once all is undone.
            let outcome = outcome.await;
            fed.and(outcome)
        }
    }
}

/// Claims a key inside the transaction that writes. There is one writer, so nobody comes
/// meanwhile.
struct Claim {
    purge: Statement,
    find: Statement,
    claim: Statement,
}

impl Claim {
    fn new<T>(once: &Once<'_, T>) -> Self {
        let keys = Keys::of_file();
        Self {
            purge: keys.purge(once),
            find: keys.find(once),
            claim: keys.claim(once),
        }
    }

    /// What was kept when the write was carried out before.
    fn repeated(&self, connection: &Connection) -> Result<Option<Kept>, sqlx::Error> {
        connection.execute_batch(CREATE_HIDDEN).map_err(engine)?;
        execute(connection, &self.purge)?;
        if let Some(row) = rows(connection, &self.find)?.first() {
            return kept(row);
        }
        execute(connection, &self.claim)?;
        Ok(None)
    }
}

/// What a row of [`Keys::find`] keeps; `None` when its time is over.
fn kept(row: &impl Values) -> Result<Option<Kept>, sqlx::Error> {
    let no_answer = || sqlx::Error::Decode("a stored answer is not valid".into());
    let text = |at| match row.value(at)? {
        ValueRef::Text(text) => String::from_utf8(text.to_vec()).map_err(|_| no_answer()),
        _ => Err(no_answer()),
    };
    let number = |at| match row.value(at)? {
        ValueRef::Integer(number) => Ok(number),
        _ => Err(no_answer()),
    };
    if number(0)? == 0 {
        return Ok(None);
    }
    let body = match row.value(4)? {
        ValueRef::Blob(body) => body.to_vec(),
        _ => return Err(no_answer()),
    };
    let status = i32::try_from(number(2)?).map_err(|_| no_answer())?;
    restored(text(1)?, status, &text(3)?, body)
        .map(Some)
        .ok_or_else(no_answer)
}

fn gone() -> StoreError {
    StoreError::Internal("whoever sent the rows has gone".into())
}
