//! TLS to a MySQL or MariaDB server, as the settings want it, written into the database's URL:
//! whoever opens a connection by it then does the same.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use reqwest::Url;

use super::Secret;

/// Where systems keep the certificates of the authorities that they trust.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What is asked of a connection to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The server's certificate is verified, unless it is on this machine.
    Auto,
    /// No TLS.
    Disabled,
    /// TLS if the server offers it.
    Preferred,
    /// TLS, with whoever answers.
    Required,
    /// TLS, with a server whose certificate an authority has signed. For this machine alone.
    VerifyCa,
    /// The same, and the certificate names the server.
    VerifyIdentity,
}

impl Mode {
    /// What the setting may say.
    pub(super) const NAMES: [(&str, Self); 6] = [
        ("auto", Self::Auto),
        ("disabled", Self::Disabled),
        ("preferred", Self::Preferred),
        ("required", Self::Required),
        ("verify-ca", Self::VerifyCa),
        ("verify-identity", Self::VerifyIdentity),
    ];

    fn in_url(self) -> &'static str {
        match self {
            Self::Disabled => "DISABLED",
            Self::Auto | Self::Preferred => "PREFERRED",
            Self::Required => "REQUIRED",
            Self::VerifyCa => "VERIFY_CA",
            Self::VerifyIdentity => "VERIFY_IDENTITY",
        }
    }
}

/// Both settings.
pub(super) struct DatabaseTls {
    pub(super) mode: Mode,
    /// File with the certificate of an authority that counts beside the public ones; `None`:
    /// those that the system trusts.
    pub(super) ca: Option<PathBuf>,
}

/// What is wrong with which of them.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) setting: &'static str,
    pub(super) message: String,
}

impl DatabaseTls {
    /// The URL with what it does not say itself. What it says counts; a setting that says it as
    /// well is a mistake.
    pub(super) fn complete(&self, text: &str) -> Result<Secret, Fault> {
        // The text is not repeated: it holds a password.
        let mut url = Url::parse(text).map_err(|error| Fault {
            setting: "database.url",
            message: format!("cannot be read: {error}"),
        })?;
        let said = |names: [&str; 2]| {
            let pair = url
                .query_pairs()
                .find(|(name, _)| names.contains(&name.as_ref()));
            pair.map(|(_, value)| value.into_owned())
        };
        let (mode_said, ca_said) = (said(["ssl-mode", "sslmode"]), said(["ssl-ca", "sslca"]));
        let twice = |setting, parameter| {
            Err(Fault {
                setting,
                message: format!("{parameter} in database.url says it too: take one of them back"),
            })
        };
        if mode_said.is_some() && self.mode != Mode::Auto {
            return twice("database.tls", "ssl-mode");
        }
        if ca_said.is_some() && self.ca.is_some() {
            return twice("database.tls_ca", "ssl-ca");
        }
        let mode = match (&mode_said, self.mode) {
            (Some(said), _) => said.to_ascii_uppercase(),
            (None, Mode::Auto) if !is_local(&url) => Mode::VerifyIdentity.in_url().to_owned(),
            // Certificates that servers make for themselves do not name this machine.
            (None, Mode::Auto) if ca_said.is_some() || self.ca.is_some() => {
                Mode::VerifyCa.in_url().to_owned()
            }
            (None, mode) => mode.in_url().to_owned(),
        };
        // The authorities that everybody trusts count as well, and no name is looked at: whoever
        // has a certificate for any name would do.
        if mode == Mode::VerifyCa.in_url() && !is_local(&url) {
            let setting = match mode_said {
                Some(_) => "database.url",
                None => "database.tls",
            };
            return Err(Fault {
                setting,
                message: "verify-ca takes any certificate that anybody trusts, which is too little where the server is not on this machine: verify-identity also looks at the name".to_owned(),
            });
        }
        let verifies = mode.starts_with("VERIFY");
        let ca = match &self.ca {
            Some(ca) if verifies => Some(checked(ca)?),
            Some(_) => {
                return Err(Fault {
                    setting: "database.tls_ca",
                    message: format!(
                        "no certificate is checked with TLS {}: say verify-ca or verify-identity in database.tls, or take the file back",
                        mode.to_lowercase()
                    ),
                });
            }
            None if verifies && ca_said.is_none() => {
                SYSTEM.iter().copied().find(|path| Path::new(path).exists())
            }
            None => None,
        };
        // What is preferred is what clients do by themselves.
        if mode_said.is_none() && mode != Mode::Preferred.in_url() {
            url.query_pairs_mut().append_pair("ssl-mode", &mode);
        }
        if let Some(ca) = ca {
            url.query_pairs_mut().append_pair("ssl-ca", ca);
        }
        Ok(Secret::new(url.as_str()))
    }
}

/// Whether nobody can listen between here and the server.
fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    url.query_pairs().any(|(name, _)| name == "socket")
        || host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

