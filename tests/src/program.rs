//! The real program `warren`, started as people start it: flags in, lines of JSON out.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::time::SystemTime;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::wait::within;

/// A running `warren`; killed when it is dropped.
pub struct Program {
    child: Child,
    input: Option<ChildStdin>,
    lines: Option<Lines<BufReader<ChildStdout>>>,
}

impl Program {
    pub fn start<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Program {
        Self::start_with(args, Stdio::null())
    }

    /// One that is told things, see [`Program::tell`].
    pub fn start_told<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Program {
        Self::start_with(args, Stdio::piped())
    }

    fn start_with<S: AsRef<std::ffi::OsStr>>(args: &[S], input: Stdio) -> Program {
        let mut child = command()
            .args(args)
            .stdin(input)
            .stdout(Stdio::piped())
            .spawn()
            .expect("warren starts");
        let out = child.stdout.take().expect("piped");
        Program {
            input: child.stdin.take(),
            child,
            lines: Some(BufReader::new(out).lines()),
        }
    }

    /// A line on its standard input.
    pub async fn tell(&mut self, line: &str) {
        let input = self.input.as_mut().expect("it is told things");
        let told = input.write_all(format!("{line}\n").as_bytes()).await;
        told.expect("it reads");
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// The next event of this name on standard output.
    pub async fn event(&mut self, name: &str) -> Value {
        self.one_of(&[name]).await
    }

    /// The next event of one of these names on standard output.
    pub async fn one_of(&mut self, names: &[&str]) -> Value {
        within(
            &format!("warren prints one of the events {names:?}"),
            async {
                loop {
                    let lines = self.lines.as_mut().expect("its output is read");
                    let line = lines.next_line().await.expect("readable output");
                    let line =
                        line.unwrap_or_else(|| panic!("warren ended before the events {names:?}"));
                    let event: Value = serde_json::from_str(&line).expect("lines of JSON");
                    if names.iter().any(|name| event["event"] == *name) {
                        return event;
                    }
                }
            },
        )
        .await
    }

    /// Closes its standard output, as `head` does when it has enough.
    pub fn unread(mut self) -> Program {
        self.lines = None;
        self
    }

    /// How it ended by itself.
    pub async fn ended(mut self) -> ExitStatus {
        within("warren ends", self.child.wait())
            .await
            .expect("it was our child")
    }

    /// SIGKILL: it gets no chance to tidy up.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("killed");
    }

    /// SIGKILL; the events of this name that it had printed and that were not read yet.
    pub async fn kill_and_read(mut self, name: &str) -> Vec<Value> {
        self.child.kill().await.expect("killed");
        let mut lines = self.lines.take().expect("its output is read");
        let mut events = Vec::new();
        while let Some(line) = lines.next_line().await.expect("readable output") {
            // The last line may be cut.
            match serde_json::from_str::<Value>(&line) {
                Ok(event) if event["event"] == name => events.push(event),
                _ => {}
            }
        }
        events
    }

    /// SIGTERM, and how it ended.
    pub async fn terminate(self) -> ExitStatus {
        let id = self.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(told.expect("kill starts").success());
        self.ended().await
    }
}

/// Runs `warren` to its end.
pub async fn run<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Output {
    let ending = command().args(args).stdin(Stdio::null()).output();
    within("warren ends", ending).await.expect("warren starts")
}

/// The same, with something to read on its standard input.
pub async fn run_with<S: AsRef<std::ffi::OsStr>>(args: &[S], input: &str) -> Output {
    let mut child = command()
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("warren starts");
    let mut stdin = child.stdin.take().expect("piped");
    let running = async {
        // Whoever does not read to the end has its reasons, and says them.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        child.wait_with_output().await
    };
    within("warren ends", running)
        .await
        .expect("it was our child")
}

/// Where the program is.
pub fn path() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(find)
}

/// Runs an example to its end.
pub async fn run_example(name: &str, args: &[&str]) -> Output {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let folder = profile().join("examples");
        if !is_current(&folder.join("value")) {
            build(&profile(), "--examples");
        }
        folder
    });
    let mut example = plain(folder.join(name));
    let ending = example.args(args).stdin(Stdio::null()).output();
    within("the example ends", ending).await.expect("it starts")
}

fn command() -> Command {
    plain(path())
}

fn plain(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.kill_on_drop(true);
    // The developer's environment is not part of a test.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("WARREN_") {
            command.env_remove(name);
        }
    }
    command
}

/// `WARREN_BIN`, or the program beside this test's executable; built when there is none, or when
/// the sources have changed since.
fn find() -> PathBuf {
    if let Some(named) = std::env::var_os("WARREN_BIN") {
        return named.into();
    }
    let program = profile().join("warren");
    if !is_current(&program) {
        build(&profile(), "--bin=warren");
    }
    program
}

/// target/debug/deps/test-1234 → target/debug
fn profile() -> PathBuf {
    let test = std::env::current_exe().expect("this executable");
    let profile = test.ancestors().nth(2).expect("a target directory");
    profile.to_owned()
}

fn is_current(program: &Path) -> bool {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let sources =
        ["relay-node/src", "shared/src", "shared/examples"].map(|folder| workspace.join(folder));
    program
        .metadata()
        .and_then(|built| built.modified())
        .is_ok_and(|built| !sources.iter().any(|folder| changed_since(folder, built)))
}

fn changed_since(folder: &Path, moment: SystemTime) -> bool {
    let entries = std::fs::read_dir(folder).expect("the sources are there");
    entries.flatten().any(|entry| {
        let path = entry.path();
        match path.is_dir() {
            true => changed_since(&path, moment),
            false => entry
                .metadata()
                .and_then(|source| source.modified())
                .is_ok_and(|changed| changed > moment),
        }
    })
}

/// That takes minutes, during which the tests that need it seem to hang; build it beforehand to see them run.
/// With the features that the tests are compiled with, so that little is compiled twice.
fn build(profile: &Path, what: &str) {
    let target = profile.parent().expect("a target directory");
    let mut cargo = std::process::Command::new(env!("CARGO"));
    cargo
        .args(["build", "--package", "warren-tests"])
        .args(["--package", "warren-relay", what])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let built = cargo.status().expect("cargo starts");
    assert!(built.success(), "{what} does not compile");
}
