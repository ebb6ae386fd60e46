//! All parts together, with real bytes: a file comes from sources of which one lies, one has half of it, one changes
//! its file and one answers nothing, through requests, parts and trees, to a copy and its hashes.

use std::collections::VecDeque;

use super::download::{Action, Config, Download, Failure, Holding, Leaving, RequestId};
use super::pieces::Pieces;
use super::tree::{Built, Decoder, Need, Sender, TreeBuilder, Verified};
use super::wire::{Answer, Fetch, FileRefusal, Part, Request};
use crate::limits::{GROUP, MAX_PART, PIECE};
use crate::proto::prng::Prng;

const PIECES: u64 = 24;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conduct {
    Honest,
    Liar,
    Mute,
}

/// Somebody who has the file, or half of it.
struct Holder {
    conduct: Conduct,
    data: Vec<u8>,
    hashes: Vec<u8>,
    have: Pieces,
}

impl Holder {
    /// The frames with which it answers a request.
    fn answer(&self, built: &Built, request: &[u8], random: &mut Prng) -> Vec<Vec<u8>> {
        let refused = |why| vec![Answer::Refused { why }.encode()];
        match Request::decode(request).expect("a sound request") {
            Request::Have { from, .. } => {
                let (size, runs) = (built.tree.size(), self.have.runs(from));
                vec![Answer::Have { size, runs }.encode()]
            }
            Request::Fetch(fetch) => match self.stream(&fetch) {
                Ok(mut stream) => {
                    if self.conduct == Conduct::Liar && random.below(4) == 0 {
                        let at = random.below(stream.len() as u64) as usize;
                        stream[at] ^= 1;
                    }
                    let mut frames = vec![Answer::Sending.encode()];
                    let portion = 1 + random.below(MAX_PART as u64) as usize;
                    frames.extend(stream.chunks(portion).map(|part| Part::Data(part).encode()));
                    frames.push(Part::Done.encode());
                    frames
                }
                Err((stream, why)) if stream.is_empty() => refused(why),
                Err((stream, why)) => {
                    let parts = stream
                        .chunks(MAX_PART)
                        .map(|part| Part::Data(part).encode());
                    let mut frames = vec![Answer::Sending.encode()];
                    frames.extend(parts);
                    frames.push(Part::BrokenOff(why).encode());
                    frames
                }
            },
            _ => refused(FileRefusal::Malformed),
        }
    }

    /// The stream of a range, or as much of it as is right, and why there is no more.
    fn stream(&self, fetch: &Fetch) -> Result<Vec<u8>, (Vec<u8>, FileRefusal)> {
        if !self.have.has(fetch.groups.start * GROUP / PIECE) {
            return Err((Vec::new(), FileRefusal::NotThere));
        }
        let mut sender = Sender::new(fetch.root, fetch.tree, fetch.groups.clone());
        let mut out = Vec::new();
        while let Some(need) = sender.need() {
            let (source, offset, length) = match need {
                Need::Hashes { offset, length } => (&self.hashes, offset as usize, length),
                Need::Data { offset, length } => (&self.data, offset as usize, length),
            };
            let read = &source[offset..offset + length];
            if sender.read(read).is_err() {
                return Err((out, FileRefusal::Gone));
            }
            out.extend_from_slice(read);
        }
        Ok(out)
    }
}

/// The one who downloads.
struct Taker {
    built: Built,
    download: Download,
    original: Vec<u8>,
    data: Vec<u8>,
    hashes: Vec<u8>,
    left: Vec<(u64, Leaving)>,
    done: bool,
}

impl Taker {
    /// Takes the frames of an answer, and says what came of it.
    fn take(&mut self, request: RequestId, fetch: &Fetch, frames: &[Vec<u8>], now: u64) {
        let mut decoder = Decoder::new(fetch.root, fetch.tree, fetch.groups.clone());
        let failure = match Answer::decode(&frames[0]).expect("a sound answer") {
            Answer::Sending => self.parts(request, &mut decoder, &frames[1..], now).err(),
            Answer::Refused { why } => Some(failure(why)),
            other => panic!("{other:?}"),
        };
        match failure {
            None => self.download.arrived(request, now),
            Some(failure) => self.download.failed(request, failure, now),
        }
    }

    fn parts(
        &mut self,
        request: RequestId,
        decoder: &mut Decoder,
        frames: &[Vec<u8>],
        now: u64,
    ) -> Result<(), Failure> {
        // An empty file is complete before anything comes.
        if let Some(verified) = decoder.take(&mut &[][..]).map_err(|_| Failure::Lied)? {
            self.write(request, verified, now);
        }
        for frame in frames {
            match Part::decode(frame).expect("a sound part") {
                Part::Data(mut bytes) => {
                    while let Some(verified) =
                        decoder.take(&mut bytes).map_err(|_| Failure::Lied)?
                    {
                        self.write(request, verified, now);
                    }
                }
                Part::Done => return decoder.is_done().then_some(()).ok_or(Failure::Lied),
                Part::BrokenOff(why) => return Err(failure(why)),
            }
        }
        Err(Failure::Broken)
    }

    fn write(&mut self, request: RequestId, verified: Verified, now: u64) {
        match verified {
            Verified::Pair { index, pair } => {
                self.hashes[index as usize * 64..][..64].copy_from_slice(&pair);
            }
            Verified::Group { offset, data } => {
                let place = offset as usize..offset as usize + data.len();
                assert_eq!(data, self.original[place.clone()], "a wrong byte");
                self.data[place].copy_from_slice(&data);
                self.download.came(request, data.len() as u64, now);
            }
        }
    }

