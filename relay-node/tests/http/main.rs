//! The HTTP port over real sockets, spoken to in raw HTTP.

mod connections;
mod names;
mod pages;
mod support;
mod tls;
mod websockets;
