//! `warren witness import`: shows a witness what others certified, line by line, and counts what
//! becomes of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::json;
use warren_shared::error::{Code, Error, Result};

use super::lines::print;
use crate::control::{Operator, Shown};

/// Longest line that is read: a certificate of 16 KiB in base64url, and its name.
const MAX_LINE: u64 = 32 * 1024;

/// One line of an export.
#[derive(Serialize, Deserialize)]
pub(super) struct Exported {
    pub name: String,
    pub certificate: String,
}

#[derive(Default, Serialize)]
struct Counts {
    adopted: u64,
    known: u64,
    /// By reason.
    refused: BTreeMap<String, u64>,
}

/// Shows the witness every line of a file, `-` for standard input.
pub(super) async fn import(file: &Path, json: bool, operator: &mut Operator) -> Result<()> {
    let mut lines = open(file)?;
    let mut counts = Counts::default();
    let mut number = 0;
    while let Some(line) = next_line(&mut lines).map_err(|error| unreadable(file, error))? {
        number += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let (what, shown) = match serde_json::from_slice::<Exported>(&line) {
            Err(_) => {
                let what = format!("line {number}");
                (what, Shown::Refused("unreadable".to_owned()))
            }
            Ok(Exported { name, certificate }) => {
                let shown = operator.import(&name, &certificate).await?;
                (name, shown)
            }
        };
        match shown {
            Shown::Adopted => counts.adopted += 1,
            Shown::Known => counts.known += 1,
            Shown::Refused(why) => {
                let line = json!({"name": what, "refused": why});
                let text = format!("{what}  not believed: {why}");
                print(&if json { line.to_string() } else { text })?;
                *counts.refused.entry(why).or_default() += 1;
            }
        }
    }
    tell(&counts, json)
}

/// The counts; what was not believed is a failure in the end, though the rest was taken.
fn tell(counts: &Counts, json: bool) -> Result<()> {
    let refused: u64 = counts.refused.values().sum();
    let text = format!(
        "{} adopted, {} known before, {refused} not believed",
        counts.adopted, counts.known
    );
    print(&if json {
        json!(counts).to_string()
    } else {
        text
    })?;
    if refused == 0 {
        return Ok(());
    }
    let why = counts.refused.iter();
    let why: Vec<_> = why.map(|(why, count)| format!("{why} {count}")).collect();
    let what = format!("{refused} certificates were not believed");
    Err(Error::new(Code::Refused, what)
        .caused_by(why.join(", "))
        .with_remedy(
            "Export them again from a witness of this network; a name that is refused here must be allowed first.",
        ))
}

fn open(file: &Path) -> Result<Box<dyn BufRead + Send>> {
    if file.as_os_str() == "-" {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file_opened = File::open(file).map_err(|error| unreadable(file, error))?;
    Ok(Box::new(BufReader::new(file_opened)))
}

/// The next line without its end. A longer one than any comes in pieces, and none of them is believed.
fn next_line(lines: &mut (impl BufRead + ?Sized)) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let read = lines.take(MAX_LINE).read_until(b'\n', &mut line)?;
    Ok((read > 0).then_some(line))
}

fn unreadable(file: &Path, error: io::Error) -> Error {
    let what = format!("{} cannot be read", file.display());
    Error::new(Code::InvalidArgument, what).caused_by(error)
}
