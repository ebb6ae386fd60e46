//! What the engine lends to the module of apps: texts and streams, as JavaScript objects that the page hands over.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use futures::channel::oneshot;
use futures::future::{Either, Shared, select};
use futures::io::{ReadHalf, WriteHalf};
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt};
use js_sys::{Function, Promise, Uint8Array};
use warren_shared::api::Session;
use warren_shared::error::{Code, Error};
use warren_shared::net::address::parse;
use warren_shared::net::lending::{protocol, told};
use warren_shared::net::node::parse_peer;
use warren_shared::net::streams::{Protocol, Stream};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{future_to_promise, spawn_local};

use crate::transport::{Adoption, Vessel};

/// As much as is read at a time: what connections bring in one piece.
const READ: usize = 64 * 1024;

/// The engine's side of what is lent. Errors cross as text: a code, a line break, what happened.
#[wasm_bindgen]
pub struct Lending(Session, Adoption);

impl Lending {
    pub(crate) fn new(session: Session, adoption: Adoption) -> Lending {
        Lending(session, adoption)
    }
}

#[wasm_bindgen]
impl Lending {
    /// Answers a question.
    pub fn ask(&self, what: String, about: String) -> Promise {
        let session = self.0.clone();
        future_to_promise(async move {
            let lender = session.lender().await.map_err(thrown)?;
            let answer = lender.ask(&what, &about).await.map_err(thrown)?;
            Ok(answer.into())
        })
    }

    /// Opens a stream to a peer: its id, and addresses behind it.
    pub fn open(&self, to: String, name: String, streams: usize, hasty: bool) -> Promise {
        let session = self.0.clone();
        future_to_promise(async move {
            let lender = session.lender().await.map_err(thrown)?;
            let opened = lender.open(&to, named(&name, streams, hasty)?).await;
            let opened = opened.map_err(thrown)?;
            Ok(Pipe::new(opened.stream).into())
        })
    }

    /// Hands over streams that others open, each with the id of its peer, from now on.
    pub fn accept(&self, name: String, streams: usize, hasty: bool, take: Function) -> Promise {
        let session = self.0.clone();
        future_to_promise(async move {
            let lender = session.lender().await.map_err(thrown)?;
            let incoming = lender.accept(named(&name, streams, hasty)?);
            let mut incoming = incoming.map_err(thrown)?;
            spawn_local(async move {
                while let Some(one) = incoming.next().await {
                    let peer = one.peer.to_string().into();
                    let pipe = Pipe::new(one.stream).into();
                    let _ = take.call2(&JsValue::NULL, &peer, &pipe);
                }
            });
            Ok(JsValue::UNDEFINED)
        })
    }

    /// A connection to negotiate, with settings of an `RTCPeerConnection`.
    pub fn vessel(&self, settings: JsValue) -> Result<Vessel, JsValue> {
        self.1.vessel(&settings).map_err(thrown)
    }

    /// Takes one that stands, to a peer by its id and where it is seen.
    pub fn adopt(&self, vessel: Vessel, peer: &str, seen: &str) -> Result<(), JsValue> {
        let peer = parse_peer(peer).map_err(thrown)?;
        let seen = parse(seen).map_err(thrown)?;
        self.1.adopt(vessel, (peer, seen)).map_err(thrown)
    }

    /// Tells what happens, in a few words each; nothing when the peer was closed.
    pub fn events(&self, tell: Function) {
        let session = self.0.clone();
        spawn_local(async move {
            let say = |text: JsValue| {
                let _ = tell.call1(&JsValue::NULL, &text);
            };
            if let Ok(lender) = session.lender().await
                && let Ok(mut events) = lender.events().await
            {
                while let Some(event) = events.next().await {
                    if let Some(text) = told(&event) {
                        say(text.into());
                    }
                }
            }
            say(JsValue::UNDEFINED);
        });
    }
}

