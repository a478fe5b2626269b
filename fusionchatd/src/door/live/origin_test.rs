//! A page that may not embed the inbox any more: its sockets are closed, its session is of no use.

use serde_json::json;

use crate::domain::actor::Actor;
use crate::domain::inbox::ListEdit;
use crate::door::harness::{Daemon, SHOP};
use crate::service::inbox::EditInbox;

#[tokio::test]
async fn removing_an_origin_closes_its_sockets_at_once() {
    let daemon = Daemon::start().await;
    let (mut client, _) = daemon.visitor(json!({})).await;
    client.message(1, "hello").await;
    client.until("ack").await;
    let id = daemon.inbox().parse().expect("id");
    let (inbox, _) = daemon.service.public_inbox(id).await.expect("inbox");
    let system = Actor::system(inbox.organization);
    let edit = async |origins| {
        let edit = EditInbox { origins, ..EditInbox::default() };
        daemon.service.edit_inbox(&system, None, "web", edit).await.expect("edited");
    };
    let other = || vec!["https://other.example".to_owned()];
    edit(ListEdit { add: other(), ..ListEdit::default() }).await;
    client.message(2, "still here").await;
    assert_eq!(client.until("ack").await["seq"], 2, "the other pages stay");
    edit(ListEdit { remove: vec![SHOP.to_owned()], ..ListEdit::default() }).await;
    let error = client.until("error").await;
    assert_eq!(error["code"], "origin_not_allowed");
    assert_eq!(client.closed().await, 4003);
    let mut again = daemon.socket().await;
    again.hello(&daemon.inbox(), json!({})).await;
    assert_eq!(again.until("error").await["code"], "origin_not_allowed");
    daemon.end().await;
}
