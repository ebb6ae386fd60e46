//! How large something is, what a peer shares, and who shares something with some words.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::{Either, pending, select};
use futures::stream::{self, FuturesUnordered, SelectAll};
use futures::{FutureExt, StreamExt};

use super::Files;
use super::asking;
use super::link::Links;
use super::sources::{self, Sources};
use crate::error::{Code, Error, Result};
use crate::limits::CANDIDATES_AT_ONCE;
use crate::net::client::{ProviderLists, Reach};
use crate::net::handle::Route;
use crate::net::overlay::Overlay;
use crate::platform;
use crate::proto::files::download::Failure;
use crate::proto::files::search::{Hit, Hits, Sharers, Signed, word};
use crate::proto::files::tree::Tree;
use crate::proto::files::wire::FileRefusal;
use crate::proto::record::ProviderEntry;
use crate::proto::reputation::Evidence;

impl Files {
    /// The shape of something of which only the id is known, as the first of its sources proves it.
    pub async fn shape(&self, sources: &Sources, patience: Duration) -> Result<Tree> {
        let changed = AtomicBool::new(false);
        let proof = self.first_proof(sources, &changed).boxed();
        match select(proof, platform::sleep(patience)).await {
            Either::Left((tree, _)) => Ok(tree),
            Either::Right(_) if changed.load(Ordering::Relaxed) => Err(FileRefusal::Gone.into()),
            Either::Right(_) => Err(Error::new(
                Code::NotFound,
                "nobody was found who has it and can be reached",
            )
            .with_remedy(
                "Check the id, and that somebody shares it in this network; then try again.",
            )),
        }
    }

    /// `changed`: whether somebody says that it was there, and is not any more.
    async fn first_proof(&self, sources: &Sources, changed: &AtomicBool) -> Tree {
        let mut named = sources.listen();
        let mut asked = HashSet::new();
        let mut work = FuturesUnordered::new();
        // It is never empty, and so never over.
        work.push(pending().boxed());
        loop {
            futures::select! {
                route = named.select_next_some() => {
                    if asked.insert(route.peer) {
                        let (links, root) = (&sources.0.links, sources.0.cid.root);
                        let work_of = async move {
                            (route.peer, asking::shape(links, &route, root).await)
                        };
                        work.push(work_of.boxed());
                    }
                }
                (peer, outcome) = work.select_next_some() => match outcome {
                    Ok(tree) => return tree,
                    Err(Failure::Lied) => self.note(&peer, Evidence::Invalid),
                    // It may be there the next time that it is named.
                    Err(failure) => {
                        tracing::debug!(%peer, ?failure, "a source does not prove a size");
                        changed.fetch_or(failure == Failure::Gone, Ordering::Relaxed);
                        asked.remove(&peer);
                    }
                },
            }
        }
    }

    /// What a peer shares, as it says, signed.
    pub async fn listings(&self, route: Route) -> Result<Vec<Signed>> {
        let links = Links::new(self.overlay.handle().clone());
        self.listings_of(&links, &route, None)
            .await
            .map_err(|failure| {
                let code = match failure {
                    Failure::Lied => Code::BadSignature,
                    Failure::Busy => Code::Overloaded,
                    _ => Code::NotConnected,
                };
                Error::new(code, format!("{} does not say what it shares", route.peer)).with_remedy(
                    "Check that it runs `warren share` in this network, then try again.",
                )
            })
    }

    /// Files that have some words in their names or tags, the best first.
    pub async fn search(&self, text: &str) -> Result<Vec<Hit>> {
        let hits = self.search_telling(text, |_| {}).await?;
        Ok(hits.ranked())
    }

    /// The same; `news` hears of each file once, as soon as somebody has named it, the best of one answer first.
    pub async fn search_telling(
        &self,
        text: &str,
        mut news: impl FnMut(Vec<Hit>) + Send,
    ) -> Result<Hits> {
        let mut hits = Hits::new(text).ok_or_else(|| {
            Error::new(Code::InvalidArgument, "there is no word to search for")
                .with_remedy("Write letters or digits, such as \"holiday 2024\".")
        })?;
        let words = hits.words();
        let links = Links::new(self.overlay.handle().clone());
        let mut lists = self.named_for(&words);
        let mut sharers = Sharers::new(self.overlay.handle().id().to_bytes());
        let mut reach = Reach::default();
        let mut asking = FuturesUnordered::new();
        let mut known = HashSet::new();
        loop {
            while asking.len() < CANDIDATES_AT_ONCE
                && let Some(sharer) = sharers.choose()
            {
                asking.push(self.shared_by(&links, sharer, &words));
            }
            if sharers.is_over() && asking.is_empty() {
                break;
            }
            futures::select! {
                list = lists.next() => match list {
                    Some(list) => sharers.named(reach.hear(list)),
                    None => sharers.all_named(),
                },
                answer = asking.select_next_some() => {
                    let (sharer, found): (ProviderEntry, Option<Vec<Signed>>) = answer;
                    let Some(found) = found else {
                        sharers.not_reached(sharer);
                        continue;
                    };
                    for signed in found {
                        hits.add(&sharer.peer, signed);
                    }
                    let mut ranked = hits.ranked();
                    ranked.retain(|hit| known.insert(hit.listing.cid));
                    if !ranked.is_empty() {
                        news(ranked);
                    }
                }
                complete => break,
            }
        }
        reach.end()?;
        Ok(hits)
    }

    /// What somebody shares that has one of these words; nothing, if that cannot be found out.
    async fn shared_by(
        &self,
        links: &Links,
        sharer: ProviderEntry,
        words: &[String],
    ) -> (ProviderEntry, Option<Vec<Signed>>) {
        let found = match sources::route(sharer.clone()) {
            Some(route) => self.listings_of(links, &route, Some(words.to_vec())).await,
            None => Err(Failure::Broken),
        };
        (sharer, found.ok())
    }

    /// Those who say that they share something with one of these words, as nodes name them.
    fn named_for(&self, words: &[String]) -> SelectAll<ProviderLists<'_>> {
        let network = self.overlay.handle().network();
        let lists = words.iter().map(|token| {
            let key = word(network, token);
            self.overlay.provider_lists(key)
        });
        stream::select_all(lists)
    }

    async fn listings_of(
        &self,
        links: &Links,
        route: &Route,
        words: Option<Vec<String>>,
    ) -> std::result::Result<Vec<Signed>, Failure> {
        let client = self.overlay.client();
        let at = (self.overlay.handle().network(), client.now());
        let found = asking::listings(links, route, words, at).await;
        if let Err(Failure::Lied) = found {
            self.note(&route.peer, Evidence::Invalid);
        }
        found
    }

    fn note(&self, peer: &libp2p::PeerId, evidence: Evidence) {
        self.overlay.handle().standings().note(peer, evidence);
    }
}
