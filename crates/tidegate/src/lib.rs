//! The parts of the program: its command line, its settings, its log, and the wiring that
//! puts adapters behind the ports.

pub mod app;
pub mod cli;
pub mod commands;
pub mod config;
pub mod generate;
mod inbox;
pub mod jobs;
mod legacy;
mod parts;
mod resources;
mod running;
pub mod telemetry;
mod terminal;
mod wiring;
