//! The server's side of TLS: a certificate and its key from files, read again when they change.
//!
//! A pair that cannot be used is told in the log, and the one in use stays. Connections that are
//! open keep theirs.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, ServerConfig};
use tidegate_domain::secret::Secret;

use crate::config::TlsSettings;

/// How often the files are looked at. A pair is taken when it was the same twice, so that none
/// is taken of which half was replaced yet.
const LOOK: Duration = Duration::from_secs(1);

const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// Certificate and key as TLS uses them, and the files that they come from.
pub(crate) struct Identity {
    settings: TlsSettings,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
    files: Files,
}

/// What the files hold.
#[derive(Clone, PartialEq)]
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificate", &self.settings.certificate)
            .finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current))
    }
}

impl Identity {
    /// Reads the files.
    ///
    /// # Errors
    /// Files that cannot be read or hold something else, a wrong passphrase, a key of another
    /// certificate.
    pub(crate) fn load(settings: &TlsSettings) -> anyhow::Result<Arc<Self>> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let files = Files::read(settings)?;
        let current = files.certified(settings, &provider)?;
        Ok(Arc::new(Self {
            settings: settings.clone(),
            provider,
            current: RwLock::new(Arc::new(current)),
            files,
        }))
    }

    /// TLS 1.2 and 1.3 with this identity. The server adds its protocols itself.
    ///
    /// # Errors
    /// None in practice: the library has both versions.
    pub(crate) fn server_config(self: &Arc<Self>) -> anyhow::Result<ServerConfig> {
        Ok(ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(self.clone()))
    }

    /// Looks at the files from time to time, and takes what is new. Never ends.
    pub(crate) async fn follow(self: Arc<Self>) {
        let mut interval = tokio::time::interval(LOOK);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut tried = Ok(self.files.clone());
        let mut seen = tried.clone();
        loop {
            interval.tick().await;
            let identity = Arc::clone(&self);
            let (last, before) = (seen.clone(), tried.clone());
            let look = move || {
                let found = Files::read(&identity.settings).map_err(|error| format!("{error:#}"));
                if found == last && found != before {
                    identity.take(&found);
                    return (found.clone(), found);
                }
                (found, before)
            };
            // It decrypts, which takes its time.
            if let Ok((found, now_tried)) = tokio::task::spawn_blocking(look).await {
                (seen, tried) = (found, now_tried);
            }
        }
    }

    fn take(&self, found: &Result<Files, String>) {
        let certified = match found {
            Ok(files) => files
                .certified(&self.settings, &self.provider)
                .map_err(|error| format!("{error:#}")),
            Err(error) => Err(error.clone()),
        };
        match certified {
            Ok(certified) => {
                let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                *current = Arc::new(certified);
                tracing::info!("the certificate changed: new connections get the new one");
            }
            Err(error) => {
                tracing::warn!(
                    error,
                    "the new certificate cannot be used; the old one stays"
                );
            }
        }
    }
}

impl Files {
    fn read(settings: &TlsSettings) -> anyhow::Result<Self> {
        let read = |path: &Path, setting: &str| {
            std::fs::read(path)
                .with_context(|| format!("{setting}: cannot read {}", path.display()))
        };
        Ok(Self {
            certificate: read(&settings.certificate, "server.tls.certificate")?,
            key: read(&settings.key, "server.tls.key")?,
        })
    }

    fn certified(
        &self,
        settings: &TlsSettings,
        provider: &CryptoProvider,
    ) -> anyhow::Result<CertifiedKey> {
        let chain = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<Vec<_>, _>>()
            .context("server.tls.certificate: the file is no PEM")?;
        ensure!(
            !chain.is_empty(),
            "server.tls.certificate: the file holds no certificate (PEM, -----BEGIN CERTIFICATE-----)"
        );
        let key = private_key(&self.key, settings.key_passphrase.as_ref())?;
        let key = provider
            .key_provider
            .load_private_key(key)
            .context("server.tls.key: no key of a kind that TLS uses")?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
            Err(Error::InconsistentKeys(_)) => {
                bail!(
                    "server.tls.key: the key is not that of the first certificate in server.tls.certificate"
                )
            }
            Err(error) => Err(error).context("server.tls.certificate: the certificate is no good"),
        }
    }
}

/// The key in a PEM file.
fn private_key(pem: &[u8], passphrase: Option<&Secret>) -> anyhow::Result<PrivateKeyDer<'static>> {
    let text = String::from_utf8_lossy(pem);
    if let Some(block) = block(&text, ENCRYPTED) {
        let passphrase = passphrase.context(
            "server.tls.key: the key is encrypted; give its passphrase in server.tls.key_passphrase",
        )?;
        return decrypted(block, passphrase);
    }
    ensure!(
        !text.contains("Proc-Type: 4,ENCRYPTED"),
        "server.tls.key: the key is encrypted in a way that is out of use; `openssl pkcs8 -topk8 -in OLD -out NEW` writes it as it should be"
    );
    PrivateKeyDer::from_pem_slice(pem)
        .context("server.tls.key: the file holds no private key (PEM, -----BEGIN PRIVATE KEY-----)")
}

/// The lines of a block with this label, those of its ends among them.
fn block<'t>(text: &'t str, label: &str) -> Option<&'t str> {
    let (begin, end) = (
        format!("-----BEGIN {label}-----"),
        format!("-----END {label}-----"),
    );
    let start = text.find(&begin)?;
    let length = text[start..].find(&end)? + end.len();
    text.get(start..start + length)
}

fn decrypted(block: &str, passphrase: &Secret) -> anyhow::Result<PrivateKeyDer<'static>> {
    let unreadable = "server.tls.key: the encrypted key cannot be read";
    let (_, document) = SecretDocument::from_pem(block).ok().context(unreadable)?;
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
        .ok()
        .context(unreadable)?;
    let plain = encrypted
        .decrypt(passphrase.reveal())
        .ok()
        .context("server.tls.key: server.tls.key_passphrase does not open the key")?;
    Ok(PrivatePkcs8KeyDer::from(plain.as_bytes().to_vec()).into())
}
