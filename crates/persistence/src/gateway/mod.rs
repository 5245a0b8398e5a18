//! The data gateway: catalogue, definitions and rows of the databases that clients use.

pub mod accounts;
pub mod catalog;
mod ddl;
pub mod editor;
mod literal;
pub mod mysql;
pub mod open;
pub mod pool;
mod rows;
mod sql;
pub mod sqlite;
mod type_text;
