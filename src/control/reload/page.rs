//! What clients are answered while the application does not run: status 503, with the reason.
//!
//! For development only: the page shows the traceback to whoever asks.

/// Why the application does not run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// One line.
    pub summary: String,
    /// The traceback, or whatever else was written; empty if there is none.
    pub details: String,
}

/// A body with its type.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// `content-type`
    pub content_type: &'static str,
    /// The text, in UTF-8.
    pub body: String,
}

const ADVICE: &str = "It starts again as soon as a watched file changes.";

impl Failure {
    /// The page for a client: HTML for those who say that they want it, else plain text.
    pub fn page(&self, wants_html: bool) -> Page {
        if wants_html {
            Page {
                content_type: "text/html; charset=utf-8",
                body: self.html(),
            }
        } else {
            Page {
                content_type: "text/plain; charset=utf-8",
                body: self.plain(),
            }
        }
    }

    fn plain(&self) -> String {
        let mut text = format!("{}\n{ADVICE}\n", self.summary);
        if !self.details.is_empty() {
            text.push('\n');
            text.push_str(self.details.trim_end());
            text.push('\n');
        }
        text
    }

    fn html(&self) -> String {
        let summary = escape(&self.summary);
        let details = match self.details.trim_end() {
            "" => String::new(),
            details => format!("<pre>{}</pre>\n", escape(details)),
        };
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <title>{summary}</title>\n<style>\n\
             :root {{ color-scheme: light dark }}\n\
             body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; \
             padding: 0 1rem }}\n\
             pre {{ border-left: 4px solid #c33; font-size: .875rem; overflow-x: auto; \
             padding: .5rem 1rem }}\n\
             </style>\n</head>\n<body>\n<h1>{summary}</h1>\n{details}<p>{ADVICE}</p>\n\
             </body>\n</html>\n"
        )
    }
}

/// Whether an `Accept` field wants HTML: it names the type, as browsers do. `*/*` does not name it.
pub fn names_html(accept: &str) -> bool {
    accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let html = parts
            .next()
            .is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"));
        // RFC 9110, section 12.4.2: a quality of zero means never.
        let refused = parts.any(|parameter| {
            let quality = parameter
                .strip_prefix("q=")
                .or(parameter.strip_prefix("Q="));
            quality.is_some_and(|quality| quality.parse() == Ok(0.0))
        });
        html && !refused
    })
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> Failure {
        Failure {
            summary: "The application does not start: <module>".to_owned(),
            details: "Traceback:\n  a < b & \"c\"\n".to_owned(),
        }
    }

    #[test]
    fn plain_text_is_the_traceback_as_it_is() {
        let page = failure().page(false);
        assert_eq!(page.content_type, "text/plain; charset=utf-8");
        assert_eq!(
            page.body,
            "The application does not start: <module>\n\
             It starts again as soon as a watched file changes.\n\n\
             Traceback:\n  a < b & \"c\"\n"
        );
    }

    #[test]
    fn html_is_escaped() {
        let page = failure().page(true);
        assert_eq!(page.content_type, "text/html; charset=utf-8");
        assert!(
            page.body
                .contains("<h1>The application does not start: &lt;module&gt;</h1>")
        );
        assert!(
            page.body
                .contains("<pre>Traceback:\n  a &lt; b &amp; &quot;c&quot;</pre>")
        );
        assert!(!page.body.contains("<module>"));
    }

    #[test]
    fn without_a_traceback_there_is_none() {
        let failure = Failure {
            summary: "It was killed.".to_owned(),
            details: String::new(),
        };
        assert!(!failure.page(true).body.contains("<pre>"));
        assert!(failure.page(false).body.ends_with("changes.\n"));
    }

    #[test]
    fn who_wants_html() {
        for accept in [
            "text/html",
            "text/html,application/xml;q=0.9",
            "a/b, Text/HTML;q=0.1",
        ] {
            assert!(names_html(accept), "{accept}");
        }
        for accept in [
            "*/*",
            "",
            "application/json",
            "text/html;q=0",
            "text/html; q=0.0",
        ] {
            assert!(!names_html(accept), "{accept}");
        }
    }
}
