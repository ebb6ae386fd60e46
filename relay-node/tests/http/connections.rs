//! Slow clients, too many clients, and the end.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use warren_relay::http::{HttpLimits, HttpServer};
use warren_shared::error::Code;

use crate::support::{LOCALHOST, Reply, Running, limits};

const KEEP_ALIVE: &[u8] = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n";

fn impatient() -> HttpLimits {
    HttpLimits {
        patience: Duration::from_millis(50),
        ..limits()
    }
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let server = Running::start_with(None, impatient()).await;
    let mut client = server.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nHos").await.unwrap();
    let mut reply = String::new();
    client.read_to_string(&mut reply).await.unwrap();
    assert!(!reply.contains("200"), "{reply}");
}

#[tokio::test]
async fn a_connection_without_requests_is_closed() {
    let server = Running::start_with(None, impatient()).await;
    let mut silent = server.connect().await;
    silent.read_to_end(&mut Vec::new()).await.unwrap();

    let mut idle = server.connect().await;
    idle.write_all(KEEP_ALIVE).await.unwrap();
    let mut reply = String::new();
    idle.read_to_string(&mut reply).await.unwrap();
    assert_eq!(Reply::parse(&reply).status, 200);
}

#[tokio::test]
async fn beyond_the_limit_clients_are_told_to_come_back() {
    let one = HttpLimits {
        connections: 1,
        ..limits()
    };
    let server = Running::start_with(None, one).await;
    let mut first = server.connect().await;
    first.write_all(KEEP_ALIVE).await.unwrap();
    first.read_u8().await.unwrap();

    let mut second = server.connect().await;
    let mut reply = String::new();
    second.read_to_string(&mut reply).await.unwrap();
    let reply = Reply::parse(&reply);
    assert_eq!(reply.status, 503);
    assert_eq!(
        reply.header("content-length"),
        Some(reply.body.len().to_string().as_str())
    );

    // Its place is free once the server has noticed that it is gone.
    drop(first);
    loop {
        let mut third = server.connect().await;
        // Refused, the write may find the connection closed already.
        let _ = third.write_all(KEEP_ALIVE).await;
        let mut status = [0; 12];
        if third.read_exact(&mut status).await.is_ok() && &status == b"HTTP/1.1 200" {
            return;
        }
    }
}

#[tokio::test]
async fn shutdown_ends_idle_connections_and_the_server() {
    let server = Running::start().await;
    let mut idle = server.connect().await;
    idle.write_all(KEEP_ALIVE).await.unwrap();
    idle.read_u8().await.unwrap();
    server.shut_down().await;
    idle.read_to_end(&mut Vec::new()).await.unwrap();
}

#[tokio::test]
async fn a_taken_port_is_explained() {
    let server = Running::start().await;
    let error = HttpServer::bind(server.address, None).await.err().unwrap();
    assert_eq!(error.code(), Code::PortInUse);
    assert!(error.message().contains(&server.address.to_string()));
    assert!(error.remedy().contains("--http"));

    let elsewhere = "192.0.2.1:0".parse().unwrap();
    let error = HttpServer::bind(elsewhere, None).await.err().unwrap();
    assert_eq!(error.code(), Code::ConfigInvalid);
    HttpServer::bind(LOCALHOST, None).await.unwrap();
}
