//! `warren chat`: a room on the command line. On a terminal it has the screen; otherwise lines of standard input are
//! sent, and what others say is printed.

mod commands;
mod draw;
mod input;
mod plain;
mod screen;
mod words;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;
use warren_shared::error::{Code, Error, Result};
use warren_shared::platform;
use warren_shared::proto::NetworkId;
use warren_shared::proto::chat::RoomRef;
use warren_shared::proto::chat::keys::{read_secret, secret_text};
use warren_shared::proto::chat::passphrase::secret_of;

use self::plain::{Shown, Talk};
use super::start_peer_log;
use crate::peer::PeerArgs;

#[derive(Debug, Args)]
pub(super) struct ChatArgs {
    /// The room: its name, or a link to it (in quotes: it has a # in it).
    room: String,
    /// Makes the room private: its secret is in this file, which is created when there is none.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Makes the room private: its members know these words, the first line of this file.
    #[arg(long, value_name = "FILE", conflicts_with = "secret_file")]
    passphrase_file: Option<PathBuf>,
    /// What others see beside your messages.
    #[arg(long, value_name = "NAME", default_value = "")]
    nick: String,
    /// So many messages of before are printed first, as far as they are there.
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    last: usize,
    /// Stays when standard input has ended, until it is interrupted.
    #[arg(long)]
    follow: bool,
    /// Prints lines, on a terminal too.
    #[arg(long)]
    plain: bool,
    #[command(flatten)]
    pub(super) peer: PeerArgs,
}

pub(super) async fn run(args: ChatArgs) -> Result<()> {
    let shown = Shown {
        json: args.peer.json,
        terminal: std::io::stdout().is_terminal(),
        kept: args.peer.data_dir.is_some(),
    };
    let screen = shown.terminal && !shown.json && !args.plain && std::io::stdin().is_terminal();
    // What is logged would go across the screen.
    if !screen {
        start_peer_log();
    }
    let mut room = room(&args)?;
    let words = args.passphrase_file.as_deref().map(words).transpose()?;
    let peer = args.peer.start(Vec::new()).await?;
    if let Some(words) = words {
        room.secret = Some(stretched(peer.node.network(), &room.name, words).await?);
    }
    let chat = peer.node.chat()?;
    let joined = chat.join(&room, &args.nick).await?;
    let (joined, lines, outcome) = if screen {
        let (joined, outcome) = screen::show(joined, &room).await;
        (joined, None, outcome)
    } else {
        let talk = Talk::new(joined, room.fragment(), shown);
        let (joined, lines, outcome) = talk.run(&room, args.last, args.follow).await;
        (joined, Some(lines), outcome)
    };
    chat.settle().await;
    joined.leave().await;
    peer.node.close().await;
    match lines {
        Some(lines) => outcome.and(lines.finish().await),
        None => outcome,
    }
}

/// Takes a moment of a processor.
async fn stretched(network: &NetworkId, room: &str, words: String) -> Result<[u8; 16]> {
    let (network, room) = (network.clone(), room.to_owned());
    let work = tokio::task::spawn_blocking(move || secret_of(&network, &room, &words));
    work.await.map_err(|error| {
        Error::new(Code::Internal, "the passphrase was not used").caused_by(error)
    })?
}

fn room(args: &ChatArgs) -> Result<RoomRef> {
    let mut room = RoomRef::parse(&args.room)?;
    let file = args.secret_file.as_ref();
    if room.secret.is_some() && (file.is_some() || args.passphrase_file.is_some()) {
        let text = "the room is given by a link with a secret, and by a file";
        return Err(Error::new(Code::InvalidArgument, text).with_remedy("Give one of them."));
    }
    if let Some(path) = file {
        room.secret = Some(secret(path)?);
    }
    Ok(room)
}

fn words(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path).map_err(|error| unusable(path, &error))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn secret(path: &Path) -> Result<[u8; 16]> {
    match std::fs::read_to_string(path) {
        Ok(text) => read_secret(text.trim()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let secret = platform::entropy();
            create(path, &secret_text(&secret)).map_err(|error| unusable(path, &error))?;
            Ok(secret)
        }
        Err(error) => Err(unusable(path, &error)),
    }
}

fn create(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    let text = format!("cannot use the secret in {}", path.display());
    Error::new(Code::StorageFailed, text)
        .caused_by(error)
        .with_remedy("Check the path and its permissions.")
}
