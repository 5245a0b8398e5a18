//! Verifies the signatures of received messages, all of them HMACs.
//!
//! What is signed is the bytes as they came. A signature is compared in constant time, after
//! its header was read; only then is its timestamp looked at, so that `Expired` says that
//! the message was once sent by whoever knows the secret.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use subtle::{Choice, ConstantTimeEq};
use tidegate_domain::secret::Secret;
use tidegate_domain::webhook::form;
use tidegate_domain::webhook::header;
use tidegate_domain::webhook::signature::{
    Algorithm, Encoding, HmacScheme, Scheme, SignatureVerifier, SignedRequest, Tolerance, Verdict,
};

use crate::key::{hex, unhex};

/// The most fields of a form that are sorted for Twilio, which sends some dozens.
const MAX_FIELDS: usize = 1000;

/// Verifies HMACs of the schemes that the domain knows.
#[derive(Debug, Clone, Copy, Default)]
pub struct HmacSignatures;

impl SignatureVerifier for HmacSignatures {
    fn verify(
        &self,
        scheme: &Scheme,
        secrets: &[Secret],
        request: &SignedRequest<'_>,
        now: DateTime<Utc>,
    ) -> Verdict {
        let claim = match scheme {
            Scheme::Stripe => stripe(request),
            Scheme::Twilio => twilio(request),
            Scheme::StandardWebhooks => standard(request),
            Scheme::Hmac(scheme) => hmac(scheme, request),
        };
        match claim {
            Ok(claim) => claim.judge(secrets, now),
            Err(verdict) => verdict,
        }
    }
}

/// What a request claims: that one of these signatures was made over one of these messages.
struct Claim<'a> {
    algorithm: Algorithm,
    signatures: Vec<Vec<u8>>,
    /// The messages differ in how they begin.
    heads: Vec<Vec<u8>>,
    /// The parts that follow in each.
    tail: Vec<Cow<'a, [u8]>>,
    sent: Option<(i64, Tolerance)>,
    /// The key that a secret stands for.
    key: fn(&str) -> Option<Vec<u8>>,
}

impl Claim<'_> {
    fn judge(&self, secrets: &[Secret], now: DateTime<Utc>) -> Verdict {
        let mut right = Choice::from(0);
        // An empty key is everybody's.
        let keys = secrets
            .iter()
            .filter_map(|secret| (self.key)(secret.reveal()));
        for key in keys.filter(|key| !key.is_empty()) {
            for head in &self.heads {
                let mac = self.mac(&key, head);
                for signature in &self.signatures {
                    right |= mac.ct_eq(signature);
                }
            }
        }
        if !bool::from(right) {
            return Verdict::Wrong;
        }
        match self.sent {
            Some((sent, tolerance))
                if now.timestamp().abs_diff(sent) > u64::from(tolerance.seconds()) =>
            {
                Verdict::Expired
            }
            _ => Verdict::Verified,
        }
    }

    fn mac(&self, key: &[u8], head: &[u8]) -> Vec<u8> {
        match self.algorithm {
            Algorithm::Sha1 => mac::<Hmac<Sha1>>(key, head, &self.tail),
            Algorithm::Sha256 => mac::<Hmac<Sha256>>(key, head, &self.tail),
            Algorithm::Sha512 => mac::<Hmac<Sha512>>(key, head, &self.tail),
        }
    }
}

/// The HMAC; empty, which no signature equals, if the key does not fit, which every does.
fn mac<M: Mac + KeyInit>(key: &[u8], head: &[u8], tail: &[Cow<'_, [u8]>]) -> Vec<u8> {
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(head);
    for part in tail {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// The secret's own bytes.
fn plain_key(secret: &str) -> Option<Vec<u8>> {
    Some(secret.as_bytes().to_vec())
}

fn hmac<'a>(scheme: &HmacScheme, request: &SignedRequest<'a>) -> Result<Claim<'a>, Verdict> {
    let value = value(request, scheme.header.as_str())?;
    let digits = value.strip_prefix(scheme.prefix.as_str().as_bytes());
    let digits = digits.ok_or(Verdict::Malformed)?;
    let mut head = Vec::new();
    let mut sent = None;
    if let Some(timestamp) = &scheme.timestamp {
        let digits = self::value(request, timestamp.header.as_str())?;
        let (before, after) = timestamp.signed.around();
        head = [before.as_bytes(), digits, after.as_bytes()].concat();
        sent = Some((seconds(digits)?, timestamp.tolerance));
    }
    Ok(Claim {
        algorithm: scheme.algorithm,
        signatures: vec![decode(scheme.encoding, scheme.algorithm, digits)?],
        heads: vec![head],
        tail: vec![request.body.into()],
        sent,
        key: plain_key,
    })
}

fn stripe<'a>(request: &SignedRequest<'a>) -> Result<Claim<'a>, Verdict> {
    let mut timestamp = None;
    let mut signatures = Vec::new();
    for element in value(request, "Stripe-Signature")?.split(|byte| *byte == b',') {
        match element {
            [b't', b'=', digits @ ..] if timestamp.is_none() => timestamp = Some(digits),
            [b't', b'=', ..] => return Err(Verdict::Malformed),
            [b'v', b'1', b'=', digits @ ..] => {
                signatures.push(decode(Encoding::Hex, Algorithm::Sha256, digits)?);
            }
            // `v0` is of test mode, and others may come.
            _ if element.contains(&b'=') => {}
            _ => return Err(Verdict::Malformed),
        }
    }
    let timestamp = timestamp.ok_or(Verdict::Malformed)?;
    if signatures.is_empty() {
        return Err(Verdict::Malformed);
    }
    Ok(Claim {
        algorithm: Algorithm::Sha256,
        signatures,
        heads: vec![[timestamp, b"."].concat()],
        tail: vec![request.body.into()],
        sent: Some((seconds(timestamp)?, Tolerance::DEFAULT)),
        key: plain_key,
    })
}