fn named(name: &str, streams: usize, hasty: bool) -> Result<Protocol, JsValue> {
    let wrong = || thrown(Error::new(Code::InvalidArgument, "this is no protocol"));
    protocol(name, streams, hasty).ok_or_else(wrong)
}

fn thrown(error: Error) -> JsValue {
    [error.code().as_str(), "\n", &error.to_string()]
        .concat()
        .into()
}

/// What the remote refused reads as such.
fn broken(error: io::Error) -> JsValue {
    let code = match error.kind() {
        io::ErrorKind::Unsupported => Code::Unsupported,
        _ => Code::NotConnected,
    };
    thrown(Error::new(code, error.to_string()))
}

/// One stream. Whoever has it must call `free` in the end: a stream that was not closed is reset by that.
#[wasm_bindgen]
pub struct Pipe {
    reader: Half<ReadHalf<Stream>>,
    /// What was read and not handed over yet, from a place on.
    come: Rc<RefCell<(Vec<u8>, usize)>>,
    writer: Half<WriteHalf<Stream>>,
    /// Dropped with the pipe: ends what is under way.
    _gone: oneshot::Sender<()>,
    ended: Shared<oneshot::Receiver<()>>,
}

/// Taken out while it is used.
type Half<T> = Rc<RefCell<Option<T>>>;

impl Pipe {
    fn new(stream: Stream) -> Pipe {
        let (reader, writer) = stream.split();
        let (gone, ended) = oneshot::channel();
        Pipe {
            reader: half(reader),
            come: Rc::default(),
            writer: half(writer),
            _gone: gone,
            ended: ended.shared(),
        }
    }

    fn use_half<T: Unpin + 'static>(
        &self,
        half: &Half<T>,
        work: impl AsyncFnOnce(&mut T) -> io::Result<JsValue> + 'static,
    ) -> Promise {
        let (half, ended) = (half.clone(), self.ended.clone());
        future_to_promise(async move {
            let taken = half.borrow_mut().take();
            let mut taken = taken.ok_or_else(|| JsValue::from("CLOSED\nthis stream is in use"))?;
            let done = {
                let work = Box::pin(work(&mut taken));
                match select(work, ended).await {
                    Either::Left((done, _)) => done,
                    // Dropped, the half gives the stream free.
                    Either::Right(_) => return Err("CLOSED\nthis stream was given up".into()),
                }
            };
            *half.borrow_mut() = Some(taken);
            done.map_err(broken)
        })
    }
}

#[wasm_bindgen]
impl Pipe {
    /// Reads on. Resolves with how many bytes have come, to fill places with before the next ones are read; 0 at the end.
    pub fn read(&self) -> Promise {
        let come = self.come.clone();
        self.use_half(&self.reader, async move |reader| {
            let (mut buffer, _) = come.take();
            buffer.resize(READ, 0);
            let count = reader.read(&mut buffer).await?;
            buffer.truncate(count);
            come.replace((buffer, 0));
            Ok(count.into())
        })
    }

    /// Fills a place with the next bytes that have come; it holds no more than there are.
    pub fn fill(&self, place: &Uint8Array) {
        let (buffer, from) = &mut *self.come.borrow_mut();
        let end = *from + place.length() as usize;
        if let Some(next) = buffer.get(*from..end) {
            place.copy_from(next);
            *from = end;
        }
    }

    /// Resolves when all of it is on its way.
    pub fn write(&self, bytes: Vec<u8>) -> Promise {
        self.use_half(&self.writer, async move |writer| {
            writer.write_all(&bytes).await?;
            writer.flush().await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Nothing more is written.
    pub fn close(&self) -> Promise {
        self.use_half(&self.writer, async |writer| {
            writer.close().await?;
            Ok(JsValue::UNDEFINED)
        })
    }
}

fn half<T>(half: T) -> Half<T> {
    Rc::new(RefCell::new(Some(half)))
}
