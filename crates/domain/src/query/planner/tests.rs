//! The planner's table tests.

mod aggregates;
mod conditions;
mod embeds;
mod fixture;
mod reads;
mod relations;
mod upserts;
mod writes;
