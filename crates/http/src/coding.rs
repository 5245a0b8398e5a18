//! Content codings (RFC 9110, section 8.4): in which of them a client takes an answer.

use actix_web::HttpMessage;
use actix_web::http::header::{AcceptEncoding, ContentEncoding, Encoding, Preference, Quality};

/// Those that answers are compressed with on the fly: what costs least comes first.
pub(crate) const FAST: [ContentEncoding; 3] = [
    ContentEncoding::Zstd,
    ContentEncoding::Brotli,
    ContentEncoding::Gzip,
];

/// Those of files that lie compressed beside the plain one: the smallest comes first.
pub(crate) const SMALL: [ContentEncoding; 3] = [
    ContentEncoding::Brotli,
    ContentEncoding::Zstd,
    ContentEncoding::Gzip,
];

/// Those of `offered` that the client names, by its preference and then by their order. One that
/// is not named is not used: `*` is sent by clients that cannot decode everything. What the client
/// likes less than the plain form is left out.
pub(crate) fn accepted(
    request: &impl HttpMessage,
    offered: &[ContentEncoding],
) -> Vec<ContentEncoding> {
    let Some(sent) = request.get_header::<AcceptEncoding>() else {
        return Vec::new();
    };
    let quality = |coding: &ContentEncoding| {
        let named = sent.iter().find(|item| {
            matches!(&item.item, Preference::Specific(Encoding::Known(known)) if known == coding)
        });
        named.map_or(Quality::ZERO, |item| item.quality)
    };
    let plain = quality(&ContentEncoding::Identity);
    let mut codings: Vec<_> = offered
        .iter()
        .map(|coding| (quality(coding), *coding))
        .filter(|(quality, _)| *quality > Quality::ZERO && *quality >= plain)
        .collect();
    codings.sort_by_key(|(quality, _)| std::cmp::Reverse(*quality));
    codings.into_iter().map(|(_, coding)| coding).collect()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_client_decides_and_among_equals_the_server() {
        for (sent, expected) in [
            ("gzip, deflate, br, zstd", "zstd br gzip"),
            ("gzip", "gzip"),
            ("zstd;q=0.1, gzip;q=0.9, br;q=0.5", "gzip br zstd"),
            ("br;q=0, gzip;q=0.001", "gzip"),
            ("identity, gzip;q=0.5", ""),
            ("identity;q=0.5, gzip", "gzip"),
            ("*", ""),
            ("gzip;q=x", ""),
            ("deflate, snappy", ""),
            ("", ""),
        ] {
            let request = TestRequest::get()
                .insert_header(("accept-encoding", sent))
                .to_http_request();
            let codings: Vec<_> = accepted(&request, &FAST)
                .iter()
                .map(|c| c.as_str())
                .collect();
            assert_eq!(codings.join(" "), expected, "{sent}");
        }
        let silent = TestRequest::get().to_http_request();
        assert!(accepted(&silent, &FAST).is_empty());
    }
}
