//! Bodies: [`json`] is read whole and checked at once, [`csv`] is turned into rows as it
//! arrives.

pub mod csv;
pub mod json;
