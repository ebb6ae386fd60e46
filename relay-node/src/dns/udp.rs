//! DNS over UDP: one packet, one answer. What resolves at once is answered in the loop, the rest in
//! tasks of which there are only so many.

use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use warren_shared::proto::names::dns::{MAX_QUESTION, Transport};

use super::DnsLimits;
use super::responder::{Next, Responder};

pub(super) async fn serve(socket: UdpSocket, responder: Arc<Responder>, limits: DnsLimits) {
    let socket = Arc::new(socket);
    let places = Arc::new(Semaphore::new(limits.under_way));
    let mut tasks = JoinSet::new();
    let mut buffer = [0; MAX_QUESTION];
    loop {
        while tasks.try_join_next().is_some() {}
        // An error is about an answer that somebody did not want: the socket goes on.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        match responder.receive(&buffer[..length], from.ip(), Transport::Udp) {
            Next::Nothing => {}
            Next::Send(answer) => drop(socket.try_send_to(&answer, from)),
            Next::Resolve(query) => match places.clone().try_acquire_owned() {
                Ok(place) => {
                    let (socket, responder) = (socket.clone(), responder.clone());
                    tasks.spawn(async move {
                        let answer = responder.answer(&query, Transport::Udp).await;
                        let _ = socket.send_to(&answer, from).await;
                        drop(place);
                    });
                }
                // Whoever asked asks again.
                Err(_) => responder.dropped(),
            },
        }
    }
}
