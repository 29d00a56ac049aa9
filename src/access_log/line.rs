//! The text of one access log line.

use crate::percent;

/// What an access log line says of a response.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// `host:port` as the scope has it, IPv6 without brackets; empty on a unix socket.
    pub client: &'a str,
    /// The method.
    pub method: &'a str,
    /// The scope's root path, decoded, in front of the path.
    pub root_path: &'a str,
    /// The path on the wire, without the root path and the query.
    pub path: &'a [u8],
    /// The query string on the wire; empty: none.
    pub query: &'a [u8],
    /// The HTTP version as the scope has it: `1.1`.
    pub version: &'a str,
    /// The status code.
    pub status: u16,
    /// The standard phrase of the status; empty when it has none (the blank before it stays).
    pub phrase: &'a str,
}

const RESET: &[u8] = b"\x1b[0m";
const BOLD: &[u8] = b"\x1b[1m";
const GREEN: &[u8] = b"\x1b[32m";

impl Entry<'_> {
    /// Appends the line, newline included:
    /// `INFO:     127.0.0.1:56238 - "GET /path?q HTTP/1.1" 200 OK`.
    pub fn write_line(&self, colours: bool, out: &mut Vec<u8>) {
        let colour = |code: &'static [u8]| if colours { code } else { b"" };
        out.extend_from_slice(colour(GREEN));
        out.extend_from_slice(b"INFO");
        out.extend_from_slice(colour(RESET));
        out.extend_from_slice(b":     ");
        out.extend_from_slice(self.client.as_bytes());
        out.extend_from_slice(b" - \"");
        out.extend_from_slice(colour(BOLD));
        out.extend_from_slice(self.method.as_bytes());
        out.push(b' ');
        self.write_full_path(out);
        out.extend_from_slice(b" HTTP/");
        out.extend_from_slice(self.version.as_bytes());
        out.extend_from_slice(colour(RESET));
        out.extend_from_slice(b"\" ");
        let status_colour = colour(status_colour(self.status));
        out.extend_from_slice(status_colour);
        out.extend_from_slice(itoa::Buffer::new().format(self.status).as_bytes());
        out.push(b' ');
        out.extend_from_slice(self.phrase.as_bytes());
        if !status_colour.is_empty() {
            out.extend_from_slice(RESET);
        }
        out.push(b'\n');
    }

    /// The third argument of the LogRecord: the decoded path, quoted, and the query as it is.
    pub fn full_path(&self) -> String {
        let mut out = Vec::with_capacity(self.root_path.len() + self.path.len() + 16);
        self.write_full_path(&mut out);
        // Only ASCII was written, so nothing is replaced.
        String::from_utf8(out).unwrap_or_default()
    }

    fn write_full_path(&self, out: &mut Vec<u8>) {
        percent::quote_path(self.root_path, out);
        percent::requote_path(self.path, out);
        if !self.query.is_empty() {
            out.push(b'?');
            // A strict parser lets nothing else through; if one does, it shall not reach a
            // terminal or begin a line of its own.
            percent::quote_bytes(self.query, |byte| byte.is_ascii_graphic(), out);
        }
    }
}

/// The colour of a status and its phrase; none outside of the five classes.
fn status_colour(status: u16) -> &'static [u8] {
    match status / 100 {
        1 => b"\x1b[97m",
        2 => GREEN,
        3 => b"\x1b[33m",
        4 => b"\x1b[31m",
        5 => b"\x1b[91m",
        _ => b"",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ENTRY: Entry<'static> = Entry {
        client: "127.0.0.1:56238",
        method: "GET",
        root_path: "",
        path: b"/noread",
        query: b"",
        version: "1.1",
        status: 200,
        phrase: "OK",
    };

    fn line(entry: Entry<'_>, colours: bool) -> String {
        let mut out = Vec::new();
        entry.write_line(colours, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_plain_line() {
        assert_eq!(
            line(ENTRY, false),
            "INFO:     127.0.0.1:56238 - \"GET /noread HTTP/1.1\" 200 OK\n"
        );
    }

    #[test]
    fn the_query_is_raw_and_the_path_is_quoted() {
        let entry = Entry {
            path: b"/x;a=b/%C3%A9%ff",
            query: b"q=\"%22;a",
            ..ENTRY
        };
        assert_eq!(
            line(entry, false),
            "INFO:     127.0.0.1:56238 - \"GET /x%3Ba%3Db/%C3%A9%EF%BF%BD?q=\"%22;a HTTP/1.1\" 200 OK\n"
        );
    }

    #[test]
    fn the_root_path_stands_in_front() {
        let entry = Entry {
            root_path: "/api v1",
            path: b"/x",
            query: b"y",
            ..ENTRY
        };
        assert_eq!(entry.full_path(), "/api%20v1/x?y");
    }

    #[test]
    fn a_unix_peer_has_no_address() {
        let entry = Entry {
            client: "",
            path: b"/",
            ..ENTRY
        };
        assert_eq!(
            line(entry, false),
            "INFO:      - \"GET / HTTP/1.1\" 200 OK\n"
        );
    }

    #[test]
    fn an_unknown_status_ends_with_a_blank() {
        let entry = Entry {
            status: 299,
            phrase: "",
            ..ENTRY
        };
        assert_eq!(
            line(entry, false),
            "INFO:     127.0.0.1:56238 - \"GET /noread HTTP/1.1\" 299 \n"
        );
    }

    #[test]
    fn other_versions_are_named() {
        let entry = Entry {
            version: "2",
            client: "::1:35150",
            ..ENTRY
        };
        assert_eq!(
            line(entry, false),
            "INFO:     ::1:35150 - \"GET /noread HTTP/2\" 200 OK\n"
        );
    }

    #[test]
    fn colours_follow_the_class_of_the_status() {
        for (status, phrase, colour) in [
            (101, "Switching Protocols", "97"),
            (200, "OK", "32"),
            (299, "", "32"),
            (302, "Found", "33"),
            (404, "Not Found", "31"),
            (500, "Internal Server Error", "91"),
        ] {
            let entry = Entry {
                client: "1.2.3.4:5",
                path: b"/a",
                query: b"b",
                status,
                phrase,
                ..ENTRY
            };
            assert_eq!(
                line(entry, true),
                format!(
                    "\x1b[32mINFO\x1b[0m:     1.2.3.4:5 - \"\x1b[1mGET /a?b HTTP/1.1\x1b[0m\" \
                     \x1b[{colour}m{status} {phrase}\x1b[0m\n"
                )
            );
        }
        let entry = Entry {
            status: 600,
            phrase: "",
            ..ENTRY
        };
        assert!(line(entry, true).ends_with("\x1b[0m\" 600 \n"));
    }

    proptest! {
        #[test]
        fn no_request_target_breaks_a_line(
            root_path in any::<String>(), path in any::<Vec<u8>>(), query in any::<Vec<u8>>()
        ) {
            let entry = Entry { root_path: &root_path, path: &path, query: &query, ..ENTRY };
            let line = line(entry, false);
            let inner = line.strip_suffix('\n').unwrap();
            prop_assert!(inner.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
            prop_assert!(inner.contains(&entry.full_path()));
            prop_assert_eq!(inner.matches(' ').count(), 11);
        }
    }
}
