//! What a sign-in tells of who exists.

use anyhow::ensure;
use fusionchat_tests::stage::{Stage, play};
use serde_json::json;

use crate::desk::{House, PASSWORD};

#[test]
fn fault_96_a_sign_in_says_and_does_the_same_for_who_does_not_exist() {
    play(async |stage: &Stage| {
        let settings = "[limits]\nsign_ins_per_five_minutes = 1000\n";
        let house = House::open(stage, settings).await?;
        let acme = house.found("north").await?;
        let email = acme.email();
        let guesses = [
            ("a wrong password", email.as_str(), "wrong horse battery", "north"),
            ("an unknown user", "nobody@north.example", PASSWORD, "north"),
            ("another organization's user", email.as_str(), PASSWORD, "acme"),
            ("an unknown organization", email.as_str(), PASSWORD, "nowhere"),
            ("a password of no user", email.as_str(), "short", "north"),
        ];
        let mut told = Vec::new();
        for (what, email, password, organization) in guesses {
            let body =
                json!({ "email": email, "password": password, "organization": organization });
            let before = house.counted("fusionchat_password_hashes").await?;
            let answer = acme.open().post("/api/auth/session", &body).await?;
            let work = house.counted("fusionchat_password_hashes").await? - before;
            ensure!(answer.status == 401, "{what}: {answer:?}");
            ensure!(work == 1, "{what}: {work} hashes were computed");
            told.push(answer);
        }
        ensure!(told.iter().all(|it| *it == told[0]), "{told:?}");
        Ok(())
    });
}
