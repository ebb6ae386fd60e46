//! What a peer must not forget of names, on a disk that fails for a while.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::outside::Keepsakes;
use warren_shared::net::{Node, NodeConfig, Role};
use warren_shared::proto::key::{NetworkId, SigningKey};
use warren_shared::proto::names::{KnownSets, WitnessSet};
use warren_tests::peers::plain;
use warren_tests::wait::until;

/// Fails so many times to load the floors, and so many times to save anything.
#[derive(Default)]
struct Failing {
    loads: AtomicU32,
    saves: AtomicU32,
    saved: Mutex<Vec<String>>,
}

fn fails(left: &AtomicU32) -> bool {
    let fewer = |left: u32| left.checked_sub(1);
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer)
        .is_ok()
}

fn failed() -> Error {
    Error::new(Code::StorageFailed, "the disk failed")
}

impl Keepsakes for Failing {
    fn load(&self, what: String) -> BoxFuture<'static, Result<Option<Vec<u8>>>> {
        let fails = what.contains("floors") && fails(&self.loads);
        async move { if fails { Err(failed()) } else { Ok(None) } }.boxed()
    }

    fn save(&self, what: String, _: Vec<u8>) -> BoxFuture<'static, Result<()>> {
        let fails = fails(&self.saves);
        if !fails {
            self.saved.lock().expect("no panic").push(what);
        }
        async move { if fails { Err(failed()) } else { Ok(()) } }.boxed()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn witnesses_that_were_named_while_the_disk_failed_are_believed_and_kept() {
    let key = SigningKey::from_seed([3; 32]);
    let network = NetworkId::from_entropy([3; 10]);
    let set = WitnessSet::new(1, 0, [key.public()]).expect("a set");
    let disk = Arc::new(Failing::default());
    disk.loads.store(1, Ordering::Relaxed);
    disk.saves.store(2, Ordering::Relaxed);
    let config = NodeConfig {
        keepsakes: disk.clone(),
        ..plain(&network, Role::Peer, key)
    };
    let node = Node::start(config).expect("it starts");
    let agent = node.names().agent();
    let sets = KnownSets::pinned(network, set);
    agent.pin(sets.clone()).await.expect("it runs");
    assert_eq!(agent.sets().await.expect("the disk is well again"), sets);
    let error = agent.settle().await.expect_err("it cannot be written");
    assert_eq!(error.code(), Code::StorageFailed);
    until("what failed is saved again", || async {
        let saved = disk.saved.lock().expect("no panic").clone();
        saved.iter().any(|what| what.contains("sets")).then_some(())
    })
    .await;
    agent.settle().await.expect("all is saved");
}
