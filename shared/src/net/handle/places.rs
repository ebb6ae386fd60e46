//! Places at relays that are asked for by name. Those at homes are asked for by the driver itself.

use libp2p::PeerId;

use super::{Command, Handle};
use crate::error::Result;

impl Handle {
    /// Has a connected relay, of whatever network, forward connections to this peer: as long as it is connected, or until
    /// [`Self::release`]. Others dial its address with `/p2p-circuit/p2p/` and the id of this peer behind it. A relay that says
    /// nothing for a minute has refused.
    pub async fn reserve(&self, relay: PeerId) -> Result<()> {
        self.request(|reply| Command::Reserve { relay, reply })
            .await?
    }

    /// Gives up what [`Self::reserve`] has asked for. Relays that this peer uses as homes go on.
    pub async fn release(&self, relay: PeerId) -> Result<()> {
        self.send(Command::Release { relay }).await
    }
}
