//! What the tests share.

pub mod client;
pub mod documented;
#[macro_use]
pub mod engines;
pub mod app;
pub mod certificates;
pub mod process;
pub mod resource;
pub mod rest;
pub mod server;
pub mod stores;
