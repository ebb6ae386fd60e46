//! The delayed links of this network: in a process of their own, as each has two sockets, and a process
//! may have only so many.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use warren_tests::links::{Detour, detour};

/// `bench-native links`, asked.
pub(crate) struct Delayed {
    program: Arc<Mutex<Program>>,
    round_trip: Duration,
    child: Child,
}

struct Program {
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    entrances: HashMap<u16, u16>,
}

impl Delayed {
    /// Starts it, without delay at first.
    pub fn start() -> io::Result<Delayed> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("links")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("no pipes"));
        };
        let program = Program {
            questions,
            answers: BufReader::new(answers),
            entrances: HashMap::new(),
        };
        Ok(Delayed {
            program: Arc::new(Mutex::new(program)),
            round_trip: Duration::ZERO,
            child,
        })
    }

    /// From now on a question and its answer take so many milliseconds on their way.
    pub fn delay(&mut self, millis: u64) -> io::Result<()> {
        let mut program = self.program.lock().unwrap_or_else(PoisonError::into_inner);
        program.ask(&format!("delay {millis}"))?;
        self.round_trip = Duration::from_millis(millis);
        Ok(())
    }

    pub fn round_trip(&self) -> Duration {
        self.round_trip
    }

    /// TCP over these links.
    pub fn transport(&self) -> Detour {
        let program = self.program.clone();
        detour(Arc::new(move |port| {
            let mut program = program.lock().unwrap_or_else(PoisonError::into_inner);
            program.entrance(port)
        }))
    }
}

impl Drop for Delayed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    fn entrance(&mut self, port: u16) -> io::Result<u16> {
        if let Some(entrance) = self.entrances.get(&port) {
            return Ok(*entrance);
        }
        let answer = self.ask(&port.to_string())?;
        let entrance = answer.trim().parse().map_err(io::Error::other)?;
        self.entrances.insert(port, entrance);
        Ok(entrance)
    }

    fn ask(&mut self, question: &str) -> io::Result<String> {
        writeln!(self.questions, "{question}")?;
        self.questions.flush()?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        Ok(answer)
    }
}
