//! Paging, quotas, expiry and storage.

use super::*;
use crate::limits::MINUTE;

const NOW: Millis = 1_700_000_000_000;

fn entry(number: u16, expires: Millis) -> ProviderEntry {
    let peer = [vec![9; 36], number.to_be_bytes().to_vec()].concat();
    ProviderEntry {
        peer,
        addresses: vec![vec![1; 40]],
        expires,
    }
}

fn full() -> ProviderSet {
    let mut set = ProviderSet::new();
    for number in 0..MAX_PROVIDERS_PER_KEY as u16 {
        set.insert(entry(number, NOW + MINUTE), None, NOW).unwrap();
    }
    set
}

#[test]
fn pages_give_every_member_once() {
    let set = full();
    let (mut seen, mut after, mut more) = (Vec::new(), None, true);
    while more {
        let (page, rest) = set.page(after.as_deref(), NOW);
        after = page.last().map(|entry| entry.peer.clone());
        seen.extend(page);
        more = rest;
    }
    assert_eq!(seen.len(), MAX_PROVIDERS_PER_KEY);
    assert!(seen.windows(2).all(|pair| pair[0].peer < pair[1].peer));
    assert_eq!(set.page(after.as_deref(), NOW), (vec![], false));
}

#[test]
fn a_full_set_renews_members_and_makes_room_by_expiry() {
    let mut set = full();
    assert_eq!(
        set.insert(entry(999, NOW + MINUTE), None, NOW),
        Err(Refusal::Full)
    );
    set.insert(entry(7, NOW + 2 * MINUTE), None, NOW).unwrap();
    set.insert(entry(999, NOW + 2 * MINUTE), None, NOW + MINUTE)
        .unwrap();
    assert_eq!(set.len(), 2);
}

#[test]
fn one_prefix_gets_a_quarter() {
    let mut set = ProviderSet::new();
    let prefix = Some(Prefix::V4([203, 0, 113]));
    for number in 0..MAX_PROVIDERS_PER_PREFIX as u16 {
        set.insert(entry(number, NOW + MINUTE), prefix, NOW)
            .unwrap();
    }
    assert_eq!(
        set.insert(entry(500, NOW + MINUTE), prefix, NOW),
        Err(Refusal::Full)
    );
    set.insert(entry(0, NOW + MINUTE), prefix, NOW).unwrap();
    set.insert(entry(500, NOW + MINUTE), Some(Prefix::Relay(1)), NOW)
        .unwrap();
    set.insert(entry(501, NOW + MINUTE), None, NOW).unwrap();
}

#[test]
fn lives_are_cut_and_the_expired_never_shown() {
    let mut set = ProviderSet::new();
    assert_eq!(set.insert(entry(1, NOW), None, NOW), Err(Refusal::Expired));
    set.insert(entry(1, u64::MAX), None, NOW).unwrap();
    assert_eq!(set.page(None, NOW).0[0].expires, NOW + PROVIDER_LIFETIME);
    assert!(set.page(None, NOW + PROVIDER_LIFETIME).0.is_empty());
    assert_eq!(set.sweep(NOW + PROVIDER_LIFETIME), 1);
    assert!(set.is_empty());
}

#[test]
fn sizes_are_checked() {
    let mut set = ProviderSet::new();
    let good = entry(1, NOW + MINUTE);
    for (bad, why) in [
        (
            ProviderEntry {
                peer: vec![],
                ..good.clone()
            },
            Refusal::Malformed,
        ),
        (
            ProviderEntry {
                peer: vec![0; 65],
                ..good.clone()
            },
            Refusal::Oversized,
        ),
        (
            ProviderEntry {
                addresses: vec![vec![0; 257]],
                ..good.clone()
            },
            Refusal::Oversized,
        ),
        (
            ProviderEntry {
                addresses: vec![vec![0]; 3],
                ..good.clone()
            },
            Refusal::Oversized,
        ),
        (
            ProviderEntry {
                addresses: vec![vec![]],
                ..good.clone()
            },
            Refusal::Malformed,
        ),
    ] {
        assert_eq!(set.insert(bad, None, NOW), Err(why));
    }
}

#[test]
fn survives_storage() {
    let mut set = full();
    set.remove(&entry(0, 0).peer);
    set.insert(
        entry(800, NOW + MINUTE),
        Some(Prefix::V6([1, 2, 3, 4, 5, 6])),
        NOW,
    )
    .unwrap();
    assert_eq!(ProviderSet::decode(&set.encode()).unwrap(), set);
    assert_eq!(ProviderSet::decode(&[]), Err(Refusal::Malformed));
}
