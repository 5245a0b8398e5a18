//! SQLite: how types are kept, discovery, definition and rows.

pub(crate) mod convert;
pub(crate) mod create_text;
pub(crate) mod define;
mod describe;
pub(crate) mod discover;
mod fields;
mod insert;
pub(crate) mod memory;
mod once;
mod read;
pub(crate) mod rebuild;
pub mod routines;
pub mod rows;
mod run;
mod show;
mod steps;
pub(crate) mod types;
mod upsert;
mod write;
