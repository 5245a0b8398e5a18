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
mod aggregates;
mod architecture;
mod audit;
mod backup;
mod catalogue_scale;
mod compression;
mod conditional;
mod contract_accounts;
mod contract_inbox;
mod contract_resources;
mod contract_rows;
mod contract_schema;
mod database_tls;
mod differential;
mod draining;
mod embeds;
mod employees;
mod example_data;
mod exhaustion;
mod extending;
mod faults;
mod fuzzed;
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
mod json_paths;
mod library;
mod listeners;
mod media;
mod metrics;
mod migrations;
mod nodes;
mod permissions;
mod postgrest_examples;
mod posts;
mod prefer;
mod query_page;
mod relations;
mod resilience;
mod rest_around;
mod rest_openapi;
mod rows;
mod rpc;
mod schema_changes;
mod search;
mod secrets;
mod sessions;
mod static_files;
mod telemetry;
mod tls;
mod tour;
mod versions;
mod webhooks;
mod writes_change;
mod writes_insert;
mod writes_together;
