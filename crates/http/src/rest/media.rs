//! Which form of answer a client accepts, and which form of body it sends.

use actix_web::http::StatusCode;
use bytes::Bytes;
use mime::Mime;
use tidegate_domain::gateway::port::Encoding;

use super::error::fault;
use super::strip::Stripper;
use crate::error::ApiError;

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// How rows are written.
    pub encoding: Encoding,
    /// Whether there has to be one row, which then stands without a list.
    pub single: bool,
    /// Whether members that are null are left out.
    pub stripped: bool,
}

impl Form {
    /// A list of objects.
    pub const JSON: Self = Self {
        encoding: Encoding::Json,
        single: false,
        stripped: false,
    };
    const OFFERED: [Self; 5] = [
        Self::JSON,
        Self {
            encoding: Encoding::Csv,
            ..Self::JSON
        },
        Self {
            single: true,
            ..Self::JSON
        },
        Self {
            single: true,
            stripped: true,
            ..Self::JSON
        },
        Self {
            stripped: true,
            ..Self::JSON
        },
    ];

    /// Its media type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match (self.encoding, self.single, self.stripped) {
            (Encoding::Csv, ..) => "text/csv; charset=utf-8",
            (_, false, false) => "application/json; charset=utf-8",
            (_, true, false) => "application/vnd.pgrst.object+json; charset=utf-8",
            (_, true, true) => "application/vnd.pgrst.object+json;nulls=stripped; charset=utf-8",
            (_, false, true) => "application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8",
        }
    }

    /// A whole document of rows, or of one row, in this form.
    #[must_use]
    pub fn written(self, rows: Bytes) -> Bytes {
        let rows = if self.single {
            // The brackets of the list.
            let inner = rows.slice(1.min(rows.len())..rows.len().saturating_sub(1));
            if inner.is_empty() {
                Bytes::from_static(b"null")
            } else {
                inner
            }
        } else {
            rows
        };
        if self.stripped {
            Stripper::default().piece(&rows).into()
        } else {
            rows
        }
    }

    /// How exactly a range names this form; `None` when it does not. A range with parameters
    /// that mean something else than the plain type does not.
    fn specificity(self, range: &Mime) -> Option<u8> {
        let mut nulls = false;
        let plain = range.params().all(|(name, value)| {
            nulls = nulls || (name == "nulls" && value == "stripped");
            name == "q"
                || (name == "charset" && value.as_str().eq_ignore_ascii_case("utf-8"))
                || (name == "nulls" && value == "stripped")
        });
        if !plain {
            return None;
        }
        let (kind, subtype) = (range.type_().as_str(), range.subtype().as_str());
        let suffix = range.suffix().map(|suffix| suffix.as_str());
        let own = match (kind, subtype, suffix) {
            ("application", "json", None) if !nulls => Some(Self::JSON),
            ("text", "csv", None) if !nulls => Some(Self {
                encoding: Encoding::Csv,
                ..Self::JSON
            }),
            ("application", "vnd.pgrst.object", None | Some("json")) => Some(Self {
                single: true,
                stripped: nulls,
                ..Self::JSON
            }),
            ("application", "vnd.pgrst.array", None | Some("json")) => Some(Self {
                stripped: nulls,
                ..Self::JSON
            }),
            _ => None,
        };
        let general = !self.single && !self.stripped;
        match (kind, subtype) {
            _ if own == Some(self) => Some(2),
            ("application", "*") if general && self.encoding == Encoding::Json => Some(1),
            ("text", "*") if general && self.encoding == Encoding::Csv => Some(1),
            ("*", "*") if general => Some(0),
            _ => None,
        }
    }
}

