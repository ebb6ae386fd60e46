//! `stock-bind WASM FOLDER`: what `wasm-bindgen --target web` does, in the version that the stock crates pin.

use std::env;
use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let given: Vec<String> = env::args().skip(1).collect();
    let [wasm, folder] = given.as_slice() else {
        eprintln!("usage: stock-bind WASM FOLDER");
        return ExitCode::FAILURE;
    };
    let generated = Bindgen::new()
        .input_path(wasm)
        .out_name("stock")
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .omit_default_module_path(true)
        .web(true)
        .and_then(|bindgen| bindgen.generate(folder));
    match generated {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
