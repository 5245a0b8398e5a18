//! `/in/{rid}`: where providers send their messages to. Nobody signs in here; the address is
//! known to its owner and the provider alone.

use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use bytes::{Bytes, BytesMut};
use tidegate_application::inbox::Inbox;
use tidegate_application::inbox::receive::Incoming;
use tidegate_domain::webhook::handshake::HandshakeReply;
use tidegate_domain::webhook::header::Header;
use tidegate_domain::webhook::hook::RID_LENGTH;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::context::{Context, RequestContext};
use crate::error::ApiError;
use crate::extract::body::{BodyLimits, BodyReader};
use crate::middleware::gate::Gate;
use crate::route::{Access, LimitClass, RouteBuilder, RouteSpec};

/// The routes. [`Inbox`] has to be among the application's data.
pub fn routes() -> Vec<RouteSpec> {
    vec![
        receiver(RouteSpec::post(
            "/in/{rid}",
            "receiveMessage",
            "Take in a message of a provider",
        )),
        receiver(RouteSpec::post(
            "/in/{rid}/{path:.*}",
            "receiveMessageBelow",
            "Take in a message that is sent below the address",
        )),
    ]
}

fn receiver(route: RouteBuilder) -> RouteSpec {
    route
        .description(
            "Any method, and a body of any kind, which is kept byte for byte. Answered when the \
             message is in the database. Idempotency-Key is ignored here: deliveries are told \
             apart by the ids that providers give them.",
        )
        .any_method()
        .basic()
        .tag("inbox")
        .access(Access::Public)
        .limit(LimitClass::Inbox)
        .unversioned()
        .answers_plain(
            200,
            "It is stored, or was before; or the answer to a handshake",
        )
        .answers_plain(401, "Its signature is not good")
        .answers_plain(404, "Nothing receives at this address")
        .answers_plain(408, "The body did not arrive in time")
        .answers_plain(413, "The body is over the limit")
        .to(receive)
}

/// Room for bodies that are arriving or wait for their commit, on all workers together, so
/// that memory has a limit whatever arrives.
pub struct Arriving {
    kibibytes: Arc<Semaphore>,
}

impl Arriving {
    /// Sixteen of the largest messages, and 64 MiB at least.
    pub fn new(largest: u64) -> Self {
        let kibibytes = (largest.saturating_mul(16) / 1024).max(64 * 1024);
        let kibibytes = usize::try_from(kibibytes).unwrap_or(usize::MAX);
        Self {
            kibibytes: Arc::new(Semaphore::new(kibibytes.min(Semaphore::MAX_PERMITS))),
        }
    }

    fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, ApiError> {
        let kibibytes = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.kibibytes).try_acquire_many_owned(kibibytes);
        room.map_err(|_| {
            ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                "Too much is arriving at once; send it again later",
            )
            .retry_after(2)
        })
    }
}

async fn receive(
    Context(context): Context,
    inbox: web::Data<Inbox>,
    arriving: web::Data<Arriving>,
    gate: web::Data<Gate>,
    request: HttpRequest,
    payload: Raw,
) -> Result<HttpResponse, ApiError> {
    let (rid, path) = address(request.uri().path());
    let receiver = inbox.receiver(rid).await?;
    gate.limits.check_owner(receiver.owner)?;
    let limits = BodyLimits::of_message(&request);
    let reader = BodyReader::of_any_coding(&request, payload.0, limits);
    let (body, _room) = read(reader, &arriving).await?;
    let incoming = Incoming {
        method: request.method().as_str().chars().take(32).collect(),
        url: url(&request, &context),
        path: path.to_owned(),
        query: request.query_string().to_owned(),
        headers: headers(&request),
        body,
        address: context.client.address.to_string(),
    };
    Ok(match inbox.receive(&receiver, incoming).await? {
        None => HttpResponse::Ok().finish(),
        Some(reply) => handshake(&reply)?,
    })
}

/// A body that nothing has looked at.
pub struct Raw(pub(super) Payload);

impl FromRequest for Raw {
    type Error = ApiError;
    type Future = std::future::Ready<Result<Self, ApiError>>;

    fn from_request(_: &HttpRequest, payload: &mut Payload) -> Self::Future {
        std::future::ready(Ok(Self(payload.take())))
    }
}

/// The unguessable part of an address, and what follows it. One that is too long is none.
fn address(path: &str) -> (&str, &str) {
    let rest = path.strip_prefix("/in/").unwrap_or_default();
    let (rid, after) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if rid.len() == RID_LENGTH {
        (rid, after)
    } else {
        ("", "")
    }
}

async fn read(
    mut reader: BodyReader,
    arriving: &Arriving,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), ApiError> {
    let (mut body, mut room, mut kibibytes) = (BytesMut::new(), None, 0);
    while let Some(piece) = reader.next().await? {
        body.extend_from_slice(&piece);
        // By what all of it needs: pieces may be a byte each.
        let needed = body.len().div_ceil(1024);
        if needed > kibibytes {
            let more = arriving.room((needed - kibibytes) * 1024)?;
            match &mut room {
                None => room = Some(more),
                Some(room) => room.merge(more),
            }
            kibibytes = needed;
        }
    }
    Ok((body.freeze(), room))
}

/// The URL as the sender called it, which Twilio signs.
fn url(request: &HttpRequest, context: &RequestContext) -> String {
    let path = request.uri().path_and_query();
    let path = path.map_or("/", |path| path.as_str());
    format!("{}{path}", context.base_url)
}

/// The headers, by their names; those of one name in their order.
fn headers(request: &HttpRequest) -> Vec<Header> {
    let header = |(name, value): (&_, &actix_web::http::header::HeaderValue)| {
        let name: &actix_web::http::header::HeaderName = name;
        (name.as_str().to_owned(), value.as_bytes().to_vec())
    };
    let mut headers: Vec<Header> = request.headers().iter().map(header).collect();
    headers.sort_by(|(one, _), (other, _)| one.cmp(other));
    headers
}

fn handshake(reply: &HandshakeReply) -> Result<HttpResponse, ApiError> {
    let status = StatusCode::from_u16(reply.status).map_err(ApiError::internal)?;
    let mut response = HttpResponse::build(status);
    response.content_type(reply.content_type);
    for header in reply.headers {
        response.insert_header(*header);
    }
    Ok(response.body(reply.body.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_address_is_kept_as_it_was_sent() {
        let rid = "x".repeat(RID_LENGTH);
        for (after, kept) in [("", ""), ("/", "/"), ("/a/b%2Fc//", "/a/b%2Fc//")] {
            assert_eq!(address(&format!("/in/{rid}{after}")), (&*rid, kept));
        }
        for other in ["/in/", "/in/x", "/in/x/y", "/inn", &format!("/in/{rid}x")] {
            assert_eq!(address(other), ("", ""), "{other}");
        }
    }

    #[test]
    fn room_is_given_back_and_has_an_end() {
        let arriving = Arriving::new(1);
        let most = 64 * 1024 * 1024;
        let room = arriving.room(most).unwrap();
        assert_eq!(arriving.room(1).unwrap_err().status(), 503);
        drop(room);
        assert!(arriving.room(most).is_ok());
        assert!(arriving.room(most + 1).is_err());
    }
}
