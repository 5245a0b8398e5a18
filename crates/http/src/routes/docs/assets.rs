//! The files of the documentation pages, which the program holds: large ones compressed, as
//! `scripts/update-docs-assets` puts them down.

use std::fmt::Write as _;
use std::io::{self, Read as _};
use std::sync::OnceLock;

use actix_web::http::header::{
    AcceptEncoding, CACHE_CONTROL, CONTENT_ENCODING, Encoding, Header as _, VARY,
};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use flate2::read::GzDecoder;
use sha2::{Digest as _, Sha256};

use crate::error::ApiError;

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// A file: what it is called, what it is, and its bytes.
#[derive(Debug)]
struct Asset {
    name: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
    is_compressed: bool,
    /// The bytes of a compressed one, unpacked when somebody first asks for them.
    unpacked: OnceLock<Bytes>,
}

const fn plain(name: &'static str, media_type: &'static str, bytes: &'static [u8]) -> Asset {
    Asset {
        name,
        media_type,
        bytes,
        is_compressed: false,
        unpacked: OnceLock::new(),
    }
}

const fn compressed(name: &'static str, media_type: &'static str, bytes: &'static [u8]) -> Asset {
    Asset {
        name,
        media_type,
        bytes,
        is_compressed: true,
        unpacked: OnceLock::new(),
    }
}

static ASSETS: [Asset; 7] = [
    plain(
        "docs.css",
        STYLE,
        include_bytes!("../../../assets/docs/docs.css"),
    ),
    plain(
        "icon.svg",
        "image/svg+xml",
        include_bytes!("../../../assets/docs/icon.svg"),
    ),
    compressed(
        "licences.txt",
        "text/plain; charset=utf-8",
        include_bytes!("../../../assets/docs/licences.txt.gz"),
    ),
    compressed(
        "redoc.js",
        SCRIPT,
        include_bytes!("../../../assets/docs/redoc.js.gz"),
    ),
    plain(
        "swagger.js",
        SCRIPT,
        include_bytes!("../../../assets/docs/swagger.js"),
    ),
    compressed(
        "swagger-ui.css",
        STYLE,
        include_bytes!("../../../assets/docs/swagger-ui.css.gz"),
    ),
    compressed(
        "swagger-ui.js",
        SCRIPT,
        include_bytes!("../../../assets/docs/swagger-ui.js.gz"),
    ),
];

/// The files under an address that changes with them, so that browsers may keep them.
#[derive(Debug, Clone)]
pub(super) struct Assets {
    stamp: String,
}

impl Assets {
    pub(super) fn new() -> Self {
        let mut digest = Sha256::new();
        for asset in &ASSETS {
            digest.update(asset.bytes);
        }
        let mut stamp = String::new();
        for byte in digest.finalize().iter().take(6) {
            let _ = write!(stamp, "{byte:02x}");
        }
        Self { stamp }
    }

    /// Below which path they are.
    pub(super) fn base(&self, prefix: &str) -> String {
        format!("{prefix}/docs/assets/{}", self.stamp)
    }

    /// A file, as it is or as it is kept.
    ///
    /// # Errors
    /// 404 where there is no such file.
    pub(super) fn answer(&self, request: &HttpRequest) -> Result<HttpResponse, ApiError> {
        let path = request.match_info();
        let asset = ASSETS.iter().find(|asset| asset.name == path.query("file"));
        let asset = asset.ok_or_else(|| ApiError::not_found("There is no such file"))?;
        // While one node after the other is updated a page may ask the other one.
        let keep = if path.query("stamp") == self.stamp {
            "public, max-age=31536000, immutable, no-transform"
        } else {
            "no-store, no-transform"
        };
        let mut response = HttpResponse::Ok();
        response
            .content_type(asset.media_type)
            .insert_header((CACHE_CONTROL, keep));
        if !asset.is_compressed {
            return Ok(response.body(asset.bytes));
        }
        response.insert_header((VARY, "Accept-Encoding"));
        if takes_gzip(request) {
            response.insert_header((CONTENT_ENCODING, "gzip"));
            return Ok(response.body(asset.bytes));
        }
        Ok(response.body(asset.unpacked().map_err(ApiError::internal)?))
    }
}

impl Asset {
    /// What a compressed one holds, shared by all who ask.
    fn unpacked(&self) -> io::Result<Bytes> {
        if let Some(known) = self.unpacked.get() {
            return Ok(known.clone());
        }
        let mut unpacked = Vec::new();
        GzDecoder::new(self.bytes).read_to_end(&mut unpacked)?;
        Ok(self.unpacked.get_or_init(|| unpacked.into()).clone())
    }
}

fn takes_gzip(request: &HttpRequest) -> bool {
    let forms = [Encoding::gzip(), Encoding::identity()];
    AcceptEncoding::parse(request)
        .ok()
        .and_then(|accepted| accepted.negotiate(forms.iter()))
        == Some(Encoding::gzip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_can_be_unpacked_and_the_pages_ask_for_what_there_is() {
        for asset in &ASSETS {
            let text = if asset.is_compressed {
                asset.unpacked().unwrap()
            } else {
                Bytes::from_static(asset.bytes)
            };
            assert!(!text.is_empty(), "{}", asset.name);
        }
        let pages = [
            include_str!("../../../assets/docs/redoc.html"),
            include_str!("../../../assets/docs/swagger.html"),
        ];
        for page in pages {
            let asked: Vec<&str> = page
                .split("{assets}/")
                .skip(1)
                .filter_map(|rest| rest.split(['"', ' ']).next())
                .collect();
            assert!(asked.len() > 3);
            for name in asked {
                assert!(ASSETS.iter().any(|asset| asset.name == name), "{name}");
            }
        }
    }
}
