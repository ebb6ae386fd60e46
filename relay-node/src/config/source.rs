//! Where a setting comes from, and which source wins.
//!
//! Knows names and texts of settings, not their meaning.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt,
    path::{Path, PathBuf},
};

use toml::Value;
use warren_shared::error::{Error, Result};

use super::{RelayArgs, invalid};

/// Every setting, by its name in the file; the flag is `--name`, the variable `WARREN_NAME`.
const NAMES: [&str; 19] = [
    "http",
    "tcp",
    "udp",
    "quic",
    "dns",
    "data-dir",
    "network",
    "join",
    "bootstrap",
    "external-ip",
    "witness",
    "tls-cert",
    "tls-key",
    "perf",
    "history",
    "pin-quota",
    "deny-files",
    "log",
    "json",
];

/// What is wrong with a value, and an example of a right one.
pub(super) struct Complaint {
    pub(super) problem: String,
    pub(super) remedy: &'static str,
}

type Parser<T> = fn(&str) -> Result<T, Complaint>;
type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

enum Source<'a> {
    Flag(&'a str),
    Variable(String),
    File(&'a Path, &'a str),
}

impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag --{name}"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::File(path, name) => write!(f, "\"{name}\" in {}", path.display()),
        }
    }
}

/// The texts of one setting, from the strongest source that has it.
struct Setting<'a> {
    texts: Vec<OsString>,
    source: Source<'a>,
}

/// All sources, strongest first.
pub(super) struct Layers<'a> {
    flags: BTreeMap<&'static str, Vec<OsString>>,
    environment: Environment<'a>,
    file: Option<File>,
}

struct File {
    path: PathBuf,
    settings: BTreeMap<&'static str, Vec<OsString>>,
}

impl<'a> Layers<'a> {
    pub(super) fn read(args: RelayArgs, environment: Environment<'a>) -> Result<Self> {
        let file = args
            .config
            .clone()
            .or_else(|| variable(environment, "config").map(|(_, path)| path.into()))
            .map(File::read)
            .transpose()?;
        Ok(Self {
            flags: flags(args),
            environment,
            file,
        })
    }

    /// A variable that is not one of ours.
    pub(super) fn environment(&self, name: &str) -> Option<OsString> {
        (self.environment)(name)
    }

    pub(super) fn or<T>(&self, name: &str, parser: Parser<T>, default: &str) -> Result<T> {
        match self.one(name, parser)? {
            Some(value) => Ok(value),
            None => parser(default).map_err(|complaint| invalid(complaint.problem)),
        }
    }

    pub(super) fn one<T>(&self, name: &str, parser: Parser<T>) -> Result<Option<T>> {
        let Some(setting) = self.find(name) else {
            return Ok(None);
        };
        setting.parse_single(parser).map(Some)
    }

    pub(super) fn many<T>(&self, name: &str, parser: Parser<T>) -> Result<Vec<T>> {
        let Some(setting) = self.find(name) else {
            return Ok(Vec::new());
        };
        let split = matches!(setting.source, Source::Variable(_));
        let mut values = Vec::new();
        for text in &setting.texts {
            let text = setting.utf8(text)?;
            if split {
                let parts = text
                    .split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty());
                for part in parts {
                    values.push(setting.parse(part, parser)?);
                }
            } else {
                values.push(setting.parse(text, parser)?);
            }
        }
        Ok(values)
    }

    /// A path; one in the file is relative to the file.
    pub(super) fn path(&self, name: &str) -> Result<Option<PathBuf>> {
        let Some(setting) = self.find(name) else {
            return Ok(None);
        };
        let path = PathBuf::from(setting.single()?);
        if path.as_os_str().is_empty() {
            return Err(setting.error("is empty", "Name a path, or leave it out."));
        }
        Ok(Some(match setting.source {
            Source::File(file, _) => file.parent().unwrap_or(Path::new("")).join(path),
            _ => path,
        }))
    }

    fn find<'s>(&'s self, name: &'s str) -> Option<Setting<'s>> {
        if let Some(texts) = self.flags.get(name) {
            return Some(Setting {
                texts: texts.clone(),
                source: Source::Flag(name),
            });
        }
        if let Some((variable, text)) = variable(self.environment, name) {
            return Some(Setting {
                texts: vec![text],
                source: Source::Variable(variable),
            });
        }
        let file = self.file.as_ref()?;
        Some(Setting {
            texts: file.settings.get(name)?.clone(),
            source: Source::File(&file.path, name),
        })
    }
}

