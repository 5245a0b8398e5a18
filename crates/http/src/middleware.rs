//! What happens to every request around its handler, from the outside in:
//!
//! 1. [`edge`]: request id, access line, security headers. It calls the others, among them
//!    [`trace`] for the span of traces and `errors` for the bodies of errors.
//! 2. [`compress`]: content coding, and what it means for entity tags.
//! 3. [`cors`]: preflights are answered, origins checked.
//! 4. [`timing`]: what took how long, below `/rest/`.
//! 5. [`gate`]: length of the URL, version, limits, credentials, in this order.

pub mod access_log;
pub mod client;
pub mod compress;
pub mod cors;
pub mod edge;
mod errors;
pub mod gate;
pub mod limits;
pub mod measure;
pub mod request_id;
pub mod timing;
pub mod trace;
