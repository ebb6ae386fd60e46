//! The command line: which commands there are, and how they fail.

mod cache;
mod call;
mod chat;
mod dht;
mod get;
mod greet;
mod import;
mod lines;
mod ls;
mod name;
mod peers;
mod perf;
mod recall;
mod relay;
mod resolve;
mod send;
mod serve;
mod share;
mod verify;
mod witness;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use futures::FutureExt;
use serde_json::json;
use warren_shared::error::{Code, Error, Result};

use crate::config::{LogFormat, RelayArgs};
use crate::memory;

/// A peer-to-peer network that web pages join.
#[derive(Debug, Parser)]
#[command(name = "warren", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a relay: bootstrap, page, WebSocket, WebRTC and record store in one process.
    Relay(Box<RelayArgs>),
    /// Wait in a namespace for other peers, answer their greetings, and show messages.
    Listen(greet::ListenArgs),
    /// Find the members of a namespace, connect to each directly and greet them.
    Dial(greet::DialArgs),
    /// Call a method of another peer.
    Call(call::CallArgs),
    /// Let a program answer the calls of other peers.
    Serve(serve::ServeArgs),
    /// Send a message to a peer or an author; it is left in their mailbox when nobody is there.
    Send(send::SendArgs),
    /// Store and read values.
    #[command(subcommand)]
    Dht(dht::DhtCommand),
    /// Claim a name, and say what is under it.
    #[command(subcommand)]
    Name(name::NameCommand),
    /// Tell what a name leads to, and why one may believe it.
    Resolve(resolve::ResolveArgs),
    /// Check a proof of a name, without the network.
    Verify(verify::VerifyArgs),
    /// What this relay witnesses, and which names it refuses.
    #[command(subcommand)]
    Witness(witness::WitnessCommand),
    /// Tell what this profile has seen of other peers, and who is connected.
    Peers(peers::PeersArgs),
    /// Chat in a room: lines of standard input are sent, what others say is printed.
    Chat(chat::ChatArgs),
    /// Give files and directories to whoever asks, from where they are, until this is stopped.
    Share(share::ShareArgs),
    /// Fetch a file or a directory from everybody who has it; goes on where an earlier try ended.
    Get(get::GetArgs),
    /// List what a peer shares, or what is shared from here.
    Ls(ls::LsArgs),
    /// Find files by words of their names and tags.
    Search(ls::SearchArgs),
    /// Measure the connection to a node that was started with --perf.
    Perf(perf::PerfArgs),
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    memory::keep_freed();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(misuse) => return misused(&misuse),
    };
    let json = arguments.command.wants_json();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            return fail(
                &Error::new(Code::Internal, "the runtime cannot start").caused_by(error),
                json,
            );
        }
    };
    let outcome = runtime.block_on(arguments.command.run());
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, json),
    }
}

/// Help goes to people; a mistake is told as every other failure if machines listen.
fn misused(misuse: &clap::Error) -> ExitCode {
    let json = std::env::args_os().any(|argument| argument == "--json");
    if !json || !misuse.use_stderr() {
        misuse.exit();
    }
    let text = misuse.to_string();
    let cause = text.lines().next().unwrap_or_default();
    let cause = cause.strip_prefix("error: ").unwrap_or(cause);
    let error = Error::new(Code::InvalidArgument, cause)
        .with_remedy("`warren help` lists the commands and what they take");
    fail(&error, json)
}

/// One line of cause and one of remedy on standard error; with `--json` the error as an object.
fn fail(error: &Error, json: bool) -> ExitCode {
    if json {
        eprintln!("{}", json!({"event": "error", "error": error}));
    } else {
        match error.cause() {
            Some(cause) => eprintln!("error: {error}: {cause}"),
            None => eprintln!("error: {error}"),
        }
        eprintln!("remedy: {}", error.remedy());
    }
    ExitCode::from(error.code().exit_status())
}

impl Command {
    fn wants_json(&self) -> bool {
        match self {
            Command::Relay(args) => args.json,
            Command::Listen(args) => args.peer.json,
            Command::Dial(args) => args.peer.json,
            Command::Call(args) => args.peer.json,
            Command::Serve(args) => args.peer.json,
            Command::Send(args) => args.peer.json,
            Command::Dht(command) => command.peer().json,
            Command::Name(command) => command.wants_json(),
            Command::Resolve(args) => args.peer.json,
            Command::Verify(args) => args.json,
            Command::Witness(command) => command.wants_json(),
            Command::Peers(args) => args.peer.json,
            Command::Chat(args) => args.peer.json,
            Command::Share(args) => args.peer.json,
            Command::Get(args) => args.peer.json,
            Command::Ls(args) => args.peer.json,
            Command::Search(args) => args.peer.json,
            Command::Perf(args) => args.peer.json,
        }
    }

    async fn run(self) -> Result<()> {
        match self {
            Command::Relay(args) => relay::run(*args).await,
            Command::Listen(args) => greet::listen(args).await,
            Command::Dial(args) => greet::dial(args).await,
            Command::Call(args) => call::run(args).await,
            Command::Serve(args) => serve::run(args).await,
            Command::Send(args) => send::run(args).await,
            Command::Dht(command) => dht::run(command).await,
            Command::Name(command) => name::run(command).await,
            Command::Resolve(args) => resolve::run(args).await,
            Command::Verify(args) => verify::run(args).await,
            Command::Witness(command) => witness::run(command).await,
            Command::Peers(args) => peers::run(args).await,
            Command::Chat(args) => chat::run(args).await,
            Command::Share(args) => share::run(args).await,
            Command::Get(args) => get::run(args).await,
            Command::Ls(args) => ls::run(args).await,
            Command::Search(args) => ls::search(args).await,
            Command::Perf(args) => perf::run(args).await,
        }
    }
}

/// Logs to standard error, so that standard output carries results only. `WARREN_LOG_FILTER` selects.
fn start_log(format: LogFormat, default: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("WARREN_LOG_FILTER")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let _ = match format {
        LogFormat::Human => log.try_init(),
        LogFormat::Json => log.json().try_init(),
    };
}

fn start_peer_log() {
    start_log(
        LogFormat::Human,
        "error,warren_relay=warn,warren_shared=warn",
    );
}

/// Resolves when the process is asked to end, from this call on: also when that happens before anybody
/// waits for it.
fn asked_to_stop() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let asked = [SignalKind::terminate(), SignalKind::interrupt()].map(|kind| {
        let signal = signal(kind);
        Box::pin(async move {
            match signal {
                Ok(mut signal) => drop(signal.recv().await),
                Err(_) => std::future::pending().await,
            }
        })
    });
    futures::future::select_all(asked).map(drop)
}
