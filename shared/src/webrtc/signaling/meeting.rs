//! Which of several attempts with one peer stays.
//!
//! Both ends may dial at once, over different relays, and neither sees what the other has sent. The rule that
//! leaves one connection: the attempt stays whose dialler has the smaller peer id. It counts from the moment at which
//! its offer is sent; before that any offer of the remote comes first.

/// Whether the peer with the first id wins when both dial at once. Ids are compared in their binary form.
pub fn dials_first(own: &[u8], remote: &[u8]) -> bool {
    own < remote
}

/// What becomes of an offer that has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<Id> {
    /// It is taken; the attempt in it, if there is one, gives way.
    Take(Option<Id>),
    /// The own attempt stays.
    Refuse,
}

/// The attempts and the connection with one peer, by the names that whoever drives them gives to them.
///
/// What to call: [`Meeting::dial`] before an own attempt is made; [`Meeting::offering`] when its offer goes out;
/// [`Meeting::offered`] when an attempt of the remote has brought its offer, before anything is done about it;
/// [`Meeting::connected`] and [`Meeting::ended`] when an attempt says so, and when a connection has closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meeting<Id> {
    first: bool,
    under_way: Option<(Id, Side)>,
    open: Option<Id>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Own { offered: bool },
    Remote,
}

impl<Id: Copy + PartialEq> Meeting<Id> {
    /// With a peer of which there is nothing yet; `first` is what [`dials_first`] says.
    pub fn new(first: bool) -> Self {
        Meeting {
            first,
            under_way: None,
            open: None,
        }
    }

    /// Whether an own attempt may begin. Otherwise there is a connection, or an attempt to wait for.
    pub fn dial(&mut self, id: Id) -> bool {
        let free = self.is_empty();
        if free {
            self.under_way = Some((id, Side::Own { offered: false }));
        }
        free
    }

    /// The offer of an own attempt goes out.
    pub fn offering(&mut self, id: Id) {
        if let Some((own, Side::Own { offered })) = &mut self.under_way
            && *own == id
        {
            *offered = true;
        }
    }

    /// An offer of the remote has come. It says nothing about a connection that is open: the remote would not
    /// dial if it had one, so this end will notice yet that it has closed.
    pub fn offered(&mut self, id: Id) -> Verdict<Id> {
        if self.first && matches!(self.under_way, Some((_, Side::Own { offered: true }))) {
            return Verdict::Refuse;
        }
        let before = self.under_way.replace((id, Side::Remote));
        Verdict::Take(before.map(|(id, _)| id))
    }

    /// An attempt has led to a connection. Returns one that is to be closed for it: there is one at a time.
    #[must_use]
    pub fn connected(&mut self, id: Id) -> Option<Id> {
        if self.under_way.is_none_or(|(known, _)| known != id) {
            // It gave way before it came to this.
            return Some(id);
        }
        self.under_way = None;
        self.open.replace(id)
    }

    /// An attempt came to nothing, or a connection has closed.
    pub fn ended(&mut self, id: Id) {
        if self.under_way.is_some_and(|(known, _)| known == id) {
            self.under_way = None;
        }
        if self.open == Some(id) {
            self.open = None;
        }
    }

    /// The connection there is.
    pub fn open(&self) -> Option<Id> {
        self.open
    }

    /// Whether there is nothing left with this peer.
    pub fn is_empty(&self) -> bool {
        self.under_way.is_none() && self.open.is_none()
    }
}
