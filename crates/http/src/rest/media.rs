//! Which form of answer a client accepts, and which form of body it sends.

use actix_web::http::StatusCode;
use mime::Mime;
use tidegate_domain::gateway::port::Encoding;

use super::error::fault;
use crate::error::ApiError;

/// The media type of an answer.
#[must_use]
pub fn content_type(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Json => "application/json; charset=utf-8",
        Encoding::Csv => "text/csv; charset=utf-8",
    }
}

/// Chooses the answer's form by the `Accept` headers: the highest weight, among equals the
/// one named first. A name counts more than the pattern that holds it, so that
/// `text/csv;q=0, */*` means anything but CSV.
///
/// # Errors
/// 406 when nothing that is offered is accepted.
pub fn negotiate<'a>(headers: impl IntoIterator<Item = &'a str>) -> Result<Encoding, ApiError> {
    let accept = headers.into_iter().collect::<Vec<_>>().join(",");
    let ranges: Vec<(Mime, u16)> = accept
        .split(',')
        .filter_map(|range| weighted(range.trim()))
        .collect();
    if accept.split(',').all(|range| range.trim().is_empty()) {
        return Ok(Encoding::Json);
    }
    let mut best: Option<(u16, usize, Encoding)> = None;
    for (encoding, kind, subtype) in [
        (Encoding::Json, "application", "json"),
        (Encoding::Csv, "text", "csv"),
    ] {
        let matching = ranges
            .iter()
            .enumerate()
            .filter_map(|(place, (range, weight))| {
                specificity(range, kind, subtype).map(|specificity| (specificity, *weight, place))
            });
        // Of ranges that are equally specific, the first one speaks for the form.
        let Some((_, weight, place)) = matching.reduce(|a, b| if b.0 > a.0 { b } else { a }) else {
            continue;
        };
        let better =
            best.is_none_or(|(most, first, _)| weight > most || (weight == most && place < first));
        if weight > 0 && better {
            best = Some((weight, place, encoding));
        }
    }
    best.map(|(_, _, encoding)| encoding).ok_or_else(|| {
        let asked = accept
            .chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect::<String>();
        fault(
            StatusCode::NOT_ACCEPTABLE,
            "PGRST107",
            format!("None of these media types are available: {asked}"),
        )
        .hint("Ask for application/json or text/csv")
    })
}

/// A media range and its weight in thousandths; `None` for what is not one.
fn weighted(range: &str) -> Option<(Mime, u16)> {
    // The shortest way to say "anything", which some clients use.
    let range: Mime = if range == "*" {
        mime::STAR_STAR
    } else {
        range.parse().ok()?
    };
    let weight = match range.get_param("q") {
        None => 1000,
        Some(q) => {
            let q: f32 = q.as_str().parse().ok()?;
            // Between 0 and 1000, so the cast is exact enough.
            (q.clamp(0.0, 1.0) * 1000.0) as u16
        }
    };
    Some((range, weight))
}

/// How exactly a range names a type; `None` when it does not. A range with parameters that
/// mean something else than the plain type (`application/json;nulls=stripped`) does not.
fn specificity(range: &Mime, kind: &str, subtype: &str) -> Option<u8> {
    let plain = range.suffix().is_none()
        && range.params().all(|(name, value)| {
            name == "q" || (name == "charset" && value.as_str().eq_ignore_ascii_case("utf-8"))
        });
    match (range.type_().as_str(), range.subtype().as_str()) {
        (a, b) if a == kind && b == subtype && plain => Some(2),
        (a, "*") if a == kind => Some(1),
        ("*", "*") => Some(0),
        _ => None,
    }
}

/// The form of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyType {
    /// JSON; also where the client does not say.
    Json,
    /// CSV.
    Csv,
}

/// Reads the `Content-Type` header.
///
/// # Errors
/// 415 for a form that is not read, or a character set other than UTF-8.
pub fn body_type(header: Option<&str>) -> Result<BodyType, ApiError> {
    let Some(header) = header.map(str::trim).filter(|header| !header.is_empty()) else {
        return Ok(BodyType::Json);
    };
    let refused = || {
        let asked = header
            .chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect::<String>();
        fault(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "PGRST102",
            format!("Content-Type not acceptable: {asked}"),
        )
        .hint("Send application/json or text/csv, in UTF-8")
    };
    let header: Mime = header.parse().map_err(|_| refused())?;
    let utf8 = header.get_param("charset").is_none_or(|charset| {
        ["utf-8", "utf8", "us-ascii"]
            .iter()
            .any(|known| charset.as_str().eq_ignore_ascii_case(known))
    });
    match (
        header.type_().as_str(),
        header.subtype().as_str(),
        header.suffix(),
    ) {
        ("application", "json", None) if utf8 => Ok(BodyType::Json),
        ("text", "csv", None) if utf8 => Ok(BodyType::Csv),
        _ => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_then_order_choose_the_answer() {
        for (accept, encoding) in [
            ("", Encoding::Json),
            ("*/*", Encoding::Json),
            ("*", Encoding::Json),
            ("application/json", Encoding::Json),
            ("application/json; charset=utf-8", Encoding::Json),
            ("TEXT/CSV", Encoding::Csv),
            ("text/*", Encoding::Csv),
            ("text/csv, application/json", Encoding::Csv),
            ("text/csv;q=0.4, application/json;q=0.5", Encoding::Json),
            ("application/json;q=0.4, */*;q=0.5", Encoding::Csv),
            ("application/json;q=0, */*", Encoding::Csv),
            (
                "text/html, application/xhtml+xml, */*;q=0.8",
                Encoding::Json,
            ),
            (
                "application/vnd.pgrst.object+json, application/json;q=0.1",
                Encoding::Json,
            ),
            ("nonsense, text/csv", Encoding::Csv),
        ] {
            assert_eq!(negotiate([accept]).unwrap(), encoding, "{accept}");
        }
        assert_eq!(negotiate(["text/html", "text/csv"]).unwrap(), Encoding::Csv);
        assert_eq!(negotiate([]).unwrap(), Encoding::Json);
    }

    #[test]
    fn nothing_offered_is_406() {
        for accept in [
            "text/html",
            "image/*",
            "application/json;q=0",
            "application/vnd.pgrst.object+json",
            "application/json;nulls=stripped",
            "nonsense",
            "application/json;charset=latin1",
        ] {
            assert_eq!(
                negotiate([accept]).unwrap_err().code(),
                "not_acceptable",
                "{accept}"
            );
        }
    }

    #[test]
    fn bodies_are_json_or_csv_in_utf8() {
        for (header, expected) in [
            (None, BodyType::Json),
            (Some(""), BodyType::Json),
            (Some("application/json; charset=UTF-8"), BodyType::Json),
            (Some("text/csv"), BodyType::Csv),
        ] {
            assert_eq!(body_type(header).unwrap(), expected);
        }
        for header in [
            "application/x-www-form-urlencoded",
            "text/plain",
            "x",
            "text/csv; charset=latin1",
            "application/ld+json",
        ] {
            assert_eq!(
                body_type(Some(header)).unwrap_err().status(),
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "{header}"
            );
        }
    }
}
