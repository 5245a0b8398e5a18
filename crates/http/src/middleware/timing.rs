//! `Server-Timing`: how long the phases of a request below `/rest/` took, where the settings
//! say that clients may know.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use actix_web::Error;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{HeaderName, HeaderValue};
use tidegate_application::phase::{Phase, recorded};

/// The header (W3C Server Timing).
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// The names of the phases, PostgREST's, in their order; the last one is what remains.
const NAMES: [&str; 5] = ["jwt", "parse", "plan", "transaction", "response"];

/// How long each phase took, in milliseconds, and when the last one ended.
struct Times {
    since: Instant,
    took: [f64; NAMES.len()],
}

impl Times {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            took: [0.0; NAMES.len()],
        }
    }

    /// A phase may end more than once: a request that is planned anew, say.
    fn ended(&mut self, phase: usize) {
        let took = std::mem::replace(&mut self.since, Instant::now()).elapsed();
        if let Some(sum) = self.took.get_mut(phase) {
            *sum += took.as_secs_f64() * 1000.0;
        }
    }

    fn header(&self) -> Option<HeaderValue> {
        let mut text = String::new();
        for (name, took) in NAMES.iter().zip(self.took) {
            let comma = if text.is_empty() { "" } else { ", " };
            write!(text, "{comma}{name};dur={took:.1}").ok()?;
        }
        HeaderValue::from_str(&text).ok()
    }
}

fn place(phase: Phase) -> usize {
    match phase {
        Phase::Credentials => 0,
        Phase::Parse => 1,
        Phase::Plan => 2,
        Phase::Transaction => 3,
    }
}

/// Measures the phases of what answers a request, its check of credentials among them.
///
/// # Errors
/// Those of the work.
pub async fn timing<B>(
    work: impl Future<Output = Result<ServiceResponse<B>, Error>>,
) -> Result<ServiceResponse<B>, Error> {
    let times = Arc::new(Mutex::new(Times::new()));
    let lock = |times: &Mutex<Times>, phase| {
        let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
        times.ended(phase);
        times.header()
    };
    let recorder = {
        let times = Arc::clone(&times);
        move |phase| {
            lock(&times, place(phase));
        }
    };
    let mut response = recorded(recorder, work).await?;
    if let Some(value) = lock(&times, NAMES.len() - 1) {
        response.headers_mut().insert(SERVER_TIMING, value);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_has_its_place() {
        let mut times = Times::new();
        times.took = [0.04, 1.25, 0.0, 12.0, 3.3];
        assert_eq!(
            times.header().unwrap(),
            "jwt;dur=0.0, parse;dur=1.2, plan;dur=0.0, transaction;dur=12.0, response;dur=3.3"
        );
        times.ended(place(Phase::Plan));
        assert!(times.took[2] >= 0.0 && times.took[3] == 12.0);
    }
}
