//! The program on a terminal of its own, made by `script` of util-linux: what it draws, and keys that it gets.

use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::program;
use crate::wait::within;

/// `warren` on a terminal; killed when it is dropped.
pub struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: ChildStdout,
    drawn: Vec<u8>,
}

impl Terminal {
    /// Starts it with these arguments, none of which has a blank or a quote.
    pub fn start(args: &[&str]) -> Terminal {
        let line = format!(
            "stty cols 100 rows 30; exec {} {}",
            program::path().display(),
            args.join(" ")
        );
        let mut child = Command::new("script")
            .args([
                "--quiet",
                "--return",
                "--flush",
                "--command",
                &line,
                "/dev/null",
            ])
            .env("TERM", "xterm-256color")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("script starts");
        Terminal {
            keys: child.stdin.take().expect("piped"),
            screen: child.stdout.take().expect("piped"),
            child,
            drawn: Vec::new(),
        }
    }

    /// Presses keys.
    pub async fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).await.expect("it runs");
        self.keys.flush().await.expect("it runs");
    }

    /// Waits until this was drawn, since the last time that something was waited for.
    pub async fn draws(&mut self, text: &str) {
        within(&format!("{text:?} is drawn"), async {
            loop {
                let drawn = String::from_utf8_lossy(&self.drawn);
                if let Some(at) = drawn.find(text) {
                    let rest = drawn[at + text.len()..].as_bytes().to_vec();
                    self.drawn = rest;
                    return;
                }
                let mut more = [0; 4096];
                let count = self.screen.read(&mut more).await.expect("readable");
                assert!(count > 0, "it ended before it drew {text:?}: {drawn}");
                self.drawn.extend_from_slice(&more[..count]);
            }
        })
        .await;
    }

    /// How it ended by itself.
    pub async fn ended(mut self) -> ExitStatus {
        within("it ends", self.child.wait())
            .await
            .expect("our child")
    }
}
