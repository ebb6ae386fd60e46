//! A router between a client and a server that can change its address and fall silent.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;

/// Forwards the datagrams of one client.
pub struct Proxy {
    pub address: SocketAddr,
    orders: mpsc::UnboundedSender<Order>,
}

enum Order {
    Rebind,
    Mute,
    Insert(Vec<Vec<u8>>),
}

impl Proxy {
    pub async fn start(server: SocketAddr) -> Proxy {
        let inside = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = inside.local_addr().unwrap();
        let (orders, taken) = mpsc::unbounded_channel();
        tokio::spawn(run(inside, server, taken));
        Proxy { address, orders }
    }

    /// From now on the server sees another source, and nothing sent to the old one arrives.
    pub fn rebind(&self) {
        self.orders.send(Order::Rebind).unwrap();
    }

    /// From now on these come after each datagram of the client, as if they were its own.
    pub fn insert(&self, datagrams: &[&[u8]]) {
        let owned = datagrams.iter().map(|datagram| datagram.to_vec()).collect();
        self.orders.send(Order::Insert(owned)).unwrap();
    }

    /// Nothing passes any more, in either direction.
    pub fn mute(&self) {
        self.orders.send(Order::Mute).unwrap();
    }
}

async fn outside() -> Arc<UdpSocket> {
    Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap())
}

async fn run(inside: UdpSocket, server: SocketAddr, mut orders: mpsc::UnboundedReceiver<Order>) {
    let mut facing = outside().await;
    let mut client = None;
    let mut muted = false;
    let mut inserted = Vec::new();
    let mut from_client = vec![0; 65_536];
    let mut from_server = vec![0; 65_536];
    loop {
        tokio::select! {
            // Orders come before what was sent after them.
            biased;
            order = orders.recv() => match order {
                Some(Order::Rebind) => facing = outside().await,
                Some(Order::Mute) => muted = true,
                Some(Order::Insert(datagrams)) => inserted = datagrams,
                None => return,
            },
            Ok((length, source)) = inside.recv_from(&mut from_client) => {
                client = Some(source);
                if !muted {
                    let _ = facing.send_to(&from_client[..length], server).await;
                    for datagram in &inserted {
                        let _ = facing.send_to(datagram, server).await;
                    }
                }
            }
            Ok((length, _)) = facing.recv_from(&mut from_server) => {
                if let (Some(client), false) = (client, muted) {
                    let _ = inside.send_to(&from_server[..length], client).await;
                }
            }
        }
    }
}
