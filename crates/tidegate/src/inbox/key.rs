//! The key of the person who collects: `id:api_key`, from the environment or a file.

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;

/// The variable that holds it. What is started by this program must not see it.
pub(super) const VARIABLE: &str = "TIDEGATE_INBOX_KEY";

/// How a key is given.
const HOW: &str = "set TIDEGATE_INBOX_KEY to id:api_key, or say --key-file PATH for a file whose \
    first line is that; POST /users/{id}/api-key makes an API key";

/// The value of the header `Authorization`. Printing it shows `***`.
#[derive(Clone)]
pub(super) struct Key(HeaderValue);

impl Key {
    /// Takes the key from this file, or else from the environment.
    pub(super) fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(path) = file {
            let place = path.display();
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("the key cannot be read from {place}"))?;
            let line = text.lines().next().unwrap_or_default();
            return Self::parse(line)
                .with_context(|| format!("the first line of {place} is no key: {HOW}"));
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the key belongs to a person, and is no setting of the server"
        )]
        let value = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
        let Some(value) = value else {
            bail!("there is no key: {HOW}");
        };
        value
            .to_str()
            .and_then(Self::parse)
            .with_context(|| format!("TIDEGATE_INBOX_KEY is no key: {HOW}"))
    }

    /// Reads `id:api_key`. What is wrong with it is not told: it may be a key all the same.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (id, key) = text.split_once(':')?;
        let right = id.parse::<u64>().is_ok()
            && !key.is_empty()
            && key.chars().all(|c| c.is_ascii_graphic());
        if !right {
            return None;
        }
        let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(text))).ok()?;
        value.set_sensitive(true);
        Some(Self(value))
    }

    /// What to send.
    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_an_id_and_an_api_key() {
        for text in ["7:s3cret", " 7:s3cret\r\n"] {
            let key = Key::parse(text).unwrap();
            assert_eq!(key.header(), "Basic NzpzM2NyZXQ=");
            assert!(key.header().is_sensitive());
            assert_eq!(format!("{key:?}"), "***");
        }
        for text in [
            "",
            "7",
            "7:",
            ":s3cret",
            "ada:s3cret",
            "-7:s3cret",
            "7:s 3",
            "7:é",
        ] {
            assert!(Key::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_file_gives_it_with_its_first_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "7:s3cret\nand a remark\n").unwrap();
        let key = Key::load(Some(&path)).unwrap();
        assert_eq!(key.header(), "Basic NzpzM2NyZXQ=");

        for text in ["", "\n7:s3cret", "s3cret"] {
            std::fs::write(&path, text).unwrap();
            let told = format!("{:#}", Key::load(Some(&path)).unwrap_err());
            assert!(
                told.contains(VARIABLE) && !told.contains("s3cret"),
                "{told}"
            );
        }
        assert!(Key::load(Some(&folder.path().join("none"))).is_err());
    }
}
