use std::future::poll_fn;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerBox};
use libp2p::identity::Keypair;
use warren_shared::net::webrtc::News;
use warren_shared::webrtc::signaling::candidate::Trickled;

use super::super::limits;
use super::*;

const PATIENCE: Duration = Duration::from_secs(30);

fn peer_id() -> PeerId {
    Keypair::generate_ed25519().public().to_peer_id()
}

/// What one end would send to the other, which tests carry there.
struct End {
    vessel: Box<dyn Vessel>,
    arrivals: Connections,
}

impl End {
    fn new() -> End {
        let (stacks, arrivals) = calls().unwrap();
        // A server on loopback makes that an address worth telling.
        let vessel = stacks.make(vec!["stun:127.0.0.1:9".into()]);
        End { vessel, arrivals }
    }

    async fn news(&mut self) -> News {
        poll_fn(|cx| self.vessel.poll_news(cx)).await
    }

    async fn arrived(mut self, from: PeerId) -> StreamMuxerBox {
        self.vessel.adopt(&from).unwrap();
        let event = poll_fn(|cx| Pin::new(&mut self.arrivals).poll(cx)).await;
        let TransportEvent::Incoming {
            send_back_addr,
            upgrade,
            ..
        } = event
        else {
            panic!("{event:?}");
        };
        // Others hear that they are seen there: it has to be an address with an IP.
        let seen = send_back_addr.to_string();
        assert!(
            address::ip_of(&send_back_addr).is_some_and(|ip| !ip.is_unspecified()),
            "{seen}"
        );
        assert!(!seen.contains("/udp/0/"), "{seen}");
        assert!(seen.ends_with(&format!("/webrtc/p2p/{from}")), "{seen}");
        let (peer, muxer) = upgrade.await.unwrap();
        assert_eq!(peer, from);
        muxer
    }
}

/// Exchanges descriptions, after `change` has had its say about them.
async fn described(one: &mut End, other: &mut End, change: impl Fn(String) -> String) {
    let offer = one.vessel.describe(true).await.unwrap();
    other.vessel.accept(true, change(offer)).await.unwrap();
    let answer = other.vessel.describe(false).await.unwrap();
    one.vessel.accept(false, change(answer)).await.unwrap();
}

/// Carries candidates until both are connected, or one of them has given up.
async fn carry(one: &mut End, other: &mut End) -> News {
    let (mut first, mut second) = (false, false);
    loop {
        let (news, whose, to) = tokio::select! {
            news = one.news() => (news, &mut first, &mut *other),
            news = other.news() => (news, &mut second, &mut *one),
        };
        match news {
            News::Found(Trickled::Candidate(way)) => to.vessel.add(Some(way)),
            News::Found(Trickled::End) => to.vessel.add(None),
            News::Unreachable => return news,
            News::Connected => *whose = true,
        }
        if first && second {
            return News::Connected;
        }
    }
}

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_ends_come_to_a_connection_and_streams_go_both_ways() {
    in_time(async {
        let (mut one, mut other) = (End::new(), End::new());
        described(&mut one, &mut other, |text| text).await;
        assert_eq!(carry(&mut one, &mut other).await, News::Connected);
        let (ann, bob) = (peer_id(), peer_id());
        let (mut one, mut other) = (one.arrived(bob).await, other.arrived(ann).await);
        for round in 0..3u8 {
            let mut sent = poll_fn(|cx| Pin::new(&mut one).poll_outbound(cx))
                .await
                .unwrap();
            sent.write_all(&[round; 100_000]).await.unwrap();
            sent.close().await.unwrap();
            let mut taken = poll_fn(|cx| Pin::new(&mut other).poll_inbound(cx))
                .await
                .unwrap();
            let mut bytes = Vec::new();
            taken.read_to_end(&mut bytes).await.unwrap();
            assert!(bytes.len() == 100_000 && bytes.iter().all(|byte| *byte == round));
            std::mem::swap(&mut one, &mut other);
        }
        // Who is told that the other one closes does not wait for silence.
        let closed = async {
            poll_fn(|cx| Pin::new(&mut one).poll_close(cx))
                .await
                .unwrap();
        };
        let ended = async {
            poll_fn(|cx| Pin::new(&mut other).poll(cx))
                .await
                .unwrap_err();
        };
        futures::join!(closed, ended);
    })
    .await;
}

