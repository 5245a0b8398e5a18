//! MySQL and MariaDB: discovery, definition and rows.

pub(crate) mod define;
mod delete;
pub(crate) mod discover;
mod fields;
mod insert;
mod keys;
mod merge;
mod once;
pub mod routines;
pub mod rows;
mod show;
mod text;
mod transaction;
mod update;
mod upsert;
