//! Access tokens: JWT signed with HS256 and nothing else (RFC 8725).
//!
//! The current key signs; earlier ones still verify, found by their `kid`, until they are
//! taken out of the configuration. Where a token says its key is to be found (`jku`, `x5u`,
//! `jwk`) is never looked at.
//!
//! What a token said when its signature was verified is kept for a while, see [`known`]: a client
//! sends the same one with every request.

mod known;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
};
use serde::{Deserialize, Serialize};
use tidegate_domain::account::{Role, UserId, Username};
use tidegate_domain::error::StoreError;
use tidegate_domain::secret::Secret;
use tidegate_domain::session::{AccessClaims, AccessTokens, SessionId, TokenError};

use crate::token::known::{KnownTokens, Verified};

/// How far the clocks of two nodes may be apart, in seconds. Not granted to `exp`.
const SKEW: i64 = 5;

/// A key to sign and verify with.
#[derive(Clone)]
pub struct SigningKey {
    id: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl SigningKey {
    /// A key with the name that its tokens carry as `kid`.
    pub fn new(id: impl Into<String>, secret: &Secret) -> Self {
        let secret = secret.reveal().as_bytes();
        Self {
            id: id.into(),
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
        }
    }

    /// What tokens of this key carry as `kid`.
    #[cfg(test)]
    fn id(&self) -> &str {
        &self.id
    }
}

/// How tokens are made and checked.
#[derive(Clone)]
pub struct JwtOptions {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
    /// The key that signs.
    pub current: SigningKey,
    /// Keys that signed before and still verify.
    pub previous: Vec<SigningKey>,
}

/// Makes and checks access tokens.
#[derive(Clone)]
pub struct JwtTokens {
    options: JwtOptions,
    validation: Validation,
    // Shared by clones, which have the same keys.
    known: Arc<KnownTokens>,
}

impl JwtTokens {
    /// With these keys and names.
    pub fn new(options: JwtOptions) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[&options.issuer]);
        validation.set_audience(&[&options.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Times are compared here, with the time that is passed in.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self {
            options,
            validation,
            known: Arc::default(),
        }
    }

    fn key(&self, id: &str) -> Option<&SigningKey> {
        std::iter::once(&self.options.current)
            .chain(&self.options.previous)
            .find(|key| key.id == id)
    }
}

/// The claims on the wire.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    username: String,
    user_id: i64,
    role: String,
    sid: i64,
    iat: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    exp: i64,
    jti: String,
}

impl AccessTokens for JwtTokens {
    fn issue(&self, claims: &AccessClaims) -> Result<String, StoreError> {
        let header = Header {
            kid: Some(self.options.current.id.clone()),
            ..Header::new(Algorithm::HS256)
        };
        let claims = Claims {
            iss: self.options.issuer.clone(),
            aud: self.options.audience.clone(),
            sub: claims.user.0.to_string(),
            username: claims.username.as_str().to_owned(),
            user_id: claims.user.0,
            role: claims.role.name().to_owned(),
            sid: claims.session.0,
            iat: claims.issued_at.timestamp(),
            nbf: None,
            exp: claims.expires_at.timestamp(),
            jti: claims.token_id.clone(),
        };
        encode(&header, &claims, &self.options.current.encoding)
            .map_err(|error| StoreError::Internal(error.into()))
    }

    fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<AccessClaims, TokenError> {
        let key = KnownTokens::key(token);
        let known = self.known.get(&key);
        let verified = match &known {
            Some(known) => Arc::clone(known),
            None => Arc::new(self.read(token)?),
        };
        check_times(&verified, now)?;
        if known.is_none() {
            self.known.keep(key, Arc::clone(&verified));
        }
        Ok(verified.claims.clone())
    }
}

impl JwtTokens {
    /// What a token says, once everything but its times is found to be right.
    fn read(&self, token: &str) -> Result<Verified, TokenError> {
        let invalid = |_| TokenError::Invalid;
        let header = decode_header(token).map_err(invalid)?;
        // An extension that must be understood is not understood (RFC 7515 section 4.1.11).
        if header.alg != Algorithm::HS256 || header.crit.is_some() {
            return Err(TokenError::Invalid);
        }
        let key = header
            .kid
            .as_deref()
            .and_then(|id| self.key(id))
            .ok_or(TokenError::Invalid)?;
        let claims = decode::<Claims>(token, &key.decoding, &self.validation)
            .map_err(invalid)?
            .claims;
        let not_before = claims.nbf;
        let claims = read(claims).ok_or(TokenError::Invalid)?;
        Ok(Verified { claims, not_before })
    }
}

