//! The zone under the name of the owner's key: only the owner keeps it for longer than a record is kept,
//! so it is stored again every day, and signed again before it is over.

use super::Names;
use crate::error::{Code, Result};
use crate::proto::names::name::Root;
use crate::proto::names::publisher::schedule::{self, Holdings};

impl Names {
    /// Stores the zone again, if it is due.
    pub(super) async fn renew_own(&self) -> Result<()> {
        let now = self.now();
        let due = |holdings: &mut Holdings| holdings.own_due(now);
        if !self.holdings().as_mut().is_some_and(due) {
            return Ok(());
        }
        let root = Root::Key(self.owner.public());
        let mut turn = self.turns.take(&root.name().to_string());
        turn.come().await;
        let done = match self.kept(&root) {
            Some(zone) if !schedule::is_old(&zone, now) => match self.store(&zone).await {
                // Another machine of this owner has published since.
                Err(error) if error.code() == Code::Older => self.store_newest(&root).await,
                stored => stored,
            },
            _ => self.store_newest(&root).await,
        };
        if let Err(error) = &done {
            tracing::debug!(%error, "the zone of this key was not stored again");
        }
        let now = self.now();
        if let Some(holdings) = self.holdings().as_mut() {
            holdings.own_finished(done.err().map(|error| error.code()), now);
        }
        self.save().await
    }

    /// Stores what is published now, signed again if it is old: another machine of this owner may have
    /// published it.
    async fn store_newest(&self, root: &Root) -> Result<()> {
        match self.newest(root).await? {
            Some(zone) if schedule::is_old(&zone, self.now()) => {
                let zone = zone.zone().clone();
                self.publish_in_turn(&root.name(), zone).await.map(drop)
            }
            Some(zone) => self.store(&zone).await,
            None => Ok(()),
        }
    }
}
