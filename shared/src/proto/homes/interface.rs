//! What goes into and comes out of [`Homes`](super::Homes): configuration, states and outputs.

use crate::limits::{HOME_DIAL_BUDGET, HOMES_FIRST_DIALS, HOMES_WANTED};

/// How many homes, and how eagerly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomesConfig {
    /// Connections to keep.
    pub want: usize,
    /// Relays tried at once, and retried quickly.
    pub eager: usize,
    /// Whether to ask homes for a circuit reservation.
    pub reserve: bool,
    /// Dials of one absent relay without its URL's help before they become rare.
    pub dial_budget: u32,
}

impl HomesConfig {
    /// For a tab: its peer connections are counted.
    pub fn browser() -> Self {
        HomesConfig {
            want: HOMES_WANTED,
            eager: HOMES_FIRST_DIALS,
            reserve: true,
            dial_budget: HOME_DIAL_BUDGET,
        }
    }

    /// For a native node: dials cost little.
    pub fn native() -> Self {
        HomesConfig {
            dial_budget: u32::MAX,
            ..Self::browser()
        }
    }
}

impl Default for HomesConfig {
    fn default() -> Self {
        Self::browser()
    }
}

/// How the peer is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HomeState {
    /// Not attached yet. The state at the beginning, which is not announced.
    Joining,
    /// Attached to one home at least.
    Joined,
    /// It was attached, and is not.
    Lost,
    /// The device has no network, and no connection lives.
    Offline,
}

impl HomeState {
    /// The name used in JavaScript.
    pub fn as_str(self) -> &'static str {
        match self {
            HomeState::Joining => "joining",
            HomeState::Joined => "joined",
            HomeState::Lost => "lost",
            HomeState::Offline => "offline",
        }
    }
}

/// What the driver is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Dial these addresses, all at once.
    Dial {
        /// The relay.
        peer: String,
        /// Without WebSockets unless `websocket`.
        addresses: Vec<String>,
        /// Whether WebSocket addresses may be used.
        websocket: bool,
    },
    /// Fetch `/health` of this URL and report whether it answered.
    Probe {
        /// The relay.
        peer: String,
        /// Its URL.
        url: String,
    },
    /// Ask for a circuit reservation.
    Reserve {
        /// The relay.
        peer: String,
    },
    /// Check that the connection is alive, and close it if it is not.
    Ping {
        /// The relay.
        peer: String,
    },
    /// The state has changed.
    State {
        /// To what.
        state: HomeState,
        /// Why, when it is not good.
        reason: Option<String>,
    },
}
