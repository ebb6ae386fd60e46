//! A source of a file that is no good, for `cargo xtask bench files`: one that lies in every fourth piece, or one that
//! stops to send after a while.
//!
//! `bench-native source lying|stalling URL PATH` joins through a relay, announces the file, prints `{"ready": id}`, and
//! goes on until its standard input ends.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use tokio::io::AsyncReadExt;
use warren_relay::files::SharedFile;
use warren_shared::limits::{FILE_READ, PIECE};
use warren_shared::net::files::{Held, Portion};
use warren_shared::proto::files::cid::Cid;
use warren_shared::proto::files::pieces::Pieces;
use warren_shared::proto::files::tree::{Sender, Tree};
use warren_tests::peers::arguments;

use super::Failure;

/// Portions in four pieces: one of them is wrong.
const PORTIONS: u64 = 4;
const _: () = assert!(PIECE < FILE_READ as u64);
/// Portions that are sent before nothing more comes: a MiB.
const BEFORE: u64 = PORTIONS;
const PATIENCE: Duration = Duration::from_secs(20);
const AGAIN: Duration = Duration::from_millis(250);

/// What it does beside having the file.
enum Vice {
    /// Now and then.
    Lies,
    /// After a while.
    Stalls,
}

struct Bad {
    file: SharedFile,
    vice: Vice,
    /// Portions that were read.
    reads: AtomicU64,
}

#[async_trait]
impl Held for Bad {
    fn cid(&self) -> Cid {
        self.file.cid()
    }

    fn tree(&self) -> Tree {
        self.file.tree()
    }

    fn pieces(&self) -> Pieces {
        self.file.pieces()
    }

    async fn read(&self, sender: Sender, room: usize) -> Portion {
        let reads = self.reads.fetch_add(1, Ordering::Relaxed);
        if let (Vice::Stalls, BEFORE..) = (&self.vice, reads) {
            return std::future::pending().await;
        }
        let mut portion = self.file.read(sender, room).await;
        let lies = matches!(self.vice, Vice::Lies) && reads % PORTIONS == PORTIONS - 1;
        if lies && let Some(last) = portion.bytes.last_mut() {
            *last ^= 1;
        }
        portion
    }
}

/// Serves until there is nobody who wants that.
pub async fn serve(vice: &str, url: &str, path: &str) -> Result<(), Failure> {
    let vice = match vice {
        "lying" => Vice::Lies,
        "stalling" => Vice::Stalls,
        _ => return Err("a source is lying or stalling".into()),
    };
    let listen = [
        "/ip4/0.0.0.0/tcp/0".parse()?,
        "/ip4/0.0.0.0/udp/0/quic-v1".parse()?,
    ];
    let peer = arguments(&[url.to_owned()], &[])
        .start(listen.into())
        .await?;
    let files = peer.node.files()?;
    let file = SharedFile::hash(Path::new(path))?;
    let cid = file.cid();
    files.share(Arc::new(Bad {
        file,
        vice,
        reads: AtomicU64::new(0),
    }))?;
    let announced = async {
        while files.announce(&cid).await.is_err() {
            tokio::time::sleep(AGAIN).await;
        }
    };
    tokio::time::timeout(PATIENCE, announced).await?;
    println!("{}", json!({"ready": peer.node.id().to_string()}));
    let mut nothing = Vec::new();
    tokio::io::stdin().read_to_end(&mut nothing).await?;
    peer.node.close().await;
    Ok(())
}
