//! Questions to one peer: what it has of a file, how large the file is, what it shares.

use futures::channel::mpsc;
use futures::future::{Either, select};
use futures::{FutureExt, StreamExt};

use super::link::{Heard, Hearing, Links};
use super::taking::{begun, failure};
use crate::limits::{FILE_ANSWER, MAX_LISTING_PAGES};
use crate::net::handle::Route;
use crate::platform;
use crate::proto::Millis;
use crate::proto::files::cid::{Cid, Root};
use crate::proto::files::download::{Failure, Holding};
use crate::proto::files::pieces::Pieces;
use crate::proto::files::search::Signed;
use crate::proto::files::tree::{Decoder, Tree};
use crate::proto::files::wire::{Answer, Fetch, Request};
use crate::proto::key::NetworkId;
use crate::proto::record::Refusal;

async fn next(heard: &mut mpsc::Receiver<Heard>) -> Option<Heard> {
    match select(heard.next(), platform::sleep(FILE_ANSWER)).await {
        Either::Left((heard, _)) => heard,
        Either::Right(_) => None,
    }
}

async fn answer(links: &Links, route: &Route, request: &Request) -> Result<Answer, Failure> {
    let mut heard = links.ask(route, request).await;
    match next(&mut heard).await {
        Some(Heard::Answer(Answer::Refused { why })) => Err(failure(why)),
        Some(Heard::Answer(answer)) => Ok(answer),
        _ => Err(Failure::Broken),
    }
}

/// What a source has of a file of this shape. One that speaks of another size has nothing.
pub(super) async fn holding(
    links: &Links,
    route: &Route,
    root: Root,
    tree: Tree,
) -> Result<Holding, Failure> {
    let length = tree.pieces();
    let (mut pieces, mut from) = (Pieces::none(length), 0);
    while from < length {
        let have = Request::Have { root, from };
        let Answer::Have { size, runs } = answer(links, route, &have).await? else {
            return Err(Failure::Broken);
        };
        if size != tree.size() || runs.from != from {
            return Err(Failure::NotThere);
        }
        let (present, end) = runs.read(length).ok_or(Failure::Broken)?;
        present.into_iter().for_each(|run| pieces.insert_range(run));
        from = end;
    }
    Ok(Holding::Some(pieces))
}

/// The shape of a file, as a source says and proves.
pub(super) async fn shape(links: &Links, route: &Route, root: Root) -> Result<Tree, Failure> {
    let have = Request::Have { root, from: 0 };
    let Answer::Have { size, .. } = answer(links, route, &have).await? else {
        return Err(Failure::Broken);
    };
    let tree = Tree::new(size).ok_or(Failure::Lied)?;
    let groups = tree.proof();
    let fetch = Fetch { root, tree, groups };
    let heard = links.ask(route, &Request::Fetch(fetch.clone())).await;
    let proof = proven(heard, fetch).boxed();
    match select(proof, platform::sleep(FILE_ANSWER)).await {
        Either::Left((proven, _)) => proven.map(|()| tree),
        Either::Right(_) => Err(Failure::Broken),
    }
}

async fn proven(mut heard: Hearing, fetch: Fetch) -> Result<(), Failure> {
    begun(&mut heard).await?;
    let mut decoder = Decoder::new(fetch.root, fetch.tree, fetch.groups);
    decoder.take(&mut &[][..]).map_err(|_| Failure::Lied)?;
    loop {
        match heard.next().await {
            Some(Heard::Data(bytes)) => {
                let mut input = bytes.as_ref();
                while decoder
                    .take(&mut input)
                    .map_err(|_| Failure::Lied)?
                    .is_some()
                {}
            }
            Some(Heard::End(Ok(()))) if decoder.is_done() => return Ok(()),
            Some(Heard::End(Ok(()))) => return Err(Failure::Lied),
            Some(Heard::End(Err(why))) => return Err(failure(why)),
            _ => return Err(Failure::Broken),
        }
    }
}

/// What a peer shares; with words: what has one of them. Listings that do not verify are an offence.
pub(super) async fn listings(
    links: &Links,
    route: &Route,
    words: Option<Vec<String>>,
    (network, now): (&NetworkId, Millis),
) -> Result<Vec<Signed>, Failure> {
    let (mut all, mut after): (Vec<Signed>, Option<Cid>) = (Vec::new(), None);
    for _ in 0..MAX_LISTING_PAGES {
        let request = match words.clone() {
            Some(tokens) => Request::Search { tokens, after },
            None => Request::List { after },
        };
        let Answer::Listings { listings, more } = answer(links, route, &request).await? else {
            return Err(Failure::Broken);
        };
        for bytes in listings {
            let signed = match Signed::open(&bytes, network, now) {
                Ok(signed) => signed,
                // Clocks differ.
                Err(Refusal::Expired | Refusal::FutureDated) => continue,
                Err(_) => return Err(Failure::Lied),
            };
            if after.is_some_and(|after| signed.listing().cid < after) {
                return Err(Failure::Lied);
            }
            after = Some(signed.listing().cid);
            all.push(signed);
        }
        if !more {
            break;
        }
    }
    Ok(all)
}
