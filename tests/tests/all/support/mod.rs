//! What the tests share.

pub mod client;
#[macro_use]
pub mod engines;
pub mod app;
pub mod process;
pub mod resource;
pub mod rest;
pub mod server;
pub mod stores;
