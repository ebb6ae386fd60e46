//! WebRTC-direct between native ends: ours with ours, ours with the stock transport, and what
//! happens when the other end misbehaves or vanishes.

mod bulk;
mod pressure;
mod proxy;
mod stock;
mod strangers;
mod support;
mod vanishing;
