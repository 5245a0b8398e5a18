//! The domain of Tidegate: entities, value types, permissions, the query
//! language with its planner, and every port that an adapter implements.
//!
//! Nothing here does input or output, reads a clock or draws a random number;
//! what a use case needs of the outside world stands in a port.

pub mod account;
pub mod audit;
pub mod employee;
pub mod error;
pub mod gateway;
pub mod idempotency;
pub mod item;
pub mod job;
pub mod page;
pub mod permission;
pub mod post;
pub mod query;
pub mod request;
pub mod resource;
pub mod secret;
pub mod session;
pub mod system;
pub mod text;
pub mod transaction;
pub mod version;
pub mod webhook;
