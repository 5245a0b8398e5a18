//! Names and addresses from the command line, and URLs below them.

use reqwest::Url;
use tidegate_domain::webhook::consumer::ConsumerName;

/// Reads the address of a server: http or https, without credentials, since arguments are
/// seen by every user of the machine.
pub(crate) fn http_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("it must begin with http:// or https://".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it must not hold a user name or a password".into());
    }
    if url.fragment().is_some() {
        return Err("it must not hold a #".into());
    }
    Ok(url)
}

/// Reads the name of a consumer.
pub(crate) fn consumer_name(text: &str) -> Result<String, &'static str> {
    ConsumerName::try_from(text.to_owned()).map(|_| text.to_owned())
}

/// The URL of what is behind `base`; `None` where `path` leads out of it.
///
/// A path comes from whoever knows the address of a webhook. Its `..` must not reach what
/// `base` did not offer.
pub(super) fn below(base: &Url, path: &str) -> Option<Url> {
    let mut url = base.clone();
    if path.is_empty() {
        return Some(url);
    }
    let root = format!("{}/", base.path().trim_end_matches('/'));
    url.set_path(&format!("{root}{}", path.trim_start_matches('/')));
    url.path().starts_with(&root).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_http_and_hold_no_credentials() {
        for text in ["http://127.0.0.1:8080", "https://api.example.org/tide?a=b"] {
            assert!(http_url(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "127.0.0.1:8080",
            "ftp://example.org",
            "http://7:secret@example.org",
            "http://7@example.org",
            "http://example.org/#here",
        ] {
            let told = http_url(text).unwrap_err();
            assert!(!told.contains("secret"), "{told}");
        }
    }

    #[test]
    fn consumers_have_plain_names() {
        for name in ["erp", "A-1_b.c", &"x".repeat(64)] {
            assert_eq!(consumer_name(name).unwrap(), name);
        }
        for name in ["", ".", "..", "a b", "a/b", "é", &"x".repeat(65)] {
            assert!(consumer_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_path_stays_below_its_base() {
        let root = http_url("http://h").unwrap();
        let hooks = http_url("http://h/hooks/").unwrap();
        for (base, path, joined) in [
            (&root, "", "http://h/"),
            (&root, "/a/b", "http://h/a/b"),
            (&hooks, "", "http://h/hooks/"),
            (&hooks, "/", "http://h/hooks/"),
            (&hooks, "/a%2Fb/%C3%A9", "http://h/hooks/a%2Fb/%C3%A9"),
            (&hooks, "/a?b#c", "http://h/hooks/a%3Fb%23c"),
            (
                &hooks,
                "//other.example/a",
                "http://h/hooks/other.example/a",
            ),
        ] {
            assert_eq!(below(base, path).unwrap().as_str(), joined);
        }
        for path in [
            "/../admin",
            "/a/../../admin",
            "/%2e%2E/admin",
            "/..\\admin",
            "/..",
        ] {
            assert_eq!(below(&hooks, path), None, "{path}");
        }
    }
}
