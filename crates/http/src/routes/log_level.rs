//! `/admin/log-level`: what a node logs, changed while it runs.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use tidegate_application::log_level::LogControl;
use tidegate_domain::permission::Administer;
use utoipa::ToSchema;

use crate::auth::Require;
use crate::error::ApiError;
use crate::extract::Json;
use crate::route::{Access, RouteSpec};

/// The routes. [`LogControl`] has to be among the application's data.
pub fn routes() -> Vec<RouteSpec> {
    vec![
        RouteSpec::get("/admin/log-level", "logLevel", "What this node logs")
            .tag("admin")
            .access(Access::Admin)
            .answers::<Level>(200, "The level")
            .answers_plain(501, "The log belongs to whoever embeds the program")
            .to(get),
        RouteSpec::put(
            "/admin/log-level",
            "setLogLevel",
            "Change what this node logs",
        )
        .description(
            "Until the node stops; other nodes go on as they are. Statements cannot be \
             switched on here.",
        )
        .tag("admin")
        .access(Access::Admin)
        .json::<Level>()
        .answers::<Level>(200, "The new level")
        .answers_plain(501, "The log belongs to whoever embeds the program")
        .to(set),
    ]
}

/// What is logged.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = LogLevel)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// error, warn, info, debug, trace or off, also by part of the program.
    #[schema(example = "info,tidegate_http=debug")]
    level: String,
}

async fn get(
    Require(auth): Require<Administer>,
    log: web::Data<LogControl>,
) -> Result<HttpResponse, ApiError> {
    let level = log.get(&auth)?;
    Ok(HttpResponse::Ok().json(Level { level }))
}

async fn set(
    Require(auth): Require<Administer>,
    log: web::Data<LogControl>,
    Json(wanted): Json<Level>,
) -> Result<HttpResponse, ApiError> {
    log.set(&auth, &wanted.level).await?;
    Ok(HttpResponse::Ok().json(wanted))
}
