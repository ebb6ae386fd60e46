//! The message boundary.
