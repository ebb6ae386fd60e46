//! Compiles the browser peer and what it loads later, and generates their JavaScript bindings.
//!
//! It knows three builds: the one users get, a quick one for developers, and one that carries self-tests.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wasm_bindgen_cli_support::{Bindgen, Output};

use crate::failure::{CHECK_DISK, OrFail, Result};
use crate::fingerprint::{Fingerprint, Stamp};
use crate::imports;
use crate::logged::run_logged;
use crate::short_names::ShortNames;
use crate::step::Step;
use crate::toolchain::{TARGET, WasmToolchain};
use crate::workspace::Workspace;

/// WebAssembly modules that one command compiles: they want the same of what they share, which is compiled once.
struct Module {
    packages: &'static [&'static str],
    outputs: &'static [&'static str],
}

/// What a page needs to join.
const ENGINE: Module = Module {
    packages: &["warren-wasm"],
    outputs: &["warren_wasm"],
};

/// What it loads when a name asks for it: a module of its own, with Unicode's tables.
const NAMES: Module = Module {
    packages: &["warren-names"],
    outputs: &["warren_names"],
};

/// What it loads when an application wants more of the peer than to join: rooms, messages, commands, files; and what the
/// worker for files loads.
const APPS: Module = Module {
    packages: &["warren-apps", "warren-store"],
    outputs: &["warren_apps", "warren_store"],
};

/// Everything a compilation of the browser peer can depend on.
const INPUTS: [&str; 14] = [
    "Cargo.toml",
    "Cargo.lock",
    ".cargo/config.toml",
    "shared",
    "wasm-peer/Cargo.toml",
    "wasm-peer/src",
    "wasm-peer/apps/Cargo.toml",
    "wasm-peer/apps/src",
    "wasm-peer/names/Cargo.toml",
    "wasm-peer/names/src",
    "wasm-peer/page/Cargo.toml",
    "wasm-peer/page/src",
    "wasm-peer/store/Cargo.toml",
    "wasm-peer/store/src",
];

/// What is built, for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WasmBuild {
    /// Small and fast to run; takes minutes.
    Release,
    /// For a developer who waits.
    Dev,
    /// With the cases that `tests/wasm` runs in Node.
    SelfTest,
}

impl WasmBuild {
    fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Dev => "dev",
            Self::SelfTest => "self-test",
        }
    }

    /// The folder of the generated JavaScript and WebAssembly. Release and dev share the place that the npm package imports.
    pub fn output(self, workspace: &Workspace) -> PathBuf {
        match self {
            Self::Release | Self::Dev => workspace.path("wasm-peer/js/wasm"),
            Self::SelfTest => workspace.state().join("selftest"),
        }
    }

    fn profile_folder(self) -> &'static str {
        if self == Self::Release {
            "wasm"
        } else {
            "debug"
        }
    }

    /// Two builds with one output share one stamp, or each would believe the other's files.
    fn stamp_name(self) -> &'static str {
        if self == Self::SelfTest {
            "wasm-selftest"
        } else {
            "wasm"
        }
    }

    /// The modules it consists of.
    fn modules(self) -> &'static [Module] {
        match self {
            Self::Release | Self::Dev => &[ENGINE, NAMES, APPS],
            Self::SelfTest => &[ENGINE],
        }
    }

    /// One command for each module: together they would have the features of both.
    fn cargo(self, workspace: &Workspace, toolchain: WasmToolchain, module: &Module) -> Command {
        let mut cargo = toolchain.command(workspace, "cargo");
        cargo.args(["build", "--locked", "--target", TARGET]);
        for package in module.packages {
            cargo.args(["--package", package]);
        }
        match self {
            Self::Release => {
                cargo.args(["--profile", "wasm"]);
            }
            Self::SelfTest => {
                cargo.args(["--features", "selftest"]);
            }
            Self::Dev => {}
        }
        if self != Self::Release {
            // Without any optimisation the browser spends seconds on one handshake.
            cargo
                .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
                .env("CARGO_PROFILE_DEV_DEBUG", "0");
        }
        cargo
    }
}

