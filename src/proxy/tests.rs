use super::*;
use proptest::prelude::*;

const HOPS: &str = "127.0.0.1,10.0.0.1,2001:db8::/32,lit";
const LOOPBACK: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

fn forwarded(list: &str, headers: &[(&str, &[u8])]) -> Forwarded {
    let headers = headers
        .iter()
        .map(|(name, value)| (name.as_bytes(), *value));
    TrustList::parse(list).forwarded(headers, LOOPBACK)
}

/// The client by one `x-forwarded-for` line.
fn client(list: &str, value: &[u8]) -> Option<(String, u16)> {
    forwarded(list, &[("x-forwarded-for", value)]).client
}

fn host(text: &str, port: u16) -> Option<(String, u16)> {
    Some((text.to_owned(), port))
}

fn scheme(values: &[&[u8]]) -> Option<Scheme> {
    let headers: Vec<_> = values.iter().map(|v| ("x-forwarded-proto", *v)).collect();
    forwarded("*", &headers).scheme
}

#[test]
fn an_untrusted_peer_says_nothing() {
    let headers: [(&str, &[u8]); 2] = [
        ("x-forwarded-for", b"1.2.3.4"),
        ("x-forwarded-proto", b"https"),
    ];
    assert_eq!(forwarded("10.0.0.1", &headers), Forwarded::default());
    let told = forwarded("127.0.0.1", &headers);
    assert_eq!(told.client, host("1.2.3.4", 0));
    assert_eq!(told.scheme, Some(Scheme::Https));
}

#[test]
fn a_unix_peer_needs_its_word_or_a_star() {
    let headers = [(&b"x-forwarded-for"[..], &b"1.2.3.4"[..])];
    let told = |list| TrustList::parse(list).forwarded(headers, None).client;
    assert_eq!(told("127.0.0.1,::1"), None);
    assert_eq!(told("unix:"), host("1.2.3.4", 0));
    assert_eq!(told("*"), host("1.2.3.4", 0));
}

#[test]
fn without_headers_nothing_changes() {
    assert_eq!(
        forwarded("*", &[("host", b"example.com")]),
        Forwarded::default()
    );
    assert_eq!(forwarded("*", &[]), Forwarded::default());
}

#[test]
fn only_the_exact_names_count() {
    for name in [
        "X-Forwarded-For",
        "x-forwarded-host",
        "forwarded",
        "x-real-ip",
    ] {
        assert_eq!(forwarded("*", &[(name, b"1.2.3.4")]), Forwarded::default());
    }
}

#[test]
fn the_four_schemes_are_understood() {
    assert_eq!(scheme(&[b"http"]), Some(Scheme::Http));
    assert_eq!(scheme(&[b"https"]), Some(Scheme::Https));
    assert_eq!(scheme(&[b"ws"]), Some(Scheme::Ws));
    assert_eq!(scheme(&[b"wss"]), Some(Scheme::Wss));
    assert_eq!(scheme(&[b" https\t"]), Some(Scheme::Https));
    assert_eq!(scheme(&[b"\xa0https\x85"]), Some(Scheme::Https));
}

#[test]
fn other_schemes_are_ignored() {
    for value in [&b"HTTPS"[..], b"https, http", b"https,http", b"", b"ftp"] {
        assert_eq!(scheme(&[value]), None);
    }
}

#[test]
fn the_last_proto_line_wins_even_when_it_is_bad() {
    assert_eq!(scheme(&[b"https", b"http"]), Some(Scheme::Http));
    assert_eq!(scheme(&[b"https", b"nonsense"]), None);
}

#[test]
fn websockets_get_websocket_schemes() {
    assert_eq!(Scheme::Http.for_websocket().as_str(), "ws");
    assert_eq!(Scheme::Https.for_websocket().as_str(), "wss");
    assert_eq!(Scheme::Ws.for_websocket().as_str(), "ws");
    assert_eq!(Scheme::Wss.for_websocket().as_str(), "wss");
    assert_eq!(Scheme::Http.as_str(), "http");
    assert_eq!(Scheme::Https.as_str(), "https");
}

#[test]
fn the_walk_from_the_right_stops_at_the_first_stranger() {
    for value in [
        &b"6.6.6.6, 1.2.3.4"[..],
        b"6.6.6.6,1.2.3.4,10.0.0.1",
        b"6.6.6.6, 1.2.3.4, 10.0.0.1:99",
        b"6.6.6.6, 1.2.3.4, lit, 2001:db8::1",
        b"6.6.6.6, 1.2.3.4, lit:4, [2001:db8::1]:443",
        b"6.6.6.6, 1.2.3.4, [10.0.0.1]:x",
    ] {
        assert_eq!(client(HOPS, value), host("1.2.3.4", 0));
    }
}

