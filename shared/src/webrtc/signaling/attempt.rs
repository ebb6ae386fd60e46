//! One attempt of one end: what it says, what it waits for, and how it ends.
//!
//! To drive it: after every input call [`Attempt::poll`] until it gives nothing, do what it says in that order, and
//! call [`Attempt::tick`] at [`Attempt::next_wake`]. The answers of the stack may take their time. Once it has
//! said [`Output::Connected`] or [`Output::Failed`], which is its last word, every input is passed over: a
//! stream that breaks after the connection stands breaks nothing.
//!
//! The dialling end must give its stack something to connect before it asks for an offer; js-libp2p opens a data channel
//! `init`, and closes it as soon as the connection stands. Whoever answers keeps no more than 64 KiB and makes no
//! connection before [`Output::Remote`], which is when [`super::Meeting::offered`] has to be asked.

use std::collections::VecDeque;

use super::candidate::{Candidate, Trickled};
use super::failure::Failure;
use super::wire::{Decoder, Kind, Message};
use crate::limits::{
    SIGNALING_BYTES, SIGNALING_CANDIDATE, SIGNALING_CANDIDATES, SIGNALING_DEADLINE,
    SIGNALING_DESCRIBED, SIGNALING_MESSAGE, SIGNALING_ORPHANED,
};
use crate::proto::Millis;
use crate::webrtc::sdp::{BadDescription, Description};

/// Bytes of a message beside its text, at most.
const HEAD: usize = 2 + 1 + 3;

/// What is to be done for an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Have the stack describe this end: an offer when it has dialled, an answer otherwise. Then
    /// [`Attempt::described`].
    Describe,
    /// Give the stack the description of the remote. Then [`Attempt::accepted`].
    Remote(String),
    /// Give the stack a way to the remote. Whether it is of use does not matter.
    Candidate(Candidate),
    /// Tell the stack that no more ways are coming, if it wants to know.
    NoMoreCandidates,
    /// Write to the stream.
    Send(Vec<u8>),
    /// Close the stream, so that the remote reads its end.
    Finish,
    /// Reset the stream.
    Reset,
    /// The connection stands.
    Connected,
    /// There will be none: close what the stack has of it.
    Failed(Failure),
}

/// How the stream to the remote has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// The remote will send no more.
    Finished,
    /// The remote has reset it, or the connection below is gone.
    Lost,
}

/// What is known of the remote's description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remote {
    Missing,
    /// The stack has it, and has not said yet that it takes it.
    Given,
    Taken,
}

/// One attempt.
#[derive(Debug)]
pub struct Attempt {
    dialled: bool,
    over: bool,
    began: Millis,
    deadline: Millis,
    decoder: Decoder,
    received: usize,
    remote: Remote,
    /// What the remote's stack has found before its description was taken here.
    early: Vec<Trickled>,
    remote_candidates: usize,
    /// There were no more when it last said something of them.
    remote_ended: bool,
    /// The own description has been sent.
    described: bool,
    /// What the own stack has found before.
    own: Vec<Trickled>,
    /// How many the remote was told, in the description or after it.
    own_candidates: usize,
    /// The end of them was told.
    own_ended: bool,
    /// Bytes that were written.
    sent: usize,
    lost: bool,
    outputs: VecDeque<Output>,
}

impl Attempt {
    /// This end has opened a stream and dials.
    pub fn dial(now: Millis) -> Self {
        let mut attempt = Attempt::new(true, now);
        attempt.outputs.push_back(Output::Describe);
        attempt
    }

    /// The remote has opened a stream.
    pub fn answer(now: Millis) -> Self {
        Attempt::new(false, now)
    }

