//! What is checked of a request before its handler: the length of the URL, the version,
//! the limits and the credentials.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderName;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpRequest};
use tidegate_application::auth::Authenticator;
use tidegate_application::phase::{self, Phase};
use tidegate_application::versions::Versions;
use tidegate_domain::error::StoreError;
use tracing::Instrument as _;

use crate::auth::credentials::Credentials;
use crate::auth::{Outcome, SharedOutcome, resolve};
use crate::context::RequestContext;
use crate::error::ApiError;
use crate::middleware::limits::{Allowance, Limits};
use crate::route::LimitClass;

/// The header with the API version.
pub static VERSION: HeaderName = HeaderName::from_static("x-version");

/// What the checks need.
pub struct Gate {
    /// The counters.
    pub limits: Arc<Limits>,
    /// The longest path with query, in bytes.
    pub max_url_bytes: usize,
    /// Checks credentials.
    pub authenticator: Arc<Authenticator>,
    /// Knows the versions.
    pub versions: Arc<Versions>,
}

impl Gate {
    async fn check(
        &self,
        request: &HttpRequest,
        context: &RequestContext,
    ) -> Result<Option<Allowance>, ApiError> {
        let route = context.route.as_deref();
        self.check_url(request)?;
        self.check_version(request, context.versioned)?;
        let class = match route {
            // A password on an ordinary route is a log-in all the same.
            Some(route) if route.password && Credentials::of(request.headers()).is_password() => {
                LimitClass::Credentials
            }
            Some(route) => route.limit,
            None => LimitClass::General,
        };
        let allowance = self.limits.check(class, context.client.address)?;
        // Health checks are answered without looking at credentials: they must not wait
        // for the database. What senders of webhooks send is for whoever collects it. Where
        // there is no route, nobody asks for them.
        let outcome = match route {
            Some(route) if !matches!(route.limit, LimitClass::Unlimited | LimitClass::Inbox) => {
                resolve(
                    &self.authenticator,
                    request.headers(),
                    route.password,
                    &context.client,
                )
                .instrument(tracing::debug_span!(target: "tidegate::trace", "authorise"))
                .await
            }
            _ => Outcome::Anonymous,
        };
        request
            .extensions_mut()
            .insert::<SharedOutcome>(Rc::new(outcome));
        Ok(allowance)
    }

    fn check_url(&self, request: &HttpRequest) -> Result<(), ApiError> {
        let length = request
            .uri()
            .path_and_query()
            .map_or(0, |path| path.as_str().len());
        if length <= self.max_url_bytes {
            return Ok(());
        }
        Err(ApiError::new(
            StatusCode::URI_TOO_LONG,
            "uri_too_long",
            format!(
                "The path with its query may have {} bytes at most",
                self.max_url_bytes
            ),
        ))
    }

    fn check_version(&self, request: &HttpRequest, versioned: bool) -> Result<(), ApiError> {
        if !versioned {
            return Ok(());
        }
        let header = request.headers().get(&VERSION);
        let version = header.map(|version| version.to_str().unwrap_or_default());
        // The list is read last of all that a start prepares. Before that there may be no
        // user yet, and a log-in would be refused for the wrong reason.
        let supported = self
            .versions
            .supports(version)
            .ok_or_else(|| StoreError::Unavailable("the database was not prepared yet".into()))?;
        if supported {
            return Ok(());
        }
        Err(ApiError::new(
            StatusCode::UPGRADE_REQUIRED,
            "version_not_supported",
            "Version not supported anymore",
        ))
    }
}

/// Checks a request and has it answered. Refusals are answers, so that those around it can add
/// their headers.
///
/// # Errors
/// Those of the services inside.
pub async fn gate(
    gate: &Gate,
    context: &RequestContext,
    request: ServiceRequest,
    next: &Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let allowance = match gate.check(request.request(), context).await {
        Ok(allowance) => allowance,
        Err(error) => return Ok(request.error_response(error)),
    };
    phase::ended(Phase::Credentials);
    let mut response = next.call(request).await?;
    if let Some(allowance) = allowance {
        allowance.add_to(response.headers_mut());
    }
    Ok(response)
}
