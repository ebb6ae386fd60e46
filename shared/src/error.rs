//! The one table of error codes, shared by the wire, the command line and JavaScript.
//!
//! Knows codes, exit statuses and remedies. Does not know where an error came from: whoever
//! creates one says so in its message and cause.

use std::fmt;

use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

/// Result with Warren's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident $text:literal $exit:literal $retry:literal $remedy:literal;)+) => {
        /// What went wrong, as a stable identifier. Codes are only ever added.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* $name,)+ }

        impl Code {
            /// All codes, in the order of their exit statuses.
            pub const ALL: &[Code] = &[$(Code::$name,)+];

            /// The stable name used on the wire and in JavaScript.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)+ }
            }

            /// Exit status of the command line.
            pub fn exit_status(self) -> u8 {
                match self { $(Code::$name => $exit,)+ }
            }

            /// What the user can do about it, when the error itself knows nothing better.
            pub fn remedy(self) -> &'static str {
                match self { $(Code::$name => $remedy,)+ }
            }

            /// Whether the same call may succeed later without any change.
            pub fn retryable(self) -> bool {
                match self { $(Code::$name => $retry,)+ }
            }
        }
    };
}

codes! {
    /// A bug in Warren.
    Internal "INTERNAL" 1 false "Report this with the log: it is a defect in Warren.";
    /// An argument cannot be used.
    InvalidArgument "INVALID_ARGUMENT" 2 false "Correct the argument and try again.";
    /// Text or bytes are not a key.
    InvalidKey "INVALID_KEY" 3 false "Check that the key was copied whole.";
    /// Text or bytes are not an address.
    InvalidAddress "INVALID_ADDRESS" 4 false "Use a multiaddr such as /ip4/192.0.2.1/tcp/4001/p2p/12D3….";
    /// Beyond a size limit.
    TooLarge "TOO_LARGE" 5 false "Split the data, or share it as a file.";
    /// Nobody who answered has it.
    NotFound "NOT_FOUND" 6 true "Check the key; whoever published it may be gone, or it may have expired.";
    /// The other side said no.
    Refused "REFUSED" 7 false "Read the reason given by the other side.";
    /// Past its time.
    Expired "EXPIRED" 8 false "Publish it again; if it is new, check this device's clock.";
    /// A newer version exists.
    Older "OLDER" 9 false "Read the newer version first, then write again.";
    /// A signature does not verify.
    BadSignature "BAD_SIGNATURE" 10 false "Do not trust this data; fetch it from somebody else.";
    /// Made for another network.
    WrongNetwork "WRONG_NETWORK" 11 false "Join the network this belongs to.";
    /// No connection to that peer.
    NotConnected "NOT_CONNECTED" 12 true "Connect to the peer first.";
    /// No address of the peer could be reached.
    DialFailed "DIAL_FAILED" 13 true "Check that the peer runs and that its address is reachable from here.";
    /// Not attached to any relay.
    NoRelay "NO_RELAY" 14 true "Check that a relay runs, and give its URL or address to join.";
    /// No answer in time.
    TimedOut "TIMED_OUT" 15 true "Try again; the network or the other side is slow.";
    /// The caller gave up.
    Cancelled "CANCELLED" 16 true "Nothing to do: the operation was cancelled by its caller.";
    /// The peer or stream was closed.
    Closed "CLOSED" 17 false "Create a new peer.";
    /// Not available here.
    Unsupported "UNSUPPORTED" 18 false "Use a version or a browser that has this feature.";
    /// A limit of concurrency, storage or rate is reached.
    Overloaded "OVERLOADED" 19 true "Wait a moment and try again.";
    /// Local storage failed.
    StorageFailed "STORAGE_FAILED" 20 false "Check free space and permissions of the data directory or browser storage.";
    /// The configuration cannot be used.
    ConfigInvalid "CONFIG_INVALID" 21 false "Correct the configuration file, environment or flag named in the message.";
    /// A port is taken.
    PortInUse "PORT_IN_USE" 22 false "Stop the other program, or choose another port (0 takes any free one).";
    /// The system forbids it.
    PermissionDenied "PERMISSION_DENIED" 23 false "Run with the needed permission, or choose another path or port.";
    /// The network could not be joined.
    JoinFailed "JOIN_FAILED" 24 true "Check the URL of the relay and that it can be opened from here.";
    /// The other side broke the protocol.
    ProtocolViolation "PROTOCOL_VIOLATION" 25 false "Update both sides to the same version.";
    /// Nobody holds that name, or its owner published nothing under it.
    NameNotFound "NAME_NOT_FOUND" 26 true "Check the spelling; the name may be free to claim.";
    /// Another owner holds the name.
    NameTaken "NAME_TAKEN" 27 false "Choose another name, or ask its owner for a transfer.";
    /// Text is not a name.
    NameInvalid "NAME_INVALID" 28 false "Use letters a-z, digits and hyphens, such as alice.p2p.";
    /// The name's proof is past its time.
    NameExpired "NAME_EXPIRED" 29 true "Its owner must renew it; if it is yours, renew it now.";
    /// Too few witnesses answered.
    NoQuorum "NO_QUORUM" 30 true "Check your connection to the witnesses of this network, then try again.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error with what happened, why, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    code: Code,
    message: String,
    cause: Option<String>,
    remedy: Option<String>,
    details: Vec<(&'static str, String)>,
}

impl Error {
    /// An error without a known cause, with the remedy of its code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            cause: None,
            remedy: None,
            details: Vec::new(),
        }
    }

    /// Adds what lies underneath.
    pub fn caused_by(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// Replaces the remedy of the code by a better one.
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Adds one of the facts in the message, for programs.
    pub fn with_detail(mut self, name: &'static str, fact: impl fmt::Display) -> Self {
        self.details.push((name, fact.to_string()));
        self
    }

    /// Adds a fact that may not be known.
    pub fn with_details(self, name: &'static str, fact: Option<impl fmt::Display>) -> Self {
        match fact {
            Some(fact) => self.with_detail(name, fact),
            None => self,
        }
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// One sentence for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What lies underneath, if known.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// A fact of the message.
    pub fn detail(&self, name: &str) -> Option<&str> {
        let found = self.details.iter().find(|(known, _)| *known == name);
        found.map(|(_, fact)| fact.as_str())
    }

    /// What the user can do.
    pub fn remedy(&self) -> &str {
        self.remedy.as_deref().unwrap_or_else(|| self.code.remedy())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let details = !self.details.is_empty();
        let mut out = serializer.serialize_struct("Error", 5 + usize::from(details))?;
        out.serialize_field("code", self.code.as_str())?;
        out.serialize_field("message", &self.message)?;
        out.serialize_field("remedy", self.remedy())?;
        out.serialize_field("retryable", &self.code.retryable())?;
        out.serialize_field("cause", &self.cause)?;
        if details {
            out.serialize_field("details", &Details(&self.details))?;
        }
        out.end()
    }
}

/// Names and facts, as an object of texts.
struct Details<'a>(&'a [(&'static str, String)]);

impl Serialize for Details<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_map(Some(self.0.len()))?;
        for (name, fact) in self.0 {
            out.serialize_entry(name, fact)?;
        }
        out.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_and_statuses_are_distinct() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        let exits: BTreeSet<_> = Code::ALL.iter().map(|code| code.exit_status()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        assert_eq!(exits.len(), Code::ALL.len());
        assert!(!exits.contains(&0) && exits.iter().all(|exit| *exit < 64));
    }

    #[test]
    fn names_follow_the_variants() {
        for code in Code::ALL {
            let upper = format!("{code:?}").to_uppercase();
            assert_eq!(code.as_str().replace('_', ""), upper);
            assert!(code.remedy().ends_with('.'), "{code}");
        }
    }

    #[test]
    fn serializes_as_documented() {
        let error = Error::new(Code::NotFound, "no such value").caused_by("3 peers asked");
        assert_eq!(
            serde_json::to_value(&error).unwrap(),
            serde_json::json!({
                "code": "NOT_FOUND",
                "message": "no such value",
                "remedy": Code::NotFound.remedy(),
                "retryable": true,
                "cause": "3 peers asked",
            })
        );
        assert_eq!(error.clone().with_remedy("Ask Bob.").remedy(), "Ask Bob.");
        let told = serde_json::to_value(error.with_detail("peers", 3)).unwrap();
        assert_eq!(told["details"], serde_json::json!({"peers": "3"}));
    }
}
