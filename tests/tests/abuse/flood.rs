//! More work than can be done at once: it is refused, and others go on.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Result, ensure};
use fusionchat_tests::rest;
use fusionchat_tests::stage::{Stage, play};
use serde_json::{Value, json};

use crate::desk::Desk;

/// How many sign in at once: more than are worked on and may wait together.
const SIGN_INS: usize = 60;
/// What somebody else says meanwhile.
const MESSAGES: usize = 20;

#[test]
fn fault_54_a_flood_of_passwords_is_refused_and_the_chat_goes_on() {
    play(async |stage: &Stage| {
        let desk = Desk::open(stage, "").await?;
        let (stop, full) = (AtomicBool::new(false), AtomicUsize::new(0));
        let url = format!("{}/api/auth/session", desk.base()?);
        let http = rest::client();
        let sign_in = async |number: usize| {
            let body = json!({ "email": format!("{number}@acme.example"), "password": "wrong" });
            while !stop.load(Ordering::SeqCst) {
                let request = http.post(&url).header("content-type", "application/json");
                let answer = request.body(body.to_string()).send().await?;
                let status = answer.status().as_u16();
                let retry = answer.headers().contains_key("retry-after");
                let problem: Value = serde_json::from_str(&answer.text().await?)?;
                if status == 429 {
                    ensure!(retry && problem["code"] == "overloaded", "{problem}");
                    full.fetch_add(1, Ordering::SeqCst);
                } else {
                    ensure!(status == 401, "{status} {problem}");
                }
            }
            anyhow::Ok(())
        };
        let talk = async {
            let mut visitor = desk.visitor().await?;
            while full.load(Ordering::SeqCst) == 0 {
                let id = visitor.say("before it is full").await?;
                visitor.acked(&id).await?;
            }
            // The queue is full now, and is filled again as soon as there is a place.
            for _ in 0..MESSAGES {
                let id = visitor.say("all the same").await?;
                visitor.acked(&id).await?;
            }
            stop.store(true, Ordering::SeqCst);
            anyhow::Ok(())
        };
        let flood = futures::future::join_all((0..SIGN_INS).map(sign_in));
        let (flood, talk) = futures::join!(flood, talk);
        talk?;
        flood.into_iter().collect::<Result<()>>()?;
        desk.staff().await?.queue().await?;
        Ok(())
    });
}
