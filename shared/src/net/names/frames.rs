//! Messages about names inside frames.

use crate::net::codec::Message;
use crate::proto::names::wire::{Answer, Request};

impl Message for Request {
    fn to_frame(&self) -> Vec<u8> {
        self.encode()
    }
    fn from_frame(bytes: &[u8]) -> Result<Self, String> {
        Request::decode(bytes).map_err(|refusal| refusal.as_str().to_owned())
    }
}

impl Message for Answer {
    fn to_frame(&self) -> Vec<u8> {
        self.encode()
    }
    fn from_frame(bytes: &[u8]) -> Result<Self, String> {
        Answer::decode(bytes).map_err(|refusal| refusal.as_str().to_owned())
    }
}