    fn new(dialled: bool, now: Millis) -> Self {
        Attempt {
            dialled,
            over: false,
            began: now,
            deadline: now + SIGNALING_DESCRIBED,
            decoder: Decoder::default(),
            received: 0,
            remote: Remote::Missing,
            early: Vec::new(),
            remote_candidates: 0,
            remote_ended: false,
            described: false,
            own: Vec::new(),
            own_candidates: 0,
            own_ended: false,
            sent: 0,
            lost: false,
            outputs: VecDeque::new(),
        }
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Attempt::tick`] is to be called; never, once it is over.
    pub fn next_wake(&self) -> Option<Millis> {
        (!self.over).then_some(self.deadline)
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Millis) {
        if now < self.deadline {
            return;
        }
        self.fail(match self.is_known() {
            true => Failure::TimedOut,
            false => Failure::Unanswered,
        });
    }

    // ---- the stack

    /// The stack has described this end.
    pub fn described(&mut self, description: String) {
        if self.over || self.described {
            return;
        }
        if description.len() + HEAD > SIGNALING_MESSAGE {
            return self.refused("its description is too long");
        }
        self.described = true;
        self.own_candidates += lines(&description, "a=candidate:").count();
        let kind = match self.dialled {
            true => Kind::Offer,
            false => Kind::Answer,
        };
        self.send(kind, description);
        for trickled in std::mem::take(&mut self.own) {
            self.tell(&trickled);
        }
        self.go_on();
    }

    /// The stack takes the description of the remote.
    pub fn accepted(&mut self) {
        if self.over || self.remote != Remote::Given {
            return;
        }
        self.remote = Remote::Taken;
        if !self.dialled {
            self.outputs.push_back(Output::Describe);
        }
        for trickled in std::mem::take(&mut self.early) {
            self.give(trickled);
        }
    }

    /// The stack has found a way to this end, or all of them. What the remote would refuse to hear is not told.
    pub fn found(&mut self, trickled: Trickled) {
        let end = trickled == Trickled::End;
        if self.over || (end && std::mem::replace(&mut self.own_ended, true)) {
            return;
        }
        if self.described {
            self.tell(&trickled);
        } else if end || self.own.len() < SIGNALING_CANDIDATES {
            self.own.push(trickled);
        }
    }

    /// The connection stands: channels open, or, for the end that answers, the stack says so.
    pub fn connected(&mut self) {
        if self.over {
            return;
        }
        self.over = true;
        if !self.lost {
            self.outputs.push_back(Output::Finish);
        }
        self.outputs.push_back(Output::Connected);
    }

    /// The stack has tried everything, or its connection is gone.
    pub fn unreachable(&mut self) {
        self.fail(Failure::Unreachable);
    }

    /// The stack cannot do what it was told to.
    pub fn refused(&mut self, cause: impl Into<String>) {
        self.fail(Failure::Stack(cause.into()));
    }

    // ---- the remote

    /// Bytes of the stream.
    pub fn received(&mut self, bytes: &[u8]) {
        if self.over {
            return;
        }
        self.received = self.received.saturating_add(bytes.len());
        if self.received > SIGNALING_BYTES {
            return self.fail(Failure::TooMuch);
        }
        self.decoder.push(bytes);
        while let Some(message) = self.decoder.next() {
            let heard = message.map_err(Failure::from);
            if let Err(failure) = heard.and_then(|message| self.hear(message)) {
                return self.fail(failure);
            }
        }
    }

    /// The stream has ended. That is no failure once both descriptions are on their way: a remote that is connected
    /// says no more, and the relayed connection may be closed then before this end is connected, too.
    pub fn ended(&mut self, end: End, now: Millis) {
        if self.over {
            return;
        }
        // Whoever has finished can still hear the answer.
        let heard = self.described || end == End::Finished;
        if self.remote == Remote::Missing || !heard {
            return self.fail(Failure::Ended);
        }
        if end == End::Lost && !self.lost {
            self.lost = true;
            self.outputs
                .retain(|output| !matches!(output, Output::Send(_)));
            self.deadline = self.deadline.min(now + SIGNALING_ORPHANED);
        }
    }

    // ---- whoever wanted it

    /// The attempt of the remote stays instead of this one.
    pub fn give_way(&mut self) {
        self.fail(Failure::Yielded);
    }

    /// Nobody wants the connection any more.
    pub fn cancel(&mut self) {
        self.fail(Failure::Cancelled);
    }

    // ---- inside

    /// Both descriptions are.
    fn is_known(&self) -> bool {
        self.described && self.remote != Remote::Missing
    }

    /// When all is said, what remains is to find a way.
    fn go_on(&mut self) {
        if self.is_known() {
            self.deadline = self.began + SIGNALING_DEADLINE;
        }
    }

    fn hear(&mut self, message: Message) -> Result<(), Failure> {
        match message.kind {
            Kind::Offer if !self.dialled => self.meet(message.data),
            Kind::Answer if self.dialled && self.described => self.meet(message.data),
            Kind::Candidate => self.trickle(Trickled::parse(&message.data)?),
            out_of_turn => Err(Failure::Unexpected(out_of_turn)),
        }
    }

    /// The remote describes itself, which it does once.
    fn meet(&mut self, description: String) -> Result<(), Failure> {
        if self.remote != Remote::Missing {
            return Err(Failure::Unexpected(match self.dialled {
                true => Kind::Answer,
                false => Kind::Offer,
            }));
        }
        self.count(candidates_in(&description)?)?;
        self.remote = Remote::Given;
        self.outputs.push_back(Output::Remote(description));
        self.go_on();
        Ok(())
    }

    /// The end is passed on once, however often it comes.
    fn trickle(&mut self, trickled: Trickled) -> Result<(), Failure> {
        let end = trickled == Trickled::End;
        self.count(usize::from(!end))?;
        if std::mem::replace(&mut self.remote_ended, end) && end {
            return Ok(());
        }
        match self.remote {
            Remote::Taken => self.give(trickled),
            Remote::Missing | Remote::Given => self.early.push(trickled),
        }
        Ok(())
    }

    fn count(&mut self, more: usize) -> Result<(), Failure> {
        self.remote_candidates += more;
        match self.remote_candidates > SIGNALING_CANDIDATES {
            true => Err(Failure::TooMuch),
            false => Ok(()),
        }
    }

    fn give(&mut self, trickled: Trickled) {
        self.outputs.push_back(match trickled {
            Trickled::Candidate(candidate) => Output::Candidate(candidate),
            Trickled::End => Output::NoMoreCandidates,
        });
    }

    fn tell(&mut self, trickled: &Trickled) {
        let data = trickled.to_json();
        let more = usize::from(*trickled != Trickled::End);
        let fits = self.own_candidates + more <= SIGNALING_CANDIDATES;
        if fits && data.len() <= SIGNALING_CANDIDATE {
            self.own_candidates += more;
            self.send(Kind::Candidate, data);
        }
    }

    /// Says something, unless nobody can hear it any more, or wants to.
    fn send(&mut self, kind: Kind, data: String) {
        let bytes = Message { kind, data }.encode();
        if !self.lost && self.sent + bytes.len() <= SIGNALING_BYTES {
            self.sent += bytes.len();
            self.outputs.push_back(Output::Send(bytes));
        }
    }

    fn fail(&mut self, failure: Failure) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        self.outputs.clear();
        self.early = Vec::new();
        self.own = Vec::new();
        if !self.lost {
            self.outputs.push_back(Output::Reset);
        }
        self.outputs.push_back(Output::Failed(failure));
    }
}

/// How many candidates a description holds. One that is for more than data channels is refused: a stack
/// would make a receiver for every section of it.
fn candidates_in(description: &str) -> Result<usize, Failure> {
    Description::parse(description)?;
    let sections: Vec<&str> = lines(description, "m=").collect();
    match sections.as_slice() {
        [only] if only.starts_with("application ") => {}
        _ => return Err(BadDescription::Attribute("section of data channels").into()),
    }
    Ok(lines(description, "a=candidate:").count())
}

fn lines<'a>(text: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines()
        .filter_map(move |line| line.strip_prefix(start))
}
