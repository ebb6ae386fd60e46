//! Many peers in one room: everybody gets everything, and hears of it once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures::channel::mpsc;
use futures::future::join_all;
use futures::{FutureExt, StreamExt};
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

async fn say(guest: &Guest, relays: &[TestRelay], each: usize, cut: bool) -> Vec<String> {
    let mut said = Vec::new();
    for number in 0..each {
        let id = guest.room.send(&format!("message {number}")).await;
        said.push(id.expect("it is said").to_string());
        if cut && number == each / 2 {
            for relay in relays {
                let cut = guest.node.handle().disconnect(relay.id()).await;
                cut.expect("the node runs");
            }
        }
    }
    said
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

    let each = count(4, 10);
    let speaking = guests.iter().enumerate().map(|(number, guest)| {
        // Some lose their relays in the middle of it.
        let cut = number == 0 || random.chance(10);
        say(guest, &relays, each, cut).boxed()
    });
    let said: Vec<String> = join_all(speaking).await.concat();
    assert_eq!(said.len(), guests.len() * each);

    // As long as something still arrives nobody has to give up.
    let mut arrived = 0;
    while arrived < said.len() * guests.len() {
        arrived = until("something more arrives", || async {
            let all = guests
                .iter()
                .map(|guest| guest.entries().map(|all| all.len()));
            let there: usize = join_all(all).await.into_iter().sum();
            (there > arrived).then_some(there)
        })
        .await;
        println!("{arrived} of {} have arrived", said.len() * guests.len());
    }
    for (guest, told) in guests.iter().zip(&told) {
        until("nothing is missing", || async {
            let (missing, _) = guest.room.counts().await.expect("the room is open");
            (missing == 0).then_some(())
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
    join_all(guests.into_iter().map(Guest::close)).await;
    join_all(relays.into_iter().map(TestRelay::stop)).await;
}