#[test]
fn a_hop_with_a_bad_port_is_a_stranger() {
    assert_eq!(client(HOPS, b"8.8.8.8, 10.0.0.1:x"), host("10.0.0.1:x", 0));
}

#[test]
fn when_all_are_trusted_the_leftmost_is_the_client() {
    assert_eq!(client(HOPS, b"10.0.0.1:7, lit"), host("10.0.0.1", 7));
}

#[test]
fn with_a_star_the_first_is_the_client() {
    assert_eq!(client("*", b"1.1.1.1:9, 2.2.2.2"), host("1.1.1.1", 9));
}

#[test]
fn all_lines_are_one_list() {
    let lines: [(&str, &[u8]); 3] = [
        ("x-forwarded-for", b"1.1.1.1"),
        ("accept", b"*/*"),
        ("x-forwarded-for", b"2.2.2.2"),
    ];
    assert_eq!(forwarded("*", &lines).client, host("1.1.1.1", 0));
    assert_eq!(forwarded(HOPS, &lines).client, host("2.2.2.2", 0));
}

#[test]
fn an_empty_item_hides_the_client() {
    for value in [&b""[..], b",", b" , ", b"1.2.3.4,", b"1.2.3.4, :80"] {
        assert_eq!(client(HOPS, value), None);
    }
    for value in [&b""[..], b",1.2.3.4", b":80", b"[]", b"[]:80"] {
        assert_eq!(client("*", value), None);
    }
    let lines: [(&str, &[u8]); 2] = [("x-forwarded-for", b"1.1.1.1"), ("x-forwarded-for", b"")];
    assert_eq!(forwarded(HOPS, &lines).client, None);
}

#[test]
fn hosts_and_ports_are_taken_apart() {
    for (value, text, port) in [
        (&b"1.2.3.4"[..], "1.2.3.4", 0),
        (b"1.2.3.4:80", "1.2.3.4", 80),
        (b"name:80", "name", 80),
        (b"::1", "::1", 0),
        (b"fe80::1%eth0", "fe80::1%eth0", 0),
        (b"[::1]", "::1", 0),
        (b"[::1]:80", "::1", 80),
        (b" [::1]:80 ", "::1", 80),
        (b"[1.2.3.4]:80", "1.2.3.4", 80),
        (b"1.2.3.4:80:90", "1.2.3.4:80:90", 0),
        (b"[::1", "[::1", 0),
        (b"[host:80", "[host:80", 0),
        (b"[::1]x", "[::1]x", 0),
        (b"[::1] :80", "[::1] :80", 0),
        (b"[a]b]:5", "[a]b]:5", 0),
        (b"host :80", "host ", 80),
        (b"a b", "a b", 0),
        (b"\xa01.2.3.4\x1f", "1.2.3.4", 0),
        (b"\xe9", "\u{e9}", 0),
        (b"unix:", "unix:", 0),
    ] {
        assert_eq!(client("*", value), host(text, port));
    }
}

#[test]
fn ports_are_read_as_python_reads_numbers() {
    for (port, number) in [
        ("0", 0),
        ("080", 80),
        ("65535", 65535),
        (" 80", 80),
        ("+80", 80),
        ("8_0", 80),
        ("-0", 0),
        ("-1", 0),
        ("65536", 0),
        ("99999999999999999999", 0),
    ] {
        let value = format!("1.2.3.4:{port}");
        assert_eq!(client("*", value.as_bytes()), host("1.2.3.4", number));
    }
}

#[test]
fn a_bad_port_leaves_the_text_whole_but_for_brackets() {
    for port in ["", "x", "_80", "80_", "8__0", "+", "+-8", "8 0"] {
        let bare = format!("1.2.3.4:{port}");
        assert_eq!(client("*", bare.as_bytes()), host(&bare, 0));
        let bracketed = format!("[::1]:{port}");
        assert_eq!(client("*", bracketed.as_bytes()), host("::1", 0));
    }
    assert_eq!(client("*", b"1.2.3.4:\xb2"), host("1.2.3.4:\u{b2}", 0));
    assert_eq!(client("*", b":"), host(":", 0));
}

proptest! {
    #[test]
    fn no_header_makes_it_panic_or_give_an_empty_host(
        list in any::<String>(), value in any::<Vec<u8>>(), proto in any::<Vec<u8>>()
    ) {
        let told = forwarded(&list, &[("x-forwarded-for", &value), ("x-forwarded-proto", &proto)]);
        prop_assert!(told.client.is_none_or(|(host, _)| !host.is_empty()));
    }

    #[test]
    fn a_stranger_at_the_right_end_is_always_the_client(spoofed in "[0-9a-f:., \\[\\]]{0,40}") {
        let value = format!("{spoofed}, 9.9.9.9:5, 10.0.0.1");
        prop_assert_eq!(client(HOPS, value.as_bytes()), host("9.9.9.9", 5));
    }
}
