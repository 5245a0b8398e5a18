//! Requests that may be repeated: carried out once, and answered the same again.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tidegate_domain::error::StoreError;
use tidegate_domain::idempotency::{
    Answer, Claim, IdempotencyKeys, KEPT, Kept, Once, Outcome, RepeatableRequest,
};
use tidegate_domain::system::Clock;
use tidegate_domain::transaction::{Repeatable, Transactional, UnitOfWork};

use crate::error::AppError;

/// What a request that may be repeated came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply<V> {
    /// It was carried out just now.
    New(V),
    /// It had been carried out before, with this answer.
    Repeated(Answer),
}

/// A write that may be repeated, which one call of a port carries out. What it writes may
/// still be arriving.
pub struct RepeatableWrite<'a, T> {
    /// What names the request, see [`RepeatableRequest::id`].
    pub id: &'a str,
    /// The digest over what was sent, there when all of it has arrived.
    pub fingerprint: &'a OnceLock<String>,
    /// What is answered, and kept.
    pub answer: &'a (dyn Fn(&T) -> Answer + Send + Sync),
}

/// Carries out requests that may be repeated. Of several at once on this node, one is carried
/// out; other nodes are kept apart by the database.
#[derive(Clone)]
pub struct Idempotency {
    clock: Arc<dyn Clock>,
    under_way: Arc<Mutex<HashSet<String>>>,
}

/// A request that is under way on this node, until this is dropped.
pub struct UnderWay {
    set: Arc<Mutex<HashSet<String>>>,
    id: String,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        set.remove(&self.id);
    }
}

impl Idempotency {
    /// With nothing under way.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            under_way: Arc::default(),
        }
    }

    /// Notes that a request is under way.
    ///
    /// # Errors
    /// [`AppError::InProgress`] when it is already.
    pub fn begin(&self, id: &str) -> Result<UnderWay, AppError> {
        let mut set = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !set.insert(id.to_owned()) {
            return Err(AppError::InProgress);
        }
        Ok(UnderWay {
            set: Arc::clone(&self.under_way),
            id: id.to_owned(),
        })
    }

    /// Does `body` in one transaction, where the request is given only if it was not done
    /// before; `answer` is kept with it.
    ///
    /// # Errors
    /// Those of `body` and `answer`, after which nothing is kept; a repetition under way or with
    /// another content.
    pub async fn once<T: ?Sized + Repeatable + 'static, V>(
        &self,
        work: &dyn UnitOfWork<T>,
        request: Option<&RepeatableRequest>,
        answer: impl Fn(&V) -> Result<Answer, AppError>,
        body: impl AsyncFn(&T) -> Result<V, AppError>,
    ) -> Result<Reply<V>, AppError> {
        let Some(request) = request else {
            return transact(work, body).await.map(Reply::New);
        };
        let _under_way = self.begin(&request.id)?;
        transact(work, async |transaction: &T| {
            let keys = transaction.idempotency();
            match keys.claim(&request.id, self.clock.now()).await? {
                Claim::New => {}
                Claim::Done(kept) => {
                    return kept_answer(kept, &request.fingerprint).map(Reply::Repeated);
                }
                Claim::InProgress => return Err(AppError::InProgress),
            }
            let value = body(transaction).await?;
            let kept = Kept {
                fingerprint: request.fingerprint.clone(),
                answer: answer(&value)?,
            };
            keys.complete(&request.id, &kept).await?;
            Ok(Reply::New(value))
        })
        .await
    }

    /// Does `write`, which has a port carry it out once in a transaction of the port's own, and
    /// reads what was sent to its end.
    ///
    /// # Errors
    /// Those of `write`; a repetition under way or with another content.
    pub async fn once_by_port<T>(
        &self,
        request: Option<&RepeatableWrite<'_, T>>,
        write: impl AsyncFnOnce(Option<&Once<'_, T>>) -> Result<Outcome<T>, AppError>,
    ) -> Result<Reply<T>, AppError> {
        let Some(request) = request else {
            return reply(write(None).await?, "");
        };
        let _under_way = self.begin(request.id)?;
        let fingerprint = || request.fingerprint.get().cloned().unwrap_or_default();
        let once = Once {
            id: request.id,
            now: self.clock.now(),
            keep: &|value| Kept {
                fingerprint: fingerprint(),
                answer: (request.answer)(value),
            },
        };
        reply(write(Some(&once)).await?, &fingerprint())
    }

    /// Deletes what is kept no longer.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn purge(&self, keys: &dyn IdempotencyKeys) -> Result<u64, StoreError> {
        keys.purge(self.clock.now() - KEPT).await
    }
}

/// What an outcome is to whoever sent what has this fingerprint.
fn reply<T>(outcome: Outcome<T>, fingerprint: &str) -> Result<Reply<T>, AppError> {
    match outcome {
        Outcome::Done(value) => Ok(Reply::New(value)),
        Outcome::Repeated(kept) => kept_answer(kept, fingerprint).map(Reply::Repeated),
        Outcome::InProgress => Err(AppError::InProgress),
    }
}

/// The answer that was kept, if it belongs to what was sent.
///
/// # Errors
/// [`AppError::KeyReused`] where something else was sent under the key.
pub fn kept_answer(kept: Kept, fingerprint: &str) -> Result<Answer, AppError> {
    if kept.fingerprint == fingerprint {
        Ok(kept.answer)
    } else {
        Err(AppError::KeyReused)
    }
}

/// Does `body` in one transaction, again where the store says so; an error rolls back.
///
/// # Errors
/// Those of `body` and of the store.
pub async fn transact<T: ?Sized + Transactional + 'static, V>(
    work: &dyn UnitOfWork<T>,
    body: impl AsyncFn(&T) -> Result<V, AppError>,
) -> Result<V, AppError> {
    let mut attempt = 0;
    loop {
        let transaction = work.begin().await?;
        let error = match body(&transaction).await {
            Ok(value) => match transaction.commit().await {
                Ok(()) => return Ok(value),
                Err(error) => error,
            },
            Err(error) => {
                // Whoever is told of the error may come again at once.
                transaction.roll_back().await;
                match error {
                    AppError::Store(error) => error,
                    error => return Err(error),
                }
            }
        };
        if !work.again(attempt, &error).await {
            return Err(error.into());
        }
        attempt += 1;
    }
}
