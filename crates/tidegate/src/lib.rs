//! The parts of the program: its command line, its settings, its log, and the wiring that
//! puts adapters behind the ports.

pub mod app;
mod backup;
pub mod cli;
pub mod commands;
pub mod config;
pub mod generate;
mod healthcheck;
mod inbox;
pub mod jobs;
mod legacy;
mod listen;
mod monitor;
mod parts;
mod resources;
mod running;
pub mod telemetry;
mod terminal;
mod tls;
mod wiring;
