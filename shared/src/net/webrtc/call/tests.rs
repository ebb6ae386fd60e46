//! Two ends with a stream in memory between them. The stacks are made up: they connect as soon as each knows the
//! other's description and one of its ways.

use std::sync::{Arc, Mutex};

use futures::StreamExt;
use futures::channel::mpsc;
use futures::future::join;

use super::super::turn::Meetings;
use super::*;
use crate::net::noise::tests::pipe::{Pipe, pipe};
use libp2p::PeerId;

/// What both stacks of an attempt know.
#[derive(Default)]
struct Air {
    met: [(bool, bool); 2],
    tell: Vec<mpsc::UnboundedSender<News>>,
    apart: bool,
}

struct Fake {
    side: usize,
    air: Arc<Mutex<Air>>,
    news: mpsc::UnboundedReceiver<News>,
}

fn stacks(apart: bool) -> [Fake; 2] {
    let (one, heard) = mpsc::unbounded();
    let (other, heard_too) = mpsc::unbounded();
    let tell = vec![one, other];
    let met = Default::default();
    let air = Arc::new(Mutex::new(Air { met, tell, apart }));
    let fake = |side, news| Fake {
        side,
        air: air.clone(),
        news,
    };
    [fake(0, heard), fake(1, heard_too)]
}

impl Fake {
    fn knows(&self, change: impl FnOnce(&mut (bool, bool))) {
        let mut air = self.air.lock().unwrap();
        change(&mut air.met[self.side]);
        if air.met == [(true, true); 2] && !air.apart {
            for tell in &air.tell {
                tell.unbounded_send(News::Connected).unwrap();
            }
        }
    }
}

impl Stack for Fake {
    fn describe(&mut self, _: bool) -> BoxFuture<'static, Result<String, String>> {
        let air = self.air.lock().unwrap();
        for trickled in [Trickled::Candidate(way(self.side)), Trickled::End] {
            let found = News::Found(trickled);
            air.tell[self.side].unbounded_send(found).unwrap();
        }
        let text = description(self.side);
        async move { Ok(text) }.boxed()
    }

    fn accept(&mut self, _: bool, text: String) -> BoxFuture<'static, Result<(), String>> {
        assert_eq!(text, description(1 - self.side));
        self.knows(|known| known.0 = true);
        async { Ok(()) }.boxed()
    }

    fn add(&mut self, candidate: Option<Candidate>) {
        if let Some(candidate) = candidate {
            assert_eq!(candidate, way(1 - self.side));
            self.knows(|known| known.1 = true);
        }
    }

    fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<News> {
        self.news
            .poll_next_unpin(cx)
            .map(|news| news.expect("the air is there"))
    }
}

fn description(side: usize) -> String {
    let digest = vec![format!("{side:02X}"); 32].join(":");
    format!(
        "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=ice-ufrag:user{side}\r\n\
         a=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 {digest}\r\n"
    )
}

fn way(side: usize) -> Candidate {
    Candidate {
        text: format!("candidate:1 1 udp 1 192.0.2.{side} 4000 typ host"),
        mid: Some("0".to_owned()),
        line: Some(0),
        ufrag: None,
    }
}

/// The meetings of two peers with each other, the one with the smaller id first.
fn two() -> ([Meetings; 2], [PeerId; 2]) {
    let mut ids = [PeerId::random(), PeerId::random()];
    ids.sort_by_key(|id| id.to_bytes());
    (ids.map(Meetings::new), ids)
}

async fn end(
    stream: Pipe,
    mut stack: Fake,
    dialled: bool,
    mut turn: Turn,
) -> Result<Turn, Failure> {
    negotiate(stream, &mut stack, dialled, &mut turn).await?;
    turn.connected();
    Ok(turn)
}

#[tokio::test]
async fn two_ends_find_each_other_over_a_stream_that_holds_little() {
    for (room, step) in [(1, 1), (7, 3), (1 << 16, 1 << 16)] {
        let ([mine, theirs], [me, them]) = two();
        let (near, far) = pipe(room, step);
        let [one, other] = stacks(false);
        let dialling = end(near, one, true, mine.dial(them).unwrap());
        let answering = end(far, other, false, theirs.answer(me).unwrap());
        let (dialled, answered) = join(dialling, answering).await;
        assert!(dialled.is_ok() && answered.is_ok());
        assert!(mine.dial(them).is_none(), "it is connected");
        drop(dialled);
        assert!(mine.dial(them).is_some(), "it was");
    }
}

#[tokio::test]
async fn of_two_dials_at_once_that_of_the_smaller_id_stays() {
    let (meetings, ids) = two();
    let calls = [0, 1].map(|dialler| {
        let (near, far) = pipe(100, 100);
        let mut pair = stacks(false);
        if dialler == 1 {
            // The first stack is that of the dialler.
            pair.swap(0, 1);
        }
        let [one, other] = pair;
        let turn = meetings[dialler].dial(ids[1 - dialler]).unwrap();
        let turned = meetings[1 - dialler].answer(ids[dialler]).unwrap();
        join(end(near, one, true, turn), end(far, other, false, turned))
    });
    let [first, second] = calls;
    let ((dialled, answered), (lost, refused)) = join(first, second).await;
    assert!(dialled.is_ok() && answered.is_ok());
    // Either the larger id has seen the offer of the smaller one first, or its own was refused.
    assert!(matches!(
        lost.err(),
        Some(Failure::Yielded | Failure::Ended)
    ));
    assert!(matches!(
        refused.err(),
        Some(Failure::Yielded | Failure::Ended)
    ));
}

#[tokio::test]
async fn a_stream_that_ends_early_is_told() {
    let ([mine, _], [_, them]) = two();
    let (near, far) = pipe(100, 100);
    let [one, _other] = stacks(false);
    drop(far);
    let dialled = end(near, one, true, mine.dial(them).unwrap()).await;
    assert_eq!(dialled.err(), Some(Failure::Ended));
    assert!(mine.dial(them).is_some(), "it may try again");
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_way_both_ends_give_up() {
    let ([mine, theirs], [me, them]) = two();
    let (near, far) = pipe(100, 100);
    let [one, other] = stacks(true);
    let dialling = end(near, one, true, mine.dial(them).unwrap());
    let answering = end(far, other, false, theirs.answer(me).unwrap());
    let (dialled, answered) = join(dialling, answering).await;
    assert_eq!(dialled.err(), Some(Failure::TimedOut));
    assert_eq!(answered.err(), Some(Failure::TimedOut));
}
