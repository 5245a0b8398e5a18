//! Answers that hold messages. They may be large and their readers slow, so each user has room
//! for so much of them, whatever the number of requests.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use actix_web::HttpResponse;
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::StatusCode;
use bytes::Bytes;
use serde::Serialize;
use tidegate_domain::account::UserId;
use tidegate_domain::webhook::message::Message;

use crate::error::ApiError;

/// How many bytes of answers to a user may be there at a time.
const MOST: u64 = 64 * 1024 * 1024;

/// What is handed on at a time; the rest stays here until that is sent.
const PIECE: usize = 64 * 1024;

/// The answers that are not yet read, by user.
#[derive(Default)]
pub struct Answers(Arc<Mutex<HashMap<i64, u64>>>);

/// Room for an answer, until it is dropped.
pub struct Room {
    answers: Arc<Mutex<HashMap<i64, u64>>>,
    user: i64,
    bytes: u64,
}

impl Answers {
    /// Whether a user has room at all, to be asked before something is done that a refused
    /// answer would waste.
    ///
    /// # Errors
    /// 503 when earlier answers to this user are not read.
    pub fn check(&self, user: UserId) -> Result<(), ApiError> {
        match lock(&self.0).get(&user.0) {
            Some(bytes) if *bytes >= MOST => Err(unread()),
            _ => Ok(()),
        }
    }

    /// Room for an answer with these messages.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn room<'a>(
        &self,
        user: UserId,
        messages: impl IntoIterator<Item = &'a Message>,
    ) -> Result<Room, ApiError> {
        self.check(user)?;
        Ok(self.take(user, messages))
    }

    /// The same, whether there is room or not.
    pub fn take<'a>(&self, user: UserId, messages: impl IntoIterator<Item = &'a Message>) -> Room {
        // Base64 makes four bytes of three.
        let size = |message: &Message| message.body.len() as u64 / 3 * 4 + 2048;
        let bytes = messages.into_iter().map(size).sum();
        *lock(&self.0).entry(user.0).or_default() += bytes;
        Room {
            answers: Arc::clone(&self.0),
            user: user.0,
            bytes,
        }
    }
}

fn lock(answers: &Mutex<HashMap<i64, u64>>) -> MutexGuard<'_, HashMap<i64, u64>> {
    answers.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unread() -> ApiError {
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "answers_unread",
        "Earlier answers to you are not read yet; read them, or ask for less at a time",
    )
    .retry_after(1)
}

impl Room {
    /// A 200 with JSON, which holds the room until it is sent.
    ///
    /// # Errors
    /// A value that is no JSON, which is a fault of the server.
    pub fn answer(self, value: &impl Serialize) -> Result<HttpResponse, ApiError> {
        let body = serde_json::to_vec(value).map_err(ApiError::internal)?;
        Ok(HttpResponse::Ok()
            .content_type("application/json")
            .body(Body {
                left: body.into(),
                _room: self,
            }))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut answers = lock(&self.answers);
        if let Some(bytes) = answers.get_mut(&self.user) {
            *bytes = bytes.saturating_sub(self.bytes);
            if *bytes == 0 {
                answers.remove(&self.user);
            }
        }
    }
}

/// A body that is handed on in pieces.
struct Body {
    left: Bytes,
    _room: Room,
}

impl MessageBody for Body {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.left.len() as u64)
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let left = &mut self.get_mut().left;
        let piece = left.split_to(left.len().min(PIECE));
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use tidegate_domain::webhook::message::MessageId;

    use super::*;

    fn message(size: usize) -> Message {
        Message {
            id: MessageId(1),
            webhook: None,
            method: String::new(),
            path: String::new(),
            query: String::new(),
            headers: Vec::new(),
            body: vec![0; size].into(),
            verdict: None,
            delivery_id: None,
            address: String::new(),
            received: true,
            received_at: DateTime::UNIX_EPOCH,
        }
    }

    #[actix_web::test]
    async fn who_does_not_read_gets_no_more_and_others_do() {
        let answers = Answers::default();
        let large = [message(50 * 1024 * 1024)];
        let room = answers.room(UserId(1), &large).unwrap();
        assert_eq!(answers.room(UserId(1), &large).err().unwrap().status(), 503);
        assert!(answers.check(UserId(1)).is_err() && answers.check(UserId(2)).is_ok());
        let answer = room.answer(&"x".repeat(200_000)).unwrap();
        assert!(answers.check(UserId(1)).is_err(), "it is not sent yet");
        let sent = actix_web::body::to_bytes(answer.into_body()).await.unwrap();
        assert_eq!(sent.len(), 200_002);
        assert!(answers.check(UserId(1)).is_ok() && lock(&answers.0).is_empty());
    }
}
