//! The documentation: the OpenAPI document, and two pages that show it, Redoc to read and Swagger
//! UI to try. All that the pages need comes out of the program.

mod assets;

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY,
};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use utoipa::openapi::OpenApi;

use crate::auth::DocsReader;
use crate::conditional::Tagged;
use crate::error::ApiError;
use crate::resource::kept;
use crate::route::{Access, RouteSpec};
use crate::routes::docs::assets::Assets;

/// Redoc keeps its own symbols as a font in its script. Both pages set styles from scripts.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; font-src data:; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'; connect-src 'self'";

/// The routes.
pub fn routes() -> Vec<RouteSpec> {
    vec![
        kept(RouteSpec::get("/openapi.json", "openapi", "This document"))
            .tag("docs")
            .access(Access::Docs)
            .answers_in("application/json", 200, "The OpenAPI 3.1 document")
            .to(openapi),
        RouteSpec::get("/docs", "docs", "The documentation, to read")
            .description("Redoc on this document.")
            .tag("docs")
            .access(Access::Docs)
            .answers_in("text/html", 200, "The page")
            .to(docs),
        RouteSpec::get("/swagger", "swagger", "The documentation, to try")
            .description("Swagger UI on this document, which can sign in and send requests.")
            .tag("docs")
            .access(Access::Docs)
            .answers_in("text/html", 200, "The page")
            .to(swagger),
        RouteSpec::get(
            "/docs/assets/{stamp}/{file}",
            "docsAsset",
            "A file that the pages of the documentation need",
        )
        .description("Everybody may read them: they say nothing of this server.")
        .tag("docs")
        .access(Access::Public)
        .unversioned()
        .answers_in("*/*", 200, "The file")
        .answers_plain(404, "There is no such file")
        .to(asset),
    ]
}

/// All forms of the documentation, made once.
#[derive(Debug, Clone)]
pub struct Documentation {
    document: Tagged,
    docs: Bytes,
    swagger: Bytes,
    policy: HeaderValue,
    assets: Assets,
}

impl Documentation {
    /// The forms of a document.
    ///
    /// # Errors
    /// When it cannot be written as JSON, or its server's address is none.
    pub fn new(document: &OpenApi) -> std::io::Result<Self> {
        let server = document.servers.iter().flatten().next();
        let server = server.map_or("", |server| server.url.trim_end_matches('/'));
        // The pages may be opened under another address than that of the server.
        let (origin, prefix) = split(server);
        let policy = HeaderValue::try_from(format!("{POLICY} {origin}").trim_end());
        let assets = Assets::new();
        let base = assets.base(prefix);
        let page =
            |html: &str| Bytes::from(html.replace("{assets}", &base).replace("{prefix}", prefix));
        Ok(Self {
            document: Tagged::new(document).map_err(std::io::Error::other)?,
            docs: page(include_str!("../../assets/docs/redoc.html")),
            swagger: page(include_str!("../../assets/docs/swagger.html")),
            policy: policy.map_err(std::io::Error::other)?,
            assets,
        })
    }

    fn page(&self, page: &Bytes) -> HttpResponse {
        HttpResponse::Ok()
            .content_type("text/html; charset=utf-8")
            .insert_header((CACHE_CONTROL, "private, no-cache"))
            .insert_header((CONTENT_SECURITY_POLICY, self.policy.clone()))
            .insert_header((REFERRER_POLICY, "no-referrer"))
            .insert_header((
                HeaderName::from_static("cross-origin-opener-policy"),
                "same-origin",
            ))
            .body(page.clone())
    }
}

/// The origin and the path of a URL without a slash at its end.
fn split(url: &str) -> (&str, &str) {
    let host = url.find("://").map_or(0, |scheme| scheme + 3);
    match url.get(host..).and_then(|rest| rest.find('/')) {
        Some(path) => url.split_at(host + path),
        None => (url, ""),
    }
}

async fn openapi(
    _: DocsReader,
    documentation: web::Data<Documentation>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    documentation.document.clone().answer(&request)
}

async fn docs(_: DocsReader, documentation: web::Data<Documentation>) -> HttpResponse {
    documentation.page(&documentation.docs)
}

async fn swagger(_: DocsReader, documentation: web::Data<Documentation>) -> HttpResponse {
    documentation.page(&documentation.swagger)
}

async fn asset(
    documentation: web::Data<Documentation>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    documentation.assets.answer(&request)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_url_is_an_origin_and_a_path() {
        for (url, parts) in [
            ("", ("", "")),
            ("https://a.example", ("https://a.example", "")),
            (
                "https://a.example:8443/x/y",
                ("https://a.example:8443", "/x/y"),
            ),
        ] {
            assert_eq!(split(url), parts);
        }
    }
}
