//! Precedence, and what is said about bad values.

use std::{collections::HashMap, io::Write};

use clap::Parser;
use tempfile::NamedTempFile;

use super::*;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    relay: RelayArgs,
}

fn load(flags: &[&str], environment: &[(&str, &str)]) -> Result<RelayConfig> {
    let arguments = ["warren"].into_iter().chain(flags.iter().copied());
    let args = Cli::try_parse_from(arguments).unwrap().relay;
    let variables: HashMap<_, _> = [("HOME", "/home/operator")]
        .into_iter()
        .chain(environment.iter().copied())
        .collect();
    RelayConfig::load_with(args, &|name| variables.get(name).map(OsString::from))
}

fn file(toml: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(toml.as_bytes()).unwrap();
    file
}

fn path_of(file: &NamedTempFile) -> &str {
    file.path().to_str().unwrap()
}

fn at(text: &str) -> Listen {
    Listen::At(text.parse().unwrap())
}

fn complaint(flags: &[&str], environment: &[(&str, &str)]) -> (String, String) {
    let error = load(flags, environment).unwrap_err();
    assert_eq!(error.code(), Code::ConfigInvalid);
    (error.message().to_owned(), error.remedy().to_owned())
}

#[test]
fn defaults_need_nothing() {
    let config = load(&[], &[]).unwrap();
    assert_eq!(config.http, at("0.0.0.0:8080"));
    assert_eq!(config.tcp, at("0.0.0.0:4001"));
    assert_eq!(config.udp, at("0.0.0.0:4002"));
    assert_eq!(config.quic, at("0.0.0.0:4001"));
    assert_eq!(config.dns, Listen::Off);
    assert_eq!(
        config.data_dir,
        PathBuf::from("/home/operator/.local/share/warren")
    );
    assert_eq!(config.network, None);
    assert_eq!(config.tls, None);
    assert_eq!(config.log, LogFormat::Human);
    assert!(!config.json && !config.perf);
    assert_eq!((config.pin_quota, config.deny_files), (None, None));
}

#[test]
fn sizes_have_endings() {
    for (text, bytes) in [
        ("off", None),
        ("4096", Some(4_096)),
        ("3k", Some(3 << 10)),
        ("500M", Some(500 << 20)),
        ("20 GiB", Some(20 << 30)),
        ("2T", Some(2 << 40)),
    ] {
        let config = load(&["--pin-quota", text], &[]).unwrap();
        assert_eq!(config.pin_quota, bytes, "{text}");
    }
    for text in ["", "G", "-1", "1.5G", "3X", "99999999T", "1 2"] {
        let (message, _) = complaint(&[&format!("--pin-quota={text}")], &[]);
        assert!(message.contains("pin-quota"), "{message}");
    }
    let (_, remedy) = complaint(&["--deny-files", "list"], &[]);
    assert!(remedy.contains("--pin-quota"), "{remedy}");
}

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let file = file("http = '127.0.0.1:3'\ntcp = '127.0.0.1:3'\nudp = '127.0.0.1:3'");
    let flags = ["--config", path_of(&file), "--http", "127.0.0.1:1"];
    let environment = [
        ("WARREN_HTTP", "127.0.0.1:2"),
        ("WARREN_TCP", "127.0.0.1:2"),
    ];
    let config = load(&flags, &environment).unwrap();
    assert_eq!(config.http, at("127.0.0.1:1"));
    assert_eq!(config.tcp, at("127.0.0.1:2"));
    assert_eq!(config.udp, at("127.0.0.1:3"));
    assert_eq!(config.quic, at("0.0.0.0:4001"));
}

#[test]
fn a_weaker_source_is_not_even_parsed() {
    let config = load(
        &["--http", "127.0.0.1:1"],
        &[("WARREN_HTTP", "nonsense"), ("WARREN_TCP", "")],
    );
    assert_eq!(config.unwrap().tcp, at("0.0.0.0:4001"));
}

#[test]
fn lists_come_from_one_source_each() {
    let file = file("join = ['http://file']\nexternal_ip = '192.0.2.9'");
    let config = load(
        &["--join", "http://a/", "--join", "https://b"],
        &[
            ("WARREN_CONFIG", path_of(&file)),
            ("WARREN_JOIN", "http://env"),
            (
                "WARREN_BOOTSTRAP",
                "/ip4/192.0.2.1/tcp/1, /dns/example.org/tcp/2,",
            ),
        ],
    )
    .unwrap();
    assert_eq!(config.join, ["http://a", "https://b"]);
    assert_eq!(config.bootstrap.len(), 2);
    assert_eq!(config.external_ip, ["192.0.2.9".parse::<IpAddr>().unwrap()]);
}

