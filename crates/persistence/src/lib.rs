//! Adapters of the domain's storage ports for MySQL, MariaDB and SQLite: Tidegate's own
//! database with sea-orm, and the gateway's databases with plain sqlx.

pub mod access;
pub mod accounts;
pub mod audit;
pub mod backup;
pub mod database;
mod employee;
pub mod engine;
mod error;
pub mod gateway;
pub mod idempotency;
pub mod inbox;
mod item;
pub mod jobs;
pub mod measure;
pub mod post;
mod private;
pub mod resource;
mod retry;
mod statement;
pub mod stores;
