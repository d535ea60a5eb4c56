//! Runs the command line; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ace_connection_logger::cli::run(std::env::args_os())
}
