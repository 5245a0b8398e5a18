//! `/versions`: the API versions that clients may name in `X-Version`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use tidegate_domain::permission::Administer;
use tidegate_domain::version::{Version, VersionName, VersionPatch};
use utoipa::ToSchema;

use crate::app::Services;
use crate::auth::Require;
use crate::error::ApiError;
use crate::extract::Json;
use crate::extract::path::id;
use crate::route::{Access, RouteSpec};
use crate::routes::users::present;

/// The routes of versions.
pub fn routes() -> Vec<RouteSpec> {
    vec![
        RouteSpec::get("/versions", "listVersions", "List the API's versions")
            .tag("versions")
            .access(Access::Public)
            .unversioned()
            .answers::<VersionView>(200, "All versions, by id")
            .in_a_list()
            .to(list),
        RouteSpec::post("/versions", "createVersion", "Add a version")
            .description("Idempotency-Key is ignored here.")
            .tag("versions")
            .access(Access::Admin)
            .json::<VersionInput>()
            .answers::<VersionView>(201, "The new version")
            .answers_plain(409, "The version exists")
            .to(create),
        RouteSpec::patch("/versions/{id}", "updateVersion", "Change a version")
            .tag("versions")
            .access(Access::Admin)
            .json::<VersionPatchInput>()
            .answers::<VersionView>(200, "The changed version")
            .answers_plain(404, "There is no such version")
            .answers_plain(409, "The version exists")
            .to(update),
        RouteSpec::delete("/versions/{id}", "deleteVersion", "Take a version away")
            .tag("versions")
            .access(Access::Admin)
            .answers_plain(204, "Done")
            .answers_plain(404, "There is no such version")
            .to(delete),
    ]
}

/// A version.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionView {
    id: i64,
    #[schema(example = "1.0")]
    version: String,
    supported: bool,
}

impl From<Version> for VersionView {
    fn from(version: Version) -> Self {
        Self {
            id: version.id,
            version: version.version.as_str().to_owned(),
            supported: version.supported,
        }
    }
}

/// A version to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionInput {
    /// 1 to 10 characters of 0-9, A-Z, a-z, `.` and `-`.
    version: String,
    /// True by default.
    #[serde(default = "yes")]
    supported: bool,
}

fn yes() -> bool {
    true
}

/// What to change of a version.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionPatchInput {
    #[serde(default, deserialize_with = "present")]
    version: Option<String>,
    #[serde(default, deserialize_with = "present")]
    supported: Option<bool>,
}

async fn list(services: web::Data<Services>) -> Result<web::Json<Vec<VersionView>>, ApiError> {
    Ok(web::Json(
        services
            .versions
            .list()
            .await?
            .into_iter()
            .map(VersionView::from)
            .collect(),
    ))
}

async fn create(
    Require(auth): Require<Administer>,
    services: web::Data<Services>,
    input: Json<VersionInput>,
) -> Result<HttpResponse, ApiError> {
    let name = VersionName::parse(&input.0.version)?;
    let version = services
        .versions
        .add(&auth, &name, input.0.supported)
        .await?;
    Ok(HttpResponse::Created().json(VersionView::from(version)))
}

async fn update(
    Require(auth): Require<Administer>,
    services: web::Data<Services>,
    request: HttpRequest,
    input: Json<VersionPatchInput>,
) -> Result<web::Json<VersionView>, ApiError> {
    let id = id(&request, "id")?;
    let version = input
        .0
        .version
        .as_deref()
        .map(VersionName::parse)
        .transpose()?;
    let patch = VersionPatch {
        version,
        supported: input.0.supported,
    };
    Ok(web::Json(
        services.versions.change(&auth, id, &patch).await?.into(),
    ))
}

async fn delete(
    Require(auth): Require<Administer>,
    services: web::Data<Services>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    services.versions.remove(&auth, id(&request, "id")?).await?;
    Ok(HttpResponse::NoContent().finish())
}
