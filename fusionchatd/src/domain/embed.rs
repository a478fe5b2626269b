//! Whether a page may embed an inbox's widget, as a browser would decide it, and what to do where it may not. Pure.

use super::inbox::Inbox;

/// The longest URL that is looked at, in bytes.
pub const URL_BYTES_MAX: usize = 4_096;

/// What becomes of a page that embeds an inbox's widget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Why it may not; none if it may.
    pub refusal: Option<Refusal>,
    /// The page's origin as a browser writes it; empty if it has none.
    pub origin: String,
    /// The allowed origin that is most like it; empty if none is.
    pub nearest: String,
    /// The whole reason, in a sentence.
    pub message: String,
    /// The command that lets the page in; empty if no command does, or none is needed.
    pub fix: String,
}

/// Why a page may not embed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The text is no absolute URL.
    NoUrl,
    /// Not a page of the web: a file, a data URL, an extension. Browsers call its origin `null`.
    OpaqueOrigin,
    /// The inbox allows no page at all.
    NoOrigins,
    /// Only the scheme differs from an allowed origin.
    SchemeDiffers,
    /// Only the port differs from an allowed origin.
    PortDiffers,
    /// Only a leading `www.` differs from an allowed origin.
    WwwDiffers,
    /// Another site.
    OriginDiffers,
    /// The page is on https and the daemon on http: no browser loads that.
    MixedContent,
}

impl Refusal {
    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoUrl => "no_url",
            Self::OpaqueOrigin => "opaque_origin",
            Self::NoOrigins => "no_origins",
            Self::SchemeDiffers => "scheme_differs",
            Self::PortDiffers => "port_differs",
            Self::WwwDiffers => "www_differs",
            Self::OriginDiffers => "origin_differs",
            Self::MixedContent => "mixed_content",
        }
    }
}

/// The parts of an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origin {
    /// As a browser writes it: without the scheme's own port.
    fn text(&self) -> String {
        let Self { scheme, host, port } = self;
        if own_port(scheme) == Some(*port) {
            format!("{scheme}://{host}")
        } else {
            format!("{scheme}://{host}:{port}")
        }
    }

    fn bare_host(&self) -> &str {
        self.host.strip_prefix("www.").unwrap_or(&self.host)
    }
}

fn own_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// What a text says of its origin.
enum Parsed {
    Web(Origin),
    Opaque,
    None,
}

/// The origin of a URL: what comes after it, and who is named before the host, do not count.
fn parse(url: &str) -> Parsed {
    let url = url.trim();
    if url.eq_ignore_ascii_case("null") {
        return Parsed::Opaque;
    }
    let Some((scheme, rest)) = url.split_once(':') else { return Parsed::None };
    let named = scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    if !named || !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Parsed::None;
    }
    let scheme = scheme.to_ascii_lowercase();
    let Some(own) = own_port(&scheme) else {
        // `shop.example:8080/x` reads as a scheme too, but nobody means that.
        let is_host = scheme.contains('.') || scheme == "localhost";
        return if is_host { Parsed::None } else { Parsed::Opaque };
    };
    let Some(rest) = rest.strip_prefix("//") else { return Parsed::None };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match host_port.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        Some(_) | None => (host_port, ""),
    };
    let port = if port.is_empty() { Some(own) } else { port.parse::<u16>().ok() };
    let host = host.to_ascii_lowercase();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
    match port {
        Some(port) if !host.is_empty() && host.chars().all(plain) => {
            Parsed::Web(Origin { scheme, host, port })
        }
        Some(_) | None => Parsed::None,
    }
}

/// The command that lets a page of `origin` embed an inbox, by its name or id.
pub fn fix(inbox: &str, origin: &str) -> String {
    format!("fusionctl inbox edit {inbox} --add-origin {origin}")
}

