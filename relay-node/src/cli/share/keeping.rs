//! What relays are asked to keep, and how it is told which of them does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use libp2p::PeerId;
use serde_json::json;
use tokio::sync::mpsc;
use warren_shared::error::{Code, Error, Result};
use warren_shared::limits::DAY;
use warren_shared::proto::date;
use warren_shared::proto::files::search::Listing;

use super::Sharing;

/// While this runs, what relays keep is kept for as long from each day on.
const KEPT_AGAIN: Duration = Duration::from_secs(24 * 60 * 60);

/// What is to be kept, as it is shared.
pub(super) type Wanted = mpsc::UnboundedReceiver<(PathBuf, Listing)>;

impl Sharing {
    /// Asks the relays to keep what is shared, one after the other, and all of it again each day; never returns, unless it
    /// is to end when they were asked about so many.
    pub(super) async fn have_kept(
        &self,
        mut wanted: Wanted,
        days: u64,
        leave_after: Option<usize>,
    ) -> Result<()> {
        let mut all: BTreeMap<PathBuf, (Listing, Result<()>)> = BTreeMap::new();
        let tomorrow = tokio::time::Instant::now() + KEPT_AGAIN;
        let mut again = tokio::time::interval_at(tomorrow, KEPT_AGAIN);
        loop {
            tokio::select! {
                new = wanted.recv() => match new {
                    Some((path, listing)) => {
                        let outcome = self.keep(&listing, days).await;
                        all.insert(path, (listing, outcome));
                        // What has changed meanwhile is asked about again.
                        if leave_after == Some(all.len()) && wanted.is_empty() {
                            return conclude(all.into_values());
                        }
                    }
                    None => return std::future::pending().await,
                },
                _ = again.tick() => {
                    for (listing, outcome) in all.values_mut() {
                        *outcome = self.keep(listing, days).await;
                    }
                }
            }
        }
    }

    /// Says which relays keep it. When none does: the first of the reasons.
    async fn keep(&self, listing: &Listing, days: u64) -> Result<()> {
        let until = self.files.network_time() + days * DAY;
        let (mut count, mut failure) = (0, None);
        match self.peer.node.keep(listing, until).await {
            Ok(answers) => {
                for (relay, kept) in answers {
                    match kept {
                        Ok(until) => {
                            count += 1;
                            self.say_kept(listing, relay, until).await;
                        }
                        Err(error) => {
                            self.say_not_kept(listing, Some(relay), &error).await;
                            failure.get_or_insert(error);
                        }
                    }
                }
            }
            Err(error) => {
                self.say_not_kept(listing, None, &error).await;
                failure = Some(error);
            }
        }
        let nobody = || Error::new(Code::NoRelay, "no relay is connected");
        let outcome = match count {
            0 => Err(failure.unwrap_or_else(nobody)),
            _ => Ok(()),
        };
        self.say_count(listing, count, &outcome).await;
        outcome
    }

    async fn say_kept(&self, listing: &Listing, relay: PeerId, until: u64) {
        let (cid, relay) = (listing.cid.to_string(), relay.to_string());
        let line = match self.json {
            true => {
                json!({"event": "kept", "cid": cid, "relay": relay, "until": until}).to_string()
            }
            false => {
                let until = date::moment(until);
                format!("{}: kept by relay {relay} until {until}", listing.name)
            }
        };
        self.lines.say(line).await;
    }

    async fn say_not_kept(&self, listing: &Listing, relay: Option<PeerId>, error: &Error) {
        let relay = relay.map(|relay| relay.to_string());
        let cid = listing.cid.to_string();
        let line = match (self.json, relay) {
            (true, relay) => {
                json!({"event": "notKept", "cid": cid, "relay": relay, "error": error}).to_string()
            }
            (false, Some(relay)) => {
                format!("{}: not kept by relay {relay}: {error}", listing.name)
            }
            (false, None) => format!("{}: not kept: {error}", listing.name),
        };
        self.lines.say(line).await;
    }

    async fn say_count(&self, listing: &Listing, count: usize, outcome: &Result<()>) {
        let (cid, name) = (listing.cid.to_string(), &listing.name);
        let line = match (self.json, outcome) {
            (true, _) => json!({"event": "keeping", "cid": cid, "relays": count}).to_string(),
            (false, Err(error)) => {
                let remedy = error.remedy();
                format!("{name}: no relay keeps it, it is there only while this runs. {remedy}")
            }
            (false, Ok(())) if count == 1 => {
                format!("{name}: 1 relay keeps it, also when this has ended")
            }
            (false, Ok(())) => {
                format!("{name}: {count} relays keep it, also when this has ended")
            }
        };
        self.lines.say(line).await;
    }
}

/// Whether all is kept, when nothing else is waited for.
fn conclude(outcomes: impl ExactSizeIterator<Item = (Listing, Result<()>)>) -> Result<()> {
    let all = outcomes.len();
    let (mut names, mut first) = (Vec::new(), None);
    for (listing, outcome) in outcomes {
        if let Err(error) = outcome {
            names.push(listing.name);
            first.get_or_insert(error);
        }
    }
    let Some(error) = first else {
        return Ok(());
    };
    let (count, names) = (names.len(), names.join(", "));
    let message = format!("no relay keeps {count} of {all}: {names}");
    Err(Error::new(error.code(), message)
        .caused_by(&error)
        .with_remedy(error.remedy()))
}

/// What ends before it is known whether all is kept has failed.
pub(super) fn left_early() -> Error {
    Error::new(
        Code::Cancelled,
        "this was stopped before relays had all of it",
    )
    .with_remedy("Run the same again: relays go on where they were.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use warren_shared::proto::files::cid::Cid;

    fn listing(name: &str) -> Listing {
        Listing {
            cid: Cid::file([7; 32]),
            name: name.to_owned(),
            size: 5,
            media: String::new(),
            tags: Vec::new(),
        }
    }

    #[test]
    fn all_is_kept_or_what_is_not_is_named() {
        let kept = || (listing("kept"), Ok(()));
        assert_eq!(conclude([kept(), kept()].into_iter()), Ok(()));
        let failed = |name: &str, code| {
            let error = Error::new(code, "why").with_remedy("Do this.");
            (listing(name), Err(error))
        };
        let all = [
            failed("one", Code::TooLarge),
            kept(),
            failed("two", Code::Overloaded),
        ];
        let error = conclude(all.into_iter()).unwrap_err();
        assert_eq!(error.message(), "no relay keeps 2 of 3: one, two");
        assert_eq!((error.code(), error.cause()), (Code::TooLarge, Some("why")));
        assert_eq!(error.remedy(), "Do this.");
    }
}
