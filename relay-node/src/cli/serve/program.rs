//! One run of a program for one call: parameters in, results out, within limits. It is killed when nobody waits for it.

use std::process::Stdio;

use futures::stream::{Stream, unfold};
use libp2p::PeerId;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Take};
use tokio::process::{Child, ChildStdout, Command};
use warren_shared::limits::MAX_FRAME;
use warren_shared::net::rpc::Fault;

/// What answers calls.
pub(super) struct Program {
    method: String,
    command: Vec<String>,
}

/// It runs.
pub(super) struct Running {
    child: Child,
    out: Output,
}

/// A little more than fits into a frame: what is longer is told to be too large.
type Output = BufReader<Take<ChildStdout>>;
const MOST: u64 = MAX_FRAME as u64 + 1;

impl Program {
    pub fn new(method: &str, command: &[String]) -> Program {
        Program {
            method: method.to_owned(),
            command: command.to_vec(),
        }
    }

    pub fn start(&self, caller: PeerId, params: &Value) -> Result<Running, Fault> {
        let cannot = |error: std::io::Error| {
            tracing::error!(command = self.command[0], %error, "the program cannot be run");
            Fault::internal()
        };
        let mut child = Command::new(&self.command[0])
            .args(&self.command[1..])
            .env("WARREN_CALLER", caller.to_string())
            .env("WARREN_METHOD", &self.method)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(cannot)?;
        let (stdin, out) = (child.stdin.take(), child.stdout.take());
        let input = format!("{params}\n");
        if let Some(mut stdin) = stdin {
            tokio::spawn(async move {
                // Whoever does not read its parameters has no need of them.
                let _ = stdin.write_all(input.as_bytes()).await;
            });
        }
        let out = out.ok_or_else(Fault::internal)?;
        let out = BufReader::new(out.take(MOST));
        Ok(Running { child, out })
    }
}

impl Running {
    /// All that it writes is one result.
    pub async fn result(mut self) -> Result<Value, Fault> {
        let mut bytes = Vec::new();
        self.out.read_to_end(&mut bytes).await.map_err(broken)?;
        if bytes.len() as u64 >= MOST {
            return Err(Fault::too_large());
        }
        let value = parsed(&bytes);
        match self.child.wait().await.map_err(broken)? {
            status if status.success() => Ok(value),
            status => Err(told(&value).unwrap_or_else(|| Fault::failed(&status.to_string()))),
        }
    }

    /// Each line that it writes is a result.
    pub fn lines(self) -> impl Stream<Item = Result<Value, Fault>> {
        unfold(Some(self), |running| async {
            let mut running = running?;
            let mut line = Vec::new();
            running.out.get_mut().set_limit(MOST);
            match running.out.read_until(b'\n', &mut line).await {
                Err(error) => Some((Err(broken(error)), None)),
                Ok(0) => match running.child.wait().await {
                    Ok(status) if status.success() => None,
                    Ok(status) => Some((Err(Fault::failed(&status.to_string())), None)),
                    Err(error) => Some((Err(broken(error)), None)),
                },
                Ok(_) if line.len() as u64 >= MOST => Some((Err(Fault::too_large()), None)),
                Ok(_) => Some((Ok(parsed(&line)), Some(running))),
            }
        })
    }
}

/// JSON, or text that is none; null for nothing at all.
fn parsed(bytes: &[u8]) -> Value {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches(['\n', '\r']);
    match text.is_empty() {
        true => Value::Null,
        false => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
    }
}

/// What a program that failed says about it: `{"code": 42, "message": "full moon", "data": …}`.
fn told(value: &Value) -> Option<Fault> {
    let fault = Fault::new(value["code"].as_i64()?, value["message"].as_str()?);
    Some(Fault {
        data: value["data"].clone(),
        ..fault
    })
}

fn broken(error: std::io::Error) -> Fault {
    tracing::error!(%error, "the program broke off");
    Fault::internal()
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use serde_json::json;

    use super::*;

    fn start(script: &str, params: &Value) -> Running {
        let command = ["sh", "-c", script].map(str::to_owned);
        let program = Program::new("a.method", &command);
        program.start(PeerId::random(), params).expect("it runs")
    }

    #[tokio::test]
    async fn what_a_program_writes_is_the_result() {
        let params = json!({"n": [1, 2]});
        for (script, wanted) in [
            ("cat", params.clone()),
            ("echo hello world", json!("hello world")),
            ("true", Value::Null),
            ("printf %s \"$WARREN_METHOD\"", json!("a.method")),
        ] {
            assert_eq!(
                start(script, &params).result().await,
                Ok(wanted),
                "{script}"
            );
        }
        let failed = start("echo gone; exit 3", &params).result().await;
        let fault = failed.expect_err("it failed");
        assert_eq!(fault.code, Fault::FAILED);
        assert!(fault.message.contains('3'), "{fault:?}");
        let script = r#"echo '{"code":42,"message":"full moon","data":[1]}'; exit 1"#;
        let wanted = Fault {
            data: json!([1]),
            ..Fault::new(42, "full moon")
        };
        assert_eq!(start(script, &params).result().await, Err(wanted));
    }

    #[tokio::test]
    async fn lines_are_results_and_have_limits() {
        let counted: Vec<_> = start("echo 1; echo two; echo", &Value::Null)
            .lines()
            .collect()
            .await;
        assert_eq!(counted, [Ok(json!(1)), Ok(json!("two")), Ok(Value::Null)]);
        let endless = "yes | tr -d '\\n'";
        let fault = Err(Fault::too_large());
        assert_eq!(start(endless, &Value::Null).result().await, fault);
        let lines: Vec<_> = start(endless, &Value::Null).lines().collect().await;
        assert_eq!(lines, [fault]);
        let lines: Vec<_> = start("echo 1; exit 4", &Value::Null)
            .lines()
            .collect()
            .await;
        assert_eq!(lines[0], Ok(json!(1)));
        assert!(lines[1].is_err() && lines.len() == 2);
    }
}
