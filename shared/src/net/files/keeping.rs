//! Asking relays to keep a file or a directory for when this peer is gone.
//!
//! What a relay does about it is in `keeping/serving.rs`.

#[cfg(feature = "server")]
mod serving;

use std::io;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{Either, join_all, select};
use libp2p::PeerId;

#[cfg(feature = "server")]
pub use self::serving::{Keeper, Wanted};
use super::Files;
use crate::error::{Code, Error, Result};
use crate::limits::{KEEP_AGAIN, KEEP_ANSWER, KEEP_TRIES};
use crate::net::codec::{invalid, read_frame, send_frame};
use crate::net::connected;
use crate::net::handle::Route;
use crate::net::overlay::Overlay;
use crate::net::protocols;
use crate::net::streams::{Failure, Stream};
use crate::platform;
use crate::proto::Millis;
use crate::proto::files::keeping::{KeepAnswer, KeepRequest};

impl Files {
    /// Asks a relay to keep something, which it fetches from here unless it has it. Returns when all of it is there,
    /// durably: until when it stays. `told` hears meanwhile how many bytes have come.
    pub async fn ask_to_keep(
        &self,
        route: &Route,
        request: &KeepRequest,
        mut told: impl FnMut(u64) + Send,
    ) -> Result<Millis> {
        let frame = request.encode();
        let mut tries = 0;
        loop {
            tries += 1;
            let asked = self.ask_once(route, &frame, &mut told).await;
            match asked {
                Ok(KeepAnswer::Kept { until }) => return Ok(until),
                Ok(KeepAnswer::Refused { why }) => return Err(why.into()),
                // A stream that has just ended may still be counted there.
                Ok(KeepAnswer::Coming { .. }) => {}
                Err(failure) if failure.is_cut() && tries < KEEP_TRIES => {}
                Err(Failure::Unsupported) => {
                    let message = format!("{} keeps no files for others", route.peer);
                    return Err(Error::new(Code::Unsupported, message)
                        .with_remedy("Its operator may start it with --pin-quota."));
                }
                Err(failure) => return Err(failure.at(&route.peer)),
            }
            platform::sleep(KEEP_AGAIN).await;
        }
    }

    /// Asks all connected relays at once, as [`Self::ask_to_keep`]: which took it, and until when each keeps it.
    pub async fn ask_relays_to_keep(
        &self,
        request: &KeepRequest,
    ) -> Result<Vec<(PeerId, Result<Millis>)>> {
        let relays = self.overlay.handle().homes().await?;
        let asked = relays.into_iter().map(|relay| async move {
            let kept = self.ask_to_keep(&connected(relay), request, |_| {}).await;
            (relay, kept)
        });
        Ok(join_all(asked).await)
    }

    /// One stream, to its last answer.
    async fn ask_once(
        &self,
        route: &Route,
        request: &[u8],
        told: &mut (impl FnMut(u64) + Send),
    ) -> std::result::Result<KeepAnswer, Failure> {
        let handle = self.overlay.handle();
        let protocol = protocols::keep(handle.network());
        let mut stream = handle.open(route.clone(), protocol).await?.stream;
        send_frame(&mut stream, request).await?;
        loop {
            match answer(&mut stream, KEEP_ANSWER).await? {
                KeepAnswer::Coming { have } => told(have),
                last => return Ok(last),
            }
        }
    }

    /// What time the network has, as far as this peer knows: requests are signed by it.
    pub fn network_time(&self) -> Millis {
        self.overlay.client().now()
    }
}

async fn answer(
    stream: &mut Stream,
    patience: Duration,
) -> std::result::Result<KeepAnswer, Failure> {
    match select(read_frame(stream).boxed(), platform::sleep(patience)).await {
        Either::Left((frame, _)) => {
            let answer = KeepAnswer::decode(&frame?);
            let broken: std::result::Result<_, io::Error> =
                answer.map_err(|refusal| invalid(refusal.as_str()));
            Ok(broken?)
        }
        Either::Right(_) => Err(Failure::Timeout),
    }
}
