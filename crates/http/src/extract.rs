//! Extractors of bodies, queries and path parameters, with the statuses of the
//! conventions: 400 only where the text is not the format at all, 422 with a pointer
//! for everything that is the format but does not fit.

pub mod body;
pub mod fields;
pub mod form;
pub mod json;
pub mod path;
pub mod query;

pub use form::{Form, JsonOrForm};
pub use json::Json;
pub use query::Query;
