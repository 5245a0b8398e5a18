//! What is allowed: plans with private fields, which only the planner builds. Every name
//! in them comes from the catalogue and every value has the type of what it is compared with, so that the
//! SQL printers cannot print request text.

mod read;
mod write;

pub use read::*;
pub use write::*;
