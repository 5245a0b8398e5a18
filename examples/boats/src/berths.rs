//! How much quay the boats take: a use case of one's own over a port of Tidegate's, and its
//! route.

use std::sync::Arc;

use actix_web::web;
use serde::Serialize;
use tidegate_domain::error::StoreError;
use tidegate_domain::permission::{Authorized, SignedIn};
use tidegate_domain::query::ask::Query;
use tidegate_domain::resource::Repository;
use tidegate_http::auth::Require;
use tidegate_http::error::ApiError;
use tidegate_http::route::RouteSpec;
use utoipa::ToSchema;

use crate::boat::Boat;

/// The use case.
pub(crate) struct Berths {
    boats: Arc<dyn Repository<Boat>>,
}

/// What the boats take.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Quay {
    boats: usize,
    length_cm: i64,
}

impl Berths {
    pub(crate) fn new(boats: impl Repository<Boat> + 'static) -> Self {
        Self {
            boats: Arc::new(boats),
        }
    }

    async fn taken(&self, _: &Authorized<SignedIn>) -> Result<Quay, StoreError> {
        let boats = self.boats.list(&Query::default()).await?.items;
        Ok(Quay {
            boats: boats.len(),
            length_cm: boats.iter().map(|boat| boat.draft.length_cm.get()).sum(),
        })
    }
}

/// The route.
pub(crate) fn routes() -> Vec<RouteSpec> {
    vec![
        RouteSpec::get("/berths", "getBerths", "How much quay the boats take")
            .tag("boats")
            .answers::<Quay>(200, "Their number and length")
            .to(taken),
    ]
}

async fn taken(
    Require(auth): Require<SignedIn>,
    berths: web::Data<Berths>,
) -> Result<web::Json<Quay>, ApiError> {
    Ok(web::Json(berths.taken(&auth).await?))
}
