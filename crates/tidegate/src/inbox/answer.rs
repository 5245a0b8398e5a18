//! What the answers of Tidegate mean for a client: wait and ask again, or end.

use std::error::Error as _;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use serde_json::Value;

/// The longest wait that a server can ask for with `Retry-After`.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// An answer that asking again would not change.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// Somebody else may have the messages by now.
    #[error("the lease is over")]
    LeaseExpired,
    /// Nothing can be done here.
    #[error("{0}")]
    Fatal(String),
}

/// Why an attempt was for nothing.
pub(super) enum Failure {
    /// It may succeed later; the server may have said when.
    Away(String, Option<Duration>),
    Refused(Refusal),
}

/// What an answer that is no success means.
pub(super) fn failure(status: StatusCode, headers: &HeaderMap, text: &[u8]) -> Failure {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let problem: Value = serde_json::from_slice(text).unwrap_or_default();
    let detail = match problem["detail"].as_str() {
        Some(detail) => plain(detail),
        None => "no reason given".into(),
    };
    let fatal = |text: String| Failure::Refused(Refusal::Fatal(text));
    let retry = matches!(
        status,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
    );
    if retry || status.is_server_error() {
        let asked = header(RETRY_AFTER)
            .and_then(|seconds| seconds.trim().parse().ok())
            .map(|seconds| Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER));
        return Failure::Away(format!("it answers {status} ({detail})"), asked);
    }
    match status {
        StatusCode::CONFLICT if problem["code"] == "lease_expired" => {
            Failure::Refused(Refusal::LeaseExpired)
        }
        StatusCode::UNAUTHORIZED => fatal(format!("the server does not take the key: {detail}")),
        StatusCode::FORBIDDEN => fatal(format!("the key may not do this: {detail}")),
        StatusCode::NOT_FOUND => fatal(format!(
            "there is no such webhook for this key, or no Tidegate at this address: {detail}"
        )),
        _ if status.is_redirection() => fatal(format!(
            "the server answers {status} and names {}: give its address with --server",
            plain(header(LOCATION).unwrap_or("no other"))
        )),
        _ => fatal(format!("the server answers {status}: {detail}")),
    }
}

/// The innermost reason: the outer ones only say that a request failed, and where to.
pub(super) fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    let mut cause = error.source();
    let mut text = error.to_string();
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    plain(&text)
}

/// A text from elsewhere on one line of the terminal, and not more than that.
fn plain(text: &str) -> String {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(visible).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, headers: &[(reqwest::header::HeaderName, &str)], text: &str) -> Failure {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect();
        failure(
            StatusCode::from_u16(status).unwrap(),
            &headers,
            text.as_bytes(),
        )
    }

    #[test]
    fn what_time_can_heal_is_asked_again() {
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(
                matches!(told(status, &[], "<html>"), Failure::Away(_, None)),
                "{status}"
            );
        }
        for (value, seconds) in [("7", Some(7)), ("86400", Some(3600)), ("soon", None)] {
            let Failure::Away(_, asked) = told(429, &[(RETRY_AFTER, value)], "") else {
                panic!("not asked again");
            };
            assert_eq!(asked, seconds.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn what_stays_wrong_ends_with_the_reason() {
        for status in [400, 401, 403, 404, 405, 409, 422] {
            let body = r#"{"code": "some", "detail": "because\nof this"}"#;
            let Failure::Refused(Refusal::Fatal(text)) = told(status, &[], body) else {
                panic!("{status} is not fatal");
            };
            assert!(text.contains("because of this"), "{text}");
        }
        let there = [(LOCATION, "https://api.example.org/")];
        let Failure::Refused(Refusal::Fatal(text)) = told(301, &there, "") else {
            panic!("a redirect is not fatal");
        };
        assert!(text.contains("https://api.example.org/"), "{text}");
    }

    #[test]
    fn a_lease_that_is_over_is_no_end() {
        assert!(matches!(
            told(409, &[], r#"{"code": "lease_expired", "detail": "over"}"#),
            Failure::Refused(Refusal::LeaseExpired)
        ));
    }
}
