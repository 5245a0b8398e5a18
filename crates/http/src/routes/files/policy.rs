//! What is said about a file: its media type, for how long it may be kept, what its page may do.

use std::path::Path;

use mime::Mime;

/// For how long a file whose name says nothing is kept without asking, in seconds.
const KEPT: &str = "public, max-age=3600";
/// Another content has another name, so this one never changes.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// Kept, and asked about before each use.
const ASKED: &str = "no-cache";

/// A media type as it is sent: texts are UTF-8.
pub(super) fn media_type(guessed: &Mime) -> Mime {
    if guessed.type_() == mime::TEXT && guessed.get_param(mime::CHARSET).is_none() {
        let text = format!("{guessed}; charset=utf-8");
        return text.parse().unwrap_or_else(|_| guessed.clone());
    }
    match (guessed.type_(), guessed.subtype()) {
        (mime::APPLICATION, mime::JAVASCRIPT) => "text/javascript; charset=utf-8"
            .parse()
            .unwrap_or(mime::TEXT_JAVASCRIPT),
        _ => guessed.clone(),
    }
}

/// Whether a browser shows it as a page that may run something.
pub(super) fn is_page(media_type: &Mime) -> bool {
    media_type.subtype() == mime::HTML
        || media_type.subtype() == mime::XML
        || media_type.suffix() == Some(mime::XML)
}

/// The value of `Cache-Control`.
pub(super) fn cache(path: &Path, media_type: &Mime) -> &'static str {
    if media_type.subtype() == mime::HTML {
        return ASKED;
    }
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    match stem.is_some_and(has_hash) {
        true => FOREVER,
        false => KEPT,
    }
}

/// Whether a name such as `app-3f9a01bc` or `app.3f9a01bc.min` holds a digest: eight or more
/// hexadecimal digits, letters and numbers among them, which neither dates nor sizes have.
fn has_hash(stem: &str) -> bool {
    let mut parts = stem.split(['.', '-', '_']);
    parts.next();
    parts.any(|part| {
        part.len() >= 8
            && part
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            && part.bytes().any(|b| b.is_ascii_digit())
            && part.bytes().any(|b| b.is_ascii_lowercase())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_digest_in_the_name_makes_a_file_immutable() {
        for (name, expected) in [
            ("index.html", ASKED),
            ("app-3f9a01bc.html", ASKED),
            ("app-3f9a01bc.js", FOREVER),
            ("app.3f9a01bc77de.min.css", FOREVER),
            ("logo.png", KEPT),
            ("report-20260101.pdf", KEPT),
            ("photo-1920x1080.jpg", KEPT),
            ("deadbeef1.js", KEPT),
            ("a-facadefacade.js", KEPT),
        ] {
            let html = if name.ends_with("html") {
                mime::TEXT_HTML
            } else {
                mime::APPLICATION_OCTET_STREAM
            };
            assert_eq!(cache(Path::new(name), &html), expected, "{name}");
        }
    }

    #[test]
    fn texts_say_that_they_are_utf_8() {
        for (guessed, sent) in [
            ("text/css", "text/css; charset=utf-8"),
            ("text/markdown", "text/markdown; charset=utf-8"),
            ("application/javascript", "text/javascript; charset=utf-8"),
            ("image/png", "image/png"),
            ("application/json", "application/json"),
        ] {
            assert_eq!(media_type(&guessed.parse().unwrap()).to_string(), sent);
        }
        assert!(is_page(&mime::IMAGE_SVG) && is_page(&mime::TEXT_HTML_UTF_8));
        assert!(!is_page(&mime::IMAGE_PNG) && !is_page(&mime::APPLICATION_JSON));
    }
}
