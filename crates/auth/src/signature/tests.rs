//! The providers' published examples, and everything that must not pass for one.

use std::ops::Range;

use proptest::prelude::*;
use serde_json::{from_value, json};
use tidegate_domain::webhook::header::Header;
use tidegate_domain::webhook::provider::Provider;

use super::*;
use crate::key;

/// A request that verifies at the moment when it was sent.
#[derive(Clone)]
struct Case {
    scheme: Scheme,
    secret: String,
    url: String,
    headers: Vec<Header>,
    body: Vec<u8>,
    sent: i64,
}

impl Case {
    fn new(scheme: Scheme, secret: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
        Self {
            scheme,
            secret: secret.to_owned(),
            url: "https://inbox.example/in/x".to_owned(),
            headers: headers.iter().map(owned).collect(),
            body: body.as_bytes().to_vec(),
            sent: 1_700_000_000,
        }
    }

    fn of(provider: Provider, secret: &str, headers: &[(&str, &str)], body: &str) -> Self {
        Self::new(provider.scheme().unwrap(), secret, headers, body)
    }

    fn at(mut self, sent: i64) -> Self {
        self.sent = sent;
        self
    }

    fn url(mut self, url: &str) -> Self {
        url.clone_into(&mut self.url);
        self
    }

    fn verdict(&self) -> Verdict {
        self.verdict_at(self.sent, &[&self.secret])
    }

    fn verdict_at(&self, now: i64, secrets: &[&str]) -> Verdict {
        let secrets: Vec<Secret> = secrets.iter().copied().map(Secret::new).collect();
        let request = SignedRequest {
            url: &self.url,
            headers: &self.headers,
            body: &self.body,
        };
        let now = DateTime::from_timestamp(now, 0).unwrap();
        HmacSignatures.verify(&self.scheme, &secrets, &request, now)
    }
}

const TWILIO_URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
const TWILIO_DIGEST: &str = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
const TWILIO_BODY: &str = "Digits=1234&To=%2B18005551212&From=%2B12349013030&Caller=%2B12349013030\
    &CallSid=CA1234567890ABCDE";

fn twilio(signature: &str, body: &str) -> Case {
    let headers = [("X-Twilio-Signature", signature)];
    Case::of(Provider::Twilio, "12345", &headers, body).url(TWILIO_URL)
}

fn stripe(signature: &str) -> Case {
    let body = r#"{"id": "evt_test_webhook","object": "event"}"#;
    let headers = [("Stripe-Signature", signature)];
    Case::of(Provider::Stripe, "whsec_test_secret", &headers, body).at(1_492_774_577)
}

fn standard(family: &str, id: &str, signature: &str) -> Case {
    let names = ["id", "timestamp", "signature"].map(|name| format!("{family}-{name}"));
    let headers = [
        (names[0].as_str(), id),
        (&names[1], "1614265330"),
        (&names[2], signature),
    ];
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    Case::of(
        Provider::StandardWebhooks,
        secret,
        &headers,
        r#"{"test": 2432232314}"#,
    )
    .at(1_614_265_330)
}

const STANDARD_ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const STANDARD_SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
const STRIPE_V1: &str = "66d86a97ac5620300b0335877ac036f6d74f84ea2e1df371bd45689d0090f9b7";

fn github(body: &str, signature: &str) -> Case {
    let headers = [("X-Hub-Signature-256", signature)];
    Case::of(
        Provider::Github,
        "It's a Secret to Everybody",
        &headers,
        body,
    )
}

fn hmac_of(algorithm: &str, prefix: &str, signature: &str) -> Case {
    // The second test case of RFC 2202 and of RFC 4231.
    let scheme = json!({"hmac": {"header": "X-Mac", "algorithm": algorithm, "encoding": "hex", "prefix": prefix}});
    let headers = [("x-mac", signature)];
    Case::new(
        from_value(scheme).unwrap(),
        "Jefe",
        &headers,
        "what do ya want for nothing?",
    )
}

