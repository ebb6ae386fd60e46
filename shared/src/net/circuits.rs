//! Circuits are asked for again when a relay is silent: the stock one opens ten to one peer in the same moment, and says
//! nothing to who asks beyond that.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Either, select};
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::relay::client;
use libp2p::{Multiaddr, Transport};

use crate::limits::CIRCUIT_AGAIN;
use crate::platform;

/// The relay client's transport, more patient.
pub struct Circuits(pub client::Transport);

type Dialled<T> = BoxFuture<'static, Result<<T as Transport>::Output, <T as Transport>::Error>>;

impl Transport for Circuits {
    type Output = <client::Transport as Transport>::Output;
    type Error = <client::Transport as Transport>::Error;
    type ListenerUpgrade = <client::Transport as Transport>::ListenerUpgrade;
    type Dial = Dialled<client::Transport>;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<Self::Error>> {
        self.0.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.0.remove_listener(id)
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        opts: DialOpts,
    ) -> Result<Self::Dial, TransportError<Self::Error>> {
        // The relay is asked by a dial when that is polled first.
        let (one, another) = (
            self.0.dial(address.clone(), opts)?,
            self.0.dial(address, opts)?,
        );
        Ok(first(one, another).boxed())
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Pin::new(&mut self.0).poll(cx)
    }
}

/// Begins with one, and with the other when nothing has come of it for a while; no more than that, because each one that
/// is not answered occupies a place at the relay for a minute. A failure counts when nothing else is under way: a second
/// dial of a relay that is still being reached itself is refused at once.
async fn first<T, E>(
    one: BoxFuture<'static, Result<T, E>>,
    another: BoxFuture<'static, Result<T, E>>,
) -> Result<T, E> {
    let one = match select(one, platform::sleep(a_while())).await {
        Either::Left((ended, _)) => return ended,
        Either::Right(((), one)) => one,
    };
    match select(one, another).await {
        Either::Left((Err(_), other)) | Either::Right((Err(_), other)) => other.await,
        Either::Left((ended, _)) | Either::Right((ended, _)) => ended,
    }
}

/// Chance keeps those who were too many together from being it again.
fn a_while() -> Duration {
    let [chance] = platform::entropy();
    CIRCUIT_AGAIN * (256 + u32::from(chance)) / 256
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    type Dial = BoxFuture<'static, Result<u8, u8>>;

    fn silent() -> Dial {
        pending().boxed()
    }

    fn at_once(end: Result<u8, u8>) -> Dial {
        ready(end).boxed()
    }

    fn later(end: Result<u8, u8>) -> Dial {
        let time = platform::sleep(CIRCUIT_AGAIN * 9);
        time.map(move |()| end).boxed()
    }

    #[tokio::test(start_paused = true)]
    async fn who_hears_nothing_asks_again() {
        assert_eq!(first(silent(), at_once(Ok(1))).await, Ok(1));
        assert_eq!(first(later(Ok(2)), silent()).await, Ok(2));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_refused_does_not_unless_another_dial_is_under_way() {
        assert_eq!(first(at_once(Err(3)), at_once(Ok(1))).await, Err(3));
        assert_eq!(first(later(Ok(1)), at_once(Err(3))).await, Ok(1));
        assert_eq!(first(later(Err(4)), at_once(Err(3))).await, Err(4));
    }
}
