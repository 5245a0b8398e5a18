//! The use cases of Tidegate, over the ports of the domain.
//!
//! A use case that needs a right takes `&Authorized<P>`; how requests look and where
//! records are kept is unknown here.

pub mod accounts;
pub mod audit;
pub mod auth;
pub mod backoff;
pub mod crud;
pub mod ended;
pub mod error;
pub mod gateway;
pub mod idempotency;
pub mod inbox;
pub mod jobs;
pub mod log_level;
pub mod phase;
pub mod posts;
pub mod routines;
pub mod rows;
pub mod tokens;
pub mod versions;
pub mod webhooks;
