//! What the program says on the terminal, beside the log: results of commands, the address,
//! and the first administrator's password, which must not get into a log.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is the one place that writes to the terminal"
)]

/// Prints the credentials of the first administrator, this one time.
pub(crate) fn first_administrator(username: &str, password: &str) {
    println!(
        "\n  First administrator (shown once):\n    name:     {username}\n    password: {password}\n"
    );
}

/// Prints where the server listens.
pub(crate) fn listening(place: &String) {
    println!("Tidegate listens on {place}");
}

/// Prints a line of a command's result.
pub(crate) fn line(text: impl std::fmt::Display) {
    println!("{text}");
}

/// Prints why the program ends badly.
pub(crate) fn last_word(error: &anyhow::Error) {
    eprintln!("tidegate: {error:#}");
}
