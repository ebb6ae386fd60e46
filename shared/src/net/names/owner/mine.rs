//! The names of this owner as the network has them now: those that went to others are gone.
//!
//! Knows how long to wait for answers. What is forgotten, and for which proof, is decided where a name is
//! looked at.

use futures::future::{Either, select};
use futures::stream;
use futures::{FutureExt, StreamExt};

use super::{Held, Names};
use crate::error::{Code, Error, Result};
use crate::limits::{NAME_LISTED_AT_ONCE, NAME_LISTING};
use crate::platform;
use crate::proto::names::Name;

/// What an owner holds.
#[derive(Clone, Debug)]
pub struct Mine {
    /// The names: as the network has them, or as they were when it does not say.
    pub held: Vec<Held>,
    /// Those about which something went wrong, lost ones among them.
    pub unsure: Vec<(Name, Error)>,
}

impl Names {
    /// All names of this owner, as the network has them; as they were, if it does not say in time.
    pub async fn mine_now(&self) -> Result<Mine> {
        let known: Vec<Name> = self.mine().await?.into_iter().map(|it| it.name).collect();
        let over = platform::sleep(NAME_LISTING).shared();
        let asked = stream::iter(known).map(|name| {
            let over = over.clone();
            async move {
                let said = match select(self.look(&name), over).await {
                    Either::Left((said, _)) => said,
                    Either::Right(_) => Err(Error::new(Code::TimedOut, "nobody answered in time")),
                };
                said.err().map(|error| (name, error))
            }
        });
        let unsure = asked.buffer_unordered(NAME_LISTED_AT_ONCE);
        let unsure = unsure.filter_map(std::future::ready).collect().await;
        let held = self.mine().await?;
        Ok(Mine { held, unsure })
    }
}