fn cases() -> Vec<(&'static str, Case)> {
    vec![
        (
            "GitHub's documented values",
            github(
                "Hello, World!",
                "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
            ),
        ),
        (
            "Slack's documented example",
            Case::of(
                Provider::Slack,
                "8f742231b10e8888abcd99yyyzzz85a5",
                &[
                    ("X-Slack-Request-Timestamp", "1531420618"),
                    (
                        "X-Slack-Signature",
                        "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
                    ),
                ],
                "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow\
                 &channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner\
                 &command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2F\
                 commands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
                 &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
            )
            .at(1_531_420_618),
        ),
        (
            "the vector of Standard Webhooks' libraries",
            standard("webhook", STANDARD_ID, STANDARD_SIGNATURE),
        ),
        (
            "the same from Svix",
            standard("svix", STANDARD_ID, STANDARD_SIGNATURE),
        ),
        (
            "Twilio's documented example",
            twilio("0/KCTR6DLpKmkAf8muzZqo1nDgQ=", TWILIO_BODY),
        ),
        (
            "a JSON body, of Twilio's libraries",
            twilio(
                "a9nBmqA0ju/hNViExpshrM61xv4=",
                r#"{"property": "value", "boolean": true}"#,
            )
            .url(&format!("{TWILIO_URL}&bodySHA256={TWILIO_DIGEST}")),
        ),
        // Computed with Python's hmac by the steps that Stripe documents, and Shopify.
        (
            "Stripe's steps",
            stripe(&format!("t=1492774577,v1={STRIPE_V1}")),
        ),
        (
            "Shopify's steps",
            Case::of(
                Provider::Shopify,
                "hush",
                &[(
                    "X-Shopify-Hmac-Sha256",
                    "D0UMXmhjwBRi4y66TmhJrDlhQABD7zI2fm3p6/QLMo8=",
                )],
                r#"{"id":820982911946154508,"email":"jon@example.com"}"#,
            ),
        ),
        (
            "SHA-1",
            hmac_of(
                "sha1",
                "sha1=",
                "sha1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
            ),
        ),
        (
            "SHA-512",
            hmac_of(
                "sha512",
                "",
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a\
                 6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ),
    ]
}

#[test]
fn published_examples_verify() {
    for (name, case) in cases() {
        assert_eq!(case.verdict(), Verdict::Verified, "{name}");
        assert_eq!(
            case.scheme.check_secret(&Secret::new(&*case.secret)),
            Ok(()),
            "{name}"
        );
    }
}

#[test]
fn every_altered_byte_is_noticed() {
    let altered = |bytes: &mut Vec<u8>, at: usize, mask: u8| bytes[at] ^= mask;
    for (name, case) in cases() {
        for mask in [0x01, 0x80] {
            for at in 0..case.body.len() {
                let mut other = case.clone();
                altered(&mut other.body, at, mask);
                assert_eq!(
                    other.verdict(),
                    Verdict::Wrong,
                    "{name}: byte {at} of the body"
                );
            }
            for (header, at) in positions(&case) {
                let mut other = case.clone();
                altered(&mut other.headers[header].1, at, mask);
                let verdict = other.verdict();
                assert_ne!(
                    verdict,
                    Verdict::Verified,
                    "{name}: byte {at} of header {header}"
                );
            }
        }
        for cut in [0..1, case.body.len() - 1..case.body.len()] {
            let mut other = case.clone();
            other.body.drain(cut);
            assert_eq!(other.verdict(), Verdict::Wrong, "{name}: cut");
        }
        let mut other = case.clone();
        other.body.push(b'\n');
        assert_eq!(other.verdict(), Verdict::Wrong, "{name}: longer");
    }
}

fn positions(case: &Case) -> Vec<(usize, usize)> {
    let within = |(header, (_, value)): (usize, &Header)| {
        let all: Range<usize> = 0..value.len();
        all.map(move |at| (header, at)).collect::<Vec<_>>()
    };
    case.headers.iter().enumerate().flat_map(within).collect()
}

#[test]
fn other_secrets_do_not_verify_and_one_of_several_does() {
    let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for (name, case) in cases() {
        let right = case.secret.as_str();
        for (secrets, verdict) in [
            (&[][..], Verdict::Wrong),
            (&[""], Verdict::Wrong),
            (&[other], Verdict::Wrong),
            (&["whsec_"], Verdict::Wrong),
            (&["not base64!"], Verdict::Wrong),
            (&[other, right], Verdict::Verified),
            (&[right, other], Verdict::Verified),
            (&["not base64!", "", right], Verdict::Verified),
        ] {
            assert_eq!(
                case.verdict_at(case.sent, secrets),
                verdict,
                "{name}: {secrets:?}"
            );
        }
    }
}

#[test]
fn an_empty_secret_verifies_nothing() {
    let mut case = github("x", &format!("sha256={}", hex(&key::mac(b"", b"x"))));
    case.secret = String::new();
    assert_eq!(case.verdict(), Verdict::Wrong);
    let signature = STANDARD.encode(key::mac(b"", b"id.1614265330.{\"test\": 2432232314}"));
    let mut case = standard("webhook", "id", &format!("v1,{signature}"));
    case.secret = "whsec_".to_owned();
    assert_eq!(case.verdict(), Verdict::Wrong);
}

#[test]
fn a_timestamp_may_be_five_minutes_off() {
    for (name, case) in cases() {
        let timed = match &case.scheme {
            Scheme::Stripe | Scheme::StandardWebhooks => true,
            Scheme::Twilio => false,
            Scheme::Hmac(scheme) => scheme.timestamp.is_some(),
        };
        let late = if timed {
            Verdict::Expired
        } else {
            Verdict::Verified
        };
        for (off, verdict) in [
            (-300, Verdict::Verified),
            (300, Verdict::Verified),
            (-301, late),
            (301, late),
            (86_400 * 365, late),
        ] {
            let secrets = [case.secret.as_str()];
            assert_eq!(
                case.verdict_at(case.sent + off, &secrets),
                verdict,
                "{name}: {off}"
            );
            assert_eq!(
                case.verdict_at(case.sent + off, &["other"]),
                Verdict::Wrong,
                "{name}: {off}"
            );
        }
    }
}

#[test]
fn a_tolerance_of_the_webhooks_own_is_kept() {
    let scheme = json!({"hmac": {"header": "S", "algorithm": "sha256", "encoding": "base64",
        "timestamp": {"header": "T", "tolerance": 10, "signed": "{timestamp}.{body}"}}});
    let signature = STANDARD.encode(key::mac(b"secret", b"0010.body"));
    let headers = [("S", signature.as_str()), ("T", "0010")];
    let case = Case::new(from_value(scheme).unwrap(), "secret", &headers, "body").at(20);
    assert_eq!(
        case.verdict(),
        Verdict::Verified,
        "signed as it was written"
    );
    assert_eq!(case.at(21).verdict(), Verdict::Expired);
}

#[test]
fn each_layout_signs_what_it_shows() {
    for layout in [
        "{timestamp}{body}",
        "{timestamp}.{body}",
        "{timestamp}:{body}",
        "v0:{timestamp}:{body}",
    ] {
        let scheme = json!({"hmac": {"header": "S", "algorithm": "sha256", "encoding": "hex",
            "timestamp": {"header": "T", "signed": layout}}});
        let message = layout.replace("{timestamp}", "7").replace("{body}", "text");
        let signature = hex(&key::mac(b"secret", message.as_bytes()));
        let headers = [("S", signature.as_str()), ("T", "7")];
        let case = Case::new(from_value(scheme).unwrap(), "secret", &headers, "text").at(0);
        assert_eq!(case.verdict(), Verdict::Verified, "{layout}");
    }
}

#[test]
fn a_header_that_is_not_there_is_missing() {
    for (name, case) in cases() {
        for header in 0..case.headers.len() {
            let mut other = case.clone();
            other.headers[header].1.clear();
            assert_eq!(other.verdict(), Verdict::Missing, "{name}: empty");
            other.headers.remove(header);
            assert_eq!(other.verdict(), Verdict::Missing, "{name}");
        }
    }
}

#[test]
fn garbage_and_repetitions_are_malformed() {
    for (name, case) in cases() {
        for header in 0..case.headers.len() {
            let mut twice = case.clone();
            twice.headers.push(case.headers[header].clone());
            assert_eq!(twice.verdict(), Verdict::Malformed, "{name}: twice");
            // Any text may be an id.
            if case.headers[header].0.ends_with("-id") {
                continue;
            }
            for garbage in [
                &b"garbage"[..],
                b"\xff\xfe",
                b",",
                b"=",
                b"sha256=",
                b"v0=zz",
                b"t=",
                b"v1,",
                b" ",
            ] {
                let mut other = case.clone();
                other.headers[header].1 = garbage.to_vec();
                assert_eq!(other.verdict(), Verdict::Malformed, "{name}: {garbage:?}");
            }
        }
    }
}

#[test]
fn stripe_may_send_several_signatures() {
    let wrong = "0".repeat(64);
    for (signature, verdict) in [
        (
            format!("t=1492774577,v1={wrong},v1={STRIPE_V1},v0={wrong}"),
            Verdict::Verified,
        ),
        (
            format!("v1={STRIPE_V1},v0=,x=y=z,t=1492774577"),
            Verdict::Verified,
        ),
        (
            format!("t=1492774577,v1={wrong},v0={STRIPE_V1}"),
            Verdict::Wrong,
        ),
        (format!("t=1492774577,v0={STRIPE_V1}"), Verdict::Malformed),
        (format!("v1={STRIPE_V1}"), Verdict::Malformed),
        (
            format!("t=1492774577,t=1492774577,v1={STRIPE_V1}"),
            Verdict::Malformed,
        ),
        (format!("t=+1492774577,v1={STRIPE_V1}"), Verdict::Malformed),
        (
            format!("t=99999999999999999999,v1={STRIPE_V1}"),
            Verdict::Malformed,
        ),
        (format!("t=1492774577, v1={STRIPE_V1}"), Verdict::Malformed),
        (
            format!("t=1492774577,v1={}", &STRIPE_V1[..62]),
            Verdict::Malformed,
        ),
    ] {
        assert_eq!(stripe(&signature).verdict(), verdict, "{signature}");
    }
}

#[test]
fn standard_webhooks_may_send_several_signatures() {
    let wrong = format!("v1,{}", STANDARD.encode([0; 32]));
    for (signature, verdict) in [
        (
            format!("{wrong} v1a,AAAA {STANDARD_SIGNATURE}"),
            Verdict::Verified,
        ),
        (format!("{STANDARD_SIGNATURE} {wrong}"), Verdict::Verified),
        (wrong.clone(), Verdict::Wrong),
        ("v1a,AAAA".to_owned(), Verdict::Malformed),
        (format!("{STANDARD_SIGNATURE},"), Verdict::Malformed),
    ] {
        assert_eq!(
            standard("webhook", STANDARD_ID, &signature).verdict(),
            verdict,
            "{signature}"
        );
    }
    // The bare Base64, as some show it.
    let mut bare = standard("webhook", STANDARD_ID, STANDARD_SIGNATURE);
    bare.secret = bare.secret.replace("whsec_", "");
    assert_eq!(bare.verdict(), Verdict::Verified);
    // The same bytes, cut at another place.
    let mut shifted = standard("webhook", "msg.1614265330", STANDARD_SIGNATURE);
    shifted.body = b"x".to_vec();
    assert_eq!(shifted.verdict(), Verdict::Malformed);
}

#[test]
fn twilio_signs_addresses_with_and_without_port() {
    // The values are those of Twilio's own libraries.
    let body = TWILIO_BODY.replace("%2B12349013030", "%2B14158675309");
    for (url, signature) in [
        (TWILIO_URL, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (
            "https://mycompany.com:1234/myapp.php?foo=1&bar=2",
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
        ),
        (TWILIO_URL, "kvajT1Ptam85bY51eRf/AJRuM3w="),
        (
            "http://mycompany.com/myapp.php?foo=1&bar=2",
            "0ZXoZLH/DfblKGATFgpif+LLRf4=",
        ),
        (
            "http://mycompany.com:1234/myapp.php?foo=1&bar=2",
            "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=",
        ),
        (
            "https://user:pass@mycompany.com/myapp.php?foo=1&bar=2",
            "CukzLTc1tT5dXEDIHm/tKBanW10=",
        ),
        (
            "https://user:pass@mycompany.com/myapp.php?foo=1&bar=2",
            "ZQFR1PTIZXF2MXB8ZnKCvnnA+rI=",
        ),
    ] {
        assert_eq!(
            twilio(signature, &body).url(url).verdict(),
            Verdict::Verified,
            "{url} {signature}"
        );
    }
    let ports = |url: &str| {
        let all = with_and_without_port(url).into_iter();
        all.map(|url| String::from_utf8(url).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ports("https://[::1]/x"),
        ["https://[::1]:443/x", "https://[::1]/x"]
    );
    assert_eq!(
        ports("https://h?a=b:1"),
        ["https://h:443?a=b:1", "https://h?a=b:1"]
    );
    assert_eq!(ports("/in/x"), ["/in/x"]);
}

#[test]
fn twilio_sorts_fields_and_counts_each_once() {
    // The first value is that of Twilio's own libraries.
    let repeated = "IK+Dwps556ElfBT0I3Rgjkr1wJU=";
    let fields = "SidAccount=AC123&Digits=5678&Sid=CA123&Digits=1234&Digits=1234";
    assert_eq!(twilio(repeated, fields).verdict(), Verdict::Verified);
    // It signs what the fields say, however they are written.
    let rewritten = TWILIO_BODY
        .replace("%2B", "%2b")
        .replace("1234&", "%31234&");
    assert_eq!(
        twilio("0/KCTR6DLpKmkAf8muzZqo1nDgQ=", &rewritten).verdict(),
        Verdict::Verified
    );
    let many = "a=1&".repeat(MAX_FIELDS + 1);
    assert_eq!(twilio(repeated, &many).verdict(), Verdict::Malformed);
}

#[test]
fn twilio_verifies_no_body_that_is_not_signed() {
    let signature = STANDARD.encode(mac::<Hmac<Sha1>>(b"12345", TWILIO_URL.as_bytes(), &[]));
    assert_eq!(twilio(&signature, "").verdict(), Verdict::Verified);
    for body in ["a", "{}", "a=1"] {
        assert_eq!(twilio(&signature, body).verdict(), Verdict::Wrong, "{body}");
    }
    for (name, case) in cases()
        .into_iter()
        .filter(|(_, case)| case.scheme == Scheme::Twilio)
    {
        for at in 0..case.url.len() {
            let mut url = case.url.clone().into_bytes();
            url[at] ^= 1;
            let other = case.clone().url(&String::from_utf8(url).unwrap());
            assert_eq!(other.verdict(), Verdict::Wrong, "{name}: {}", other.url);
        }
    }
}

#[test]
fn the_bytes_count_and_not_what_they_mean() {
    let signed = |body: &[u8]| {
        let mac = key::mac(b"It's a Secret to Everybody", body);
        let mut case = github("", &format!("sha256={}", hex(&mac)));
        case.body = body.to_vec();
        case
    };
    for body in [
        &b"\xef\xbb\xbf{}"[..],
        b"\x1f\x8b\x08\0\xff",
        b"",
        br#"{"a": 1, "b": 2}"#,
        "ä".as_bytes(),
        "a\u{308}".as_bytes(),
    ] {
        assert_eq!(signed(body).verdict(), Verdict::Verified, "{body:?}");
    }
    for (body, other) in [
        (&b"\xef\xbb\xbf{}"[..], &b"{}"[..]),
        (br#"{"a": 1, "b": 2}"#, br#"{"b": 2, "a": 1}"#),
        (br#"{"a": 1}"#, br#"{"a":1}"#),
        ("ä".as_bytes(), "a\u{308}".as_bytes()),
        (b"a\r\n", b"a\n"),
    ] {
        let mut case = signed(body);
        case.body = other.to_vec();
        assert_eq!(case.verdict(), Verdict::Wrong, "{other:?}");
    }
}

proptest! {
    #[test]
    fn no_request_panics(
        url in "(https?://)?[a-z:@\\[\\]0-9]{0,8}[/?#&=a-zA-Z%0-9ä]{0,20}(&bodySHA256=[0-9a-f]{0,4})?",
        values in proptest::collection::vec(
            prop_oneof![any::<Vec<u8>>(), "[tv01a=, 0-9A-Za-z+/]{0,40}".prop_map(String::into_bytes)], 3),
        body in any::<Vec<u8>>(),
        secret in any::<String>(),
        now in -1_000_000_000_000_i64..1_000_000_000_000,
    ) {
        for (_, mut case) in cases() {
            for (header, value) in case.headers.iter_mut().zip(&values) {
                header.1.clone_from(value);
            }
            let case = Case { url: url.clone(), body: body.clone(), ..case };
            prop_assert_ne!(case.verdict_at(now, &[&secret, &case.secret]), Verdict::Verified);
        }
    }
}
