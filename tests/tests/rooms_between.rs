//! More rooms than stock relays would tell each other about: each of them works between two relays.

use std::collections::BTreeSet;

use futures::future::join_all;
use warren_shared::limits::MAX_TOPICS_PER_PEER;
use warren_shared::net::Node;
use warren_shared::net::chat::Joined;
use warren_tests::guests::public;
use warren_tests::peers::one_of_many;
use warren_tests::relays::TestRelay;
use warren_tests::wait::until;

/// A message of gossipsub with the names of so many is larger than stock relays take.
const ROOMS: usize = 170;

/// Peers at one relay, and all the rooms that they are in together.
struct Side {
    nodes: Vec<Node>,
    rooms: Vec<Joined>,
}

impl Side {
    async fn enter(relay: &TestRelay, nick: &str) -> Side {
        let numbers: Vec<usize> = (0..ROOMS).collect();
        let entering = numbers
            .chunks(MAX_TOPICS_PER_PEER - 1)
            .map(|numbers| async move {
                let node = one_of_many(relay).await.expect("it joins");
                let chat = node.chat().expect("a peer may chat");
                let mut rooms = Vec::new();
                for number in numbers {
                    let room = public(&format!("room {number}"));
                    rooms.push(chat.join(&room, nick).await.expect("it is entered"));
                }
                (node, rooms)
            });
        let (nodes, rooms): (Vec<_>, Vec<_>) = join_all(entering).await.into_iter().unzip();
        let rooms = rooms.into_iter().flatten().collect();
        Side { nodes, rooms }
    }

    /// Says something else in each room.
    async fn say(&self, word: &str) {
        for (number, room) in self.rooms.iter().enumerate() {
            let said = room.send(&format!("{word} in {number}")).await;
            said.expect("it is said");
        }
    }

    /// Waits until that has arrived in each room, and in no other one.
    async fn hears(&self, word: &str) {
        let mut silent: BTreeSet<usize> = (0..ROOMS).collect();
        // As long as something still comes nobody has to give up.
        while !silent.is_empty() {
            silent = until("something more arrives", || async {
                let left = self.missing(word, &silent).await;
                (left.len() < silent.len()).then_some(left)
            })
            .await;
        }
    }

    async fn missing(&self, word: &str, among: &BTreeSet<usize>) -> BTreeSet<usize> {
        let mut missing = BTreeSet::new();
        for number in among {
            let entries = self.rooms[*number].history(None, ROOMS).await;
            let entries = entries.expect("the room is open");
            let heard = |text: &String| text.starts_with(word);
            let texts = entries.into_iter().map(|entry| entry.text).filter(heard);
            let texts: Vec<String> = texts.collect();
            if texts != [format!("{word} in {number}")] {
                assert!(texts.is_empty(), "{texts:?} in {number}");
                missing.insert(*number);
            }
        }
        missing
    }

    async fn close(self) {
        join_all(self.nodes.iter().map(Node::close)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_in_each_of_many_rooms_arrives_over_two_relays() {
    let first = TestRelay::first().await;
    let here = Side::enter(&first, "Ada").await;
    // It hears of all topics at once, when it connects.
    let second = TestRelay::start(|args| args.join = vec![first.url()]).await;
    let second = second.expect("the second relay joins");
    let there = Side::enter(&second, "Ben").await;
    here.say("ping").await;
    there.hears("ping").await;
    there.say("pong").await;
    here.hears("pong").await;
    here.close().await;
    there.close().await;
    first.stop().await;
    second.stop().await;
}
