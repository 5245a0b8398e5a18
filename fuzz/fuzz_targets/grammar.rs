//! The grammar of requests under libFuzzer: `cargo +nightly fuzz run grammar`.
#![no_main]

#[path = "../src/grammar.rs"]
mod grammar;

libfuzzer_sys::fuzz_target!(|text: &str| grammar::hold(text));
