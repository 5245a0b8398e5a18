//! Reading rows: `GET` and `HEAD`.

use actix_web::http::header::{
    ACCEPT, CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE, HeaderName, RANGE, VARY as VARY_NAME,
};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, body};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream as _, TryStreamExt as _, stream};
use percent_encoding::utf8_percent_encode;
use tidegate_application::rows::Rows;
use tidegate_domain::gateway::port::RowStream;
use tidegate_domain::permission::{Authorized, ReadRows};
use tidegate_domain::query::error::QueryError;

use super::grammar::{self, Pairs};
use super::media::Form;
use super::prefer::Preferences;
use super::strip::Stripper;
use super::{VARY, media, range, texts};
use crate::error::ApiError;

/// `Prefer` (RFC 7240).
pub(super) const PREFER: HeaderName = HeaderName::from_static("prefer");
/// `Preference-Applied` (RFC 7240).
pub(super) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// The unit of a `Range`, in PostgREST's way.
pub(super) const RANGE_UNIT: HeaderName = HeaderName::from_static("range-unit");

/// Answers a read. The rows leave as they arrive; dropping the response drops the query.
///
/// # Errors
/// A request that cannot be read, or does not fit the table.
pub async fn answer(
    rows: &Rows,
    auth: &Authorized<ReadRows>,
    request: &HttpRequest,
    database: &str,
    table: &str,
) -> Result<HttpResponse, ApiError> {
    let form = media::negotiate(texts(request, ACCEPT))?;
    let preferences = Preferences::of(request)?;
    let pairs = grammar::decode(request.query_string())?;
    let mut query = grammar::parse_pairs(&pairs)?.query;
    query.count = preferences.count;
    query.zone = preferences.zone();
    if request.method() == Method::GET {
        let unit = texts(request, RANGE_UNIT).next();
        range::narrow(&mut query, texts(request, RANGE).next(), unit)?;
    }

    let read = rows
        .read(auth, database, table, &query, form.encoding)
        .await?;
    let status = range::status(query.offset, read.returned, read.total)?;

    if form.single && read.returned != 1 {
        let rows = read.returned;
        return Err(QueryError::NotSingle { rows }.into());
    }
    let mut response = HttpResponse::build(status);
    response
        .insert_header((CONTENT_TYPE, form.content_type()))
        .insert_header((RANGE_UNIT, "items"))
        .insert_header((
            CONTENT_RANGE,
            range::content_range(query.offset, read.returned, read.total),
        ))
        .insert_header((CONTENT_LOCATION, location(database, table, &pairs)));
    finish(&mut response, preferences.applied_to_read());
    let body = shaped(form, request, read.body).await?;
    send(request, response, body).await
}

/// The rows in the form that was asked for.
async fn shaped(form: Form, request: &HttpRequest, rows: RowStream) -> Result<RowStream, ApiError> {
    if request.method() == Method::HEAD {
        return Ok(rows);
    }
    if form.single {
        let row = form.written(whole(rows).await?);
        return Ok(Box::pin(stream::once(async { Ok(row) })));
    }
    if !form.stripped {
        return Ok(rows);
    }
    let mut stripper = Stripper::default();
    Ok(Box::pin(
        rows.map_ok(move |piece| Bytes::from(stripper.piece(&piece))),
    ))
}

/// A document of few rows, as a whole.
pub(super) async fn whole(rows: RowStream) -> Result<Bytes, ApiError> {
    let whole = rows.try_fold(BytesMut::new(), async |mut whole, piece| {
        whole.extend_from_slice(&piece);
        Ok(whole)
    });
    Ok(whole.await?.freeze())
}

/// Headers that all answers have.
pub(super) fn finish(response: &mut HttpResponseBuilder, applied: Option<String>) {
    response.insert_header((VARY_NAME, VARY));
    if let Some(applied) = applied {
        response.insert_header((PREFERENCE_APPLIED, applied));
    }
}

/// The response with its rows; without them for `HEAD`, which then asks for no more of them.
///
/// # Errors
/// A document of one piece that could not be read.
pub(super) async fn send(
    request: &HttpRequest,
    mut response: HttpResponseBuilder,
    mut rows: RowStream,
) -> Result<HttpResponse, ApiError> {
    if request.method() == Method::HEAD {
        // Without a length, also where `GET` would say one.
        return Ok(response.message_body(body::None::new()).map_or_else(
            |_| HttpResponse::new(StatusCode::INTERNAL_SERVER_ERROR),
            HttpResponse::map_into_boxed_body,
        ));
    }
    if rows.size_hint() == (1, Some(1)) {
        // With its length, which costs less than a stream does.
        let whole = rows.try_next().await?;
        return Ok(response.body(whole.unwrap_or_default()));
    }
    // The status has left by then: all that is left to do is to cut the connection, which the
    // server does when a body fails, and to say why in the log.
    Ok(response.streaming(rows.inspect_err(|error| {
        tracing::error!(
            error = error as &dyn std::error::Error,
            "the rows broke off"
        );
    })))
}

/// Where the same answer is found: the same path, with the query in canonical order.
fn location(database: &str, table: &str, pairs: &Pairs) -> String {
    let [database, table] =
        [database, table].map(|name| utf8_percent_encode(name, &grammar::ESCAPED));
    let query = grammar::canonical(pairs);
    let mark = if query.is_empty() { "" } else { "?" };
    format!("/rest/{database}/{table}{mark}{query}")
}

#[cfg(test)]
mod tests {
    use actix_web::body::{BodySize, MessageBody as _};
    use actix_web::test::TestRequest;
    use futures_util::StreamExt as _;
    use tidegate_domain::error::StoreError;

    use super::*;

    type Piece = Result<Bytes, StoreError>;

    fn piece(text: &'static str) -> Piece {
        Ok(Bytes::from_static(text.as_bytes()))
    }

    fn one(piece: Piece) -> RowStream {
        Box::pin(stream::once(async { piece }))
    }

    async fn sent(method: Method, form: Form, rows: RowStream) -> Result<BodySize, ApiError> {
        let request = TestRequest::default().method(method).to_http_request();
        let rows = shaped(form, &request, rows).await?;
        let response = send(&request, HttpResponse::Ok(), rows).await?;
        Ok(response.body().size())
    }

    #[actix_web::test]
    async fn a_document_has_a_length_where_it_is_made_in_one_piece() {
        let stripped = Form {
            stripped: true,
            ..Form::JSON
        };
        let single = Form {
            single: true,
            ..Form::JSON
        };
        for (form, length) in [(Form::JSON, 12), (stripped, 4), (single, 10)] {
            let rows = || one(piece(r#"[{"a":null}]"#));
            let size = sent(Method::GET, form, rows()).await.unwrap();
            assert_eq!(size, BodySize::Sized(length), "{form:?}");
            let size = sent(Method::HEAD, form, rows()).await.unwrap();
            assert_eq!(size, BodySize::None, "{form:?}");
        }
        // Nothing is asked of when the pieces come: here they are all there.
        for more in [Vec::new(), vec![piece("2]")]] {
            let mut more = more.into_iter();
            let rest = stream::poll_fn(move |_| std::task::Poll::Ready(more.next()));
            let rows = one(piece("[1,")).chain(rest).boxed();
            let size = sent(Method::GET, Form::JSON, rows).await.unwrap();
            assert_eq!(size, BodySize::Stream);
        }
        let broken = one(Err(StoreError::Unavailable("gone".into())));
        assert!(sent(Method::GET, Form::JSON, broken).await.is_err());
    }
}
