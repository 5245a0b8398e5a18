//! Column definitions, new tables and changes of tables: from what clients write to the
//! types of [`super::change`], with every fault named and placed; and back to descriptions.

mod check;
mod check_change;
mod default;
mod definition;
mod description;
mod input;
#[cfg(test)]
mod tests;
mod type_text;

pub use description::TableDescription;
pub use input::{ColumnInput, ForeignKeyInput, IndexInput, TableChangeInput, TableInput};
