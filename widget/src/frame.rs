//! The frame's page and its policy. Everything a tenant can name is escaped here; nothing here may
//! emit an inline script or style, because the policy would refuse it.

use std::fmt::Write;

use crate::{APP, STYLE};

/// What the page of one inbox says.
#[derive(Debug, Clone, Copy)]
pub struct FramePage<'a> {
    /// The inbox's locale, as a language tag such as `en`.
    pub locale: &'a str,
    /// The inbox's id.
    pub inbox_id: &'a str,
    /// The inbox's name.
    pub inbox_name: &'a str,
    /// The organization's name, as its customers know it.
    pub organization: &'a str,
    /// Origins of the pages that may show the chat, such as `https://shop.example`.
    pub origins: &'a [&'a str],
}

/// The HTML of the frame at `/w/{inbox id}`. Serve it with [`frame_policy`] and `Cache-Control:
/// no-store`.
#[must_use]
pub fn frame(page: &FramePage<'_>) -> String {
    let origins: Vec<&str> = page.origins.iter().copied().filter(|o| is_origin(o)).collect();
    format!(
        "<!doctype html>\n<html lang=\"{lang}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"robots\" content=\"noindex\"><title>{organization}</title>\
         <link rel=\"stylesheet\" href=\"{style}\"><script type=\"module\" src=\"{app}\"></script>\
         </head><body><fusion-chat-frame data-inbox=\"{inbox}\" data-name=\"{name}\" \
         data-organization=\"{organization}\" data-locale=\"{lang}\" data-origins=\"{origins}\">\
         </fusion-chat-frame></body></html>\n",
        lang = escape(page.locale),
        organization = escape(page.organization),
        style = STYLE.path,
        app = APP.path,
        inbox = escape(page.inbox_id),
        name = escape(page.inbox_name),
        origins = escape(&origins.join(" ")),
    )
}

/// The value of `Content-Security-Policy` for the frame. `host_origin` is the daemon's own origin
/// as the browser sees it, such as `https://chat.shop.example`; the WebSocket goes there. An entry
/// of `origins` that is no plain origin is left out, so a stored name can never add a directive;
/// without any, nobody may embed.
#[must_use]
pub fn frame_policy(origins: &[&str], host_origin: &str) -> String {
    let mut ancestors = String::new();
    for origin in origins.iter().filter(|origin| is_origin(origin)) {
        let _ = write!(ancestors, " {origin}");
    }
    if ancestors.is_empty() {
        ancestors.push_str(" 'none'");
    }
    let socket = match host_origin.split_once("://") {
        Some(("https", host)) if is_origin(host_origin) => format!(" wss://{host}"),
        Some(("http", host)) if is_origin(host_origin) => format!(" ws://{host}"),
        _ => String::new(),
    };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
         media-src 'self' blob:; font-src 'self'; connect-src 'self'{socket}; \
         frame-ancestors{ancestors}; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

/// `http(s)://host[:port]` and nothing after it, in characters that cannot end a directive or an
/// attribute.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        !host.is_empty()
            && host
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']'))
    })
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{FramePage, frame, frame_policy};

    const HOSTILE: &str = "\"'></title><script>alert(1)</script>&";

    #[test]
    fn hostile_names_stay_text() {
        let html = frame(&FramePage {
            locale: HOSTILE,
            inbox_id: HOSTILE,
            inbox_name: HOSTILE,
            organization: HOSTILE,
            origins: &[HOSTILE, "https://shop.example"],
        });
        assert_eq!(html.matches("<script").count(), 1, "{html}");
        assert!(!html.contains("alert(1)</script>"), "{html}");
        assert!(html.contains("data-origins=\"https://shop.example\""), "{html}");
        assert!(!html.contains("'>"), "{html}");
    }

    #[test]
    fn the_page_has_no_inline_script_or_style() {
        let html = frame(&FramePage {
            locale: "en",
            inbox_id: "0198c0de",
            inbox_name: "Web",
            organization: "Shop",
            origins: &[],
        });
        assert!(html.contains("<script type=\"module\" src=\"/w/assets/app."), "{html}");
        assert!(html.contains("></script>"), "{html}");
        assert!(!html.contains("<style") && !html.contains("style=") && !html.contains(" on"));
    }

    #[test]
    fn the_policy_names_exactly_the_origins() {
        let policy = frame_policy(
            &["https://shop.example", "http://localhost:4881"],
            "http://localhost:4880",
        );
        assert!(policy.contains("frame-ancestors https://shop.example http://localhost:4881;"));
        assert!(policy.contains("connect-src 'self' ws://localhost:4880;"), "{policy}");
        assert!(policy.contains("require-trusted-types-for 'script'; trusted-types 'none'"));
        assert!(frame_policy(&[], "https://chat.example").contains("frame-ancestors 'none';"));
        assert!(frame_policy(&[], "https://chat.example").contains(" wss://chat.example;"));
    }

    #[test]
    fn an_origin_cannot_add_a_directive() {
        for hostile in [
            "*",
            "https://a; script-src *",
            "https://a b",
            "https://",
            "javascript:alert(1)",
            "https://a\r\nX: y",
            "https://a/path",
        ] {
            assert!(
                frame_policy(&[hostile], "https://a; script-src *")
                    .contains("frame-ancestors 'none';"),
                "{hostile}"
            );
        }
    }
}
