//! The OpenAPI document as an integrator meets it: fetched from a daemon without a credential, then
//! every operation it lists is called as it says, and what comes back is held to its schemas, with
//! no field more and none less.

mod api;
mod story;

use anyhow::ensure;
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::stage::{Stage, play};
use serde_json::json;

use api::Api;

#[test]
fn every_listed_operation_does_what_the_document_says() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let mut api = Api::fetch(&daemon).await?;
        story::tell(&daemon, &mut api).await?;
        let left = api.not_called();
        ensure!(left.is_empty(), "listed, but not called: {left:?}");
        Ok(())
    });
}

/// The fields a body may have are those the door knows: it names them when it refuses another one.
#[test]
fn every_listed_body_has_exactly_the_fields_the_door_knows() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let api = Api::fetch(&daemon).await?;
        let rest = daemon.rest("operator")?;
        let mut bodies = 0;
        for operation in api.operations() {
            let Some(documented) = operation.body_fields() else { continue };
            let path = operation.path_of_nothing();
            let answer = rest.send(&operation.method, &path, Some(r#"{"nope":1}"#), &[]).await?;
            let problem = answer.expect(400)?;
            ensure!(problem["code"] == "unknown_field", "{}: {problem}", operation.id);
            let hint = problem["hint"].as_str().unwrap_or_default();
            let known = hint.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            ensure!(documented == known, "{}: {documented:?} and {known:?}", operation.id);
            bodies += 1;
        }
        ensure!(bodies > 20, "only {bodies} bodies were found");
        Ok(())
    });
}

/// The checks of this file can fail: an answer with a field more, one less or of another type does.
#[test]
fn an_answer_that_is_not_as_documented_is_noticed() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let api = Api::fetch(&daemon).await?;
        let good = json!({ "kind": "key" });
        api.check("GetSession", 200, &good)?;
        for bad in [
            json!({ "kind": "key", "more": 1 }),
            json!({}),
            json!({ "kind": 7 }),
            json!({ "kind": "key", "expiresAt": null }),
        ] {
            ensure!(api.check("GetSession", 200, &bad).is_err(), "{bad} was let through");
        }
        ensure!(api.check("GetSession", 201, &good).is_err(), "another status was let through");
        Ok(())
    });
}