impl Setting<'_> {
    fn parse_single<T>(&self, parser: Parser<T>) -> Result<T> {
        self.parse(self.utf8(self.single()?)?, parser)
    }

    fn single(&self) -> Result<&OsStr> {
        match self.texts.as_slice() {
            [text] => Ok(text),
            texts => Err(self.error(&format!("has {} values", texts.len()), "Give exactly one.")),
        }
    }

    fn utf8<'t>(&self, text: &'t OsStr) -> Result<&'t str> {
        text.to_str().ok_or_else(|| {
            self.error(
                &format!("is not valid text: {}", text.display()),
                "Write it in UTF-8.",
            )
        })
    }

    fn parse<T>(&self, text: &str, parser: Parser<T>) -> Result<T> {
        parser(text).map_err(|complaint| {
            self.error(
                &format!("is \"{text}\": {}", complaint.problem),
                complaint.remedy,
            )
        })
    }

    fn error(&self, problem: &str, remedy: &str) -> Error {
        invalid(format!("{} {problem}", self.source)).with_remedy(remedy)
    }
}

/// A variable of ours. An empty one counts as unset: that is how many tools unset them.
fn variable(environment: Environment<'_>, name: &str) -> Option<(String, OsString)> {
    let variable = format!("WARREN_{}", name.to_uppercase().replace('-', "_"));
    let text = environment(&variable).filter(|text| !text.is_empty())?;
    Some((variable, text))
}

fn flags(args: RelayArgs) -> BTreeMap<&'static str, Vec<OsString>> {
    let text = |value: Option<String>| value.into_iter().map(OsString::from).collect();
    let path = |value: Option<PathBuf>| value.into_iter().map(OsString::from).collect();
    let list = |values: Vec<String>| values.into_iter().map(OsString::from).collect();
    let all: [(&'static str, Vec<OsString>); NAMES.len()] = [
        ("http", text(args.http)),
        ("tcp", text(args.tcp)),
        ("udp", text(args.udp)),
        ("quic", text(args.quic)),
        ("dns", text(args.dns)),
        ("data-dir", path(args.data_dir)),
        ("network", text(args.network)),
        ("join", list(args.join)),
        ("bootstrap", list(args.bootstrap)),
        ("external-ip", list(args.external_ip)),
        ("witness", list(args.witness)),
        ("tls-cert", path(args.tls_cert)),
        ("tls-key", path(args.tls_key)),
        ("perf", text(args.perf.then(|| "true".to_owned()))),
        ("history", text(args.history.then(|| "true".to_owned()))),
        ("pin-quota", text(args.pin_quota)),
        ("deny-files", path(args.deny_files)),
        ("log", text(args.log)),
        ("json", text(args.json.then(|| "true".to_owned()))),
    ];
    all.into_iter()
        .filter(|(_, texts)| !texts.is_empty())
        .collect()
}

impl File {
    fn read(path: PathBuf) -> Result<Self> {
        let text = std::fs::read_to_string(&path).map_err(|error| {
            invalid(format!(
                "cannot read the configuration file {}",
                path.display()
            ))
            .caused_by(error)
            .with_remedy("Check the path given by --config or WARREN_CONFIG.")
        })?;
        Self::parse(path, &text)
    }

    fn parse(path: PathBuf, text: &str) -> Result<Self> {
        let table: toml::Table = text.parse().map_err(|error| {
            invalid(format!("{} is not valid TOML", path.display()))
                .caused_by(error)
                .with_remedy("Correct the line named above.")
        })?;
        let mut settings = BTreeMap::new();
        for (key, value) in table {
            let name = known(&path, &key)?;
            settings.insert(name, texts(&path, &key, value)?);
        }
        Ok(Self { path, settings })
    }
}

fn known(path: &Path, key: &str) -> Result<&'static str> {
    let wanted = key.replace('_', "-");
    NAMES
        .into_iter()
        .find(|name| *name == wanted)
        .ok_or_else(|| {
            invalid(format!("unknown key \"{key}\" in {}", path.display()))
                .with_remedy(format!("The known keys are: {}.", NAMES.join(", ")))
        })
}

fn texts(path: &Path, key: &str, value: Value) -> Result<Vec<OsString>> {
    let text = match value {
        Value::String(text) => text,
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Array(values) => {
            let nested = values.into_iter().map(|value| match value {
                Value::String(text) => Ok(text.into()),
                other => Err(wrong_type(path, key, &other)),
            });
            return nested.collect();
        }
        other => return Err(wrong_type(path, key, &other)),
    };
    Ok(vec![text.into()])
}

fn wrong_type(path: &Path, key: &str, value: &Value) -> Error {
    invalid(format!(
        "\"{key}\" in {} is of type {}",
        path.display(),
        value.type_str()
    ))
    .with_remedy("Write it as text in quotes, or as an array of such texts.")
}
