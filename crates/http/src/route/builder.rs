//! How a route is described on its way into the table.

use std::sync::Arc;

use actix_web::{FromRequest, Handler, Responder, Route};
use serde_json::Value;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};

use crate::error::render::Challenge;
use crate::route::{
    Access, AnswerInfo, BodyInfo, CowStr, LimitClass, RouteInfo, RouteSpec, SchemaRef,
};

/// A route on its way into the table. Without more it is for signed-in users, under the
/// general limit and subject to the version check.
pub struct RouteBuilder(pub(super) RouteInfo);

impl RouteBuilder {
    /// Who may use it.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.0.access = access;
        if access == Access::Docs {
            self = self.password().basic().unversioned();
        }
        self
    }

    /// Every other method is answered as well.
    #[must_use]
    pub fn any_method(mut self) -> Self {
        self.0.any_method = true;
        self
    }

    /// A request may wait for long, by the thousand.
    #[must_use]
    pub fn waits(mut self) -> Self {
        self.0.waits = true;
        self
    }

    /// Which limit applies.
    #[must_use]
    pub fn limit(mut self, limit: LimitClass) -> Self {
        self.0.limit = limit;
        self
    }

    /// The group in the documentation.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<CowStr>) -> Self {
        self.0.tag = tag.into();
        self
    }

    /// More for the documentation.
    #[must_use]
    pub fn description(mut self, description: impl Into<CowStr>) -> Self {
        self.0.description = Some(description.into());
        self
    }

    /// Its 401 asks for HTTP Basic.
    #[must_use]
    pub fn basic(mut self) -> Self {
        self.0.challenge = Challenge::Basic;
        self
    }

    /// HTTP Basic with a user name and password is taken here.
    #[must_use]
    pub fn password(mut self) -> Self {
        self.0.password = true;
        self
    }

    /// It is public, and credentials make a difference all the same.
    #[must_use]
    pub fn looks(mut self) -> Self {
        self.0.looks = true;
        self
    }

    /// `X-Version` is not looked at.
    #[must_use]
    pub fn unversioned(mut self) -> Self {
        self.0.versioned = false;
        self
    }

    /// Takes a JSON body.
    #[must_use]
    pub fn json<T: ToSchema>(self) -> Self {
        self.body("application/json", Some(SchemaRef::of::<T>()))
    }

    /// Takes a form.
    #[must_use]
    pub fn form<T: ToSchema>(self) -> Self {
        self.body(
            "application/x-www-form-urlencoded",
            Some(SchemaRef::of::<T>()),
        )
    }

    /// Takes a body of any media type.
    #[must_use]
    pub fn body(mut self, media_type: &'static str, schema: Option<SchemaRef>) -> Self {
        self.0.bodies.push(BodyInfo {
            media_type,
            schema,
            example: None,
        });
        self
    }

    /// What the last body looks like, where its schema does not say.
    #[must_use]
    pub fn sent_as(mut self, example: Value) -> Self {
        if let Some(body) = self.0.bodies.last_mut() {
            body.example = Some(example);
        }
        self
    }

    /// What the last answer looks like, where its schema does not say.
    #[must_use]
    pub fn shown_as(mut self, example: Value) -> Self {
        if let Some(answer) = self.0.answers.last_mut() {
            answer.example = Some(example);
        }
        self
    }

    /// Takes these query parameters.
    #[must_use]
    pub fn query<T: IntoParams>(mut self) -> Self {
        self.0
            .parameters
            .extend(T::into_params(|| Some(ParameterIn::Query)));
        self
    }

    /// Takes one more parameter.
    #[must_use]
    pub fn parameter(mut self, parameter: impl Into<Parameter>) -> Self {
        self.0.parameters.push(parameter.into());
        self
    }

    /// Answers JSON.
    #[must_use]
    pub fn answers<T: ToSchema>(self, status: u16, description: impl Into<CowStr>) -> Self {
        self.answers_as(status, description, SchemaRef::of::<T>())
    }

    /// Answers JSON of a schema that is put together.
    #[must_use]
    pub fn answers_as(
        self,
        status: u16,
        description: impl Into<CowStr>,
        schema: SchemaRef,
    ) -> Self {
        self.answer(AnswerInfo {
            status,
            description: description.into(),
            media_type: "application/json",
            schema: Some(schema),
            is_list: false,
            example: None,
        })
    }

    /// Makes the last answer an array of what it was.
    #[must_use]
    pub fn in_a_list(mut self) -> Self {
        if let Some(answer) = self.0.answers.last_mut() {
            answer.is_list = true;
        }
        self
    }

    /// Answers in another form than JSON.
    #[must_use]
    pub fn answers_in(
        self,
        media_type: &'static str,
        status: u16,
        description: impl Into<CowStr>,
    ) -> Self {
        self.answer(AnswerInfo {
            status,
            description: description.into(),
            media_type,
            schema: None,
            is_list: false,
            example: None,
        })
    }

    /// Answers without a body, or with one that has no schema.
    #[must_use]
    pub fn answers_plain(self, status: u16, description: impl Into<CowStr>) -> Self {
        self.answer(AnswerInfo {
            status,
            description: description.into(),
            media_type: "",
            schema: None,
            is_list: false,
            example: None,
        })
    }

    /// Answers in any form.
    #[must_use]
    pub fn answer(mut self, answer: AnswerInfo) -> Self {
        self.0.answers.push(answer);
        self
    }

    /// The handler. [`crate::auth::Require`] stands first in its arguments.
    pub fn to<F, Args>(self, handler: F) -> RouteSpec
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        RouteSpec {
            info: Arc::new(self.0),
            make: Arc::new(move || Route::new().to(handler.clone())),
        }
    }
}
