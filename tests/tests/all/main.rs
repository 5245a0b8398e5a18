//! All integration tests in one binary: contract tests of the ports, black-box tests of the
//! API, and tests of the workspace itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on says so"
)]
#![allow(
    unreachable_pub,
    missing_docs,
    reason = "nothing here is seen from outside"
)]

#[macro_use]
mod support;

mod accounts;
mod architecture;
mod audit;
mod backup;
mod compression;
mod conditional;
mod contract_accounts;
mod contract_inbox;
mod contract_resources;
mod contract_rows;
mod contract_schema;
mod database_tls;
mod draining;
mod employees;
mod example_data;
mod extending;
mod faults;
mod g_routes;
mod gateway;
mod http;
mod idempotency;
mod idempotency_rows;
mod inbox_collect;
mod inbox_pull;
mod inbox_receive;
mod inbox_w;
mod injection;
mod items;
mod jobs;
mod library;
mod listeners;
mod metrics;
mod migrations;
mod nodes;
mod permissions;
mod posts;
mod resilience;
mod rows;
mod schema_changes;
mod secrets;
mod sessions;
mod static_files;
mod telemetry;
mod tls;
mod tour;
mod versions;
mod webhooks;
