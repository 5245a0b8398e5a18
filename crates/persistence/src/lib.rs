//! Adapters of the domain's storage ports for MySQL, MariaDB and SQLite: Tidegate's own
//! database with sea-orm, and the gateway's databases with plain sqlx.

pub mod accounts;
pub mod database;
pub mod engine;
mod error;
pub mod gateway;
mod private;
