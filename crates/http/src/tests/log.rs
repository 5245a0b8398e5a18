//! What the log holds of a request, and what it must not hold.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::routes;
use crate::testing::{Client, request};

/// Keeps everything that is logged, in spans and events.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<String>>);

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Kept {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("tidegate")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut text = self.0.lock().unwrap();
        text.push_str("span");
        span.record(&mut Fields(&mut text));
        text.push('\n');
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = self.0.lock().unwrap();
        text.push_str(event.metadata().target());
        event.record(&mut Fields(&mut text));
        text.push('\n');
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[actix_web::test]
async fn each_request_is_one_line_without_secrets() {
    let kept = Kept::default();
    let guard = tracing::subscriber::set_default(kept.clone());
    let client = Client::with(|_| {}, routes()).await;
    let headers = [
        ("authorization", "Bearer user"),
        ("x-request-id", "id-1"),
        ("x-version", "1.0"),
        ("user-agent", "curl/8"),
    ];
    client
        .send(request("GET", "/things/5?token=QUERYSECRET", &headers))
        .await;
    client
        .send(request(
            "GET",
            "/panics",
            &[("authorization", "Bearer HEADERSECRET")],
        ))
        .await;
    client.ask("POST", "/in/RIDSECRET/below", &[]).await;
    drop(guard);
    let text = kept.0.lock().unwrap().clone();
    let lines: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("tidegate::access"))
        .collect();
    assert_eq!(lines.len(), 3, "{text}");
    for part in [
        "method=GET",
        "path=\"/things/5\"",
        "status=200",
        "duration_ms=",
        "bytes=10",
        "user=7",
        "version=\"1.0\"",
        "agent=\"curl/8\"",
        "address=\"192.0.2.1\"",
        "request_id=\"id-1\"",
        "complete=true",
    ] {
        assert!(lines[0].contains(part), "{part} in {}", lines[0]);
    }
    assert!(lines[1].contains("status=500"));
    assert!(lines[2].contains("path=\"/in/***/below\""), "{text}");
    for secret in ["QUERYSECRET", "HEADERSECRET", "RIDSECRET"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    // The cause of a failure is in the log, once.
    assert_eq!(text.matches("SECRET in the handler").count(), 1, "{text}");
}
