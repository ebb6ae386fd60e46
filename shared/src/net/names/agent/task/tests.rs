//! What was kept and cannot be read, and those that give up.

use std::sync::Arc;

use super::*;
use crate::limits::MAX_RESOLUTIONS;
use crate::net::outside::{Forgetful, Keepsakes};
use crate::proto::names::resolution::Unresolved;
use crate::proto::names::resolver::Options;
use crate::selftest::names::samples::{alice, floors, sets};
use crate::selftest::samples::{NOW, network};

/// A disk that cannot be read.
struct Failing;

impl Keepsakes for Failing {
    fn load(&self, _: String) -> BoxFuture<'static, Result<Option<Vec<u8>>>> {
        async { Err(Error::new(Code::StorageFailed, "the disk failed")) }.boxed()
    }

    fn save(&self, _: String, _: Vec<u8>) -> BoxFuture<'static, Result<()>> {
        async { Ok(()) }.boxed()
    }
}

#[test]
fn what_cannot_be_read_is_not_what_is_not_there() {
    let kept = Forgetful::default();
    let shared: SharedKeepsakes = Arc::new(kept.clone());
    let save = |what, bytes: &[u8]| {
        let saved = kept.save(keepsake(what, &network()), bytes.to_vec());
        futures::executor::block_on(saved).unwrap();
    };
    let read_sets = || futures::executor::block_on(kept_sets(&shared, &network()));
    let read_floors = || futures::executor::block_on(kept_floors(&shared, &network()));
    assert_eq!(read_sets().unwrap(), None);
    assert_eq!(read_floors().unwrap(), Floors::default());
    save("sets", &sets().export());
    save("floors", &floors().export());
    assert_eq!(read_sets().unwrap(), Some(sets()));
    assert_eq!(read_floors().unwrap(), floors());
    let (sets, floors) = (sets().export(), floors().export());
    save("sets", &sets[..sets.len() - 1]);
    save("floors", &floors[..floors.len() - 1]);
    assert!(read_sets().is_err() && read_floors().is_err());
    let failing: SharedKeepsakes = Arc::new(Failing);
    assert!(futures::executor::block_on(kept_sets(&failing, &network())).is_err());
    assert!(futures::executor::block_on(kept_floors(&failing, &network())).is_err());
}

#[test]
fn whoever_gave_up_takes_no_place() {
    let mut resolver = Resolver::new(sets(), Floors::default(), 1);
    let mut waiting = Waiting::default();
    let (mut patient, name) = (Vec::new(), Name::from(alice()));
    let ask = |resolver: &mut Resolver, waiting: &mut Waiting| {
        let (reply, answer) = oneshot::channel();
        let query = resolver.start(&name, Options::default(), NOW);
        waiting.insert(query, reply);
        let mut outputs = std::iter::from_fn(|| resolver.poll());
        let refused = outputs.any(|output| {
            let overloaded = Err(Unresolved::Overloaded);
            matches!(output, Output::Done { result, .. } if result == overloaded)
        });
        (answer, refused)
    };
    for _ in 0..MAX_RESOLUTIONS {
        let (answer, refused) = ask(&mut resolver, &mut waiting);
        assert!(!refused);
        patient.push(answer);
    }
    assert!(ask(&mut resolver, &mut waiting).1, "all places are taken");
    patient.pop();
    withdraw(&mut resolver, &mut waiting);
    assert!(!ask(&mut resolver, &mut waiting).1);
    assert_eq!(waiting.len(), MAX_RESOLUTIONS);
}