#[test]
fn everything_can_be_set_in_the_file() {
    let file = file(
        "http = 'off'\ntcp = 'off'\nudp = '[::1]:0'\nquic = 'off'\ndata-dir = 'data'\n\
         network = 'test-1'\ndns = '127.0.0.1:5300'\nlog = 'json'\njson = true\nperf = true",
    );
    let config = load(&["--config", path_of(&file)], &[]).unwrap();
    assert_eq!(config.http, Listen::Off);
    assert_eq!(config.udp, at("[::1]:0"));
    assert_eq!(config.dns, at("127.0.0.1:5300"));
    assert_eq!(config.data_dir, file.path().parent().unwrap().join("data"));
    assert_eq!(config.network.unwrap().to_string(), "test-1");
    assert_eq!(config.log, LogFormat::Json);
    assert!(config.json && config.perf);
}

#[test]
fn a_bad_value_is_named_with_its_source_and_remedy() {
    let (message, remedy) = complaint(&["--http", "localhost:80"], &[]);
    assert!(
        message.contains("flag --http is \"localhost:80\""),
        "{message}"
    );
    assert!(remedy.contains("127.0.0.1:0"), "{remedy}");

    let (message, _) = complaint(&[], &[("WARREN_EXTERNAL_IP", "0.0.0.0")]);
    assert!(message.contains("variable WARREN_EXTERNAL_IP"), "{message}");

    let file = file("log = 'loud'");
    let (message, remedy) = complaint(&["--config", path_of(&file)], &[]);
    assert!(message.contains("\"log\" in "), "{message}");
    assert!(message.contains(path_of(&file)), "{message}");
    assert_eq!(remedy, "Write human or json.");
}

#[test]
fn unknown_keys_are_refused_with_the_known_ones() {
    let file = file("htttp = 'off'");
    let (message, remedy) = complaint(&["--config", path_of(&file)], &[]);
    assert!(message.contains("unknown key \"htttp\""), "{message}");
    assert!(remedy.contains("http, tcp, udp"), "{remedy}");
}

#[test]
fn broken_files_are_refused() {
    for (toml, expected) in [
        ("http = ", "not valid TOML"),
        ("http = 80", "of type integer"),
        ("http = ['a', 'b']", "has 2 values"),
        ("join = [1]", "of type integer"),
    ] {
        let file = file(toml);
        let (message, _) = complaint(&["--config", path_of(&file)], &[]);
        assert!(message.contains(expected), "{toml}: {message}");
    }
    let (message, _) = complaint(&["--config", "/nonexistent/warren.toml"], &[]);
    assert!(message.contains("/nonexistent/warren.toml"), "{message}");
}

#[test]
fn contradictions_are_refused() {
    let all_off = ["--http=off", "--tcp=off", "--udp=off", "--quic=off"];
    let cases: [(&[&str], &str); 6] = [
        (&all_off, "all off"),
        (&["--tls-cert", "c.pem"], "without tls-key"),
        (&["--tls-key", "k.pem"], "without tls-cert"),
        (&["--tcp", "127.0.0.1:8080"], "want the same port"),
        (&["--udp", "0.0.0.0:4001"], "want the same port"),
        (&["--dns", "127.0.0.1:8080"], "want the same port"),
    ];
    for (flags, expected) in cases {
        let (message, _) = complaint(flags, &[]);
        assert!(message.contains(expected), "{flags:?}: {message}");
    }
    let tls_alone = ["--http=off", "--tls-cert=c", "--tls-key=k"];
    assert!(complaint(&tls_alone, &[]).0.contains("http is off"));
    load(&["--http", "127.0.0.1:0", "--tcp", "127.0.0.1:0"], &[]).unwrap();
    load(&["--http", "127.0.0.1:5", "--tcp", "127.0.0.2:5"], &[]).unwrap();
}

#[test]
fn urls_and_addresses_are_checked() {
    for (flag, value) in [
        ("--join", "relay.example.org"),
        ("--join", "https://"),
        ("--join", "http://:80"),
        ("--bootstrap", "192.0.2.1:4001"),
        ("--external-ip", "example.org"),
        ("--network", "Über"),
    ] {
        let (message, _) = complaint(&[flag, value], &[]);
        assert!(message.contains(value), "{message}");
    }
}

#[test]
fn without_a_home_the_data_directory_must_be_named() {
    let load = |args| RelayConfig::load_with(args, &|_| None);
    let error = load(RelayArgs::default()).unwrap_err();
    assert!(error.remedy().contains("--data-dir"));
    let named = RelayArgs {
        data_dir: Some("/srv/warren".into()),
        ..RelayArgs::default()
    };
    assert_eq!(load(named).unwrap().data_dir, PathBuf::from("/srv/warren"));
}
