//! Which database and table a request is about: the path's, or another database by
//! `Accept-Profile` (reads) and `Content-Profile` (all else).

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};
use tidegate_domain::permission::Authorized;

use super::error::fault;
use crate::app::Services;
use crate::error::ApiError;
use crate::extract::path;

const ACCEPT_PROFILE: HeaderName = HeaderName::from_static("accept-profile");
pub(super) const CONTENT_PROFILE: HeaderName = HeaderName::from_static("content-profile");

/// What PostgREST's clients say where nobody tells them anything else.
const USUAL: &str = "public";

/// What a request is about.
pub(super) struct Target {
    /// The database.
    pub(super) database: String,
    /// The table, view or routine; empty where the path names none.
    pub(super) table: String,
    profile: Option<HeaderValue>,
}

impl Target {
    /// Reads the path and the profile.
    ///
    /// # Errors
    /// A profile that is not the name of a database: 406.
    pub(super) async fn of<P>(
        services: &Services,
        auth: &Authorized<P>,
        request: &HttpRequest,
    ) -> Result<Self, ApiError> {
        let parameters = request.match_info();
        let table = ["table", "function"]
            .into_iter()
            .find(|name| parameters.get(name).is_some());
        let mut target = Self {
            database: path::text(request, "db")?,
            table: table.map_or_else(|| Ok(String::new()), |name| path::text(request, name))?,
            profile: None,
        };
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let header = if reads {
            ACCEPT_PROFILE
        } else {
            CONTENT_PROFILE
        };
        let Some(profile) = request.headers().get(header) else {
            return Ok(target);
        };
        let name = profile.to_str().unwrap_or_default();
        if name != target.database {
            let there = services.gateway.has_database(auth, name).await?;
            if there {
                target.database = name.to_owned();
            } else if name != USUAL {
                return Err(unknown(name, &target.database));
            }
        }
        target.profile = Some(profile.clone());
        Ok(target)
    }

    /// Says in an answer which profile it is of, where the request named one.
    pub(super) fn mark(&self, mut answer: HttpResponse) -> HttpResponse {
        if let Some(profile) = &self.profile {
            let headers = answer.headers_mut();
            headers.insert(CONTENT_PROFILE, profile.clone());
        }
        answer
    }
}

fn unknown(name: &str, database: &str) -> ApiError {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    fault(
        StatusCode::NOT_ACCEPTABLE,
        "PGRST106",
        format!("Invalid schema: {shown}"),
    )
    .hint(format!(
        "There is no database of this name; without the header it is {database}"
    ))
}
