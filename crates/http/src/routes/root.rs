//! `GET /`: a check of credentials, or a word of welcome.

use actix_web::http::header::{ACCEPT, LOCATION, VARY};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::HttpOptions;
use crate::auth::Caller;
use crate::context::Context;
use crate::error::ApiError;
use crate::route::{Access, RouteSpec};

/// The routes.
pub fn routes() -> Vec<RouteSpec> {
    vec![
        RouteSpec::get("/", "root", "Checks credentials, or says where to go on")
            .description(
                "With credentials: who they belong to. Without: browsers are sent to `/docs`.",
            )
            .tag("root")
            .access(Access::Public)
            .looks()
            .basic()
            .password()
            .answers::<Welcome>(200, "Who is signed in, or what this is")
            .answers_plain(307, "A browser, to the documentation")
            .answers_plain(401, "The credentials are not good")
            .to(root),
    ]
}

/// The answer of the root.
#[derive(Debug, Serialize, ToSchema)]
pub struct Welcome {
    /// The id or name as sent, or the user of the access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// A sentence.
    message: String,
    /// The product's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    /// Where the documentation is.
    #[serde(skip_serializing_if = "Option::is_none")]
    docs: Option<String>,
    /// Where the OpenAPI document is.
    #[serde(skip_serializing_if = "Option::is_none")]
    openapi: Option<String>,
}

async fn root(
    caller: Caller,
    Context(context): Context,
    options: web::Data<HttpOptions>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let docs = format!("{}/docs", context.base_url);
    let mut answer = match caller.principal {
        Some(principal) => {
            let username = caller
                .sent_name
                .unwrap_or_else(|| principal.username.as_str().to_owned());
            let message = format!("Welcome, {username}");
            HttpResponse::Ok().json(Welcome {
                username: Some(username),
                message,
                version: None,
                docs: None,
                openapi: None,
            })
        }
        None if is_browser(&request) => HttpResponse::TemporaryRedirect()
            .insert_header((LOCATION, docs))
            .finish(),
        None => HttpResponse::Ok().json(Welcome {
            username: None,
            message: "Welcome to Tidegate".to_owned(),
            version: Some(options.version),
            docs: Some(docs),
            openapi: Some(format!("{}/openapi.json", context.base_url)),
        }),
    };
    let vary = actix_web::http::header::HeaderValue::from_static("Accept, Authorization");
    answer.headers_mut().append(VARY, vary);
    Ok(answer)
}

fn is_browser(request: &HttpRequest) -> bool {
    let accepts = |value: &actix_web::http::header::HeaderValue| {
        value
            .to_str()
            .is_ok_and(|text| text.to_ascii_lowercase().contains("text/html"))
    };
    request.headers().get_all(ACCEPT).any(accepts)
}
