//! The handlers, and the one list of all routes.

pub mod databases;
pub mod docs;
pub mod early;
pub mod files;
pub mod health;
pub mod posts;
pub mod root;
pub mod tokens;
pub mod users;
pub mod versions;

use serde::Serialize;
use utoipa::ToSchema;

use crate::rest;
use crate::route::RouteSpec;

/// Every route there is. A new group of routes is one line here.
pub fn all() -> Vec<RouteSpec> {
    [
        root::routes(),
        docs::routes(),
        health::routes(),
        tokens::routes(),
        users::routes(),
        versions::routes(),
        databases::routes(),
        early::routes(),
        rest::handlers::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What was done, in words.
#[derive(Debug, Serialize, ToSchema)]
pub struct Detail {
    detail: String,
}

impl Detail {
    /// With this sentence.
    pub(crate) fn new(detail: &str) -> Self {
        Self {
            detail: detail.to_owned(),
        }
    }
}
