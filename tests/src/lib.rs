//! The tests are in `tests/all`; this library is empty.
