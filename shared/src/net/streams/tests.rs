//! Two swarms over the memory transport that speak nothing but streams.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::future::{join, join_all};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt, select_biased};
use libp2p::core::transport::MemoryTransport;
use libp2p::identity::Keypair;
use libp2p::swarm::{Swarm, SwarmEvent};
use libp2p::{Multiaddr, PeerId, StreamProtocol};

use super::*;
use crate::limits::MAX_FRAME;
use crate::net::swarm::{authenticated, swarm_config};

/// More than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

type Job = Box<dyn FnOnce(&mut Swarm<Behaviour>) + Send>;

/// A swarm that runs beside the test.
struct Peer {
    id: PeerId,
    address: Multiaddr,
    jobs: mpsc::UnboundedSender<Job>,
    registry: Registry,
    asked: mpsc::UnboundedReceiver<Asked>,
}

impl Peer {
    async fn start(services: &[Service]) -> Peer {
        let key = Keypair::generate_ed25519();
        let transport = authenticated(MemoryTransport::default(), &key).expect("a transport");
        let id = key.public().to_peer_id();
        let services = services
            .iter()
            .map(|service| (*service, protocol_of(*service)));
        let mut swarm = Swarm::new(transport, Behaviour::new(services), id, swarm_config());
        let anywhere = "/memory/0".parse().expect("an address");
        swarm.listen_on(anywhere).expect("it listens");
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                break address;
            }
        };
        let registry = swarm.behaviour().registry();
        let (jobs, todo) = mpsc::unbounded();
        let (heard, asked) = mpsc::unbounded();
        tokio::spawn(run(swarm, todo, heard));
        Peer {
            id,
            address,
            jobs,
            registry,
            asked,
        }
    }

    fn with(&self, job: impl FnOnce(&mut Swarm<Behaviour>) + Send + 'static) {
        self.jobs.unbounded_send(Box::new(job)).expect("it runs");
    }

    async fn open(&self, to: &Peer, protocol: Protocol) -> Result<Opened, Failure> {
        self.open_at(to.id, to.address.clone(), protocol).await
    }

    async fn open_at(
        &self,
        peer: PeerId,
        address: Multiaddr,
        protocol: Protocol,
    ) -> Result<Opened, Failure> {
        let (reply, opened) = oneshot::channel();
        self.with(move |swarm| {
            let streams = swarm.behaviour_mut();
            streams.open(peer, vec![address], protocol, reply);
        });
        let opened = tokio::time::timeout(PATIENCE, opened).await;
        let opened = opened.expect("an outcome in time");
        opened.unwrap_or(Err(Failure::ConnectionClosed))
    }

    async fn ask(&self, of: &Peer, service: Service, request: &[u8]) -> Result<Vec<u8>, Failure> {
        let opened = self.open(of, protocol_of(service)).await?;
        ask(opened.stream, request, service.deadline()).await
    }

    async fn is_asked(&mut self) -> Asked {
        let asked = tokio::time::timeout(PATIENCE, self.asked.next()).await;
        asked.expect("a request in time").expect("it runs")
    }
}

async fn run(
    mut swarm: Swarm<Behaviour>,
    mut todo: mpsc::UnboundedReceiver<Job>,
    heard: mpsc::UnboundedSender<Asked>,
) {
    loop {
        select_biased! {
            job = todo.next() => match job {
                Some(job) => job(&mut swarm),
                None => return,
            },
            event = swarm.select_next_some() => if let SwarmEvent::Behaviour(asked) = event {
                let _ = heard.unbounded_send(asked);
            },
        }
    }
}

fn protocol_of(service: Service) -> Protocol {
    service.protocol(&"test".parse().expect("a network"))
}

fn plain(streams: usize) -> Protocol {
    Protocol {
        name: StreamProtocol::new("/plain/1"),
        streams,
        hasty: false,
    }
}

/// Sends a number, gets it back.
async fn echoed(from: &Peer, to: &Peer, protocol: Protocol, number: u64) -> std::io::Result<u64> {
    let opened = from.open(to, protocol).await;
    let mut stream = opened.map_err(std::io::Error::other)?.stream;
    stream.write_all(&number.to_be_bytes()).await?;
    stream.close().await?;
    let mut answer = [0; 8];
    stream.read_exact(&mut answer).await?;
    Ok(u64::from_be_bytes(answer))
}

