//! A document that leaves in pieces while its rows arrive.
//!
//! A task of its own owns the connection and fills a short channel, so memory stays the same
//! however many rows there are, and a reader who goes away ends the query. The end of the
//! document is said, not inferred: a task that ends otherwise cuts the document.

use std::time::Duration;

use std::future::Future;

use bytes::Bytes;
use futures_util::stream;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::port::RowStream;
use tidegate_domain::request::Current;
use tokio::sync::mpsc;
use tracing::Instrument as _;

use super::PIECE;
use super::document::Document;
use super::field::Reader;

/// What the task tells.
pub(crate) enum Message {
    Piece(Bytes),
    Failed(StoreError),
    End,
}

/// Where the task puts the pieces.
pub(crate) struct Sink {
    channel: mpsc::Sender<Message>,
    sent: Option<Box<dyn Fn() + Send + Sync>>,
}

/// How long a reader may take for a piece. A document holds a connection, of which there are
/// few: whoever stops reading must not keep it from others.
const READER_PATIENCE: Duration = Duration::from_secs(30);

impl Sink {
    /// Calls this after each piece that was sent.
    pub(crate) fn telling(self, sent: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            sent: Some(Box::new(sent)),
            ..self
        }
    }

    /// Sends the next piece.
    pub(crate) async fn send(&self, message: Message) -> Result<(), Cut> {
        match tokio::time::timeout(READER_PATIENCE, self.channel.send(message)).await {
            Ok(Ok(())) => {
                if let Some(sent) = &self.sent {
                    sent();
                }
                Ok(())
            }
            Ok(Err(_)) => Err(Cut::Gone),
            // Not an error of the connection to the database, which can be used again.
            Err(_) => Err(Cut::Failed(sqlx::Error::Decode(
                "the client stopped reading".into(),
            ))),
        }
    }
}

/// Why a document was not finished.
pub(crate) enum Cut {
    /// The rows ended with an error.
    Failed(sqlx::Error),
    /// Nobody reads it any more.
    Gone,
}

impl From<sqlx::Error> for Cut {
    fn from(error: sqlx::Error) -> Self {
        Cut::Failed(error)
    }
}

/// A document on its way into pieces.
pub(crate) struct Pieces {
    document: Document,
    bytes: Vec<u8>,
}

impl Pieces {
    // A row more than a piece fits in.
    const ROOM: usize = PIECE + PIECE / 4;

    /// A document without rows.
    pub(crate) fn new(document: Document) -> Self {
        let mut bytes = Vec::with_capacity(Self::ROOM);
        document.open(&mut bytes);
        Self { document, bytes }
    }

    /// Adds a row; gives a piece when it is full.
    pub(crate) fn add<R: Reader>(
        &mut self,
        row: &R::Row,
        reader: &mut R,
    ) -> Result<Option<Message>, sqlx::Error> {
        self.document.row(&mut self.bytes, row, reader)?;
        Ok((self.bytes.len() >= PIECE).then(|| {
            let piece = std::mem::replace(&mut self.bytes, Vec::with_capacity(Self::ROOM));
            Message::Piece(piece.into())
        }))
    }

    /// The last piece. There have to be `expected` rows, which the head of the answer has
    /// promised.
    pub(crate) fn finish(mut self, expected: u64) -> Result<Message, sqlx::Error> {
        let rows = self.document.rows();
        if rows != expected {
            let message = format!("{rows} rows arrived where {expected} were counted");
            return Err(sqlx::Error::Decode(message.into()));
        }
        self.document.close(&mut self.bytes);
        Ok(Message::Piece(self.bytes.into()))
    }
}

/// Reads all rows into pieces. There have to be `expected` of them, which the head of the
/// answer has promised.
pub(crate) async fn pieces<S, R>(
    mut rows: S,
    reader: &mut R,
    document: Document,
    expected: u64,
    sink: &Sink,
) -> Result<(), Cut>
where
    S: Stream<Item = Result<R::Row, sqlx::Error>> + Unpin,
    R: Reader,
{
    let mut pieces = Pieces::new(document);
    while let Some(row) = rows.try_next().await? {
        if let Some(piece) = pieces.add(&row, reader)? {
            sink.send(piece).await?;
        }
    }
    sink.send(pieces.finish(expected)?).await
}

/// Runs `work` as a task and gives its document as soon as its first piece is there. `work`
/// ends with what there is to say at the end; it is dropped where it stands when the document is.
///
/// # Errors
/// That `work` failed before the first piece.
pub(crate) async fn spawn<F, W>(work: F) -> Result<RowStream, StoreError>
where
    F: FnOnce(Sink) -> W,
    W: Future<Output = Result<(), StoreError>> + Send + 'static,
{
    let (channel, mut messages) = mpsc::channel(2);
    let work = work(Sink {
        channel: channel.clone(),
        sent: None,
    });
    let task = async move {
        let outcome = tokio::select! {
            outcome = work => outcome,
            () = channel.closed() => return,
        };
        let last = outcome.map_or_else(Message::Failed, |()| Message::End);
        // Nobody is left to be told when this fails.
        let _ = channel.send(last).await;
    };
    tokio::spawn(Current::here().carry(Box::pin(task.in_current_span())));
    let first = match messages.recv().await {
        Some(Message::Piece(piece)) => piece,
        Some(Message::Failed(error)) => return Err(error),
        Some(Message::End) => Bytes::new(),
        None => return Err(broken_off()),
    };
    let rest = stream::unfold(Some(messages), |messages| async move {
        let mut messages = messages?;
        match messages.recv().await {
            Some(Message::Piece(piece)) => Some((Ok(piece), Some(messages))),
            Some(Message::Failed(error)) => Some((Err(error), None)),
            Some(Message::End) => None,
            None => Some((Err(broken_off()), None)),
        }
    });
    Ok(stream::once(async { Ok(first) }).chain(rest).boxed())
}

/// A document of one piece.
pub(crate) fn single(bytes: Vec<u8>) -> RowStream {
    stream::once(async move { Ok(Bytes::from(bytes)) }).boxed()
}

fn broken_off() -> StoreError {
    StoreError::Internal("the reading of the rows broke off".into())
}
