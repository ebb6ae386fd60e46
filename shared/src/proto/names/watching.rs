//! Watching a name: which answers are worth telling, and when to ask again.
//!
//! Knows what was told last, and how often asking has failed since. Does not ask, wait, or read a clock:
//! whoever does asks with [`Watching::options`], shows the answer to [`Watching::hears`], and asks again after
//! [`Watching::wait`], or when the resolver has something new.

use super::resolution::Resolution;
use super::resolver::Options;
use crate::error::{Code, Error};
use crate::limits::{
    NAME_WATCH_EVERY, NAME_WATCH_RECENT, NAME_WATCH_RETRY, NAME_WATCH_RETRY_LONGEST,
};
use crate::proto::Millis;

/// One name that somebody watches.
#[derive(Clone, Debug)]
pub struct Watching {
    wanted: Options,
    /// Nothing before the first answer; then what makes it differ from others, if it led anywhere.
    told: Option<Option<Mark>>,
    failures: u32,
}

type Mark = (Vec<(u64, u64)>, usize);

impl Watching {
    /// Begins, with how the first answer is wanted.
    pub fn new(wanted: Options) -> Watching {
        Watching {
            wanted,
            told: None,
            failures: 0,
        }
    }

    /// How to ask now. What others who watch the same name have just heard is good enough.
    pub fn options(&self) -> Options {
        match self.told {
            None => self.wanted,
            Some(_) => Options {
                fresh: false,
                within: Some(NAME_WATCH_RECENT),
                ..self.wanted
            },
        }
    }

    /// An answer: what is to be told, if it is something else than before; nothing inside when the name
    /// leads nowhere. What fails at first is no use; what fails later is asked again.
    pub fn hears(
        &mut self,
        answer: Result<Resolution, Error>,
    ) -> Result<Option<Option<Resolution>>, Error> {
        let found = match answer {
            Ok(found) => Some(found),
            Err(error) if leads_nowhere(&error) => None,
            Err(error) if self.told.is_none() => return Err(error),
            Err(_) => {
                self.failures += 1;
                return Ok(None);
            }
        };
        self.failures = 0;
        let mark = Some(found.as_ref().map(mark));
        if self.told == mark {
            return Ok(None);
        }
        self.told = mark;
        Ok(Some(found))
    }

    /// How long until it is asked again.
    pub fn wait(&self) -> Millis {
        match self.failures {
            0 => NAME_WATCH_EVERY,
            failures => (NAME_WATCH_RETRY << (failures - 1).min(10)).min(NAME_WATCH_RETRY_LONGEST),
        }
    }
}

fn leads_nowhere(error: &Error) -> bool {
    matches!(error.code(), Code::NameNotFound | Code::NameExpired)
}

/// What makes two answers different for whoever watches.
fn mark(found: &Resolution) -> Mark {
    let versions = found
        .proofs
        .iter()
        .map(|proof| (proof.generation, proof.seq));
    (versions.collect(), found.resources.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{MINUTE, SECOND};
    use crate::proto::names::resolver::{Resolver, floors::Floors};
    use crate::proto::names::testing::Net;
    use crate::proto::names::{Binding, Resource, Zone};
    use crate::selftest::names::samples::sets;
    use crate::selftest::samples::author;

    struct Scene {
        net: Net,
        resolver: Resolver,
        binding: Binding,
    }

    impl Scene {
        fn new() -> Scene {
            let mut net = Net::new();
            let binding = net.claim(&author());
            let resolver = Resolver::new(sets(), Floors::default(), 1);
            let mut scene = Scene {
                net,
                resolver,
                binding,
            };
            scene.publish("one");
            scene
        }

        fn publish(&mut self, text: &str) {
            let mut zone = Zone::default();
            zone.set("", vec![Resource::Text(text.to_owned())]).unwrap();
            self.net.publish(&author(), zone, &self.binding);
        }

        /// Asks once; what is told.
        fn ask(&mut self, watching: &mut Watching) -> Option<Vec<Resource>> {
            let options = watching.options();
            let found = self.net.resolve(&mut self.resolver, "alice.p2p", options);
            let told = watching.hears(found.map(|found| *found).map_err(Error::from));
            told.unwrap()
                .map(|found| found.map_or(Vec::new(), |found| found.resources))
        }

        /// Waits as long as it should, and asks.
        fn later(&mut self, watching: &mut Watching) -> Option<Vec<Resource>> {
            self.net.now += watching.wait();
            self.ask(watching)
        }
    }

    fn text(text: &str) -> Option<Vec<Resource>> {
        Some(vec![Resource::Text(text.to_owned())])
    }

    #[test]
    fn a_change_is_told_long_before_the_cache_is_over_and_nothing_else_is() {
        let mut scene = Scene::new();
        let mut watching = Watching::new(Options::default());
        assert_eq!(scene.ask(&mut watching), text("one"));
        for _ in 0..20 {
            let asked = scene.net.asked;
            assert_eq!(scene.later(&mut watching), None);
            assert!(scene.net.asked - asked <= 3, "one question to each witness");
        }
        scene.publish("two");
        let before = scene.net.now;
        assert_eq!(scene.later(&mut watching), text("two"));
        assert!(scene.net.now - before <= 30 * SECOND);
        assert_eq!(scene.later(&mut watching), None);
    }

    #[test]
    fn a_name_that_nobody_answers_for_is_asked_for_less_and_less() {
        let mut scene = Scene::new();
        let mut watching = Watching::new(Options::default());
        scene.ask(&mut watching);
        scene.net.silent = [0, 1, 2].into();
        let mut waits = Vec::new();
        for _ in 0..8 {
            assert_eq!(scene.later(&mut watching), None);
            waits.push(watching.wait() / SECOND);
        }
        assert_eq!(waits, [10, 20, 40, 80, 160, 300, 300, 300]);
        scene.net.silent.clear();
        scene.publish("two");
        assert_eq!(scene.later(&mut watching), text("two"));
        assert_eq!(watching.wait(), 30 * SECOND);
    }

    #[test]
    fn all_who_watch_a_name_ask_together() {
        let mut scene = Scene::new();
        let mut watchers = [(); 5].map(|()| Watching::new(Options::default()));
        for each in &mut watchers {
            assert_eq!(scene.ask(each), text("one"));
        }
        let asked = scene.net.asked;
        scene.net.now += watchers[0].wait();
        for each in &mut watchers {
            scene.net.now += SECOND;
            assert_eq!(scene.ask(each), None);
        }
        assert!(scene.net.asked - asked <= 3);
    }

    #[test]
    fn the_first_answer_may_be_a_failure_and_the_end_of_a_name_is_told() {
        let mut scene = Scene::new();
        let mut watching = Watching::new(Options::default());
        let failed = Error::new(Code::NoQuorum, "nobody");
        assert!(watching.hears(Err(failed)).is_err());
        scene.ask(&mut watching);
        let gone = || Err(Error::new(Code::NameNotFound, "nobody holds it"));
        assert_eq!(watching.hears(gone()).unwrap(), Some(None));
        assert_eq!(watching.hears(gone()).unwrap(), None);
        scene.net.now += MINUTE;
        assert_eq!(scene.ask(&mut watching), text("one"), "it came back");
    }
}