async fn echo(mut stream: Stream) -> std::io::Result<()> {
    let mut number = [0; 8];
    stream.read_exact(&mut number).await?;
    stream.write_all(&number).await?;
    stream.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_streams_opened_in_one_go_all_arrive() {
    let (here, there) = (Peer::start(&[]).await, Peer::start(&[]).await);
    let protocol = plain(64);
    let share = protocol.own_share();
    let queue = there.registry.accept(protocol.clone()).expect("free");
    let most = std::sync::Arc::new(AtomicUsize::new(0));
    let seen = most.clone();
    tokio::spawn(async move {
        let open = AtomicUsize::new(0);
        let serve = |incoming: Incoming| {
            let now = open.fetch_add(1, Ordering::Relaxed) + 1;
            seen.fetch_max(now, Ordering::Relaxed);
            let open = &open;
            async move {
                let _ = echo(incoming.stream).await;
                open.fetch_sub(1, Ordering::Relaxed);
            }
        };
        queue.for_each_concurrent(None, serve).await;
    });
    let all = (0..1_000).map(|number| echoed(&here, &there, protocol.clone(), number));
    let answers = tokio::time::timeout(PATIENCE, join_all(all)).await;
    for (number, answer) in answers.expect("in time").into_iter().enumerate() {
        assert_eq!(answer.expect("an answer"), number as u64);
    }
    // The other end learns a moment later that a stream has ended, and must not have refused one for that.
    let most = most.load(Ordering::Relaxed);
    assert!(most > 1 && most <= 2 * share, "{most} of {share}");
}

#[tokio::test]
async fn a_thousand_requests_at_once_are_all_answered() {
    let here = Peer::start(&[]).await;
    let mut there = Peer::start(&[Service::Record]).await;
    let (id, address) = (there.id, there.address.clone());
    let all = (0..1_000_u32).map(async |number| {
        let protocol = protocol_of(Service::Record);
        let opened = here.open_at(id, address.clone(), protocol).await?;
        ask(opened.stream, &number.to_be_bytes(), PATIENCE).await
    });
    let answering = async {
        for _ in 0..1_000 {
            let Asked { frame, reply, .. } = there.is_asked().await;
            reply.send(frame).expect("it waits");
        }
    };
    let (answers, ()) = join(join_all(all), answering).await;
    for (number, answer) in answers.into_iter().enumerate() {
        let sent = (number as u32).to_be_bytes();
        assert_eq!(answer.expect("an answer"), sent);
    }
}

#[tokio::test]
async fn one_stream_too_many_is_refused_and_those_within_are_kept() {
    let (here, there) = (Peer::start(&[]).await, Peer::start(&[]).await);
    let mut queue = there.registry.accept(plain(4)).expect("free");
    // It keeps to limits of its own.
    let greedy = plain(100);
    let mut mine = Vec::new();
    for _ in 0..5 {
        mine.push(here.open(&there, greedy.clone()).await.expect("negotiated"));
    }
    let mut last = mine.pop().expect("five").stream;
    let read = tokio::time::timeout(PATIENCE, last.read(&mut [0; 1])).await;
    assert!(!matches!(read.expect("refused at once"), Ok(1..)));
    let mut theirs = Vec::new();
    for _ in 0..4 {
        theirs.push(queue.next().await.expect("within the limit"));
    }
    theirs.pop();
    let again = echoed(&here, &there, greedy, 7);
    let serving = async { echo(queue.next().await.expect("a place was free").stream).await };
    let (again, served) = join(again, serving).await;
    served.expect("served");
    assert_eq!(again.expect("an answer"), 7);
}

#[tokio::test]
async fn those_of_which_the_other_end_does_not_know_that_they_are_over_leave_room_for_as_many() {
    let (here, there) = (Peer::start(&[]).await, Peer::start(&[]).await);
    let protocol = plain(8);
    let mut queue = there.registry.accept(protocol.clone()).expect("free");
    let mut theirs = Vec::new();
    for round in 0..2_u64 {
        let mut mine = Vec::new();
        for number in 0..protocol.own_share() as u64 {
            let opened = here.open(&there, protocol.clone()).await;
            let mut stream = opened.expect("a place of ours is free").stream;
            let said = round << 32 | number;
            stream.write_all(&said.to_be_bytes()).await.expect("sent");
            stream.flush().await.expect("sent");
            let next = tokio::time::timeout(PATIENCE, queue.next()).await;
            let mut there = next.expect("not refused").expect("it runs").stream;
            let mut heard = [0; 8];
            there.read_exact(&mut heard).await.expect("it was sent");
            assert_eq!(u64::from_be_bytes(heard), said);
            mine.push(stream);
            theirs.push(there);
        }
    }
    assert_eq!(theirs.len(), protocol.streams);
}

#[tokio::test]
async fn a_peer_that_answers_nothing_times_out() {
    let here = Peer::start(&[]).await;
    let mut there = Peer::start(&[Service::Names]).await;
    let opened = here.open(&there, protocol_of(Service::Names)).await;
    let stream = opened.expect("negotiated").stream;
    let asking = ask(stream, b"hello", Duration::from_millis(200));
    let (answer, asked) = join(asking, there.is_asked()).await;
    assert!(matches!(answer, Err(Failure::Timeout)), "{answer:?}");
    assert_eq!(
        (asked.frame.as_slice(), asked.peer),
        (&b"hello"[..], here.id)
    );
}

#[tokio::test]
async fn a_request_that_nobody_answers_fails_at_once() {
    let here = Peer::start(&[]).await;
    let mut there = Peer::start(&[Service::Names]).await;
    let opened = here.open(&there, protocol_of(Service::Names)).await;
    let asking = ask(opened.expect("negotiated").stream, b"?", PATIENCE);
    let refusing = async { drop(there.is_asked().await) };
    let (answer, ()) = join(asking, refusing).await;
    assert!(matches!(answer, Err(Failure::Io(_))), "{answer:?}");
}

#[tokio::test]
async fn a_peer_without_the_protocol_says_so() {
    let (here, there) = (Peer::start(&[]).await, Peer::start(&[Service::Names]).await);
    let refused = here.ask(&there, Service::Record, b"?").await;
    assert!(matches!(refused, Err(Failure::Unsupported)), "{refused:?}");
    // The connection is none the worse for it, and learns of protocols that come later.
    let refused = here.open(&there, plain(1)).await;
    assert!(matches!(refused, Err(Failure::Unsupported)));
    let mut queue = there.registry.accept(plain(1)).expect("free");
    let echo = async { echo(queue.next().await.expect("a stream").stream).await };
    let (answer, _) = join(echoed(&here, &there, plain(1), 5), echo).await;
    assert_eq!(answer.expect("an answer"), 5);
}

#[tokio::test]
async fn a_connection_that_ends_fails_what_was_asked_and_nothing_that_was_not_yet() {
    let here = Peer::start(&[]).await;
    let mut there = Peer::start(&[Service::Names]).await;
    let (id, address) = (there.id, there.address.clone());
    let open = || here.open_at(id, address.clone(), protocol_of(Service::Names));
    let here_id = here.id;
    let asking = async { ask(open().await?.stream, b"?", PATIENCE).await };
    let cutting = async {
        let asked = there.is_asked().await;
        // Some are open by then, some are on the way, and the connection closes under them.
        let cut = async {
            there.with(move |swarm| {
                let _ = swarm.disconnect_peer_id(here_id);
            })
        };
        let more = join_all((0..20).map(|_| open()));
        (asked, join(more, cut).await.0)
    };
    let (answer, (asked, more)) = join(asking, cutting).await;
    assert!(matches!(answer, Err(Failure::Io(_))), "{answer:?}");
    for opened in more {
        opened.expect("opened, over another connection when needed");
    }
    let late = asked.reply.send(Vec::new());
    assert!(late.is_err(), "nobody waits any more");
}

#[tokio::test]
async fn all_who_wait_for_a_dial_get_its_outcome() {
    let (here, there) = (Peer::start(&[]).await, Peer::start(&[Service::Names]).await);
    let nowhere: Multiaddr = "/memory/1".parse().expect("an address");
    let nobody = PeerId::random();
    let lost = (0..3).map(|_| here.open_at(nobody, nowhere.clone(), protocol_of(Service::Names)));
    for outcome in join_all(lost).await {
        assert!(matches!(outcome, Err(Failure::Dial)), "{outcome:?}");
    }
    let good = (0..3).map(|_| here.open(&there, protocol_of(Service::Names)));
    let opened: Result<Vec<_>, _> = join_all(good).await.into_iter().collect();
    let connections = opened.expect("three").into_iter().map(|one| one.connection);
    assert_eq!(
        connections.collect::<std::collections::HashSet<_>>().len(),
        1
    );
}

#[tokio::test]
async fn an_oversized_frame_ends_its_stream_on_both_sides() {
    let here = Peer::start(&[]).await;
    let mut there = Peer::start(&[Service::Names]).await;
    let mut buffer = unsigned_varint::encode::usize_buffer();
    let long = unsigned_varint::encode::usize(MAX_FRAME + 1, &mut buffer);
    let opened = here.open(&there, protocol_of(Service::Names)).await;
    let mut stream = opened.expect("negotiated").stream;
    stream.write_all(long).await.expect("sent");
    stream.flush().await.expect("sent");
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 1])).await;
    assert!(!matches!(read.expect("refused at once"), Ok(1..)));
    assert!(there.asked.try_recv().is_err(), "nobody was asked");

    let mut queue = there.registry.accept(plain(1)).expect("free");
    let opened = here.open(&there, plain(1)).await;
    let asking = ask(opened.expect("negotiated").stream, b"?", PATIENCE);
    let answering = async {
        let mut stream = queue.next().await.expect("a stream").stream;
        stream.write_all(long).await.expect("sent");
        stream.close().await.expect("sent");
        stream
    };
    let (answer, _kept) = join(asking, answering).await;
    match answer {
        Err(Failure::Io(error)) => assert_eq!(error.kind(), std::io::ErrorKind::InvalidData),
        other => panic!("no failure: {other:?}"),
    }
}
