//! By which relays which network was met: what is kept of one network must not be given to whoever
//! names the relays of another.
//!
//! Knows what a person wrote behind `--join` and `--bootstrap`, all of it together: of several relays
//! any may have said which network it is.

use warren_shared::error::Result;
use warren_shared::net::outside::SharedKeepsakes;
use warren_shared::proto::NetworkId;

use crate::keepsakes::Keepsakes;

/// The file among the keepsakes.
const MET: &str = "names-met";
/// So many ways of naming relays are remembered, the latest ones.
const MOST: usize = 32;

/// What was met, the latest first: a network, and the relays that were named for it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Met(Vec<(String, String)>);

impl Met {
    /// Reads what [`Self::text`] wrote; what makes no sense is not there.
    pub(crate) fn read(bytes: &[u8]) -> Met {
        let text = String::from_utf8_lossy(bytes);
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        let own = |(network, relays): (&str, &str)| (network.to_owned(), relays.to_owned());
        Met(lines.map(own).collect())
    }

    /// What is remembered in a folder.
    pub(crate) fn among(keepsakes: &Keepsakes) -> Result<Met> {
        let all = keepsakes.all(MET)?;
        Ok(all
            .get("")
            .map_or_else(Met::default, |bytes| Met::read(bytes)))
    }

    /// The network that these relays belonged to when they were asked last.
    pub(crate) fn network(&self, relays: &[String]) -> Option<&str> {
        let named = written(relays);
        let mut met = self.0.iter();
        met.find(|(_, relays)| *relays == named)
            .map(|(network, _)| network.as_str())
    }

    fn meet(&mut self, network: &str, relays: &[String]) {
        let named = written(relays);
        self.0.retain(|(_, relays)| *relays != named);
        self.0.insert(0, (network.to_owned(), named));
        self.0.truncate(MOST);
    }

    fn text(&self) -> String {
        let lines = self.0.iter();
        lines
            .map(|(network, relays)| format!("{network} {relays}\n"))
            .collect()
    }
}

/// One line for the same relays in any order.
fn written(relays: &[String]) -> String {
    let trimmed = |relay: &String| {
        relay
            .trim()
            .trim_end_matches('/')
            .replace(char::is_whitespace, "")
    };
    let mut relays: Vec<String> = relays.iter().map(trimmed).collect();
    relays.sort();
    relays.dedup();
    relays.join(",")
}

/// Remembers that these relays belong to this network. Without it names are asked for once more.
pub(crate) async fn remember(keepsakes: &SharedKeepsakes, network: &NetworkId, relays: &[String]) {
    let (network, known) = (network.to_string(), keepsakes.load(MET.to_owned()).await);
    let mut met = known
        .ok()
        .flatten()
        .map_or_else(Met::default, |it| Met::read(&it));
    if met.network(relays) == Some(&network) {
        return;
    }
    met.meet(&network, relays);
    let saved = keepsakes
        .save(MET.to_owned(), met.text().into_bytes())
        .await;
    if let Err(error) = saved {
        tracing::warn!(%error, "by which relays this network was met could not be kept");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_relays_mean_the_network_that_they_had_last() {
        let relays = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let mut met = Met::default();
        met.meet("one", &relays(&["http://a/", "http://b"]));
        met.meet("two", &relays(&["http://b"]));
        let met_again = Met::read(met.text().as_bytes());
        assert_eq!(met_again, met);
        assert_eq!(
            met.network(&relays(&["http://b/", "http://a"])),
            Some("one")
        );
        assert_eq!(met.network(&relays(&["http://b"])), Some("two"));
        assert_eq!(
            met.network(&relays(&["http://a"])),
            None,
            "b may have said it"
        );
        met.meet("three", &relays(&["http://b"]));
        assert_eq!(met.network(&relays(&["http://b"])), Some("three"));
        for port in 0..2 * MOST {
            met.meet("four", &relays(&[&format!("http://c:{port}")]));
        }
        assert_eq!(met.0.len(), MOST);
        assert_eq!(met.network(&relays(&["http://b"])), None);
    }
}
