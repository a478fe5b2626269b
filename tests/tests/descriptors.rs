//! A daemon that may open no further file: it waits a moment between two attempts, and whoever is there already is
//! served.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use fusionchat_proto::v1;
use fusionchat_tests::grpc::Staff;
use fusionchat_tests::serve::{Served, init};
use fusionchat_tests::stage::{Stage, play};
use fusionchat_tests::visitor::Visitor;
use tokio::net::TcpStream;

/// How many files the daemon may have open: what it needs for itself and some visitors.
const FILES_MAX: u32 = 96;
/// More connections than that.
const CROWD: usize = 120;
/// So many attempts are watched.
const ATTEMPTS: u32 = 20;

/// A door, what it says when it gets no connection, and how long it waits then.
struct Door {
    name: &'static str,
    says: &'static str,
    pause: Duration,
}

#[test]
fn fault_52_no_file_is_left() {
    let says = "no further connection for a moment";
    check(&Door { name: "http", says, pause: Duration::from_millis(50) });
}

#[test]
fn fault_52_no_file_is_left_for_the_grpc_door() {
    let says = "a gRPC connection could not be accepted";
    check(&Door { name: "grpc", says, pause: Duration::from_millis(100) });
}

fn check(door: &Door) {
    play(async |stage: &Stage| {
        let data = stage.folder("data")?;
        let made = init(stage, &data).await?;
        let inbox = made["inboxId"].as_str().context("an inbox")?;
        let settings = "[limits]\nsockets_per_address = 1000\n";
        let mut served = Served::start_with_files(stage, &data, settings, FILES_MAX).await?;
        let base = format!("http://{}", served.address("http")?);
        let address = served.address(door.name)?.to_owned();
        let mut visitor = Visitor::new(stage, &base, inbox, "https://shop.example");
        visitor.connect().await?;
        let first = visitor.say("I would rather speak to a human").await?;
        visitor.acked(&first).await?;

        let mut crowd = Vec::new();
        for _ in 0..CROWD {
            crowd.push(TcpStream::connect(&address).await?);
        }
        served.said_like(door.says).await?;
        let began = Instant::now();
        for _ in 0..ATTEMPTS {
            served.said_like(door.says).await?;
        }
        let took = began.elapsed();
        ensure!(took >= door.pause * (ATTEMPTS - 1), "it spins: {ATTEMPTS} attempts in {took:?}");

        let second = visitor.say("is anybody there").await?;
        visitor.acked(&second).await?;
        drop(crowd);
        ensure!(served.get("http", "/livez").await?.0 == 200, "new clients come in again");
        let endpoint = format!("http://{}", served.address("grpc")?);
        let operator = made["operatorKey"].as_str().context("a key")?;
        let staff = Staff::connect(&endpoint, operator).await?;
        staff.server().get_server_status(v1::GetServerStatusRequest {}).await?;
        Ok(())
    });
}
