//! Whether a daemon takes new work is said alike by every door: by what the store says of its disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::StreamExt;
use http::StatusCode;
use http_body_util::BodyExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;

use crate::domain::timer::Delays;
use crate::service::limit::Limits;
use crate::service::proxy::Proxies;
use crate::service::{Service, Settings};
use crate::store::open::{DISK_RESERVE_BYTES, OpenOptions, open};

use super::grpc::health::{Probe, WATCHERS_MAX};
use super::harness::{SHOP, found, soon};
use super::http::probe;

#[tokio::test]
async fn fault_48_every_probe_says_that_the_disk_is_full() {
    let directory = tempfile::tempdir().expect("a directory");
    let free = Arc::new(AtomicU64::new(2 * DISK_RESERVE_BYTES));
    let told = Arc::clone(&free);
    let options = OpenOptions {
        disk_probe: Arc::new(move |_| Ok(told.load(Ordering::SeqCst))),
        ..OpenOptions::default()
    };
    let url = format!("sled:{}", directory.path().join("store").display());
    let engine = open(&url, &options).await.expect("a store");
    let settings = Settings {
        delays: Delays::default(),
        mark_interval_ms: 1,
        public_url: "https://chat.example".to_owned(),
        limits: Limits::default(),
        proxies: Proxies::default(),
    };
    let clock = Arc::new(|| 1_790_000_000_000);
    let service = Service::open(Arc::clone(&engine), settings, clock, TaskTracker::new());
    let service = service.await.expect("a service");
    let founded = found(&service, "acme", SHOP).await;
    let say = async |text: &str| {
        let guest = service.welcome(founded.inbox.id, SHOP, None).await.expect("welcome").guest;
        let id = crate::domain::id::ClientId(*service.new_id().as_bytes());
        service.guest_message(&guest, id, text.to_owned(), None).await.map(|_| ())
    };
    let http = async || {
        let (head, body) = probe::ready(&service).into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        (head.status, String::from_utf8_lossy(&bytes).into_owned())
    };
    let grpc = Probe::new(Arc::clone(&service), CancellationToken::new());
    let request = || Request::new(HealthCheckRequest::default());
    let check = async || grpc.check(request()).await.expect("health").into_inner().status();
    let mut watch = grpc.watch(request()).await.expect("health").into_inner();
    let mut change = async || soon(watch.next()).await.expect("a change").expect("health").status();

    assert_eq!(http().await, (StatusCode::OK, "ok\n".to_owned()));
    assert_eq!((check().await, change().await), (ServingStatus::Serving, ServingStatus::Serving));

    free.store(DISK_RESERVE_BYTES / 2, Ordering::SeqCst);
    assert_eq!(say("no room").await.expect_err("refused").code, "disk_full");
    assert_eq!(http().await, (StatusCode::SERVICE_UNAVAILABLE, "disk_full\n".to_owned()));
    assert_eq!(check().await, ServingStatus::NotServing);
    assert_eq!(change().await, ServingStatus::NotServing);

    free.store(2 * DISK_RESERVE_BYTES, Ordering::SeqCst);
    say("room again").await.expect("written");
    assert_eq!(http().await, (StatusCode::OK, "ok\n".to_owned()));
    assert_eq!((check().await, change().await), (ServingStatus::Serving, ServingStatus::Serving));

    let mut watchers = Vec::new();
    for _ in 1..WATCHERS_MAX {
        watchers.push(grpc.watch(request()).await.expect("health").into_inner());
    }
    let refused = grpc.watch(request()).await.err().map(|status| status.code());
    assert_eq!(refused, Some(Code::ResourceExhausted), "with the first there are enough");
    watchers.pop();
    assert!(grpc.watch(request()).await.is_ok(), "one has gone");
    engine.close().await.expect("closed");
}