    /// What is asked for: what is left of a piece.
    fn fetch(&self, piece: u64, skip: u64) -> Fetch {
        let mut groups = self.built.tree.piece(piece);
        groups.start += skip / GROUP;
        Fetch {
            root: self.built.root,
            tree: self.built.tree,
            groups,
        }
    }
}

fn failure(why: FileRefusal) -> Failure {
    match why {
        FileRefusal::Gone => Failure::Gone,
        FileRefusal::NotThere => Failure::NotThere,
        FileRefusal::Busy => Failure::Busy,
        _ => Failure::Broken,
    }
}

/// Nothing of a file yet, and the hashes that the file has.
fn taker(seed: u64, size: u64) -> (Taker, Vec<u8>) {
    let original: Vec<u8> = (0..size).map(|at| (at * 31 % 253) as u8).collect();
    let (mut builder, mut hashes) = (TreeBuilder::new(), Vec::new());
    assert!(builder.take(&original, &mut hashes));
    let built = builder.finish(&mut hashes);
    let config = Config {
        in_flight: 16 * PIECE,
        seed,
    };
    let none = Pieces::none(built.tree.pieces());
    let taker = Taker {
        download: Download::new(config, none, 0),
        data: vec![0; original.len()],
        hashes: vec![0; hashes.len()],
        original,
        built,
        left: Vec::new(),
        done: false,
    };
    (taker, hashes)
}

/// Does what the download says, in an order that depends on the seed, until all is there.
fn run(taker: &mut Taker, holders: &[Holder], random: &mut Prng) {
    let mut waiting: VecDeque<(RequestId, u64, Fetch)> = VecDeque::new();
    let (built, mut now) = (taker.built, 0);
    for source in 0..holders.len() as u64 {
        assert!(taker.download.add(source, 500, now));
    }
    while !taker.done {
        assert!(now < 1_000_000, "{:?}", taker.download.have().count());
        while let Some(action) = taker.download.poll(now) {
            match action {
                Action::Fetch {
                    request,
                    source,
                    piece,
                    skip,
                } => {
                    waiting.push_back((request, source, taker.fetch(piece, skip)));
                }
                Action::Cancel { request, .. } => waiting.retain(|(other, ..)| *other != request),
                Action::Ask { source } => {
                    let root = built.root;
                    let ask = Request::Have { root, from: 0 }.encode();
                    let answer = holders[source as usize].answer(&built, &ask, random);
                    taker
                        .download
                        .holds(source, holding(&answer[0], built.tree.pieces()));
                }
                Action::Leave { source, why } => {
                    taker.left.push((source, why));
                    waiting.retain(|(_, other, _)| *other != source);
                }
                Action::Done => taker.done = true,
            }
        }
        now += 20;
        let at = random.below(waiting.len().max(1) as u64) as usize;
        let mute = |source: u64| holders[source as usize].conduct == Conduct::Mute;
        if waiting.get(at).is_some_and(|(_, source, _)| !mute(*source))
            && let Some((request, source, fetch)) = waiting.remove(at)
        {
            let asked = Request::Fetch(fetch.clone()).encode();
            let frames = holders[source as usize].answer(&built, &asked, random);
            taker.take(request, &fetch, &frames, now);
        }
    }
}

fn holding(answer: &[u8], length: u64) -> Holding {
    let Ok(Answer::Have { runs, .. }) = Answer::decode(answer) else {
        panic!("not an answer");
    };
    let (present, end) = runs.read(length).expect("sound runs");
    assert_eq!(end, length, "one page");
    let mut pieces = Pieces::none(length);
    present.into_iter().for_each(|run| pieces.insert_range(run));
    Holding::Some(pieces)
}

#[test]
fn no_wrong_byte_is_written_whoever_sends_it() {
    let seeds = if std::env::var_os("WARREN_LONG").is_some() {
        200
    } else {
        4
    };
    for seed in 0..seeds {
        let mut random = Prng::new(seed);
        let (mut taker, hashes) = taker(seed, (PIECES - 1) * PIECE + 1 + random.below(PIECE));
        let holder = |conduct, have| Holder {
            conduct,
            data: taker.original.clone(),
            hashes: hashes.clone(),
            have,
        };
        let mut half = Pieces::none(PIECES);
        half.insert_range(PIECES / 2..PIECES);
        let all = || Pieces::all(PIECES);
        let mut holders = [
            holder(Conduct::Honest, all()),
            holder(Conduct::Liar, all()),
            holder(Conduct::Honest, half),
            holder(Conduct::Honest, all()),
            holder(Conduct::Mute, all()),
        ];
        // The fourth has another file by now, from somewhere on.
        let from = random.below(holders[3].data.len() as u64) as usize;
        holders[3].data[from..]
            .iter_mut()
            .for_each(|byte| *byte ^= 0x55);
        run(&mut taker, &holders, &mut random);
        assert!(
            taker.data == taker.original && taker.hashes == hashes,
            "seed {seed}"
        );
        let lied = taker.left.iter().filter(|(_, why)| *why == Leaving::Lied);
        assert!(
            lied.clone().all(|(source, _)| *source == 1),
            "seed {seed}: {:?}",
            taker.left
        );
        let gone = taker.left.iter().filter(|(_, why)| *why == Leaving::Gone);
        assert!(
            gone.clone().all(|(source, _)| *source == 3),
            "seed {seed}: {:?}",
            taker.left
        );
        assert!(lied.count() + gone.count() > 0, "seed {seed}");
    }
}

#[test]
fn an_empty_file_is_verified_too() {
    let (mut taker, _) = taker(1, 0);
    let holders = [Holder {
        conduct: Conduct::Honest,
        data: Vec::new(),
        hashes: Vec::new(),
        have: Pieces::all(1),
    }];
    run(&mut taker, &holders, &mut Prng::new(1));
    assert!(taker.download.have().is_full());
}
