//! Many peers in one room: everybody gets everything, and hears of it once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use futures::channel::mpsc;
use futures::future::join_all;
use warren_shared::proto::chat::RoomEvent;
use warren_tests::count;
use warren_tests::guests::{Guest, public};
use warren_tests::peers::one_of_many;
use warren_tests::random::Random;
use warren_tests::relays::TestRelay;
use warren_tests::wait::until;

/// How often each message was told, and how many events were lost to a reader that was too slow.
#[derive(Default)]
struct Told {
    messages: BTreeMap<String, u32>,
    lagged: u64,
}

impl Told {
    /// So many messages are there, or more.
    fn known(&self) -> usize {
        self.messages.len() + self.lagged as usize
    }
}

/// Listens to a room from now on.
fn listen(guest: &mut Guest) -> Arc<Mutex<Told>> {
    let nobody = mpsc::channel(0).1;
    let mut events = std::mem::replace(&mut guest.room.events, nobody);
    let told = Arc::new(Mutex::new(Told::default()));
    let shared = told.clone();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            let mut told = shared.lock().expect("no panic");
            match event {
                RoomEvent::Message { message } => {
                    *told.messages.entry(message.id).or_default() += 1
                }
                RoomEvent::Lagged { dropped } => told.lagged += dropped,
                _ => {}
            }
        }
    });
    told
}

/// Waits until so many messages have been told, to all together.
async fn told_in_all(told: &[Arc<Mutex<Told>>], wanted: usize) {
    let mut there = 0;
    // As long as something still comes nobody has to give up.
    while there < wanted {
        there = until("something more is told", || async {
            let told = told
                .iter()
                .map(|told| told.lock().expect("no panic").known());
            let now: usize = told.sum();
            (now > there).then_some(now)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_everything_and_hears_of_it_once() {
    let mut random = Random::new();
    let mut relays = vec![TestRelay::first().await];
    while relays.len() < count(2, 3) {
        let known = relays[0].url();
        let relay = TestRelay::start(|args| args.join = vec![known]).await;
        relays.push(relay.expect("it joins"));
    }
    let room = public("crowd");
    let joining = (0..count(5, 50)).map(|number| {
        let (relay, room) = (&relays[number % relays.len()], &room);
        async move {
            let node = one_of_many(relay).await.expect("it joins");
            Guest::of(node, room, &format!("guest {number}")).await
        }
    });
    let mut guests: Vec<Guest> = join_all(joining).await;
    let told: Vec<_> = guests.iter_mut().map(listen).collect();

    let rounds = count(4, 10);
    let mut said = Vec::new();
    for round in 0..rounds {
        let speaking = guests.iter().map(|guest| async move {
            let id = guest.room.send(&format!("round {round}")).await;
            id.expect("it is said").to_string()
        });
        said.extend(join_all(speaking).await);
        if round == rounds / 2 {
            // Some lose their relays in the middle of it.
            let unlucky = guests.iter().enumerate();
            let unlucky = unlucky.filter(|(number, _)| *number == 0 || random.chance(10));
            for ((_, guest), relay) in
                unlucky.flat_map(|one| relays.iter().map(move |relay| (one, relay)))
            {
                let cut = guest.node.handle().disconnect(relay.id()).await;
                cut.expect("the node runs");
            }
        }
        // What is missing is fetched while the others go on.
        told_in_all(&told, said.len() * guests.len() / 2).await;
    }
    told_in_all(&told, said.len() * guests.len()).await;
    for (guest, told) in guests.iter().zip(&told) {
        until("everything is there", || async {
            let there = guest.entries().await.len();
            let (missing, _) = guest.room.counts().await.expect("the room is open");
            (there == said.len() && missing == 0).then_some(())
        })
        .await;
        let mut expected = said.clone();
        let mut found: Vec<String> = guest
            .entries()
            .await
            .into_iter()
            .map(|one| one.id)
            .collect();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected);
        let told = told.lock().expect("no panic");
        let twice = told.messages.iter().find(|(_, times)| **times > 1);
        assert_eq!(twice, None, "told twice");
        let missed = said.len() - told.messages.len();
        assert!(missed as u64 <= told.lagged, "{missed} were never told");
    }
    let mut connections = Vec::new();
    for guest in &guests {
        let snapshot = guest.node.handle().snapshot().await.expect("the node runs");
        connections.push(snapshot.connections.len());
    }
    connections.sort_unstable();
    println!("connections of each guest: {connections:?}");
    join_all(guests.into_iter().map(Guest::close)).await;
    join_all(relays.into_iter().map(TestRelay::stop)).await;
}
