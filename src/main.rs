//! Runs one command, prints its error once, and exits with its code. Everything else is in the
//! library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ace_connection_logger::cli::run(std::env::args_os())
}
