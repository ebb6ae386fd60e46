//! The flags of `warren relay`. Only their names and help: every value is still text here, so that
//! flags, environment and file are parsed, and complained about, in one way.

use std::path::PathBuf;

/// Run a relay: bootstrap, relay, page server and store of the network.
///
/// Each option can also be set by an environment variable (WARREN_HTTP for --http, and so on; lists
/// separated by commas) and in the TOML file named by --config (http = "…"). Flags win over the
/// environment, the environment over the file.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct RelayArgs {
    /// Page, API and WebSocket [default: 0.0.0.0:8080]
    #[arg(long, value_name = "IP:PORT|off")]
    pub http: Option<String>,

    /// libp2p over TCP [default: 0.0.0.0:4001]
    #[arg(long, value_name = "IP:PORT|off")]
    pub tcp: Option<String>,

    /// WebRTC-direct, for browsers [default: 0.0.0.0:4002]
    #[arg(long, value_name = "IP:PORT|off")]
    pub udp: Option<String>,

    /// libp2p over QUIC [default: 0.0.0.0:4001]
    #[arg(long, value_name = "IP:PORT|off")]
    pub quic: Option<String>,

    /// DNS for .p2p over UDP and TCP, for software that knows nothing of this network [default: off]
    #[arg(long, value_name = "IP:PORT|off")]
    pub dns: Option<String>,

    /// Identity, certificate and database [default: ~/.local/share/warren]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Id of the network [default: the stored or joined one, or a new one]
    #[arg(long, value_name = "ID")]
    pub network: Option<String>,

    /// Join through the relay at this URL (repeatable)
    #[arg(long, value_name = "URL")]
    pub join: Vec<String>,

    /// Join through the peer at this address (repeatable)
    #[arg(long, value_name = "MULTIADDR")]
    pub bootstrap: Vec<String>,

    /// Announce this address: behind NAT or in a container (repeatable)
    #[arg(long, value_name = "IP")]
    pub external_ip: Vec<String>,

    /// Another relay that witnesses names with this one, by its peer id; a quorum of all of them
    /// decides who holds a name (repeatable)
    #[arg(long, value_name = "PEER")]
    pub witness: Vec<String>,

    /// Certificate chain (PEM) for the HTTP port, reloaded when it changes
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// Key (PEM) of the certificate
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Answer bandwidth measurements (/perf/1.0.0): anybody may then use this node's bandwidth
    #[arg(long)]
    pub perf: bool,

    /// Keep messages of chat rooms for those who come later: of a public room 10,000, of an author 2,500
    /// in it, 30 days, 1 GiB in all
    #[arg(long)]
    pub history: bool,

    /// Keep files and directories for publishers that ask for it and leave (`warren share --keep`), up to so many bytes of
    /// this disk; one author gets a quarter of it [default: off]
    #[arg(long, value_name = "SIZE|off")]
    pub pin_quota: Option<String>,

    /// Neither keep nor serve what this file names, with --pin-quota: in each line the id of a file (baf…), or an author as a
    /// key (k51…) or peer id (12D3…); the rest of a line is a remark, as is all behind #. Read again within seconds when it
    /// changes, and on SIGHUP; a list with a mistake is not taken, the one before goes on
    #[arg(long, value_name = "FILE")]
    pub deny_files: Option<PathBuf>,

    /// Read options from this TOML file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Log for people or for machines [default: human]
    #[arg(long, value_name = "human|json")]
    pub log: Option<String>,

    /// Print the addresses as one JSON line once everything listens, and errors as JSON
    #[arg(long)]
    pub json: bool,
}
