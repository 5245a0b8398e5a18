//! Health checks: exempt from credentials, limits and versions.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{HttpOptions, Services};
use crate::error::ApiError;
use crate::route::{Access, LimitClass, RouteBuilder, RouteSpec};

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// The routes.
pub fn routes() -> Vec<RouteSpec> {
    let exempt = |route: RouteBuilder| {
        route
            .tag("health")
            .access(Access::Public)
            .limit(LimitClass::Unlimited)
            .unversioned()
    };
    vec![
        exempt(RouteSpec::get(
            "/health/live",
            "live",
            "Whether the process answers",
        ))
        .answers::<Health>(200, "It does")
        .to(live),
        exempt(RouteSpec::get(
            "/health/ready",
            "ready",
            "Whether requests can be served",
        ))
        .answers::<Health>(200, "They can")
        .answers_plain(
            503,
            "The database does not answer, or this node is about to stop",
        )
        .to(ready),
    ]
}

/// The answer of a health check.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

async fn live() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok" })
}

/// Reads the list of versions, the smallest table that is always there.
async fn ready(
    services: web::Data<Services>,
    options: web::Data<HttpOptions>,
) -> Result<HttpResponse, ApiError> {
    if options.leaving.begun() {
        return Err(not_ready("This node is about to stop"));
    }
    let away = || not_ready("The database does not answer");
    match tokio::time::timeout(PATIENCE, services.versions.list()).await {
        Ok(Ok(_)) => Ok(HttpResponse::Ok().json(Health { status: "ok" })),
        Ok(Err(error)) => Err(away().cause(error)),
        Err(elapsed) => Err(away().cause(elapsed)),
    }
}

fn not_ready(detail: &'static str) -> ApiError {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", detail).retry_after(2)
}
