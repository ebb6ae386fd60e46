//! What a relay is told to do: flags, then environment, then TOML file, then defaults.
//!
//! Turns text into values that cannot be invalid, and says of a bad one where it came from. Opens
//! nothing but the configuration file itself: whether a port is free or a certificate readable is
//! found out by whoever uses it.

mod args;
mod parse;
mod source;
#[cfg(test)]
mod tests;

use std::{
    ffi::OsString,
    fmt,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use libp2p::Multiaddr;
use warren_shared::{
    error::{Code, Error, Result},
    proto::key::{NetworkId, PublicKey},
};

use self::source::Layers;

pub use self::args::RelayArgs;

/// Where to listen, if at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    Off,
    At(SocketAddr),
}

impl Listen {
    pub fn address(self) -> Option<SocketAddr> {
        match self {
            Self::Off => None,
            Self::At(address) => Some(address),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::At(address) => address.fmt(f),
        }
    }
}

/// Certificate chain and key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// For whom the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Human,
    Json,
}

/// Everything a relay can be told, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayConfig {
    /// Page, API and WebSocket.
    pub http: Listen,
    pub tcp: Listen,
    /// WebRTC-direct.
    pub udp: Listen,
    pub quic: Listen,
    /// Names for ordinary software.
    pub dns: Listen,
    pub data_dir: PathBuf,
    /// `None`: the one stored in the data directory, learnt by joining, or a new one.
    pub network: Option<NetworkId>,
    /// HTTP URLs of other relays, without a trailing slash.
    pub join: Vec<String>,
    pub bootstrap: Vec<Multiaddr>,
    /// Addresses to announce beside those of the interfaces.
    pub external_ip: Vec<IpAddr>,
    /// Witnesses of names beside this relay.
    pub witness: Vec<PublicKey>,
    pub tls: Option<TlsFiles>,
    /// Whether measurements of other peers are answered.
    pub perf: bool,
    /// Whether messages of rooms are kept.
    pub history: bool,
    /// How many bytes of files are kept for publishers that leave, if any are.
    pub pin_quota: Option<u64>,
    /// What is not to be kept.
    pub deny_files: Option<PathBuf>,
    pub log: LogFormat,
    /// Events on stdout as JSON lines.
    pub json: bool,
}

impl RelayConfig {
    /// Reads the process's environment and the configuration file that flags or environment name.
    pub fn load(args: RelayArgs) -> Result<Self> {
        Self::load_with(args, &|name| std::env::var_os(name))
    }

    /// As [`RelayConfig::load`], with an environment of the caller's.
    pub fn load_with(
        args: RelayArgs,
        environment: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self> {
        Self::from_layers(&Layers::read(args, environment)?)
    }

    fn from_layers(layers: &Layers<'_>) -> Result<Self> {
        let config = Self {
            http: layers.or("http", parse::listen, "0.0.0.0:8080")?,
            tcp: layers.or("tcp", parse::listen, "0.0.0.0:4001")?,
            udp: layers.or("udp", parse::listen, "0.0.0.0:4002")?,
            quic: layers.or("quic", parse::listen, "0.0.0.0:4001")?,
            dns: layers.or("dns", parse::listen, "off")?,
            data_dir: match layers.path("data-dir")? {
                Some(path) => path,
                None => default_data_dir(layers)?,
            },
            network: layers.one("network", parse::network)?,
            join: layers.many("join", parse::join_url)?,
            bootstrap: layers.many("bootstrap", parse::multiaddr)?,
            external_ip: layers.many("external-ip", parse::external_ip)?,
            witness: layers.many("witness", parse::witness)?,
            tls: tls_files(layers)?,
            perf: layers.or("perf", parse::boolean, "false")?,
            history: layers.or("history", parse::boolean, "false")?,
            pin_quota: layers.or("pin-quota", parse::size, "off")?,
            deny_files: layers.path("deny-files")?,
            log: layers.or("log", parse::log_format, "human")?,
            json: layers.or("json", parse::boolean, "false")?,
        };
        config.check_listeners()?;
        Ok(config)
    }

    fn check_listeners(&self) -> Result<()> {
        if [self.http, self.tcp, self.udp, self.quic] == [Listen::Off; 4] {
            return Err(invalid("http, tcp, udp and quic are all off")
                .with_remedy("Leave at least one of them on: a relay nobody can reach is none."));
        }
        if self.tls.is_some() && self.http == Listen::Off {
            return Err(
                invalid("tls-cert and tls-key are given, but http is off").with_remedy(
                    "TLS serves the HTTP port: give --http an address, or drop the two files.",
                ),
            );
        }
        if self.deny_files.is_some() && self.pin_quota.is_none() {
            return Err(invalid("deny-files is given, but no files are kept")
                .with_remedy("Say with --pin-quota SIZE how much is kept, or drop --deny-files."));
        }
        check_distinct("http", self.http, "tcp", self.tcp)?;
        check_distinct("udp", self.udp, "quic", self.quic)?;
        // DNS takes its port in both protocols.
        check_distinct("dns", self.dns, "http", self.http)?;
        check_distinct("dns", self.dns, "tcp", self.tcp)?;
        check_distinct("dns", self.dns, "udp", self.udp)?;
        check_distinct("dns", self.dns, "quic", self.quic)
    }
}

/// Two listeners of one protocol cannot share a port, unless their interfaces differ.
fn check_distinct(name: &str, one: Listen, other_name: &str, other: Listen) -> Result<()> {
    let (Some(a), Some(b)) = (one.address(), other.address()) else {
        return Ok(());
    };
    let overlap = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    if a.port() == 0 || a.port() != b.port() || !overlap {
        return Ok(());
    }
    Err(invalid(format!(
        "{name} ({a}) and {other_name} ({b}) want the same port"
    ))
    .with_remedy(format!("Give --{name} or --{other_name} another port.")))
}

fn tls_files(layers: &Layers<'_>) -> Result<Option<TlsFiles>> {
    match (layers.path("tls-cert")?, layers.path("tls-key")?) {
        (Some(cert), Some(key)) => Ok(Some(TlsFiles { cert, key })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(half_of_tls("tls-cert", "tls-key")),
        (None, Some(_)) => Err(half_of_tls("tls-key", "tls-cert")),
    }
}

fn half_of_tls(given: &str, missing: &str) -> Error {
    invalid(format!("{given} is given without {missing}")).with_remedy(format!(
        "TLS needs both: add --{missing} FILE, or drop {given} to serve plain HTTP."
    ))
}

/// The data directory of a relay that is told no more than this.
pub fn data_dir(flag: Option<PathBuf>) -> Result<PathBuf> {
    let args = RelayArgs {
        data_dir: flag,
        ..RelayArgs::default()
    };
    let environment = |name: &str| std::env::var_os(name);
    let layers = Layers::read(args, &environment)?;
    match layers.path("data-dir")? {
        Some(path) => Ok(path),
        None => default_data_dir(&layers),
    }
}

fn default_data_dir(layers: &Layers<'_>) -> Result<PathBuf> {
    let absolute = |name| {
        let path = PathBuf::from(layers.environment(name)?);
        path.is_absolute().then_some(path)
    };
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(Path::new(".local/share"))))
        .map(|base| base.join("warren"))
        .ok_or_else(|| {
            invalid("there is no place for the data directory: HOME is not set")
                .with_remedy("Name one with --data-dir DIR or WARREN_DATA_DIR.")
        })
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(Code::ConfigInvalid, message)
}