/// Brings the generated files of a build up to date.
pub fn build(workspace: &Workspace, toolchain: WasmToolchain, what: WasmBuild) -> Result {
    let inputs = inputs(workspace, toolchain, what)?;
    let output = what.output(workspace);
    let stamp = Stamp::new(workspace, what.stamp_name(), &inputs, vec![output.clone()]);
    if stamp.is_current() {
        Step::up_to_date(&format!("wasm: compile the browser peer ({})", what.name()));
        return Ok(());
    }
    for module in what.modules() {
        let packages = module.packages.join(", ");
        let name = format!("wasm: compile {packages} ({})", what.name());
        run_logged(
            workspace,
            &name,
            &mut what.cargo(workspace, toolchain, module),
            "fix the compiler errors above, then run the command again",
        )?;
    }
    let compiled = workspace.target().join(TARGET).join(what.profile_folder());
    Step::run("wasm: generate the JavaScript bindings", || {
        empty(&output)?;
        let mut outputs = what.modules().iter().flat_map(|module| module.outputs);
        outputs.try_for_each(|name| bind(&compiled, &output, what, name))
    })?;
    stamp.save()
}

fn inputs(workspace: &Workspace, toolchain: WasmToolchain, what: WasmBuild) -> Result<Fingerprint> {
    let flags = env::var("RUSTFLAGS").unwrap_or_default();
    let mut inputs = Fingerprint::new(workspace)
        .text(what.name())
        .text(&toolchain.version(workspace))
        .text(&flags);
    for input in INPUTS {
        inputs = inputs.path(&workspace.path(input))?;
    }
    Ok(inputs)
}

fn empty(output: &Path) -> Result {
    if output.exists() {
        fs::remove_dir_all(output)
            .or_fail(format!("cannot empty {}", output.display()), CHECK_DISK)?;
    }
    Ok(())
}

fn bind(compiled: &Path, output: &Path, what: WasmBuild, name: &str) -> Result {
    const REMEDY: &str = "run `cargo update --precise` so that wasm-bindgen and wasm-bindgen-cli-support have one version, then build again";
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(compiled.join(format!("{name}.wasm")))
        .out_name(name)
        .typescript(false);
    let mut generated = if what == WasmBuild::SelfTest {
        // Names are kept: they make the stack of a failed case readable.
        bindgen.nodejs(true)
    } else {
        bindgen
            .remove_name_section(what == WasmBuild::Release)
            .remove_producers_section(true)
            .omit_default_module_path(true)
            .web(true)
    }
    .and_then(Bindgen::generate_output)
    .or_fail("wasm-bindgen failed", REMEDY)?;
    // Only in what users get: long ones make the stack of a failed case readable.
    let short = (what == WasmBuild::Release).then(|| shorten_imports(&mut generated));
    generated
        .emit(output)
        .or_fail("cannot write the bindings", CHECK_DISK)?;
    if let Some(short) = short {
        short.write_to(&output.join(format!("{name}.js")))?;
    }
    let file = output.join(format!("{name}_bg.wasm"));
    let wasm = fs::read(&file).or_fail(format!("cannot read {}", file.display()), CHECK_DISK)?;
    imports::check(&wasm, &file.display().to_string())
}

fn shorten_imports(generated: &mut Output) -> ShortNames {
    let imports = &mut generated.wasm_mut().imports;
    let short = ShortNames::new(imports.iter().map(|import| import.name.as_str()));
    for import in imports.iter_mut() {
        import.name = short.of(&import.name);
    }
    short
}

#[cfg(test)]
mod tests {
    /// The version of a package in Cargo.lock.
    fn locked(package: &str) -> Option<String> {
        let lock =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock")).unwrap();
        let mut lines = lock
            .lines()
            .skip_while(|line| *line != format!("name = \"{package}\""));
        lines.nth(1).map(str::to_owned)
    }

    #[test]
    fn library_and_generator_have_one_version() {
        assert!(locked("wasm-bindgen").is_some());
        assert_eq!(locked("wasm-bindgen"), locked("wasm-bindgen-cli-support"));
    }
}
