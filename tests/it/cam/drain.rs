//! Stopping with a call under way: it is taken to its end, and nothing new is let in.

use std::sync::Arc;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::CamServer;
use super::client::{CAM, parse};

#[tokio::test]
async fn a_call_under_way_is_answered_before_the_server_ends() {
    let server = CamServer::start().await;
    let (node, address) = (Arc::clone(&server.node), server.root.address);
    let call = server.root.post(CAM, "CreateGroup", &json!({"GroupName": "末班"}));
    let mut head = format!("{} {} HTTP/1.1\r\n", call.method, call.target);
    for (name, value) in &call.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let length = call.body.len();
    head.push_str(&format!("Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n"));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server says this when it begins to read the body: the call is under way.
    let mut begun = Vec::new();
    while !begun.ends_with(b"\r\n\r\n") {
        begun.push(stream.read_u8().await.unwrap());
    }
    assert!(begun.starts_with(b"HTTP/1.1 100 "), "{}", String::from_utf8_lossy(&begun));

    let ending = tokio::spawn(server.stop());
    node.stopping().wait_for(|is_stopping| *is_stopping).await.unwrap();
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!ending.is_finished(), "it waits for the call");

    stream.write_all(&call.body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = parse(&String::from_utf8(answer).unwrap());
    assert_eq!(answer.response()["GroupId"], json!(1), "{answer:?}");
    ending.await.unwrap();
}
