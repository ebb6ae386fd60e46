//! What downloads have to withstand.

use super::*;

const HOUR: Micros = 3_600 * MB;

fn long() -> bool {
    std::env::var_os("WARREN_LONG").is_some()
}

fn seeds(few: u64, many: u64) -> std::ops::Range<u64> {
    0..if long() { many } else { few }
}

/// One downloader of sources of 1 MB/s each; how long it takes, and the simulation afterwards.
fn of_sources(seed: u64, pieces: u64, conducts: &[Conduct]) -> (Micros, Sim) {
    let mut sim = Sim::new(seed, pieces);
    let client = sim.peer(MB, 10, Conduct::Honest);
    sim.peers[client].line = Line::new(MB, 100 * MB);
    sim.start(client);
    for conduct in conducts {
        let latency = 5 + sim.random.below(40);
        let source = sim.holder(MB, latency, *conduct);
        sim.connect(client, source);
    }
    let done = sim.run_until(HOUR, |sim| sim.peers[client].done.is_some());
    assert!(done, "seed {seed}: not done");
    (sim.now, sim)
}

#[test]
fn eight_sources_give_what_their_lines_allow() {
    for seed in seeds(3, 50) {
        let pieces = 256;
        let (took, sim) = of_sources(seed, pieces, &[Conduct::Honest; 8]);
        let goodput = pieces * PIECE * MB / took;
        assert!(
            goodput >= 8 * MB * 9 / 10,
            "seed {seed}: {goodput} bytes a second"
        );
        assert!(sim.vain(0) <= 64, "seed {seed}: {}", sim.vain(0));
    }
}

#[test]
fn a_liar_and_one_that_falls_silent_cost_little() {
    for seed in seeds(3, 50) {
        let pieces = 400;
        let (without, _) = of_sources(seed, pieces, &[Conduct::Honest; 6]);
        for silent in [0, 2 * MB, 12 * MB] {
            let mut conducts = [Conduct::Honest; 8];
            conducts[seed as usize % 8] = Conduct::Liar;
            conducts[(seed as usize + 3) % 8] = Conduct::Silent(silent);
            let (took, sim) = of_sources(seed, pieces, &conducts);
            assert!(
                took * 10 <= without * 11,
                "seed {seed}: {took} to {without}"
            );
            let liar = (1 + seed as usize % 8, Leaving::Lied);
            let lied = |left: &&(usize, Leaving)| left.1 == Leaving::Lied;
            let left: Vec<_> = sim.peers[0].left.iter().filter(lied).collect();
            assert_eq!(left, [&liar], "seed {seed}");
        }
    }
}

#[test]
fn a_file_that_changed_is_no_lie() {
    for seed in seeds(3, 20) {
        let mut conducts = [Conduct::Honest; 4];
        conducts[1] = Conduct::Changed(3 * MB);
        let (_, sim) = of_sources(seed, 100, &conducts);
        assert_eq!(sim.peers[0].left, [(2, Leaving::Gone)], "seed {seed}");
        assert_eq!(Leaving::Gone.evidence(), None);
        assert!(
            sim.peers[0].from[&2] > 0,
            "it was used as long as it was right"
        );
    }
}

#[test]
fn partial_holders_complete_each_other_when_the_publisher_has_left() {
    for seed in seeds(5, 100) {
        let mut sim = Sim::new(seed, 100);
        let publisher = sim.holder(MB, 20, Conduct::Honest);
        let clients = [
            sim.peer(MB, 20, Conduct::Honest),
            sim.peer(2 * MB, 50, Conduct::Honest),
        ];
        for client in clients {
            sim.start(client);
            sim.connect(client, publisher);
        }
        // Whatever one has the other may lack; but nothing is with the publisher alone.
        let together = |sim: &Sim| {
            let has = |piece| clients.iter().any(|client| sim.have(*client).has(piece));
            (0..100).all(has)
        };
        assert!(sim.run_until(HOUR, together), "seed {seed}");
        sim.vanish(publisher);
        let lack = clients.map(|client| 100 - sim.have(client).count());
        assert!(lack.iter().all(|lack| *lack > 10), "seed {seed}: {lack:?}");
        sim.connect(clients[0], clients[1]);
        let done = |sim: &Sim| {
            clients
                .iter()
                .all(|client| sim.peers[*client].done.is_some())
        };
        assert!(sim.run_until(HOUR, done), "seed {seed}");
    }
}

/// A publisher, and many that want what it has; some of them lie or fall silent, some vanish and come back.
fn swarm(seed: u64, count: usize, pieces: u64) -> Sim {
    let mut sim = Sim::new(seed, pieces);
    let publisher = sim.holder(4 * MB, 20, Conduct::Honest);
    for number in 0..count {
        let (rate, latency) = (MB / 4 + sim.random.below(2 * MB), 5 + sim.random.below(150));
        match number % 20 {
            7 => sim.holder(rate, latency, Conduct::Liar),
            13 => sim.holder(rate, latency, Conduct::Silent(5 * MB)),
            17 => sim.holder(20_000, latency, Conduct::Honest),
            _ => sim.peer(rate, latency, Conduct::Honest),
        };
    }
    for peer in 1..=count {
        if sim.have(peer).count() == 0 {
            sim.start(peer);
        }
    }
    for peer in 1..=count {
        meet(&mut sim, peer);
        if peer % 4 == 0 {
            sim.connect(peer, publisher);
        }
    }
    sim
}