fn standard<'a>(request: &SignedRequest<'a>) -> Result<Claim<'a>, Verdict> {
    let family = ["webhook", "svix"].into_iter().find(|family| {
        let name = format!("{family}-signature");
        header::single(request.headers, &name) != Ok(None)
    });
    let family = family.ok_or(Verdict::Missing)?;
    let id = value(request, &format!("{family}-id"))?;
    let timestamp = value(request, &format!("{family}-timestamp"))?;
    let all = value(request, &format!("{family}-signature"))?;
    // With a dot in it, the same bytes could be another id, another time, another body; the
    // specification forbids it.
    if id.contains(&b'.') {
        return Err(Verdict::Malformed);
    }
    let mut signatures = Vec::new();
    for signature in all.split(|byte| *byte == b' ') {
        match signature {
            [b'v', b'1', b',', digits @ ..] => {
                signatures.push(decode(Encoding::Base64, Algorithm::Sha256, digits)?);
            }
            // `v1a` is made with a key pair.
            _ if signature.contains(&b',') => {}
            _ => return Err(Verdict::Malformed),
        }
    }
    if signatures.is_empty() {
        return Err(Verdict::Malformed);
    }
    Ok(Claim {
        algorithm: Algorithm::Sha256,
        signatures,
        heads: vec![[id, b".", timestamp, b"."].concat()],
        tail: vec![request.body.into()],
        sent: Some((seconds(timestamp)?, Tolerance::DEFAULT)),
        key: standard_key,
    })
}

/// The bytes that `whsec_…` stands for; the prefix and the padding may be left out, as the
/// specification's own libraries allow.
fn standard_key(secret: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::RequireNone)
            .with_decode_allow_trailing_bits(true),
    );
    let digits = secret.strip_prefix("whsec_").unwrap_or(secret);
    LENIENT.decode(digits.trim_end_matches('=')).ok()
}

fn twilio<'a>(request: &SignedRequest<'a>) -> Result<Claim<'a>, Verdict> {
    let value = value(request, "X-Twilio-Signature")?;
    let signature = decode(Encoding::Base64, Algorithm::Sha1, value)?;
    let query = request.url.split_once('?').map_or("", |(_, query)| query);
    let tail = match form::single(query.as_bytes(), "bodySHA256") {
        Some(digest) => {
            if !digest.eq_ignore_ascii_case(&hex(&Sha256::digest(request.body))) {
                return Err(Verdict::Wrong);
            }
            Vec::new()
        }
        // Whatever else the body is, it is taken for a form: what is not signed does not verify.
        None => fields(request.body)?,
    };
    Ok(Claim {
        algorithm: Algorithm::Sha1,
        signatures: vec![signature],
        heads: with_and_without_port(request.url),
        tail,
        sent: None,
        key: plain_key,
    })
}

/// The names and values of a form, sorted as Twilio sorts them. What is there twice counts
/// once, as in Twilio's own libraries.
fn fields(body: &[u8]) -> Result<Vec<Cow<'_, [u8]>>, Verdict> {
    let mut fields: Vec<_> = form::pairs(body).take(MAX_FIELDS + 1).collect();
    if fields.len() > MAX_FIELDS {
        return Err(Verdict::Malformed);
    }
    fields.sort_unstable();
    fields.dedup();
    Ok(fields
        .into_iter()
        .flat_map(|(name, value)| [name, value])
        .collect())
}

/// The URL with its port and without. Which of them Twilio signs is not the same everywhere,
/// so its own libraries try both.
fn with_and_without_port(url: &str) -> Vec<Vec<u8>> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return vec![url.into()];
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let port = authority
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let (host, port) = port.unwrap_or((authority, if scheme == "https" { "443" } else { "80" }));
    vec![
        format!("{scheme}://{host}:{port}{path}").into(),
        format!("{scheme}://{host}{path}").into(),
    ]
}

fn value<'a>(request: &SignedRequest<'a>, name: &str) -> Result<&'a [u8], Verdict> {
    header::single(request.headers, name)
        .map_err(|_| Verdict::Malformed)?
        .ok_or(Verdict::Missing)
}

fn seconds(digits: &[u8]) -> Result<i64, Verdict> {
    // `parse` would take a sign as well.
    let text = str::from_utf8(digits).ok();
    text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .ok_or(Verdict::Malformed)
}

fn decode(encoding: Encoding, algorithm: Algorithm, digits: &[u8]) -> Result<Vec<u8>, Verdict> {
    let bytes = match encoding {
        Encoding::Hex => unhex(digits),
        Encoding::Base64 => STANDARD.decode(digits).ok(),
    };
    let length = match algorithm {
        Algorithm::Sha1 => 20,
        Algorithm::Sha256 => 32,
        Algorithm::Sha512 => 64,
    };
    bytes
        .filter(|bytes| bytes.len() == length)
        .ok_or(Verdict::Malformed)
}

#[cfg(test)]
mod tests;
