//! Lines of the log that were made for a request name it, as if a span called `request` were
//! around them. A real one would be made, entered and left for every request, most of which log
//! nothing but their own line.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};
use tidegate_domain::request::{Current, Request};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// What lines look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Texts.
    Plain,
    /// Texts with colours.
    Colours,
    /// JSON, with the fields of the event at the top.
    Json,
}

/// The usual lines, with the request in its place.
pub(super) struct Named<F> {
    usual: F,
    form: Form,
}

impl<F> Named<F> {
    /// Lines that are written by `usual`, which look like this.
    pub(super) fn new(usual: F, form: Form) -> Self {
        Self { usual, form }
    }
}

impl<S, N, F> FormatEvent<S, N> for Named<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let current = Current::here();
        let Some(request) = current.request() else {
            return self.usual.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.usual
            .format_event(context, Writer::new(&mut line), event)?;
        let in_span = context.lookup_current().is_some();
        let line = match self.form {
            Form::Plain | Form::Colours => pretty(&line, request, self.form, in_span),
            Form::Json => json(&line, request, in_span),
        };
        writer.write_str(&line)
    }
}

/// The end of a part of a line that has a colour.
const RESET: &str = "\u{1b}[0m ";

/// A text's line, with the request behind its time and level.
fn pretty(line: &str, request: &Request, form: Form, in_span: bool) -> String {
    let mut parts = if form == Form::Colours {
        line.match_indices(RESET)
    } else {
        line.match_indices(" ")
    };
    let at = if form == Form::Colours {
        parts.nth(1).map(|(at, found)| at + found.len())
    } else {
        // The level is filled up to five characters.
        parts.next().map(|(at, _)| at + " LEVEL ".len())
    };
    let (before, after) = at
        .and_then(|at| line.split_at_checked(at))
        .unwrap_or(("", line));
    let mut text = before.to_owned();
    let (bold, dim, reset) = match form {
        Form::Colours => ("\u{1b}[1m", "\u{1b}[2m", "\u{1b}[0m"),
        Form::Plain | Form::Json => ("", "", ""),
    };
    // Writing to a text does not fail.
    let _ = write!(
        text,
        "{bold}request{reset}{bold}{{{reset}request_id={:?} method={} path={:?}",
        request.id, request.method, request.path
    );
    if let Some(trace) = &request.trace_id {
        let _ = write!(text, " trace_id={trace:?}");
    }
    let blank = if in_span { "" } else { " " };
    let _ = write!(text, "{bold}}}{reset}{dim}:{reset}{blank}");
    text + after
}

/// A line of JSON, with the request as the span around, or the outermost of several.
fn json(line: &str, request: &Request, in_span: bool) -> String {
    let mut members = Map::new();
    let mut member = |name: &str, value: &str| members.insert(name.to_owned(), value.into());
    member("request_id", &request.id);
    member("method", &request.method);
    member("path", &request.path);
    if let Some(trace) = &request.trace_id {
        member("trace_id", trace);
    }
    member("name", "request");
    let span = Value::Object(members);
    // Within a string the quotes would be escaped.
    const SPANS: &str = r#","spans":["#;
    match line.split_once(SPANS).filter(|_| in_span) {
        Some((before, after)) => format!("{before}{SPANS}{span},{after}"),
        None => {
            let open = line.trim_end().strip_suffix('}').unwrap_or(line);
            format!("{open},\"span\":{span},\"spans\":[{span}]}}\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::Layer;
    use tracing_subscriber::fmt::format::{DefaultFields, JsonFields};
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written for a request, and what the usual lines would be within a real span.
    fn lines(form: Form, trace_id: Option<&str>) -> (String, String) {
        let (ours, usual) = (Kept::default(), Kept::default());
        let writer = |kept: &Kept| {
            let kept = kept.clone();
            move || kept.clone()
        };
        let format = || tracing_subscriber::fmt::format().with_timer(Fixed);
        let colours = form == Form::Colours;
        let layer = |named: bool, kept: &Kept| {
            let layer = tracing_subscriber::fmt::layer()
                .with_ansi(colours)
                .with_writer(writer(kept));
            let text = format().with_ansi(colours);
            let json = format().json().flatten_event(true);
            match (form, named) {
                (Form::Json, true) => layer
                    .fmt_fields(JsonFields::new())
                    .event_format(Named::new(json, form))
                    .boxed(),
                (Form::Json, false) => layer
                    .fmt_fields(JsonFields::new())
                    .event_format(json)
                    .boxed(),
                (_, true) => layer
                    .fmt_fields(DefaultFields::new())
                    .event_format(Named::new(text, form))
                    .boxed(),
                (_, false) => layer.event_format(text).boxed(),
            }
        };
        let say = || {
            tracing::warn!(number = 1, "a \"line\" with \"spans\":[ in it");
            tracing::info_span!("inner", x = 1).in_scope(|| tracing::info!("within"));
        };
        let log = tracing_subscriber::registry().with(layer(true, &ours));
        tracing::subscriber::with_default(log, || {
            let request = Request {
                id: "id\"1".into(),
                method: "GET".into(),
                path: "/a b".into(),
                trace_id: trace_id.map(Arc::from),
            };
            Current::from(request).in_scope(say);
            tracing::info!("outside");
        });
        let log = tracing_subscriber::registry().with(layer(false, &usual));
        tracing::subscriber::with_default(log, || {
            let method = "GET";
            let span = tracing::info_span!(
                "request",
                request_id = "id\"1",
                method = %method,
                path = "/a b",
                trace_id
            );
            span.in_scope(say);
            tracing::info!("outside");
        });
        let text = |kept: &Kept| String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        (text(&ours), text(&usual))
    }

    /// A time that does not pass.
    struct Fixed;

    impl tracing_subscriber::fmt::time::FormatTime for Fixed {
        fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
            writer.write_str("2026-11-26T12:00:00.000000Z")
        }
    }

    /// The text without colours.
    fn bare(text: &str) -> String {
        let mut parts = text.split("\u{1b}[");
        let first = parts.next().unwrap().to_owned();
        parts.fold(first, |all, part| {
            all + part.split_once('m').map_or("", |(_, rest)| rest)
        })
    }

    #[test]
    fn a_line_looks_as_within_a_span() {
        for trace in [None, Some("0af7651916cd43dd8448eb211c80319c")] {
            let (ours, usual) = lines(Form::Plain, trace);
            assert_eq!(ours, usual);
            assert!(
                ours.contains(r#" WARN request{request_id="id\"1" method=GET"#),
                "{ours}"
            );
            let (ours, usual) = lines(Form::Colours, trace);
            assert_eq!(bare(&ours), bare(&usual), "{ours}");
            let (ours, usual) = lines(Form::Json, trace);
            let read = |text: &str| -> Vec<Value> {
                text.lines()
                    .map(|line| serde_json::from_str(line).unwrap())
                    .collect()
            };
            assert_eq!(read(&ours), read(&usual), "{ours}\n{usual}");
        }
    }
}
