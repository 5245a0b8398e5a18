//! `/admin/audit`: who changed what.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tidegate_application::audit::Audit;
use tidegate_domain::audit::{Action, AuditFilter, Recorded};
use tidegate_domain::error::InvalidInput;
use tidegate_domain::page::PageRequest;
use tidegate_domain::permission::Administer;
use utoipa::{IntoParams, ToSchema};

use crate::auth::Require;
use crate::context::Context;
use crate::error::ApiError;
use crate::extract::Query;
use crate::paging;
use crate::route::{Access, RouteSpec};

/// The most entries of a page.
const MAX_PAGE: u64 = 100;

/// The routes. [`Audit`] has to be among the application's data.
pub fn routes() -> Vec<RouteSpec> {
    vec![
        RouteSpec::get(
            "/admin/audit",
            "listAudit",
            "Who changed what, newest first",
        )
        .description(
            "Log-ins, and changes of users, roles, passwords, keys, sessions, versions, \
                 databases, tables, webhooks and the log. Secrets are not in it.",
        )
        .tag("admin")
        .access(Access::Admin)
        .query::<AuditQuery>()
        .answers::<AuditList>(200, "The entries of the page")
        .to(list),
    ]
}

/// What is asked of the audit trail.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Entries of a user: the id, or the name at that time.
    actor: Option<String>,
    /// Entries of an action, such as `user.changed`.
    action: Option<String>,
    /// Entries about a kind of thing, such as `user`.
    target_kind: Option<String>,
    /// Entries about one of them: a number or a name.
    target: Option<String>,
    /// Entries from this time on (RFC 3339).
    since: Option<String>,
    /// Entries before this time (RFC 3339).
    until: Option<String>,
    /// 1 by default.
    page: Option<i64>,
    /// 20 by default, 100 at most.
    limit: Option<i64>,
}

/// Entries of the audit trail.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditList {
    page: i64,
    limit: u64,
    total: u64,
    entries: Vec<Recorded>,
}

async fn list(
    Require(auth): Require<Administer>,
    audit: web::Data<Audit>,
    Context(context): Context,
    request: HttpRequest,
    query: Query<AuditQuery>,
) -> Result<HttpResponse, ApiError> {
    let query = query.0;
    let number = query.page.unwrap_or(1);
    let page = PageRequest::page(number, query.limit.unwrap_or(20), MAX_PAGE)?;
    let filter = AuditFilter {
        actor: query.actor,
        action: query.action.as_deref().map(Action::parse).transpose()?,
        target_kind: query.target_kind,
        target: query.target,
        since: time("since", query.since)?,
        until: time("until", query.until)?,
    };
    let found = audit.list(&auth, &filter, page).await?;
    let mut response = HttpResponse::Ok().json(AuditList {
        page: number,
        limit: page.limit,
        total: found.total,
        entries: found.items,
    });
    let headers = response.headers_mut();
    paging::describe(headers, &request, &context, page, found.total);
    Ok(response)
}

fn time(name: &str, text: Option<String>) -> Result<Option<DateTime<Utc>>, InvalidInput> {
    let read = text.map(|text| DateTime::parse_from_rfc3339(&text));
    let read = read
        .transpose()
        .map_err(|_| InvalidInput::member(name, "must be a time such as 2026-03-01T06:40:00Z"))?;
    Ok(read.map(|time| time.to_utc()))
}