/// Whoever carries the descriptions could put itself between both ends otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn another_certificate_than_the_described_one_is_refused() {
    in_time(async {
        let (mut one, mut other) = (End::new(), End::new());
        described(&mut one, &mut other, |text| {
            let lines = text
                .split("\r\n")
                .map(|line| match line.split_once("sha-256 ") {
                    Some((start, _)) => format!("{start}sha-256 {}", ["AB"; 32].join(":")),
                    None => line.to_owned(),
                });
            lines.collect::<Vec<_>>().join("\r\n")
        })
        .await;
        // It is seen in the handshake, and not when the time for ICE is over.
        let ended = tokio::time::timeout(limits::NEGOTIATION / 2, carry(&mut one, &mut other));
        assert_eq!(ended.await, Ok(News::Unreachable));
    })
    .await;
}

/// As when a machine loses its power: nobody says good-bye.
#[tokio::test(flavor = "multi_thread")]
async fn the_silence_of_the_remote_is_noticed() {
    let elsewhere = tokio::runtime::Runtime::new().unwrap();
    in_time(async {
        let (mut one, mut other) = (End::new(), End::new());
        let offer = one.vessel.describe(true).await.unwrap();
        let accepted = {
            let _there = elsewhere.enter();
            other.vessel.accept(true, offer)
        };
        accepted.await.unwrap();
        let answer = other.vessel.describe(false).await.unwrap();
        one.vessel.accept(false, answer).await.unwrap();
        assert_eq!(carry(&mut one, &mut other).await, News::Connected);
        let mut one = one.arrived(peer_id()).await;
        elsewhere.shutdown_background();
        let ended = poll_fn(|cx| Pin::new(&mut one).poll(cx)).await.unwrap_err();
        assert!(ended.to_string().contains("nothing arrived"), "{ended}");
    })
    .await;
}

#[tokio::test]
async fn a_description_that_is_none_is_refused_with_the_reason() {
    let mut end = End::new();
    let refused = end.vessel.accept(true, "v=0\r\n".into()).await.unwrap_err();
    assert!(refused.contains("ice-ufrag"), "{refused}");
}

#[tokio::test]
async fn what_is_told_of_the_ways_is_what_browsers_tell() {
    in_time(async {
        let mut end = End::new();
        let offer = end.vessel.describe(true).await.unwrap();
        assert!(!offer.contains("candidate"));
        let News::Found(Trickled::Candidate(way)) = end.news().await else {
            panic!("no way was found");
        };
        assert!(
            way.text.starts_with("candidate:") && way.text.contains(" typ host"),
            "{way:?}"
        );
        assert_eq!((way.mid.as_deref(), way.line), (Some("0"), Some(0)));
        let ufrag = way.ufrag.unwrap();
        assert!(offer.contains(&format!("a=ice-ufrag:{ufrag}\r\n")));
        // Nobody answers at that port, and so there is an end of it.
        while end.news().await != News::Found(Trickled::End) {}
    })
    .await;
}

/// Sockets and tasks end with the attempt.
#[tokio::test]
async fn an_attempt_that_is_dropped_leaves_nothing() {
    in_time(async {
        let mut end = End::new();
        end.vessel.describe(true).await.unwrap();
        let News::Found(Trickled::Candidate(way)) = end.news().await else {
            panic!("no way was found");
        };
        let socket = str0m::Candidate::from_sdp_string(&way.text).unwrap().addr();
        assert!(std::net::UdpSocket::bind(socket).is_err());
        let tasks = || {
            tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks()
        };
        assert!(tasks() > 0);
        drop(end);
        while tasks() > 0 {
            tokio::task::yield_now().await;
        }
        std::net::UdpSocket::bind(socket).unwrap();
    })
    .await;
}
