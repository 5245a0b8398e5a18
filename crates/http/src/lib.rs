//! The HTTP layer of Tidegate: routes, extractors, errors, limits and the server.
//!
//! It sees the domain and the use cases, and no database, hashing or token library.

pub mod app;
pub mod auth;
mod coding;
mod conditional;
pub mod context;
pub mod drain;
pub mod error;
pub mod extract;
pub mod idempotency;
pub mod listeners;
pub mod middleware;
pub mod monitor;
pub mod openapi;
pub mod paging;
pub mod redirect;
pub mod resource;
pub mod rest;
pub mod route;
pub mod routes;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