fn check_times(verified: &Verified, now: DateTime<Utc>) -> Result<(), TokenError> {
    let (claims, now) = (&verified.claims, now.timestamp());
    let latest = now.saturating_add(SKEW);
    if verified.not_before.is_some_and(|nbf| nbf > latest) || claims.issued_at.timestamp() > latest
    {
        return Err(TokenError::Invalid);
    }
    if claims.expires_at.timestamp() <= now {
        return Err(TokenError::Expired);
    }
    Ok(())
}

fn read(claims: Claims) -> Option<AccessClaims> {
    if claims.sub != claims.user_id.to_string() {
        return None;
    }
    Some(AccessClaims {
        user: UserId(claims.user_id),
        username: Username::parse(&claims.username).ok()?,
        role: Role::from_name(&claims.role)?,
        session: SessionId(claims.sid),
        issued_at: DateTime::from_timestamp(claims.iat, 0)?,
        expires_at: DateTime::from_timestamp(claims.exp, 0)?,
        token_id: claims.jti,
    })
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    use super::*;
    use crate::key::mac;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn key_id(secret: &str) -> String {
        format!("kid-of-{}", secret.len())
    }

    fn key(secret: &str) -> SigningKey {
        SigningKey::new(key_id(secret), &Secret::new(secret))
    }

    fn tokens(current: &str, previous: &[&str]) -> JwtTokens {
        JwtTokens::new(JwtOptions {
            issuer: "tidegate".into(),
            audience: "tidegate-api".into(),
            current: key(current),
            previous: previous.iter().map(|secret| key(secret)).collect(),
        })
    }

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
    }

    fn claims() -> AccessClaims {
        AccessClaims {
            user: UserId(7),
            username: Username::parse("Ann").unwrap(),
            role: Role::User,
            session: SessionId(9),
            issued_at: at(0),
            expires_at: at(1800),
            token_id: "abc".into(),
        }
    }

    /// A token with any header and claims, rightly signed by `secret`.
    fn forge(header: &Value, claims: &Value, secret: &str) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(mac(secret.as_bytes(), message.as_bytes()));
        format!("{message}.{signature}")
    }

    fn header() -> Value {
        json!({"alg": "HS256", "typ": "JWT", "kid": key(SECRET).id()})
    }

    fn body() -> Value {
        json!({"iss": "tidegate", "aud": "tidegate-api", "sub": "7", "username": "Ann", "user_id": 7, "role": "user",
               "sid": 9, "iat": at(0).timestamp(), "exp": at(1800).timestamp(), "jti": "abc"})
    }

    fn with(mut value: Value, name: &str, member: Value) -> Value {
        value[name] = member;
        value
    }

    #[test]
    fn a_token_says_what_was_put_in_until_it_expires() {
        let tokens = tokens(SECRET, &[]);
        let token = tokens.issue(&claims()).unwrap();
        assert_eq!(tokens.verify(&token, at(0)), Ok(claims()));
        assert_eq!(tokens.verify(&token, at(1799)), Ok(claims()));
        assert_eq!(tokens.verify(&token, at(1800)), Err(TokenError::Expired));
        assert_eq!(
            tokens.verify(&token, at(-5)),
            Ok(claims()),
            "the clock of another node"
        );
        assert_eq!(tokens.verify(&token, at(-6)), Err(TokenError::Invalid));

        let part = token.split('.').nth(1).unwrap();
        let seen: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        assert_eq!(seen, body());
        assert_eq!(
            tokens.verify(&forge(&header(), &body(), SECRET), at(1)),
            Ok(claims()),
            "the tests' own forge works"
        );
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let tokens = tokens(SECRET, &[]);
        let good = tokens.issue(&claims()).unwrap();
        let parts: Vec<&str> = good.split('.').collect();
        let none = URL_SAFE_NO_PAD.encode(with(header(), "alg", json!("none")).to_string());
        let altered = URL_SAFE_NO_PAD.encode(with(body(), "role", json!("admin")).to_string());
        let mut bad = vec![
            String::new(),
            "a.b.c".into(),
            format!("{}.{}", parts[0], parts[1]),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{none}.{}.", parts[1]),
            format!("{none}.{}.{}", parts[1], parts[2]),
            format!("{}.{altered}.{}", parts[0], parts[2]),
            format!("{good}x"),
            format!("{good}="),
            forge(&header(), &body(), "another secret"),
        ];
        for algorithm in ["HS384", "HS512", "RS256", "ES256", "EdDSA", "hs256", "None"] {
            bad.push(forge(
                &with(header(), "alg", json!(algorithm)),
                &body(),
                SECRET,
            ));
        }
        for kid in [
            json!("other"),
            json!(""),
            json!("../../dev/null"),
            Value::Null,
            json!(key("x").id()),
        ] {
            bad.push(forge(&with(header(), "kid", kid), &body(), SECRET));
        }
        bad.push(forge(&json!({"alg": "HS256"}), &body(), SECRET));
        bad.push(forge(
            &with(header(), "crit", json!(["exp"])),
            &body(),
            SECRET,
        ));
        // The key that the token itself brings along signed this one.
        let jwk = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode("mine")});
        bad.push(forge(
            &with(
                with(header(), "jku", json!("https://evil.example")),
                "jwk",
                jwk,
            ),
            &body(),
            "mine",
        ));
        bad.push(forge(
            &with(header(), "x5u", json!("https://evil.example")),
            &body(),
            "mine",
        ));
        for (name, value) in [
            ("iss", json!("other")),
            ("aud", json!("other")),
            ("aud", json!([])),
            ("sub", json!("8")),
            ("sub", json!("07")),
            ("user_id", json!(8)),
            ("user_id", json!("7")),
            ("role", json!("root")),
            ("username", json!("a@b")),
            ("exp", json!("never")),
            ("exp", Value::Null),
            ("nbf", json!(at(100).timestamp())),
            ("iat", json!(at(100).timestamp())),
            ("sid", Value::Null),
        ] {
            bad.push(forge(&header(), &with(body(), name, value), SECRET));
        }
        for name in ["iss", "aud", "sub", "exp", "iat", "sid", "jti", "role"] {
            let mut claims = body();
            claims.as_object_mut().unwrap().remove(name);
            bad.push(forge(&header(), &claims, SECRET));
        }
        for token in bad {
            assert_eq!(
                tokens.verify(&token, at(1)),
                Err(TokenError::Invalid),
                "{token}"
            );
        }
        let early = with(body(), "nbf", json!(at(1).timestamp()));
        assert!(
            tokens
                .verify(&forge(&header(), &early, SECRET), at(1))
                .is_ok()
        );
    }

    #[test]
    fn a_token_that_is_known_is_still_checked() {
        let tokens = tokens(SECRET, &[]);
        let early = with(body(), "nbf", json!(at(100).timestamp()));
        let early = forge(&header(), &early, SECRET);
        assert_eq!(tokens.verify(&early, at(1)), Err(TokenError::Invalid));
        let good = tokens.issue(&claims()).unwrap();
        for token in [&good, &early] {
            assert_eq!(tokens.verify(token, at(100)), Ok(claims()));
            assert_eq!(tokens.verify(token, at(100)), Ok(claims()), "known");
            assert_eq!(tokens.verify(token, at(1800)), Err(TokenError::Expired));
            assert_eq!(tokens.verify(token, at(-6)), Err(TokenError::Invalid));
        }
        assert_eq!(tokens.verify(&early, at(1)), Err(TokenError::Invalid));
        assert_eq!(tokens.known.len(), 2);
        for at_byte in 0..good.len() {
            let mut altered = good.clone().into_bytes();
            altered[at_byte] = if altered[at_byte] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).unwrap();
            assert_eq!(
                tokens.verify(&altered, at(100)),
                Err(TokenError::Invalid),
                "{altered}"
            );
        }
        assert_eq!(tokens.known.len(), 2, "what is refused is not kept");
    }

    #[test]
    fn keys_rotate_without_an_outage() {
        let old = "the old secret, which is long enough....";
        let before = tokens(old, &[]).issue(&claims()).unwrap();
        let during = tokens(SECRET, &[old]);
        assert!(during.verify(&before, at(1)).is_ok());
        let after = during.issue(&claims()).unwrap();
        assert!(
            tokens(SECRET, &[]).verify(&after, at(1)).is_ok(),
            "signed by the new key"
        );
        assert_eq!(
            tokens(SECRET, &[]).verify(&before, at(1)),
            Err(TokenError::Invalid),
            "the window is over"
        );
    }
}
