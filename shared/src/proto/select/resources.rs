//! What a peer has to offer, as it says itself: coarse, so that it tells no more about a machine than is of use.

use serde_json::{Map, Value, json};

use crate::proto::Millis;

/// What a peer has. Nothing is 0, or an empty list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Processors.
    pub cores: u64,
    /// How busy they are all together, in thousandths.
    pub load: u64,
    /// Free memory in MiB.
    pub memory: u64,
    /// Free disk in MiB.
    pub disk: u64,
    /// An estimate, in kbit/s.
    pub bandwidth: u64,
    /// For how long it has run, in milliseconds.
    pub uptime: Millis,
    /// What it is to the network, in short words.
    pub roles: Vec<String>,
    /// How it can be reached.
    pub transports: Vec<String>,
}

/// Words in one list, and the length of each: what others say is bounded here.
const WORDS: usize = 16;
const WORD: usize = 64;
const HOUR: Millis = 3_600_000;

impl Resources {
    /// The same, as others may know it: tenths of load, powers of two, whole hours.
    pub fn coarse(mut self) -> Resources {
        self.load = (self.load + 50) / 100 * 100;
        for number in [&mut self.memory, &mut self.disk, &mut self.bandwidth] {
            *number = number.checked_ilog2().map_or(0, |log| 1 << log);
        }
        self.uptime -= self.uptime % HOUR;
        self
    }

    /// As it travels.
    pub fn to_value(&self, agent: &str) -> Value {
        let mut members = Map::new();
        members.insert("agent".into(), agent.into());
        for (name, number) in [
            ("cores", self.cores),
            ("load", self.load),
            ("memory", self.memory),
            ("disk", self.disk),
            ("bandwidth", self.bandwidth),
            ("uptime", self.uptime),
        ] {
            members.insert(name.into(), number.into());
        }
        members.insert("roles".into(), json!(self.roles));
        members.insert("transports".into(), json!(self.transports));
        Value::Object(members)
    }

    /// What a peer says. What is missing or makes no sense is nothing.
    pub fn from_value(value: &Value) -> Resources {
        let number = |name: &str| value[name].as_u64().unwrap_or(0);
        let words = |name: &str| {
            let all = value[name].as_array().into_iter().flatten();
            let words = all.filter_map(Value::as_str).take(WORDS);
            words
                .filter(|word| word.len() <= WORD)
                .map(str::to_owned)
                .collect()
        };
        Resources {
            cores: number("cores"),
            load: number("load"),
            memory: number("memory"),
            disk: number("disk"),
            bandwidth: number("bandwidth"),
            uptime: number("uptime"),
            roles: words("roles"),
            transports: words("transports"),
        }
    }
}
