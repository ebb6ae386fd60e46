//! Lines on standard output. A thread of its own writes them, so that whoever says one waits for no
//! reader, and a reader that goes away (`| head -1`) ends a command instead of breaking it.

use std::io::{self, Write};

use tokio::sync::{mpsc, oneshot};
use warren_shared::error::{Code, Error, Result};

/// Lines that wait for a slow reader: a greeting each, a few kilobytes at most.
const WAITING: usize = 1_024;

/// The way to the writer. Whoever holds it keeps the output open.
pub(super) struct Lines {
    waiting: mpsc::Sender<String>,
    ended: oneshot::Receiver<io::Result<()>>,
}

/// The same for those that must neither wait nor keep the output open.
#[derive(Clone)]
pub(super) struct Aside(mpsc::WeakSender<String>);

impl Lines {
    pub fn to_stdout() -> Lines {
        Lines::to(io::stdout())
    }

    /// For those whose standard output carries something else.
    pub fn to_stderr() -> Lines {
        Lines::to(io::stderr())
    }

    fn to(mut out: impl Write + Send + 'static) -> Lines {
        let (waiting, mut lines) = mpsc::channel::<String>(WAITING);
        let (end, ended) = oneshot::channel();
        std::thread::spawn(move || {
            let mut outcome = Ok(());
            while outcome.is_ok()
                && let Some(line) = lines.blocking_recv()
            {
                outcome = write(&mut out, &line);
            }
            let _ = end.send(outcome);
        });
        Lines { waiting, ended }
    }

    pub async fn say(&self, line: String) {
        let _ = self.waiting.send(line).await;
    }

    pub fn aside(&self) -> Aside {
        Aside(self.waiting.downgrade())
    }

    /// Resolves when nobody reads any more.
    pub async fn unread(&self) {
        self.waiting.closed().await;
    }

    /// Waits until everything is written. That nobody wanted to read it all is no failure.
    pub async fn finish(self) -> Result<()> {
        drop(self.waiting);
        outcome(self.ended.await.unwrap_or(Ok(())))
    }
}

impl Aside {
    /// Says a line if there is room for it.
    pub fn say(&self, line: String) {
        if let Some(waiting) = self.0.upgrade()
            && let Err(mpsc::error::TrySendError::Full(_)) = waiting.try_send(line)
        {
            tracing::warn!("a line was left out, because the output is read too slowly");
        }
    }
}

/// Prints one line of a command that has nothing else to do.
pub(super) fn print(line: &str) -> Result<()> {
    outcome(write(&mut io::stdout(), line))
}

fn write(out: &mut impl Write, line: &str) -> io::Result<()> {
    out.write_all(format!("{line}\n").as_bytes())?;
    out.flush()
}

pub(super) fn outcome(written: io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let failed = Error::new(Code::StorageFailed, "standard output cannot be written");
            Err(failed.caused_by(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// Takes so many lines, then fails.
    struct Reader {
        read: Arc<Mutex<String>>,
        left: usize,
        fails: io::ErrorKind,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.left == 0 {
                return Err(self.fails.into());
            }
            self.left -= 1;
            self.read
                .lock()
                .unwrap()
                .push_str(&String::from_utf8_lossy(bytes));
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn reader(left: usize, fails: io::ErrorKind) -> (Lines, Arc<Mutex<String>>) {
        let read = Arc::default();
        let lines = Lines::to(Reader {
            read: Arc::clone(&read),
            left,
            fails,
        });
        (lines, read)
    }

    #[tokio::test]
    async fn everything_is_written_before_the_end() {
        let (lines, read) = reader(9, io::ErrorKind::BrokenPipe);
        let aside = lines.aside();
        lines.say("one".into()).await;
        aside.say("two".into());
        lines.finish().await.unwrap();
        aside.say("three".into());
        assert_eq!(*read.lock().unwrap(), "one\ntwo\n");
    }

    #[tokio::test]
    async fn a_reader_that_has_enough_ends_the_command_quietly() {
        let (lines, read) = reader(1, io::ErrorKind::BrokenPipe);
        for line in ["one", "two", "three"] {
            lines.say(line.into()).await;
        }
        lines.unread().await;
        lines.say("four".into()).await;
        lines.finish().await.unwrap();
        assert_eq!(*read.lock().unwrap(), "one\n");
    }

    #[tokio::test]
    async fn other_failures_are_told() {
        let (lines, _) = reader(0, io::ErrorKind::StorageFull);
        lines.say("one".into()).await;
        let error = lines.finish().await.unwrap_err();
        assert_eq!(error.code(), Code::StorageFailed);
    }
}
