//! The extractors that turn the outcome of authentication into proof of a right.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use tidegate_domain::account::UserId;
use tidegate_domain::permission::{
    AdminOrSelf, Administer, Authorized, Permission, Principal, ReadRows, SignedIn, WriteRows,
};

use crate::app::HttpOptions;
use crate::auth::{Outcome, SharedOutcome};
use crate::context::missing;
use crate::error::ApiError;
use crate::extract::path::id;

/// A permission that a route asks for, built from its path.
pub trait FromRoute: Permission + Sized {
    /// The permission for this request. Called only for known principals, so a bad path
    /// parameter is a 422 for them and a 401 for all others.
    ///
    /// # Errors
    /// A path parameter that does not fit.
    fn from_route(request: &HttpRequest) -> Result<Self, ApiError>;
}

macro_rules! whatever_the_path {
    ($($permission:ident),*) => {$(
        impl FromRoute for $permission {
            fn from_route(_: &HttpRequest) -> Result<Self, ApiError> {
                Ok($permission)
            }
        }
    )*};
}

whatever_the_path!(SignedIn, Administer, ReadRows, WriteRows);

impl FromRoute for AdminOrSelf {
    fn from_route(request: &HttpRequest) -> Result<Self, ApiError> {
        id(request, "id").map(|id| Self(UserId(id)))
    }
}

/// Proof that the principal may use this route. The first argument of a handler.
#[derive(Debug)]
pub struct Require<P>(pub Authorized<P>);

impl<P: FromRoute> FromRequest for Require<P> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(authorize(request).map(Self))
    }
}

fn authorize<P: FromRoute>(request: &HttpRequest) -> Result<Authorized<P>, ApiError> {
    let outcome = outcome(request)?;
    let principal = outcome.principal()?;
    Ok(principal.authorize(P::from_route(request)?)?)
}

/// Who asks, on routes that anonymous callers may use too. Bad credentials are a 401:
/// who sends some wants to be known by them.
#[derive(Debug)]
pub struct Caller {
    /// The principal, if there were credentials.
    pub principal: Option<Principal>,
    /// The id or name of HTTP Basic, as sent.
    pub sent_name: Option<String>,
}

impl Caller {
    /// Proof of a right.
    ///
    /// # Errors
    /// 401 for anonymous callers, 403 for those without the right.
    pub fn require<P: Permission>(&self, permission: P) -> Result<Authorized<P>, ApiError> {
        match &self.principal {
            Some(principal) => Ok(principal.authorize(permission)?),
            None => Err(tidegate_application::error::Unauthenticated::Missing.into()),
        }
    }
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(outcome(request).and_then(|outcome| match outcome.as_ref() {
            Outcome::Anonymous => Ok(Self {
                principal: None,
                sent_name: None,
            }),
            Outcome::Known {
                principal,
                sent_name,
            } => Ok(Self {
                principal: Some(principal.clone()),
                sent_name: sent_name.clone(),
            }),
            failed @ Outcome::Failed(_) => failed.principal().map(|principal| Self {
                principal: Some(principal.clone()),
                sent_name: None,
            }),
        }))
    }
}

/// Proof that the caller may read the documentation.
#[derive(Debug)]
pub struct DocsReader(());

impl FromRequest for DocsReader {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let public = request
            .app_data::<web::Data<HttpOptions>>()
            .is_some_and(|o| o.docs_public);
        ready(if public {
            Ok(Self(()))
        } else {
            authorize::<SignedIn>(request).map(|_| Self(()))
        })
    }
}

fn outcome(request: &HttpRequest) -> Result<SharedOutcome, ApiError> {
    let extensions = request.extensions();
    extensions
        .get::<SharedOutcome>()
        .cloned()
        .ok_or_else(|| missing("authentication"))
}
