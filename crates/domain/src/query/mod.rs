//! The one query language inside: what was asked ([`ask`]), what is allowed ([`plan`]),
//! and the pure planner between them ([`planner`]).

pub mod ask;
pub mod change;
pub mod error;
pub mod plan;
pub mod planner;
pub(crate) mod similar;
