//! The data gateway: databases, their users, tables and rows.

pub mod change;
pub mod column_type;
pub mod foreign_key;
pub mod name;
pub mod parse;
pub mod port;
pub mod routine;
pub mod schema;
pub mod value;
pub mod zone;
