//! The webhook inbox: how messages of providers are told apart, proven and answered.
//!
//! Nothing here trusts a message. A delivery id says nothing of who sent it, and a
//! handshake is answered to anybody; only a [`signature::Verdict`] proves an origin.

pub mod consumer;
pub mod form;
pub mod handshake;
pub mod header;
pub mod hook;
pub mod message;
mod pointer;
pub mod provider;
pub mod seal;
pub mod signature;
