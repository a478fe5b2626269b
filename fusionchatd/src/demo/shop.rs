//! The demo's shop page, on a port and host name of its own so that the chat's frame is really a third party's.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const PAGE: &str = include_str!("shop.html");

/// The page, with the script tag of the demo's inbox.
pub(super) fn page(chat: &str, inbox: &str) -> String {
    PAGE.replace("{{CHAT}}", chat).replace("{{INBOX}}", inbox)
}

/// Serves the page until `stop`. On loopback only; it holds nothing.
pub(super) async fn serve(listener: TcpListener, page: String, stop: CancellationToken) {
    let router =
        Router::new().route(
            "/",
            get(move || {
                let page = page.clone();
                async move {
                    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
                }
            }),
        );
    let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = served.await {
        tracing::warn!(%error, "the shop page is gone");
    }
}
