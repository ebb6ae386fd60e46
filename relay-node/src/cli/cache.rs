//! `warren name cache …`: the names that commands with this data directory have resolved. Without the
//! network.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;
use warren_shared::error::{Code, Error, Result};
use warren_shared::platform;
use warren_shared::proto::Millis;
use warren_shared::proto::names::resolver::floors::Floors;
use warren_shared::proto::names::resolver::kept::{self, KeptName};
use warren_shared::proto::names::{Entry, Name};

use super::lines::print;
use crate::identity::DataDir;
use crate::keepsakes::Keepsakes;

#[derive(Debug, Subcommand)]
pub(super) enum CacheCommand {
    /// List the names, what they lead to, their age, and the floor below which nothing is believed.
    List(CacheArgs),
    /// Forget what one name, or all of them, lead to. Floors stay: they are what keeps somebody from
    /// showing you an older version.
    Flush(FlushArgs),
}

#[derive(Debug, Args)]
pub(super) struct CacheArgs {
    /// Where `warren resolve` keeps what it found.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// Results and errors as JSON, one object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct FlushArgs {
    /// The name; all of them without it.
    name: Option<String>,
    #[command(flatten)]
    cache: CacheArgs,
}

impl CacheCommand {
    fn args(&self) -> &CacheArgs {
        match self {
            CacheCommand::List(args) => args,
            CacheCommand::Flush(args) => &args.cache,
        }
    }

    pub(super) fn wants_json(&self) -> bool {
        self.args().json
    }
}

/// One name that was resolved, or of which at least a floor is known.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    network: String,
    name: String,
    /// What it leads to; empty when only the floor is left.
    entries: Vec<Entry>,
    /// Milliseconds since it was received.
    age: Option<Millis>,
    /// Milliseconds for which it is given without asking.
    left: Option<Millis>,
    /// When the owner's signature ends.
    expires: Option<Millis>,
    /// Nothing of an older holder, or of an older version of this one, is believed.
    floor: Option<Floor>,
}

#[derive(Serialize)]
struct Floor {
    generation: u64,
    owner: String,
    seq: u64,
}

pub(super) fn run(command: &CacheCommand) -> Result<()> {
    let args = command.args();
    if !args.data_dir.is_dir() {
        let what = format!("{} is not a directory", args.data_dir.display());
        return Err(Error::new(Code::NotFound, what)
            .with_remedy("Name the one that you give to `warren resolve` with --data-dir."));
    }
    let data = DataDir::open(&args.data_dir)?;
    let keepsakes = Keepsakes::in_dir(data.path())?;
    match command {
        CacheCommand::List(_) => list(&keepsakes, args.json),
        CacheCommand::Flush(flush) => self::flush(&keepsakes, flush),
    }
}

fn list(keepsakes: &Keepsakes, json: bool) -> Result<()> {
    let caches = keepsakes.all("names-cache-")?;
    let floors = keepsakes.all("names-floors-")?;
    let mut networks: Vec<&String> = caches.keys().chain(floors.keys()).collect();
    networks.sort();
    networks.dedup();
    for network in networks {
        let kept = read(network, caches.get(network))?;
        let mut known = Floors::default();
        if let Some(bytes) = floors.get(network) {
            known.restore(bytes).map_err(|why| damaged(network, why))?;
        }
        for line in lines(network, &kept, &known) {
            print(&match json {
                true => json!(line).to_string(),
                false => described(&line),
            })?;
        }
    }
    Ok(())
}

fn lines(network: &str, kept: &[KeptName], floors: &Floors) -> Vec<Line> {
    let now = platform::now();
    let mut lines: Vec<Line> = kept
        .iter()
        .filter_map(|kept| {
            let zone = kept.zone().ok()?;
            Some(Line {
                network: network.to_owned(),
                name: kept.name.clone(),
                age: Some(now.saturating_sub(kept.fetched)),
                left: Some(kept.left(&zone, now)),
                expires: Some(zone.expires()),
                entries: zone.zone().entries.clone(),
                floor: None,
            })
        })
        .collect();
    for (root, seen) in floors.all() {
        let name = root.name().to_string();
        let floor = Some(Floor {
            generation: seen.generation,
            owner: seen.holder.owner.to_base36(),
            seq: seen.zone.seq,
        });
        match lines.iter_mut().find(|line| line.name == name) {
            Some(line) => line.floor = floor,
            None => lines.push(Line {
                network: network.to_owned(),
                name,
                entries: Vec::new(),
                age: None,
                left: None,
                expires: None,
                floor,
            }),
        }
    }
    lines.sort_by(|one, two| one.name.cmp(&two.name));
    lines
}

fn described(line: &Line) -> String {
    let mut text = line.name.clone();
    if let (Some(age), Some(left)) = (line.age, line.left) {
        let fresh = match left / 1_000 {
            0 => "asked for anew when wanted".to_owned(),
            left => format!("fresh for {left} s"),
        };
        text.push_str(&format!("  {} s old, {fresh}", age / 1_000));
    }
    if let Some(floor) = &line.floor {
        let Floor {
            generation, seq, ..
        } = floor;
        text.push_str(&format!("  floor: generation {generation}, version {seq}"));
    }
    for entry in &line.entries {
        let sub = if entry.sub.is_empty() {
            "@"
        } else {
            &entry.sub
        };
        for resource in &entry.resources {
            text.push_str(&format!("\n  {sub}  {resource}"));
        }
    }
    text
}

fn flush(keepsakes: &Keepsakes, args: &FlushArgs) -> Result<()> {
    let root = args.name.as_deref().map(Name::parse).transpose()?;
    let root = root.map(|name| name.root().name().to_string());
    let mut flushed = Vec::new();
    for (network, bytes) in keepsakes.all("names-cache-")? {
        // What cannot be read goes, too: there is nothing in it that could be missed.
        let kept = kept::read(&bytes).unwrap_or_default();
        let goes = |kept: &KeptName| root.as_ref().is_none_or(|root| *root == kept.name);
        let (gone, stays): (Vec<_>, Vec<_>) = kept.into_iter().partition(goes);
        flushed.extend(gone.into_iter().map(|kept| kept.name));
        keepsakes.put(&format!("names-cache-{network}"), &kept::write(&stays))?;
    }
    print(&match args.cache.json {
        true => json!({"flushed": flushed, "floors": "kept"}).to_string(),
        false => format!(
            "{} names forgotten; nothing older than what was seen of them will be believed",
            flushed.len()
        ),
    })
}

fn read(network: &str, bytes: Option<&Vec<u8>>) -> Result<Vec<KeptName>> {
    match bytes {
        None => Ok(Vec::new()),
        Some(bytes) => kept::read(bytes).map_err(|why| damaged(network, why)),
    }
}

fn damaged(network: &str, why: impl std::fmt::Display) -> Error {
    let what = format!("what was seen of the names of network {network} cannot be read");
    Error::new(Code::StorageFailed, what).caused_by(why)
}