/// Chooses the answer's form by the `Accept` headers: the highest weight, among equals the
/// one named first. A name counts more than the pattern that holds it, so that
/// `text/csv;q=0, */*` means anything but CSV.
///
/// # Errors
/// 406 when nothing that is offered is accepted.
pub fn negotiate<'a>(headers: impl IntoIterator<Item = &'a str>) -> Result<Form, ApiError> {
    let accept = headers.into_iter().collect::<Vec<_>>().join(",");
    let ranges: Vec<(Mime, u16)> = accept
        .split(',')
        .filter_map(|range| weighted(range.trim()))
        .collect();
    if accept.split(',').all(|range| range.trim().is_empty()) {
        return Ok(Form::JSON);
    }
    let mut best: Option<(u16, usize, Form)> = None;
    for form in Form::OFFERED {
        let matching = ranges
            .iter()
            .enumerate()
            .filter_map(|(place, (range, weight))| {
                form.specificity(range)
                    .map(|specificity| (specificity, *weight, place))
            });
        // Of ranges that are equally specific, the first one speaks for the form.
        let Some((_, weight, place)) = matching.reduce(|a, b| if b.0 > a.0 { b } else { a }) else {
            continue;
        };
        let better =
            best.is_none_or(|(most, first, _)| weight > most || (weight == most && place < first));
        if weight > 0 && better {
            best = Some((weight, place, form));
        }
    }
    best.map(|(_, _, form)| form).ok_or_else(|| {
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
        .hint("Ask for application/json, text/csv or application/vnd.pgrst.object+json")
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

/// The form of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyType {
    /// JSON; also where the client does not say.
    Json,
    /// CSV.
    Csv,
    /// A form.
    Form,
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
        .hint("Send application/json, text/csv or application/x-www-form-urlencoded, in UTF-8")
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
        ("application", "x-www-form-urlencoded", None) if utf8 => Ok(BodyType::Form),
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
            ("nonsense, text/csv", Encoding::Csv),
        ] {
            let form = Form {
                encoding,
                ..Form::JSON
            };
            assert_eq!(negotiate([accept]).unwrap(), form, "{accept}");
        }
        let csv = negotiate(["text/html", "text/csv"]).unwrap();
        assert_eq!(csv.content_type(), "text/csv; charset=utf-8");
        assert_eq!(negotiate([]).unwrap(), Form::JSON);
    }

    #[test]
    fn one_object_and_stripped_nulls_are_forms_of_their_own() {
        for (accept, single, stripped) in [
            ("application/vnd.pgrst.object+json", true, false),
            ("application/vnd.pgrst.object", true, false),
            (
                "application/vnd.pgrst.object+json;nulls=stripped",
                true,
                true,
            ),
            (
                "application/vnd.pgrst.object;nulls=stripped;q=0.5",
                true,
                true,
            ),
            (
                "application/vnd.pgrst.array+json;nulls=stripped",
                false,
                true,
            ),
            ("application/vnd.pgrst.array+json", false, false),
            (
                "application/vnd.pgrst.object+json, application/json;q=0.1",
                true,
                false,
            ),
            (
                "application/vnd.pgrst.object+json, application/json",
                true,
                false,
            ),
            (
                "application/json, application/vnd.pgrst.object+json",
                false,
                false,
            ),
            ("application/vnd.pgrst.object+json;q=0.5, */*", false, false),
        ] {
            let form = Form {
                single,
                stripped,
                ..Form::JSON
            };
            assert_eq!(negotiate([accept]).unwrap(), form, "{accept}");
        }
    }

    #[test]
    fn a_document_of_one_row_loses_its_list() {
        let form = |single, stripped| Form {
            single,
            stripped,
            ..Form::JSON
        };
        let rows = Bytes::from_static(br#"[{"a":1,"b":null}]"#);
        for (single, stripped, text) in [
            (false, false, r#"[{"a":1,"b":null}]"#),
            (true, false, r#"{"a":1,"b":null}"#),
            (true, true, r#"{"a":1}"#),
            (false, true, r#"[{"a":1}]"#),
        ] {
            assert_eq!(form(single, stripped).written(rows.clone()), text);
        }
    }

    #[test]
    fn nothing_offered_is_406() {
        for accept in [
            "text/html",
            "image/*",
            "application/json;q=0",
            "application/vnd.pgrst.plan+json",
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
    fn bodies_are_json_csv_or_forms_in_utf8() {
        for (header, expected) in [
            (None, BodyType::Json),
            (Some(""), BodyType::Json),
            (Some("application/json; charset=UTF-8"), BodyType::Json),
            (Some("text/csv"), BodyType::Csv),
            (Some("application/x-www-form-urlencoded"), BodyType::Form),
        ] {
            assert_eq!(body_type(header).unwrap(), expected);
        }
        for header in [
            "multipart/form-data",
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