/// Whether a page at `url` may embed the inbox of a daemon at `public_url`.
pub fn test(inbox: &Inbox, url: &str, public_url: &str) -> Verdict {
    let refused = |refusal: Refusal, message: String| Verdict {
        refusal: Some(refusal),
        origin: String::new(),
        nearest: String::new(),
        message,
        fix: String::new(),
    };
    let origin = match parse(&url[..url.floor_char_boundary(URL_BYTES_MAX)]) {
        Parsed::Web(origin) => origin,
        Parsed::Opaque => {
            let message = "this is no page of the web: browsers call its origin `null`, and that is \
                           never allowed; serve it over http or https";
            return refused(Refusal::OpaqueOrigin, message.to_owned());
        }
        Parsed::None => {
            let message = "this is no absolute URL; it looks like https://shop.example/page";
            return refused(Refusal::NoUrl, message.to_owned());
        }
    };
    let text = origin.text();
    let mixed = match parse(public_url) {
        Parsed::Web(daemon) => {
            origin.scheme == "https" && daemon.scheme == "http" && !is_loopback(&daemon.host)
        }
        Parsed::Opaque | Parsed::None => false,
    };
    if mixed {
        let message = format!(
            "a page on https may load nothing from {public_url}: give the daemon TLS and set \
             public_url to its https address"
        );
        return Verdict { origin: text, ..refused(Refusal::MixedContent, message) };
    }
    if inbox.allows(&text) {
        let message = format!("{text} may embed inbox {}, on every path", inbox.name);
        return Verdict {
            refusal: None,
            origin: text,
            nearest: String::new(),
            message,
            fix: String::new(),
        };
    }
    let (refusal, nearest) = nearest(inbox, &origin);
    let message = refusal_text(refusal, &text, &nearest, &inbox.name);
    let fix = fix(&inbox.name, &text);
    Verdict { refusal: Some(refusal), origin: text, nearest, message, fix }
}

/// The allowed origin most like this one, and in what it differs.
fn nearest(inbox: &Inbox, origin: &Origin) -> (Refusal, String) {
    if inbox.origins.is_empty() {
        return (Refusal::NoOrigins, String::new());
    }
    let like = |allowed: &Origin| {
        let scheme = allowed.scheme == origin.scheme;
        let host = allowed.host == origin.host;
        let own = |it: &Origin| own_port(&it.scheme) == Some(it.port);
        let port = allowed.port == origin.port || (own(allowed) && own(origin));
        let www = allowed.bare_host() == origin.bare_host();
        match (scheme, host, port) {
            (false, true, true) => Some((0, Refusal::SchemeDiffers)),
            (true, true, false) => Some((1, Refusal::PortDiffers)),
            (true, false, true) if www => Some((2, Refusal::WwwDiffers)),
            (false, true, false) => Some((3, Refusal::OriginDiffers)),
            _ if www => Some((4, Refusal::OriginDiffers)),
            _ => None,
        }
    };
    let all = inbox.origins.iter().filter_map(|text| match parse(text) {
        Parsed::Web(allowed) => like(&allowed).map(|(far, refusal)| (far, refusal, text)),
        Parsed::Opaque | Parsed::None => None,
    });
    match all.min_by_key(|(far, _, _)| *far) {
        Some((_, refusal, text)) => (refusal, text.clone()),
        None => (Refusal::OriginDiffers, String::new()),
    }
}

fn refusal_text(refusal: Refusal, origin: &str, nearest: &str, inbox: &str) -> String {
    match refusal {
        Refusal::NoOrigins => format!("inbox {inbox} allows no page yet, so neither {origin}"),
        Refusal::SchemeDiffers => {
            format!("inbox {inbox} allows {nearest}, but the page is {origin}: another scheme")
        }
        Refusal::PortDiffers => {
            format!("inbox {inbox} allows {nearest}, but the page is {origin}: another port")
        }
        Refusal::WwwDiffers => {
            format!("inbox {inbox} allows {nearest}, but the page is {origin}: www. counts")
        }
        Refusal::OriginDiffers if !nearest.is_empty() => {
            format!("inbox {inbox} allows {nearest}, which is like {origin} but not the same")
        }
        Refusal::OriginDiffers | Refusal::NoUrl | Refusal::OpaqueOrigin | Refusal::MixedContent => {
            format!("{origin} is not among the origins of inbox {inbox}")
        }
    }
}

