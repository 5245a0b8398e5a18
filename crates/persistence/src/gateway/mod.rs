//! The data gateway: catalogue, definitions and rows of the databases that clients use.

pub mod accounts;
pub mod catalog;
pub mod changes;
mod ddl;
pub mod editor;
mod lineage;
mod literal;
pub mod mysql;
mod once;
pub mod open;
pub mod pool;
pub mod probe;
pub mod routines;
pub(crate) mod rows;
pub(crate) mod sql;
pub mod sqlite;
mod type_text;

pub(crate) use ddl::mysql_name;