/// The path of a file with a certificate.
fn checked(ca: &Path) -> Result<&str, Fault> {
    let fault = |message: String| {
        Err(Fault {
            setting: "database.tls_ca",
            message,
        })
    };
    match (ca.to_str(), fs::read(ca)) {
        (None, _) => fault("the path is not UTF-8".to_owned()),
        (_, Err(error)) => fault(format!("the file {} cannot be read: {error}", ca.display())),
        (Some(path), Ok(pem))
            if String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") =>
        {
            Ok(path)
        }
        _ => fault(format!(
            "the file {} holds no certificate (PEM)",
            ca.display()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a URL says of TLS in the end.
    fn outcome(url: &str, mode: Mode, ca: Option<&Path>) -> Result<String, String> {
        let tls = DatabaseTls {
            mode,
            ca: ca.map(Path::to_owned),
        };
        match tls.complete(url) {
            Ok(complete) => Ok(Url::parse(complete.reveal())
                .unwrap()
                .query_pairs()
                .find(|(name, _)| name == "ssl-mode")
                .map_or("PREFERRED".to_owned(), |(_, mode)| mode.into_owned())),
            Err(Fault { setting, message }) => Err(format!("{setting}: {message}")),
        }
    }

    fn ca() -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "-----BEGIN CERTIFICATE-----").unwrap();
        file
    }

    #[test]
    fn a_server_elsewhere_is_verified_unless_something_else_is_said() {
        let file = ca();
        let away = "mysql://u:p@db.example/d";
        for (url, mode, named, expected) in [
            (away, Mode::Auto, false, "VERIFY_IDENTITY"),
            (away, Mode::Auto, true, "VERIFY_IDENTITY"),
            (
                "mysql://u:p@10.0.0.7/d",
                Mode::Auto,
                true,
                "VERIFY_IDENTITY",
            ),
            ("mysql://u:p@127.0.0.1/d", Mode::Auto, false, "PREFERRED"),
            ("mariadb://u:p@[::1]/d", Mode::Auto, false, "PREFERRED"),
            ("mysql://u:p@localhost/d", Mode::Auto, false, "PREFERRED"),
            ("mysql://u:p@localhost/d", Mode::Auto, true, "VERIFY_CA"),
            ("mysql://u:p@x/d?socket=/s", Mode::Auto, false, "PREFERRED"),
            (away, Mode::Disabled, false, "DISABLED"),
            (away, Mode::Preferred, false, "PREFERRED"),
            (away, Mode::Required, false, "REQUIRED"),
            ("mysql://u:p@localhost/d", Mode::VerifyCa, true, "VERIFY_CA"),
            (away, Mode::VerifyIdentity, true, "VERIFY_IDENTITY"),
            (
                "mysql://u:p@db/d?ssl-mode=DISABLED",
                Mode::Auto,
                false,
                "DISABLED",
            ),
            (
                "mysql://u:p@127.0.0.1/d?ssl-mode=VERIFY_CA",
                Mode::Auto,
                true,
                "VERIFY_CA",
            ),
            (
                "mysql://u:p@db/d?ssl-ca=/x",
                Mode::Auto,
                false,
                "VERIFY_IDENTITY",
            ),
        ] {
            let ca = named.then(|| file.path());
            assert_eq!(
                outcome(url, mode, ca).as_deref(),
                Ok(expected),
                "{url} {mode:?}"
            );
        }
        let tls = DatabaseTls {
            mode: Mode::Auto,
            ca: Some(file.path().to_owned()),
        };
        let complete = tls
            .complete("mysql://u:p%40w@db/d?ssl-mode=VERIFY_IDENTITY")
            .unwrap();
        let path = file.path().display().to_string().replace('/', "%2F");
        assert_eq!(
            complete.reveal(),
            format!("mysql://u:p%40w@db/d?ssl-mode=VERIFY_IDENTITY&ssl-ca={path}")
        );
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let (file, empty) = (ca(), tempfile::NamedTempFile::new().unwrap());
        let nowhere = Path::new("/nowhere/ca.pem");
        for (url, mode, ca, parts) in [
            (
                "mysql://u:secret@db/d?ssl-mode=REQUIRED",
                Mode::Required,
                None,
                ["database.tls:", "ssl-mode"],
            ),
            (
                "mysql://u:secret@db/d?sslca=/x",
                Mode::Auto,
                Some(file.path()),
                ["database.tls_ca:", "ssl-ca"],
            ),
            (
                "mysql://u:secret@db/d",
                Mode::Required,
                Some(file.path()),
                ["database.tls_ca:", "no certificate is checked"],
            ),
            (
                "mysql://u:secret@db/d",
                Mode::VerifyCa,
                Some(file.path()),
                ["database.tls:", "verify-identity"],
            ),
            (
                "mysql://u:secret@db/d?sslmode=verify_ca",
                Mode::Auto,
                Some(file.path()),
                ["database.url:", "verify-identity"],
            ),
            (
                "mysql://u:secret@db/d",
                Mode::Auto,
                Some(empty.path()),
                ["database.tls_ca:", "holds no certificate"],
            ),
            (
                "mysql://u:secret@db/d",
                Mode::Auto,
                Some(nowhere),
                ["database.tls_ca:", "cannot be read"],
            ),
        ] {
            let fault = outcome(url, mode, ca).unwrap_err();
            assert!(
                parts.iter().all(|part| fault.contains(part)),
                "{url}: {fault}"
            );
            assert!(!fault.contains("secret"), "{fault}");
        }
    }
}
