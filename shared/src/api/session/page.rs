//! What is known of the page around an engine before there is a node to tell.

use crate::net::HostHint;

/// What the host said last about the page. A node takes it for online and visible until it is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub offline: bool,
    pub hidden: bool,
}

impl Page {
    pub fn note(&mut self, hint: HostHint) {
        match hint {
            HostHint::Online => self.offline = false,
            HostHint::Offline => self.offline = true,
            HostHint::Visible => self.hidden = false,
            HostHint::Hidden => self.hidden = true,
            HostHint::Woke => {}
        }
    }

    /// What somebody has to be told who believes `other`.
    pub fn differences(self, other: Page) -> impl Iterator<Item = HostHint> {
        let network = if self.offline {
            HostHint::Offline
        } else {
            HostHint::Online
        };
        let sight = if self.hidden {
            HostHint::Hidden
        } else {
            HostHint::Visible
        };
        let network = (self.offline != other.offline).then_some(network);
        let sight = (self.hidden != other.hidden).then_some(sight);
        network.into_iter().chain(sight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_believed_yet_has_to_be_told() {
        let mut page = Page::default();
        assert_eq!(page.differences(Page::default()).count(), 0);
        for hint in [HostHint::Hidden, HostHint::Offline, HostHint::Woke] {
            page.note(hint);
        }
        let told: Vec<HostHint> = page.differences(Page::default()).collect();
        assert_eq!(told, [HostHint::Offline, HostHint::Hidden]);
        let back: Vec<HostHint> = Page::default().differences(page).collect();
        assert_eq!(back, [HostHint::Online, HostHint::Visible]);
    }
}
