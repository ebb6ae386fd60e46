//! Developer commands of Warren: `cargo xtask help` lists them. Only the choice of a command lives here.

mod arguments;
mod commands;
mod compress;
mod failure;
mod fingerprint;
mod imports;
mod machine;
mod node;
mod step;
mod toolchain;
mod wasm;
mod workspace;

use std::env;
use std::process::ExitCode;

use arguments::Arguments;
use failure::{Failure, Result};
use workspace::Workspace;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  build-web [--dev]                 build the browser peer and the page (--dev: quick, large)
";

fn main() -> ExitCode {
    match dispatch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> Result {
    let mut given = env::args().skip(1);
    let command = given.next().unwrap_or_else(|| "help".to_owned());
    let arguments = Arguments::new(&command, given.collect());
    let workspace = Workspace::locate();
    match command.as_str() {
        "help" | "--help" | "-h" => print_usage(),
        "build-web" => commands::build_web::run(&workspace, arguments),
        unknown => Err(Failure::new(
            format!("there is no command {unknown:?}"),
            "`cargo xtask help` lists the commands",
        )),
    }
}

fn print_usage() -> Result {
    print!("{USAGE}");
    Ok(())
}
