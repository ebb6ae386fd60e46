//! WebRTC without a network: what both ends of a data-channel connection must agree on.
//!
//! Everything here is pure: messages and streams on data channels ([`frame`], [`stream`]), the
//! session descriptions a browser wants ([`sdp`]), who is calling and how ([`ufrag`], [`versions`], [`stun`]), and what
//! binds the encrypted channel to the certificates underneath ([`fingerprint`]). How two peers that cannot be
//! dialled come to such a connection is in [`signaling`], when they try in [`upgrades`]. Nothing here opens a socket, reads a clock or draws
//! randomness. See `shared/spec/webrtc.md` and `shared/spec/webrtc-signaling.md`.

pub mod fingerprint;
pub mod frame;
pub mod sdp;
pub mod signaling;
pub mod stream;
pub mod stun;
pub mod ufrag;
pub mod upgrades;
pub mod versions;
