//! The `warren` binary: reads the command line, runs a command, and tells failures in two lines.

use std::process::ExitCode;

fn main() -> ExitCode {
    warren_relay::cli::main()
}
