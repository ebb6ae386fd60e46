//! Requests of other peers that apps answer: one frame each way, on streams that they accept themselves.

use std::io;
use std::sync::Arc;

use futures::channel::{mpsc, oneshot};
use futures::future::{BoxFuture, Either, select};
use futures::{FutureExt, SinkExt, StreamExt};

use crate::error::{Code, Error, Result};
use crate::net::budget::{Asker, SharedBudget};
use crate::net::chat::{HistorySlot, refused};
use crate::net::codec::{Message, invalid, read_frame, write_frame};
use crate::net::direct::{self, Brought};
use crate::net::handle::Handle;
use crate::net::standings::Standings;
use crate::net::streams::{Incoming, Registry, Service};
use crate::platform;
use crate::proto::direct::wire::{Delivery, NotTaken, Taken};
use crate::proto::record::Refusal;
use crate::store::Source;

/// Makes an answer out of a request; an error says that it is none.
type Work = Arc<
    dyn Fn(Asker, Vec<u8>) -> BoxFuture<'static, std::result::Result<Vec<u8>, String>>
        + Send
        + Sync,
>;

/// What is needed to answer.
struct Server {
    service: Service,
    work: Work,
    /// Told to those for whom there is no time.
    busy: Vec<u8>,
    budget: SharedBudget,
    standings: Standings,
}

/// Gives others messages of rooms.
pub(super) fn answer_history(
    handle: &Handle,
    streams: &Registry,
    history: HistorySlot,
) -> Result<()> {
    let work: Work = Arc::new(move |_, frame| {
        let history = history.clone();
        async move {
            let request = Message::from_frame(&frame)?;
            Ok(history.answer(request).await.to_frame())
        }
        .boxed()
    });
    let busy = refused(Refusal::RateLimited).to_frame();
    serve(handle, streams, Service::History, work, busy)
}

/// Takes direct messages, for the task that has them: it decides, and answers when they are stored.
pub(super) fn take_deliveries(
    handle: &Handle,
    streams: &Registry,
) -> Result<mpsc::Receiver<Brought>> {
    let (inbox, brought) = direct::inbox();
    let work: Work = Arc::new(move |asker, frame| {
        let source = Source::of(asker.prefix, &asker.peer.to_bytes());
        let mut inbox = inbox.clone();
        async move {
            let delivery = Delivery::from_frame(&frame)?;
            let (reply, taken) = oneshot::channel();
            let brought = Brought {
                delivery,
                source,
                reply,
            };
            let taken = match inbox.send(brought).await {
                Ok(()) => taken.await.unwrap_or_else(|_| not_taken()),
                Err(_) => not_taken(),
            };
            Ok(taken.to_frame())
        }
        .boxed()
    });
    let busy = not_taken().to_frame();
    serve(handle, streams, Service::Direct, work, busy)?;
    Ok(brought)
}

fn not_taken() -> Taken {
    let why = NotTaken::Failed;
    Taken::Refused { why }
}

fn serve(
    handle: &Handle,
    streams: &Registry,
    service: Service,
    work: Work,
    busy: Vec<u8>,
) -> Result<()> {
    let accepted = streams.accept(service.protocol(handle.network()));
    let taken = "somebody answers these requests already";
    let mut incoming = accepted.map_err(|_| Error::new(Code::Internal, taken))?;
    let server = Arc::new(Server {
        service,
        work,
        busy,
        budget: SharedBudget::default(),
        standings: handle.standings().clone(),
    });
    platform::spawn(async move {
        while let Some(incoming) = incoming.next().await {
            platform::spawn(server.clone().serve(incoming));
        }
    });
    Ok(())
}

impl Server {
    async fn serve(self: Arc<Self>, incoming: Incoming) {
        let (peer, service) = (incoming.peer, self.service);
        let patience = platform::sleep(service.deadline());
        let outcome = match select(self.exchange(incoming).boxed(), patience).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        if let Err(error) = outcome {
            tracing::debug!(%peer, ?service, %error, "a request was not answered");
            self.standings.asks(&peer, &error);
        }
    }

    async fn exchange(&self, incoming: Incoming) -> io::Result<()> {
        let Incoming {
            peer,
            prefix,
            mut stream,
            ..
        } = incoming;
        let frame = read_frame(&mut stream).await?;
        let asker = Asker { peer, prefix };
        let answer = match self.budget.place(asker) {
            None => self.busy.clone(),
            Some(_place) => (self.work)(asker, frame).await.map_err(invalid)?,
        };
        write_frame(&mut stream, &answer).await
    }
}
