//! The handlers, and the one list of all routes.

pub mod audit;
pub mod consumers;
pub mod databases;
pub mod docs;
pub mod early;
pub mod files;
pub mod health;
pub mod inbox;
pub mod jobs;
pub mod log_level;
pub mod posts;
pub mod receiver;
pub mod root;
pub mod tokens;
pub mod users;
pub mod versions;
pub mod webhooks;
pub mod whcontent;

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
        rest::rpc::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The routes of the webhook inbox. Its use cases have to be among the application's data.
pub fn inbox_routes() -> Vec<RouteSpec> {
    [
        webhooks::routes(),
        receiver::routes(),
        inbox::routes(),
        consumers::routes(),
        whcontent::routes(),
    ]
    .concat()
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
