//! An authority that signs certificates for tests.

use pkcs8::pkcs5::pbes2;
use pkcs8::{LineEnding, PrivateKeyInfoRef};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::CertificateDer;

/// The authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
pub struct Pair {
    /// The certificate and its authority's (PEM).
    pub chain: String,
    /// The key (PEM, PKCS#8).
    pub key: String,
    /// The certificate.
    pub der: CertificateDer<'static>,
    pair: KeyPair,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    /// The certificate of the authority.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn der(&self) -> &CertificateDer<'static> {
        self.0.der()
    }

    /// A certificate for these names and addresses.
    pub fn issue(&self, names: &[&str]) -> Pair {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params
            .distinguished_name
            .push(DnType::CommonName, "a server of a test");
        let pair = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&pair, &self.0).expect("a certificate");
        Pair {
            chain: certificate.pem() + &self.pem(),
            key: pair.serialize_pem(),
            der: certificate.der().clone(),
            pair,
        }
    }
}

impl Pair {
    /// The key, encrypted (PEM). Few rounds: this is no secret.
    pub fn encrypted_key(&self, passphrase: &str) -> String {
        let der = self.pair.serialize_der();
        let key = PrivateKeyInfoRef::try_from(der.as_slice()).expect("PKCS#8");
        let method = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(1000, &[7; 16], [9; 16]);
        let encrypted = key
            .encrypt_with_params(method.expect("parameters"), passphrase)
            .expect("an encrypted key");
        let pem = encrypted.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF);
        pem.expect("PEM").to_string()
    }
}
