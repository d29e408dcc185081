//! Calls: too many of them, too long, too late.

use camgate::service::LimitSettings;
use camgate::service::proto as pb;
use prost::bytes::Bytes;
use tokio_stream::StreamExt as _;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::wire::{Http2, message, within};
use super::{BATCH, Bed, CHECK, ROOT};

const CREATE_GROUP: &str = "/camgate.v1.AdministrationService/CreateGroup";
const WATCH: &str = "/camgate.v1.WatchService/Watch";
/// gRPC's numbers of the codes that are met here.
const RESOURCE_EXHAUSTED: i32 = 8;
const DEADLINE_EXCEEDED: i32 = 4;

fn reason(status: &Status) -> String {
    status.get_error_details().error_info().unwrap().reason.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_one_too_many_is_sent_away_and_health_is_spared() {
    let bed = Bed::start(LimitSettings { checks_max: 2, ..LimitSettings::default() }).await;
    let first = bed.occupy().await;
    let _second = bed.occupy().await;
    let refused = bed.authz().check(Bed::question()).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    assert_eq!(reason(&refused), "OVERLOADED");
    let details = refused.get_error_details();
    assert_eq!(details.error_info().unwrap().metadata["limit"], "2");
    assert!(details.retry_info().unwrap().retry_delay.unwrap().as_millis() > 0);
    bed.is_healthy().await;
    // Other kinds of calls have places of their own.
    let request = pb::ListAccountsRequest::default();
    bed.admin().list_accounts(request).await.unwrap();
    let batch = pb::BatchCheckRequest { entries: vec![Bed::question()], consistency: None };
    bed.authz().batch_check(batch).await.unwrap();
    let request = pb::WatchRequest { owner_uin: ROOT, after: String::new() };
    let mut events = bed.watch().watch(request).await.unwrap().into_inner();
    within("an event", events.next()).await.unwrap().unwrap();
    let shed = [("port", "grpc"), ("class", "check")];
    assert_eq!(bed.metric("calls_shed", &shed).await, 1);
    // Who leaves makes room.
    drop(first);
    bed.until("a free place", "calls_under_way", &shed, |count| count == 1).await;
    bed.serves().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_places_are_for_those_who_ask_little() {
    let bed = Bed::start(LimitSettings { checks_max: 8, ..LimitSettings::default() }).await;
    let mut busy = Http2::connect(bed.grpc).await;
    let mut begin = || {
        let mut call = busy.begin(CHECK, &[]);
        call.body.send_data(message(&bed.endless()), true).unwrap();
        call
    };
    let calls: Vec<_> = (0..6).map(|_| begin()).collect();
    let checks = [("port", "grpc"), ("class", "check")];
    bed.until("six calls", "calls_under_way", &checks, |count| count == 6).await;
    let ended = begin().ended().await;
    assert_eq!(ended.status, RESOURCE_EXHAUSTED, "{ended:?}");
    // Two places are left, and not for this connection.
    let _another = bed.occupy().await;
    bed.serves().await;
    drop(calls);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_streams_do_not_take_the_places_of_checks() {
    let bed = Bed::start(LimitSettings { streams_max: 2, ..LimitSettings::default() }).await;
    let request = pb::WatchRequest { owner_uin: ROOT, after: String::new() };
    let mut watches = Vec::new();
    for _ in 0..2 {
        watches.push(bed.watch().watch(request.clone()).await.unwrap());
    }
    let refused = bed.watch().watch(request.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    assert!(refused.message().contains("2 calls of the kind `stream`"), "{refused}");
    bed.serves().await;
    watches.clear();
    let streams = [("port", "grpc"), ("class", "stream")];
    bed.until("no streams", "calls_under_way", &streams, |count| count == 0).await;
    bed.watch().watch(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_too_long_is_refused_when_its_length_is_known() {
    let bed = Bed::start(LimitSettings::default()).await;
    let mut client = Http2::connect(bed.grpc).await;
    let length: u32 = 4 * 1024 * 1024 + 1;
    let prefix = [&[0], &length.to_be_bytes()[..]].concat();
    let mut call = client.begin(BATCH, &[]);
    // Nothing else is ever sent.
    call.body.send_data(prefix.into(), false).unwrap();
    let ended = call.ended().await;
    assert_eq!(ended.status, RESOURCE_EXHAUSTED, "{ended:?}");
    assert!(ended.message.contains("4194305%20bytes") || ended.message.contains("4194305 bytes"));
    bed.serves().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_that_is_too_long_is_refused() {
    let limits = LimitSettings { metadata_bytes_max: 4_096, ..LimitSettings::default() };
    let bed = Bed::start(limits).await;
    let mut client = Http2::connect(bed.grpc).await;
    let (short, long) = ("x".repeat(3_000), "x".repeat(8_000));
    let ended = client.call(CHECK, &[("x-more", &short)], message(&Bed::question())).await;
    assert_eq!((ended.http, ended.status), (200, 0), "{ended:?}");
    let mut call = client.begin(CHECK, &[("x-more", &long)]);
    // It may be refused before the message is there to be sent.
    let _ = call.body.send_data(message(&Bed::question()), true);
    let answer = within("a refusal", call.answer).await;
    assert!(answer.is_err() || answer.unwrap().status() == 431);
    bed.serves().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_ends_at_its_deadline() {
    let bed = Bed::start(LimitSettings { checks_max: 1, ..LimitSettings::default() }).await;
    let mut client = Http2::connect(bed.grpc).await;
    let endless = message(&bed.endless());
    let ended = client.call(CHECK, &[("grpc-timeout", "50m")], endless).await;
    assert_eq!(ended.status, DEADLINE_EXCEEDED, "{ended:?}");
    // It is not worked on any more: its place is free.
    bed.serves().await;
    assert_eq!(bed.metric("calls_late", &[("port", "grpc")]).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_deadline_has_passed_is_not_begun() {
    let bed = Bed::start(LimitSettings::default()).await;
    let mut client = Http2::connect(bed.grpc).await;
    let group = |name: &str| {
        let name = name.to_owned();
        message(&pb::CreateGroupRequest { owner_uin: ROOT, name, ..Default::default() })
    };
    let ended = client.call(CREATE_GROUP, &[("grpc-timeout", "0n")], group("late")).await;
    assert_eq!(ended.status, DEADLINE_EXCEEDED, "{ended:?}");
    let ended = client.call(CREATE_GROUP, &[("grpc-timeout", "1M")], group("early")).await;
    assert_eq!(ended.status, 0, "{ended:?}");
    let request = pb::ListGroupsRequest { owner_uin: ROOT, ..Default::default() };
    let groups = bed.admin().list_groups(request).await.unwrap().into_inner().groups;
    let names: Vec<_> = groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["early"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_at_its_deadline() {
    let bed = Bed::start(LimitSettings::default()).await;
    let mut client = Http2::connect(bed.grpc).await;
    let request = message(&pb::WatchRequest { owner_uin: ROOT, after: String::new() });
    let ended = client.call(WATCH, &[("grpc-timeout", "300m")], request).await;
    assert_eq!(ended.status, DEADLINE_EXCEEDED, "{ended:?}");
    assert!(ended.bytes > 0, "it had begun");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_without_a_deadline_ends_too() {
    let bed = Bed::start(LimitSettings { call_ms_max: 100, ..LimitSettings::default() }).await;
    let refused = bed.authz().check(bed.endless()).await.unwrap_err();
    assert_eq!(refused.code(), Code::DeadlineExceeded, "{refused}");
    assert_eq!(reason(&refused), "TOO_SLOW");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_does_not_come_is_given_up_and_takes_no_place() {
    let limits =
        LimitSettings { checks_max: 1, message_wait_ms_max: 8_000, ..LimitSettings::default() };
    let bed = Bed::start(limits).await;
    let mut client = Http2::connect(bed.grpc).await;
    // One without a message, one with half of it, one that is not ended.
    let mut calls: Vec<_> = (0..3).map(|_| client.begin(CHECK, &[])).collect();
    let whole = message(&Bed::question());
    calls[1].body.send_data(whole.slice(..whole.len() / 2), false).unwrap();
    calls[2].body.send_data(whole, false).unwrap();
    bed.until("three calls", "calls_open", &[("port", "grpc")], |count| count == 3).await;
    bed.serves().await;
    for call in calls {
        let ended = call.ended().await;
        assert_eq!(ended.status, DEADLINE_EXCEEDED, "{ended:?}");
        assert!(ended.message.contains("did%20not%20come") || ended.message.contains("not come"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_messages_share_what_they_may_take() {
    let limits = LimitSettings { buffer_bytes_max: 1 << 20, ..LimitSettings::default() };
    let bed = Bed::start(limits).await;
    let mut client = Http2::connect(bed.grpc).await;
    // The beginning of a message of 70 KB, which may take sixteen times as much decoded.
    let mut call = client.begin(BATCH, &[]);
    let prefix = [&[0], &70_000_u32.to_be_bytes()[..]].concat();
    call.body.send_data(prefix.clone().into(), false).unwrap();
    bed.until("a long message", "calls_buffered_bytes", &[("port", "grpc")], |it| it > 0).await;
    let mut another = Http2::connect(bed.grpc).await;
    let mut refused = another.begin(BATCH, &[]);
    refused.body.send_data(prefix.into(), false).unwrap();
    let ended = refused.ended().await;
    assert_eq!(ended.status, RESOURCE_EXHAUSTED, "{ended:?}");
    // A short one is not concerned; and who makes the others wait goes.
    bed.serves().await;
    client.ended().await;
    bed.until("free memory", "calls_buffered_bytes", &[("port", "grpc")], |it| it == 0).await;
    assert_eq!(bed.cut("grpc", "greedy").await, 1);
    drop(call);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_connection_with_most_open_calls_makes_room_for_others() {
    let limits = LimitSettings { open_calls_max: 64, ..LimitSettings::default() };
    let bed = Bed::start(limits).await;
    let mut greedy = Http2::connect(bed.grpc).await;
    let calls: Vec<_> = (0..80).map(|_| greedy.begin(CHECK, &[])).collect();
    greedy.ended().await;
    bed.is_healthy().await;
    bed.serves().await;
    assert_eq!(bed.cut("grpc", "greedy").await, 1);
    drop(calls);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_has_at_most_a_hundred_entries() {
    let bed = Bed::start(LimitSettings::default()).await;
    for (count, code) in [(100, None), (101, Some(Code::InvalidArgument))] {
        let entries = vec![Bed::question(); count];
        let batch = pb::BatchCheckRequest { entries, consistency: None };
        let answer = bed.authz().batch_check(batch).await;
        assert_eq!(answer.err().map(|status| status.code()), code, "{count}");
    }
    // A million entries of two bytes each are no million of messages in memory.
    let entries = [0x0a, 0x00].repeat(1_000_000);
    let length = u32::try_from(entries.len()).unwrap().to_be_bytes();
    let bytes: Bytes = [&[0], &length[..], &entries].concat().into();
    let ended = Http2::connect(bed.grpc).await.call(BATCH, &[], bytes).await;
    assert_eq!(ended.status, 3, "{ended:?}");
    assert!(ended.message.contains("entries"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gate_refuses_in_its_own_words_when_there_is_no_place() {
    use camgate::service::envoy::auth::authorization_client::AuthorizationClient;
    let bed = Bed::start(LimitSettings { checks_max: 1, ..LimitSettings::default() }).await;
    let _first = bed.occupy().await;
    let mut envoy = AuthorizationClient::connect(format!("http://{}", bed.grpc)).await.unwrap();
    let attributes = attributes_of_a_request();
    let answer = envoy.check(attributes).await.unwrap().into_inner();
    // No error, which a proxy could be told to let pass.
    assert_eq!(answer.status.unwrap().code, i32::from(Code::Unavailable));
}

/// A request that a gate reads.
fn attributes_of_a_request() -> camgate::service::envoy::auth::CheckRequest {
    use camgate::service::envoy::auth::{AttributeContext, CheckRequest, attribute_context};
    use camgate::service::envoy::core::{Address, SocketAddress, address};
    let socket = SocketAddress { address: "10.0.0.1".to_owned(), ..Default::default() };
    let address = Address { address: Some(address::Address::SocketAddress(socket)) };
    let source = Some(attribute_context::Peer { address: Some(address) });
    let http = attribute_context::HttpRequest {
        method: "GET".to_owned(),
        path: "/".to_owned(),
        host: "x".to_owned(),
        ..Default::default()
    };
    let request = attribute_context::Request { http: Some(http) };
    let attributes = AttributeContext { source, request: Some(request), ..Default::default() };
    CheckRequest { attributes: Some(attributes) }
}
