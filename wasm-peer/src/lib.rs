//! browser peer
