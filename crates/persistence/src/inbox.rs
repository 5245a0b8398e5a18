//! The webhook inbox in Tidegate's own database.

pub mod arrivals;
mod commit;
pub mod consumers;
pub mod gauges;
pub mod legacy;
pub mod messages;
pub mod receivers;
mod retention;
pub mod webhooks;
