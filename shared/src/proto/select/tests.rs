use serde_json::json;

use super::*;
use crate::proto::reputation::{Evidence, Ledger};

const NOW: Millis = 1_700_000_000_000;

/// Twenty nodes: four kinds of machines, each in five states of load.
fn twenty() -> Vec<Candidate> {
    let machines = [
        (2, 2_048, 10_240),
        (4, 8_192, 102_400),
        (8, 16_384, 512_000),
        (32, 131_072, 4_096_000),
    ];
    let each = |(cores, memory, disk)| {
        [0, 100, 250, 500, 1_000].map(|load| Candidate {
            resources: Resources {
                cores,
                load,
                memory,
                disk,
                ..Resources::default()
            },
            latency: Some(20),
            trust: 500,
        })
    };
    machines.into_iter().flat_map(each).collect()
}

#[test]
fn a_score_is_the_sum_of_terms_that_explain_it() {
    let nodes = twenty();
    let ranked = rank(&nodes, Weights::default(), 1);
    assert_eq!(ranked.len(), 20);
    for scored in &ranked {
        let sum: u64 = scored.terms.iter().map(|term| term.points).sum();
        assert_eq!(scored.score, sum);
        assert!(scored.score <= 1_000);
    }
    let of = |index: usize| {
        let found = ranked.iter().find(|scored| scored.index == index);
        let scored = found.expect("all are ranked");
        let terms = scored.terms.map(|term| (term.value, term.points));
        (scored.score, terms)
    };
    assert_eq!(
        of(0),
        (
            523,
            [(249, 49), (550, 55), (552, 55), (714, 214), (500, 150)]
        )
    );
    assert_eq!(
        of(4),
        (474, [(0, 0), (550, 55), (552, 55), (714, 214), (500, 150)])
    );
    assert_eq!(
        of(15),
        (
            707,
            [(836, 167), (850, 85), (914, 91), (714, 214), (500, 150)]
        )
    );
    assert_eq!(
        of(16),
        (
            690,
            [(752, 150), (850, 85), (914, 91), (714, 214), (500, 150)]
        )
    );
    assert_eq!(
        of(17),
        (
            665,
            [(627, 125), (850, 85), (914, 91), (714, 214), (500, 150)]
        )
    );
    assert_eq!(
        of(19),
        (540, [(0, 0), (850, 85), (914, 91), (714, 214), (500, 150)])
    );
}

#[test]
fn the_work_goes_to_the_idle_and_is_spread_among_equals() {
    let nodes = twenty();
    let mut chosen = [0u32; 20];
    for seed in 0..1_000 {
        chosen[rank(&nodes, Weights::default(), seed)[0].index] += 1;
    }
    // The largest machine without load, and the one with hardly any, share it all.
    let share = [chosen[15], chosen[16]];
    assert_eq!(share.iter().sum::<u32>(), 1_000, "{chosen:?}");
    assert!(
        share.iter().all(|times| (450..=550).contains(times)),
        "{chosen:?}"
    );
    let once = rank(&nodes, Weights::default(), 7);
    assert_eq!(once, rank(&nodes, Weights::default(), 7), "a seed decides");
}

#[test]
fn twenty_equals_share_the_work() {
    let nodes = vec![twenty()[5].clone(); 20];
    let mut chosen = [0u32; 20];
    for seed in 0..2_000 {
        chosen[rank(&nodes, Weights::default(), seed)[0].index] += 1;
    }
    assert!(
        chosen.iter().all(|times| (60..140).contains(times)),
        "{chosen:?}"
    );
}

#[test]
fn weights_decide_what_counts() {
    let mut nodes = twenty();
    nodes[3].latency = Some(1);
    let only = |term: usize| {
        let mut weights = [0; 5];
        weights[term] = 1;
        rank(&nodes, Weights(weights), 1)[0].index
    };
    assert_eq!(only(3), 3);
    assert!(only(0) >= 15 && only(1) >= 15 && only(2) >= 15);
    assert_eq!(rank(&nodes, Weights([0; 5]), 1)[0].score, 0);
    assert_eq!(rank(&[], Weights::default(), 1), []);
}

/// It says it is the best machine of all, answers slowly, and fails every other time.
#[test]
fn who_lies_about_its_resources_loses_by_what_is_measured() {
    let mut nodes = twenty();
    let liar = 7;
    nodes[liar].resources = Resources {
        cores: u64::MAX,
        memory: u64::MAX,
        disk: u64::MAX,
        ..Resources::default()
    };
    nodes[liar].latency = None;
    let mut ledger = Ledger::default();
    let mut calls = 0;
    for seed in 0..200 {
        for (index, node) in nodes.iter_mut().enumerate() {
            let standing = ledger.standing(&[index as u8], NOW);
            node.trust = standing.trust();
            node.latency = standing.latency.or(Some(20));
        }
        let best = rank(&nodes, Weights::default(), seed)[0].index;
        let evidence = match best == liar {
            true if seed % 2 == 0 => Evidence::Failed,
            true => Evidence::Answered(900),
            false => Evidence::Answered(20),
        };
        calls += u32::from(best == liar);
        ledger.note(&[best as u8], evidence, NOW);
    }
    assert!(calls <= 3, "called {calls} times");
    let ranked = rank(&nodes, Weights::default(), 1);
    let place = ranked.iter().position(|scored| scored.index == liar);
    assert!(place > Some(9), "{place:?}");
}

#[test]
fn doubling_is_one_step() {
    assert_eq!([0, 1, 3, 7].map(doublings), [0, 1_000, 2_000, 3_000]);
    assert_eq!(doublings(2), 1_500);
    assert_eq!(doublings(u64::MAX), 63_999);
}

#[test]
fn what_a_peer_says_is_coarse_and_what_it_hears_is_bounded() {
    let exact = Resources {
        cores: 6,
        load: 449,
        memory: 6_000,
        disk: 0,
        bandwidth: 1_000,
        uptime: 2 * 3_600_000 + 5,
        roles: vec!["relay".into()],
        transports: vec!["tcp".into()],
    };
    let coarse = exact.coarse();
    let numbers = [coarse.load, coarse.memory, coarse.disk, coarse.bandwidth];
    assert_eq!(numbers, [400, 4_096, 0, 512]);
    assert_eq!(coarse.uptime, 2 * 3_600_000);
    assert_eq!(Resources::from_value(&coarse.to_value("warren")), coarse);
    assert_eq!(Resources::from_value(&json!("no")), Resources::default());
    let odd = json!({"cores": -1, "load": "x", "memory": 7.5, "roles": ["x".repeat(65), 7, "ok"], "transports": vec!["t"; 99]});
    let read = Resources::from_value(&odd);
    assert_eq!((read.cores, read.load, read.memory), (0, 0, 0));
    assert_eq!(read.roles, ["ok"]);
    assert_eq!(read.transports.len(), 16);
}
