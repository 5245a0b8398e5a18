//! Stored routines, and the statements that the settings give a name: what all engines share.
//!
//! A routine is called on a connection of the engine ([`super::mysql::routines`],
//! [`super::sqlite::routines`]). What it gives is kept whole, since its transaction has to end
//! before the answer begins, and is shown by `result`; conditions, order and the like are
//! asked of it as of any other table (see `sqlite::memory`).

pub(super) mod cache;
pub(super) mod result;
pub mod statements;
pub(super) mod tidy;
