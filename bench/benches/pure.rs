//! How long the pure steps of a request take: reading its query, planning, printing SQL, writing
//! rows, checking a token. `make bench-micro` runs it.

#[path = "../src/pure/mod.rs"]
mod pure;

use std::hint::black_box;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for case in pure::cases() {
        criterion.bench_function(&case.name, |bencher| {
            bencher.iter(|| black_box((case.run)()));
        });
    }
    criterion.final_summary();
}
