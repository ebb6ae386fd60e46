//! Developer commands of Warren: `cargo xtask help` lists them. Only the choice of a command lives here.

mod arguments;
mod chromium;
mod commands;
mod counts;
mod failure;
mod fingerprint;
mod imports;
mod logged;
mod machine;
mod node;
mod optional;
mod python;
mod relay;
mod rival;
#[cfg(test)]
mod scratch;
mod short_names;
mod step;
mod suite;
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

  run [--dev] [--release] [--http IP:PORT] [-- RELAY ARGUMENTS]
      Build everything and start a relay that serves the page; data in target/warren-run.
      --dev compiles the browser peer quickly and large, --release optimises the relay.
  test [--long] [--only native|wasm|package|browser] [FILTER]
      Run every test, or those whose name contains FILTER; --long runs the full counts.
  lint
      Check formatting, clippy on both targets, types and documentation.
  build-web [--dev]
      Build the browser peer, the npm package and the page.
  bench NAME [--json] [-- ARGUMENTS]
      Measure release builds beside their rivals (NAME: b2b, chat, files, join, names, webrtc).
  pack
      Write the npm package's tarball to target/pack.

What is missing is installed where that is possible (browser target, npm packages, Chromium).
  WARREN_WASM_TOOLCHAIN=debian   get the browser target from Debian's packages, not from rustup
  WARREN_CHROMIUM=PATH           the browser to test with
";

fn main() -> ExitCode {
    dispatch().unwrap_or_else(|failure| {
        eprintln!("{failure}");
        ExitCode::FAILURE
    })
}

fn dispatch() -> Result<ExitCode> {
    let mut given = env::args().skip(1);
    let command = given.next().unwrap_or_else(|| "help".to_owned());
    let arguments = Arguments::new(&command, given.collect());
    let workspace = Workspace::locate();
    match command.as_str() {
        "run" => return commands::run::run(&workspace, arguments),
        "test" => return commands::test::run(&workspace, arguments),
        "bench" => commands::bench::run(&workspace, arguments)?,
        "build-web" => commands::build_web::run(&workspace, arguments)?,
        "lint" => commands::lint::run(&workspace, arguments)?,
        "pack" => commands::pack::run(&workspace, arguments)?,
        "help" | "--help" | "-h" => print!("{USAGE}"),
        unknown => {
            return Err(Failure::new(
                format!("there is no command {unknown:?}"),
                "`cargo xtask help` lists the commands",
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}
