//! Writes of rows that may be repeated, by `Idempotency-Key`.

use std::sync::OnceLock;

use actix_web::body::MessageBody as _;
use actix_web::{HttpRequest, HttpResponse};
use tidegate_application::idempotency::RepeatableWrite;
use tidegate_domain::idempotency::Answer;
use tidegate_domain::permission::{Authorized, WriteRows};

use crate::error::ApiError;
use crate::idempotency::{Fingerprint, key, request_id};

/// A write with a key, and the digest over what was sent, once that has arrived.
pub(super) struct Keyed {
    id: String,
    fingerprint: OnceLock<String>,
}

impl Keyed {
    /// The write of a request that has a key, into a database that not only the path may name.
    ///
    /// # Errors
    /// A header that is no key.
    pub(super) fn of(
        auth: &Authorized<WriteRows>,
        request: &HttpRequest,
        database: Option<&str>,
    ) -> Result<Option<Self>, ApiError> {
        Ok(key(request)?.map(|key| Self {
            id: request_id(auth.principal(), request, database, &key),
            fingerprint: OnceLock::new(),
        }))
    }

    /// Takes a body that has arrived.
    pub(super) fn whole(&self, request: &HttpRequest, body: &[u8]) {
        let mut arriving = self.arriving(request);
        arriving.piece(body);
        arriving.end();
    }

    /// Takes a body as it arrives.
    pub(super) fn arriving(&self, request: &HttpRequest) -> Arriving<'_> {
        Arriving {
            keyed: self,
            fingerprint: Fingerprint::of(request),
        }
    }

    /// What the use case is told; `answer` makes what is kept.
    pub(super) fn write<'a, T>(
        &'a self,
        answer: &'a (dyn Fn(&T) -> Answer + Send + Sync),
    ) -> RepeatableWrite<'a, T> {
        RepeatableWrite {
            id: &self.id,
            fingerprint: &self.fingerprint,
            answer,
        }
    }
}

/// The body of a write with a key, piece by piece.
pub(super) struct Arriving<'a> {
    keyed: &'a Keyed,
    fingerprint: Fingerprint,
}

impl Arriving<'_> {
    /// Takes the next piece.
    pub(super) fn piece(&mut self, piece: &[u8]) {
        self.fingerprint.update(piece);
    }

    /// Notes that no more will come.
    pub(super) fn end(self) {
        let fingerprint = self.fingerprint.finish();
        self.keyed.fingerprint.get_or_init(|| fingerprint);
    }
}

/// A response as it is kept. Its body is whole.
pub(super) fn kept(response: HttpResponse) -> Answer {
    let (head, body) = response.into_parts();
    let headers = head.headers().iter().filter_map(|(name, value)| {
        let value = value.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    });
    Answer {
        status: head.status().as_u16(),
        headers: headers.collect(),
        body: body.try_into_bytes().unwrap_or_default(),
    }
}
