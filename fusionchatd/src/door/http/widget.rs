//! The widget's files, the frame they run in, and the public page of an article. Who may embed the
//! frame stands in its policy: the inbox's origins and nobody else.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, RawPathParams};
use fusionchat_widget::{ASSETS, Asset, EMBED, FramePage};
use http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH, REFERRER_POLICY, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};

use crate::domain::id::InboxId;
use crate::service::error::{Error, Kind};

use super::{Door, page, problem};

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");
const CROSS_ORIGIN_EMBEDDER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-embedder-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// What the frame may use of the browser.
const PERMISSIONS: &str = "geolocation=(), camera=(self), microphone=(self)";
/// The loader keeps its name, so it is asked for again soon.
const LOADER_CACHE: &str = "public, max-age=300, stale-while-revalidate=86400";
/// A file whose name holds its hash never changes.
const ASSET_CACHE: &str = "public, max-age=31536000, immutable";
/// An article may be changed or withdrawn at any time.
const ARTICLE_CACHE: &str = "public, max-age=60";

/// `GET /embed.js`
pub(super) async fn loader(headers: HeaderMap) -> Response<Body> {
    let mut response = file(&EMBED, &headers, LOADER_CACHE);
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// `GET /w/assets/{file}`
pub(super) async fn asset(request: Request<Body>) -> Response<Body> {
    let path = request.uri().path();
    let found = ASSETS.iter().find(|asset| asset.path == path && asset.path != EMBED.path);
    match found {
        Some(asset) => file(asset, request.headers(), ASSET_CACHE),
        None => problem::of_error(&Error::not_found()),
    }
}

/// `GET /w/{inbox id}`
pub(super) async fn frame(door: Arc<Door>, request: Request<Body>) -> Response<Body> {
    let (mut parts, _) = request.into_parts();
    let id = param(&mut parts).await.parse::<InboxId>().map_err(|_| Error::not_found());
    let found = match id {
        Ok(id) => door.service.public_inbox(id).await,
        Err(error) => Err(error),
    };
    let (inbox, organization) = match found {
        Ok(found) => found,
        Err(error) => return failed(&error),
    };
    let origins: Vec<&str> = inbox.origins.iter().map(String::as_str).collect();
    let html = fusionchat_widget::frame(&FramePage {
        locale: &inbox.locale,
        inbox_id: &inbox.id.to_string(),
        inbox_name: &inbox.name,
        organization: &organization.name,
        origins: &origins,
    });
    let own = own_origin(&parts.headers, &door.service.settings().public_url);
    let policy = fusionchat_widget::frame_policy(&origins, &own);
    let mut response = html_page(StatusCode::OK, html, &policy, "no-store");
    let headers = response.headers_mut();
    headers.insert(CROSS_ORIGIN_EMBEDDER_POLICY, HeaderValue::from_static("require-corp"));
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    headers.insert(PERMISSIONS_POLICY, HeaderValue::from_static(PERMISSIONS));
    response
}

/// `GET /a/{article id}`
pub(super) async fn article(door: Arc<Door>, request: Request<Body>) -> Response<Body> {
    let (mut parts, _) = request.into_parts();
    match door.service.public_article(&param(&mut parts).await).await {
        Ok(article) => {
            let html = page::article(&article);
            html_page(StatusCode::OK, html, page::policy(), ARTICLE_CACHE)
        }
        Err(error) => failed(&error),
    }
}

/// The one part of the path that varies.
async fn param(parts: &mut http::request::Parts) -> String {
    let params = RawPathParams::from_request_parts(parts, &()).await;
    let first = |params: &RawPathParams| params.iter().next().map(|(_, value)| value.to_owned());
    params.ok().as_ref().and_then(first).unwrap_or_default()
}

/// A person reads this one, so it is a page.
fn failed(error: &Error) -> Response<Body> {
    if error.kind == Kind::NotFound {
        let html = page::missing();
        return html_page(StatusCode::NOT_FOUND, html, page::policy(), "no-store");
    }
    problem::of_error(error)
}

fn html_page(status: StatusCode, html: String, policy: &str, cache: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("strict-origin"));
    // Without its policy a page must not be shown at all.
    let strict = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_str(policy).unwrap_or(strict));
    if let Ok(cache) = HeaderValue::from_str(cache) {
        headers.insert(CACHE_CONTROL, cache);
    }
    response
}

/// A file of the widget, compressed if the browser takes that, or the news that it has not changed.
fn file(asset: &'static Asset, request: &HeaderMap, cache: &'static str) -> Response<Body> {
    let compress = takes_gzip(request);
    let tag = if compress {
        format!("\"{}-gzip\"", asset.etag.trim_matches('"'))
    } else {
        asset.etag.to_owned()
    };
    let known = is_known(request, &tag);
    let bytes = if compress { asset.gzip } else { asset.bytes };
    let body = if known { Body::empty() } else { Body::from(bytes) };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    if compress {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn is_known(request: &HeaderMap, tag: &str) -> bool {
    let lines = request.get_all(IF_NONE_MATCH).iter();
    let mut tags = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    tags.any(|known| {
        let known = known.trim();
        known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag
    })
}

fn takes_gzip(request: &HeaderMap) -> bool {
    let lines = request.get_all(ACCEPT_ENCODING).iter();
    let mut codings = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|it| it.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_some_and(|it| it > 0.0)
    })
}

/// The daemon's origin as the browser sees it: the host it asked for, under the scheme an operator
/// named.
fn own_origin(headers: &HeaderMap, public_url: &str) -> String {
    let scheme = if public_url.starts_with("https://") { "https" } else { "http" };
    match host(headers) {
        Some(host) => format!("{scheme}://{host}"),
        None => public_url.to_owned(),
    }
}

/// The `Host` of a request if it looks like one.
pub(crate) fn host(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(HOST).iter();
    let host = all.next()?.to_str().ok()?;
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    let good = !host.is_empty() && host.chars().all(plain) && all.next().is_none();
    good.then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(HeaderName, &'static str)| {
            (name.clone(), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn a_browser_says_what_it_takes_and_what_it_knows() {
        for (value, takes) in [
            ("gzip, br", true),
            ("br;q=1.0, gzip;q=0.5", true),
            ("gzip;q=0", false),
            ("br", false),
            ("", false),
        ] {
            assert_eq!(takes_gzip(&headers(&[(ACCEPT_ENCODING, value)])), takes, "{value}");
        }
        assert!(is_known(&headers(&[(IF_NONE_MATCH, "\"a\", W/\"b\"")]), "\"b\""));
        assert!(!is_known(&headers(&[(IF_NONE_MATCH, "\"a\"")]), "\"b\""));
    }

    #[test]
    fn the_own_origin_follows_a_good_host_only() {
        let own = |host: &'static str, url: &str| own_origin(&headers(&[(HOST, host)]), url);
        let url = "https://chat.example";
        assert_eq!(own("chat.shop.example", url), "https://chat.shop.example");
        assert_eq!(own("[::1]:4880", "http://localhost"), "http://[::1]:4880");
        assert_eq!(own("a; script-src *", url), url);
        assert_eq!(own_origin(&HeaderMap::new(), url), url);
    }
}
