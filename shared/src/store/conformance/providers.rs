//! Providers: paging, quotas, expiry.

use super::*;

pub(super) async fn announce(
    store: &impl RecordStore,
    name: &str,
    entry: ProviderEntry,
) -> Result<(), AnnounceError> {
    store.announce(namespace(name), entry, None, NOW).await
}

pub(super) async fn pages(store: impl RecordStore) -> Checked {
    for number in 0..200 {
        same(
            announce(&store, "n", entry(number, NOW + MINUTE)).await,
            Ok(()),
        )?;
    }
    same(
        announce(&store, "other", entry(999, NOW + MINUTE)).await,
        Ok(()),
    )?;
    let (mut seen, mut after, mut more) = (Vec::new(), None, true);
    while more {
        let page = store.providers(namespace("n"), after, NOW).await;
        let (entries, rest) = page.map_err(|error| error.to_string())?;
        after = entries.last().map(|entry| entry.peer.clone());
        seen.extend(entries);
        more = rest;
    }
    let wanted: Vec<_> = (0..200).map(|number| entry(number, NOW + MINUTE)).collect();
    same(seen, wanted)
}

pub(super) async fn provider_expiry(store: impl RecordStore) -> Checked {
    same(announce(&store, "n", entry(1, NOW + MINUTE)).await, Ok(()))?;
    same(announce(&store, "n", entry(2, NOW + DAY)).await, Ok(()))?;
    let listed = |now| store.providers(namespace("n"), None, now);
    let cut = entry(2, NOW + PROVIDER_LIFETIME);
    same(listed(NOW + MINUTE).await, Ok((vec![cut], false)))?;
    same(listed(NOW + PROVIDER_LIFETIME).await, Ok((vec![], false)))
}

pub(super) async fn withdraw(store: impl RecordStore) -> Checked {
    for number in [1, 2] {
        same(
            announce(&store, "n", entry(number, NOW + MINUTE)).await,
            Ok(()),
        )?;
    }
    for _ in 0..2 {
        same(
            store.withdraw(namespace("n"), &entry(1, 0).peer).await,
            Ok(()),
        )?;
    }
    same(
        store.withdraw(namespace("empty"), &entry(1, 0).peer).await,
        Ok(()),
    )?;
    let left = store.providers(namespace("n"), None, NOW).await;
    same(left, Ok((vec![entry(2, NOW + MINUTE)], false)))?;
    same(store.stats().await.map(|stats| stats.providers), Ok(1))
}

pub(super) async fn renewal(store: impl RecordStore) -> Checked {
    same(announce(&store, "n", entry(1, NOW + MINUTE)).await, Ok(()))?;
    let moved = ProviderEntry {
        addresses: vec![vec![9]],
        ..entry(1, NOW + 5 * MINUTE)
    };
    same(announce(&store, "n", moved.clone()).await, Ok(()))?;
    same(
        store.providers(namespace("n"), None, NOW).await,
        Ok((vec![moved], false)),
    )
}

pub(super) async fn prefix_quota(store: impl RecordStore) -> Checked {
    let prefix = Some(Prefix::V4([203, 0, 113]));
    let announce =
        |number| store.announce(namespace("n"), entry(number, NOW + MINUTE), prefix, NOW);
    for number in 0..64 {
        same(announce(number).await, Ok(()))?;
    }
    same(
        announce(64).await,
        Err(AnnounceError::Refused(Refusal::Full)),
    )?;
    same(announce(0).await, Ok(()))?;
    let elsewhere = store.announce(namespace("m"), entry(64, NOW + MINUTE), prefix, NOW);
    same(elsewhere.await, Ok(()))
}

pub(super) async fn full_list(store: impl RecordStore) -> Checked {
    for number in 0..256 {
        same(
            announce(&store, "n", entry(number, NOW + MINUTE)).await,
            Ok(()),
        )?;
    }
    let refused = announce(&store, "n", entry(256, NOW + MINUTE)).await;
    same(refused, Err(AnnounceError::Refused(Refusal::Full)))?;
    same(store.stats().await.map(|stats| stats.providers), Ok(256))
}

pub(super) async fn bad_entries(store: impl RecordStore) -> Checked {
    for (bad, why) in [
        (entry(1, NOW), Refusal::Expired),
        (
            ProviderEntry {
                peer: vec![],
                ..entry(1, NOW + MINUTE)
            },
            Refusal::Malformed,
        ),
        (
            ProviderEntry {
                addresses: vec![vec![1]; 3],
                ..entry(1, NOW + 1)
            },
            Refusal::Oversized,
        ),
    ] {
        same(
            announce(&store, "n", bad).await,
            Err(AnnounceError::Refused(why)),
        )?;
    }
    same(store.stats().await, Ok(StoreStats::default()))
}

pub(super) async fn provider_limits(store: impl RecordStore) -> Checked {
    let full = || Err(AnnounceError::Refused(Refusal::Full));
    for (name, number) in [("a", 1), ("b", 1), ("a", 2)] {
        same(
            announce(&store, name, entry(number, NOW + MINUTE)).await,
            Ok(()),
        )?;
    }
    same(announce(&store, "c", entry(1, NOW + MINUTE)).await, full())?;
    same(announce(&store, "a", entry(1, NOW + MINUTE)).await, Ok(()))?;
    same(
        announce(&store, "a", entry(2, NOW + 2 * MINUTE)).await,
        Ok(()),
    )?;
    let later = NOW + 2 * MINUTE;
    let fresh = entry(1, later + MINUTE);
    same(
        store.announce(namespace("c"), fresh, None, later).await,
        Ok(()),
    )
}
