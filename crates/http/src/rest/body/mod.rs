//! Bodies: [`json`] and [`form`] are read whole, [`csv`] is turned into rows as it arrives.

pub mod csv;
pub mod form;
pub mod json;