/// A peer finds others, as trackers and other peers name them.
fn meet(sim: &mut Sim, peer: usize) {
    for _ in 0..8 {
        let other = 1 + sim.random.below(sim.peers.len() as u64 - 1) as usize;
        sim.connect(peer, other);
    }
}

fn waiting(sim: &Sim) -> Vec<usize> {
    let peers = sim.peers.iter().enumerate();
    let waiting = peers.filter(|(_, peer)| peer.download.is_some() && peer.done.is_none());
    waiting.map(|(number, _)| number).collect()
}

#[test]
fn hundreds_get_a_file_from_each_other_while_they_come_and_go() {
    let (count, pieces) = if long() { (500, 96) } else { (150, 24) };
    for seed in seeds(2, 20) {
        let mut sim = swarm(seed, count, pieces);
        let mut gone: Vec<usize> = Vec::new();
        for round in 0.. {
            sim.run((round + 1) * 2 * MB);
            assert!(sim.now < HOUR, "seed {seed}: {:?} wait", waiting(&sim));
            // For half a minute one in thirty vanishes in every round; those that had vanished come back.
            for peer in std::mem::take(&mut gone) {
                sim.peers[peer].left.clear();
                sim.start(peer);
                meet(&mut sim, peer);
            }
            let waiting = waiting(&sim);
            if waiting.is_empty() {
                break;
            }
            for peer in waiting.into_iter().filter(|_| round < 15) {
                if sim.random.below(30) == 0 {
                    sim.vanish(peer);
                    gone.push(peer);
                } else if sim.random.below(10) == 0 {
                    meet(&mut sim, peer);
                }
            }
        }
        let (mut downloads, mut vain) = (0, 0);
        for (number, peer) in sim.peers.iter().enumerate().skip(1) {
            for (left, why) in &peer.left {
                let liar = sim.peers[*left].conduct == Conduct::Liar;
                assert_eq!(
                    *why == Leaving::Lied,
                    liar,
                    "seed {seed}: {number} of {left}"
                );
            }
            downloads += u64::from(peer.done.is_some());
            vain += sim.vain(number);
        }
        // It is the last pieces that are asked of several; how many there were before makes no difference.
        assert!(
            vain <= 3 * QUARTERS * downloads,
            "seed {seed}: {vain} quarters in vain"
        );
    }
}

#[test]
fn a_slow_source_is_of_use_alone_and_no_hindrance_beside_others() {
    let mut sim = Sim::new(1, 3);
    let (client, slow) = (
        sim.peer(MB, 10, Conduct::Honest),
        sim.holder(4_000, 100, Conduct::Honest),
    );
    sim.start(client);
    sim.connect(client, slow);
    let done = |sim: &Sim| sim.peers[client].done.is_some();
    assert!(sim.run_until(HOUR, done));
    assert!(sim.peers[client].left.is_empty());

    let (without, _) = of_sources(2, 100, &[Conduct::Honest; 2]);
    let mut sim = Sim::new(2, 100);
    let client = sim.peer(MB, 10, Conduct::Honest);
    sim.start(client);
    for rate in [MB, MB, 10_000, 10_000, 10_000] {
        let source = sim.holder(rate, 30, Conduct::Honest);
        sim.connect(client, source);
    }
    assert!(sim.run_until(HOUR, done));
    assert!(sim.now * 10 <= without * 11, "{} to {without}", sim.now);
}

#[test]
fn what_is_about_to_be_read_comes_first() {
    let (_, plain) = of_sources(3, 200, &[Conduct::Honest; 3]);
    assert!(
        !plain.peers[0].order[..20]
            .iter()
            .all(|piece| (150..182).contains(piece))
    );
    let mut sim = Sim::new(3, 200);
    let client = sim.peer(MB, 10, Conduct::Honest);
    sim.start(client);
    for _ in 0..3 {
        let source = sim.holder(MB, 20, Conduct::Honest);
        sim.connect(client, source);
    }
    sim.run(5 * MB);
    let before = sim.peers[client].order.len();
    sim.peers[client]
        .download
        .as_mut()
        .unwrap()
        .prefer(&[150, 166]);
    assert!(sim.run_until(HOUR, |sim| {
        (150..182).all(|piece| sim.have(client).has(piece))
    }));
    let order = &sim.peers[client].order[before..];
    let others = order
        .iter()
        .filter(|piece| !(150..182).contains(*piece))
        .count();
    assert!(others <= 6, "only what was under way: {others}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let mut sim = swarm(seed, 20, 16);
        sim.run(20 * MB);
        let orders = sim.peers.iter().map(|peer| peer.order.clone());
        (orders.collect::<Vec<_>>(), sim.numbered)
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}
