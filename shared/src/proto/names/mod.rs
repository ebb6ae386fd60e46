//! Names: who holds one, what is under it, and how everybody can check that.
//!
//! `name` is the grammar, `zone` what an owner publishes, `claim` what an owner asks for, `certificate`
//! what witnesses signed, `set` who they are; `witness`, `publisher` and `resolver` are the three
//! machines; `watching` says when a name is asked for again, `dns` answers ordinary software. Nothing here knows how messages travel or where rows are kept. The rules, and why two
//! owners never hold one generation of a name, are in `spec/names.md`.

pub mod certificate;
pub mod claim;
#[cfg(feature = "server")]
pub mod dns;
pub mod name;
pub mod publisher;
pub mod resolution;
pub mod resolver;
pub mod resource;
pub mod set;
#[cfg(any(test, feature = "selftest"))]
pub mod sim;
#[cfg(test)]
mod testing;
pub mod verify;
pub mod view;
pub mod watching;
pub mod wire;
pub mod witness;
pub mod work;
pub mod zone;

pub use certificate::{Binding, Certificate};
pub use claim::{Claim, Handover};
pub use name::{Label, Name, Root};
pub use resource::Resource;
pub use set::{KnownSets, WitnessSet};
pub use zone::{Entry, SignedZone, Zone};