/// Browsers trust what runs on the same machine, even without TLS.
fn is_loopback(host: &str) -> bool {
    let v4 = host.starts_with("127.") && host.chars().all(|c| c.is_ascii_digit() || c == '.');
    host == "localhost" || host.ends_with(".localhost") || host == "[::1]" || v4
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{InboxId, OrganizationId};
    use crate::domain::inbox::{AssistantMode, Silences};

    fn inbox(origins: &[&str]) -> Inbox {
        Inbox {
            id: InboxId::default(),
            organization: OrganizationId::default(),
            name: "web".to_owned(),
            origins: origins.iter().map(|it| (*it).to_owned()).collect(),
            assistant: AssistantMode::On,
            locale: "en".to_owned(),
            created_at: 0,
            members: Vec::new(),
            silences: Silences::default(),
        }
    }

    #[test]
    fn a_page_is_refused_for_exactly_its_reason() {
        let allowed = ["https://shop.example", "http://localhost:4881", "https://www.blog.example"];
        for (url, code, nearest) in [
            ("https://shop.example", "ok", ""),
            ("https://shop.example/a/b?c#d", "ok", ""),
            ("HTTPS://Shop.Example:443/", "ok", ""),
            ("https://me:pw@shop.example/", "ok", ""),
            ("http://localhost:4881/x", "ok", ""),
            ("http://shop.example/", "scheme_differs", "https://shop.example"),
            ("https://shop.example:8443/", "port_differs", "https://shop.example"),
            ("http://localhost:3000", "port_differs", "http://localhost:4881"),
            ("https://www.shop.example/", "www_differs", "https://shop.example"),
            ("https://blog.example", "www_differs", "https://www.blog.example"),
            ("http://www.shop.example", "origin_differs", "https://shop.example"),
            ("https://evil.example", "origin_differs", ""),
            ("https://shop.example.evil.example", "origin_differs", ""),
            ("null", "opaque_origin", ""),
            ("file:///home/me/page.html", "opaque_origin", ""),
            ("data:text/html,hi", "opaque_origin", ""),
            ("ftp://shop.example/", "opaque_origin", ""),
            ("shop.example", "no_url", ""),
            ("shop.example:443/a", "no_url", ""),
            ("/help", "no_url", ""),
            ("", "no_url", ""),
            ("https://", "no_url", ""),
            ("https:shop.example", "no_url", ""),
            ("https://shop.example:99999", "no_url", ""),
            ("https://sh op.example", "no_url", ""),
        ] {
            let found = test(&inbox(&allowed), url, "https://chat.example");
            assert_eq!(found.refusal.map_or("ok", Refusal::code), code, "{url}");
            assert_eq!(found.nearest, nearest, "{url}");
            let mended = matches!(code, "ok" | "opaque_origin" | "no_url");
            assert_eq!(found.fix.is_empty(), mended, "{url}");
        }
    }

    #[test]
    fn an_https_page_loads_no_http_chat_but_for_this_machine() {
        let refusal = |daemon| test(&inbox(&["https://a.example"]), "https://a.example", daemon);
        assert_eq!(refusal("http://chat.example").refusal, Some(Refusal::MixedContent));
        assert_eq!(refusal("https://chat.example").refusal, None);
        for near in ["http://localhost:4880", "http://127.0.0.1:4880", "http://[::1]:4880"] {
            assert_eq!(refusal(near).refusal, None, "{near}");
        }
    }

    #[test]
    fn the_fix_is_a_whole_command() {
        let found = test(&inbox(&[]), "https://new.example/start", "https://chat.example");
        assert_eq!(found.refusal, Some(Refusal::NoOrigins));
        assert_eq!(found.fix, "fusionctl inbox edit web --add-origin https://new.example");
    }
}

#[cfg(test)]
#[path = "embed_prop_test.rs"]
mod prop;
