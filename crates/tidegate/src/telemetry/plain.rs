//! Fields and times of log lines without colours, in the form of tracing-subscriber's own: most
//! lines are those of requests, and of what a line costs its formatting is most.

use std::cell::RefCell;
use std::fmt::{self, Debug, Write as _};

use tidegate_domain::system::Clock as _;
use tracing::field::{Field, Visit};
use tracing_subscriber::field::{RecordFields, VisitOutput as _};
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultVisitor, Writer};
use tracing_subscriber::fmt::time::FormatTime;

/// The fields.
pub(super) struct PlainFields;

impl<'writer> FormatFields<'writer> for PlainFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut visitor = Fields {
            writer,
            first: true,
            result: Ok(()),
        };
        fields.record(&mut visitor);
        visitor.result
    }
}

struct Fields<'writer> {
    writer: Writer<'writer>,
    first: bool,
    result: fmt::Result,
}

impl Fields<'_> {
    /// Writes a field whose value is an ordinary one.
    fn put(&mut self, name: &str, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        if self.result.is_err() {
            return;
        }
        let blank = if self.first { "" } else { " " };
        self.first = false;
        self.result = self
            .writer
            .write_str(blank)
            .and_then(|()| self.writer.write_str(name))
            .and_then(|()| self.writer.write_char('='))
            .and_then(|()| value(&mut self.writer));
    }

    /// Leaves a field to the usual visitor.
    fn usual(&mut self, record: impl FnOnce(&mut DefaultVisitor<'_>)) {
        if self.result.is_err() {
            return;
        }
        let mut visitor = DefaultVisitor::new(self.writer.by_ref(), self.first);
        record(&mut visitor);
        self.result = visitor.finish();
        self.first = false;
    }
}

/// Whether a field is written as it is called; others have a meaning of their own.
fn is_ordinary(field: &Field) -> bool {
    let name = field.name();
    name != "message" && !name.starts_with("r#") && !name.starts_with("log.")
}

/// Whether a text has nothing to escape.
fn is_simple(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if is_ordinary(field) && is_simple(value) {
            self.put(field.name(), |writer| {
                writer.write_char('"')?;
                writer.write_str(value)?;
                writer.write_char('"')
            });
        } else {
            self.usual(|visitor| visitor.record_str(field, value));
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if is_ordinary(field) {
            let text = if value { "true" } else { "false" };
            self.put(field.name(), |writer| writer.write_str(text));
        } else {
            self.usual(|visitor| visitor.record_bool(field, value));
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.usual(|visitor| visitor.record_error(field, value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if is_ordinary(field) {
            self.put(field.name(), |writer| write!(writer, "{value:?}"));
        } else {
            self.usual(|visitor| visitor.record_debug(field, value));
        }
    }
}

/// UTC to the microsecond.
pub(super) struct PlainTime;

/// The text of a second, which many lines share.
struct Second {
    second: i64,
    text: String,
}

thread_local! {
    static SECOND: RefCell<Second> = const {
        RefCell::new(Second { second: i64::MIN, text: String::new() })
    };
}

impl FormatTime for PlainTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let now = tidegate_auth::SystemClock.now();
        SECOND.with_borrow_mut(|kept| {
            if kept.second != now.timestamp() {
                kept.text.clear();
                write!(kept.text, "{}", now.format("%Y-%m-%dT%H:%M:%S"))?;
                kept.second = now.timestamp();
            }
            writer.write_str(&kept.text)
        })?;
        write!(writer, ".{:06}Z", now.timestamp_subsec_micros())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::Layer as _;
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

    #[test]
    fn lines_look_as_usual() {
        let (plain, usual) = (Kept::default(), Kept::default());
        let writer = |kept: &Kept| {
            let kept = kept.clone();
            move || kept.clone()
        };
        let layer = || {
            tracing_subscriber::fmt::layer()
                .with_ansi(false)
                .without_time()
        };
        let log = tracing_subscriber::registry().with(vec![
            layer()
                .fmt_fields(PlainFields)
                .with_writer(writer(&plain))
                .boxed(),
            layer().with_writer(writer(&usual)).boxed(),
        ]);
        tracing::subscriber::with_default(log, || {
            let span = tracing::info_span!("a span", path = "/a b", late = tracing::field::Empty);
            let _entered = span.enter();
            let error = io::Error::other(io::Error::other("the cause"));
            let none: Option<&str> = None;
            tracing::info!(
                text = "plain",
                quoted = "a \"b\" \\ c\n\u{1b}[0m \u{e9}",
                number = -5,
                large = u64::MAX,
                huge = u128::MAX,
                float = 0.25,
                whole = 3.0,
                yes = true,
                no = false,
                none,
                r#type = "t",
                shown = %std::net::Ipv4Addr::LOCALHOST,
                debugged = ?Some("x"),
                error = &error as &dyn std::error::Error,
                "said with {} and \u{1b}[31m",
                1
            );
            span.record("late", "now");
            tracing::warn!("after");
            tracing::error!(only = "a field");
        });
        let text = |kept: &Kept| String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text(&plain), text(&usual));
        assert!(text(&plain).contains("text=\"plain\""), "{}", text(&plain));
    }

    #[test]
    fn times_are_of_their_moment() {
        let before = tidegate_auth::SystemClock.now();
        let mut texts = Vec::new();
        for _ in 0..3 {
            let mut text = String::new();
            PlainTime.format_time(&mut Writer::new(&mut text)).unwrap();
            texts.push(text);
        }
        let after = tidegate_auth::SystemClock.now();
        for text in texts {
            assert_eq!((text.len(), &text[26..]), (27, "Z"), "{text}");
            let time: chrono::DateTime<chrono::Utc> = text.parse().unwrap();
            let microsecond = chrono::TimeDelta::microseconds(1);
            assert!(before - microsecond < time && time <= after, "{text}");
        }
    }
}
