//! The types of options' values: text in, value or complaint out.
//!
//! argh calls these while it fills the typed struct. A complaint begins with the value and ends
//! with a full stop; which option it belongs to is added where argh's answer is read. Numbers
//! and booleans are read as Python reads them, because users of uvicorn write them so.

use std::path::PathBuf;
use std::time::Duration;

use argh::FromArgValue;

use super::error::{quoted, unavailable};
use crate::config::{
    BindTarget, EventLoop, HttpEngine, Interface, Lifespan, LogLevel, TlsVersion, WebSockets,
};

/// What `--http` takes.
pub const HTTP_NAMES: &[&str] = &["auto", "h11", "httptools", "zttp", "async-h1"];

/// What `--loop` takes, beside import strings.
pub const LOOP_NAMES: &[&str] = &["auto", "asyncio", "uvloop", "zuvloop", "none"];

/// What `--ws` takes.
pub const WS_NAMES: &[&str] = &[
    "auto",
    "none",
    "websockets",
    "websockets-sansio",
    "wsproto",
    "tungstenite",
];

/// The longest timeout, seconds: adding it to any instant must not overflow.
pub const SECONDS_MAX: i64 = u32::MAX as i64;

/// A time of our own options that may be none, as `Seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay(pub Duration);

impl FromArgValue for Delay {
    fn from_arg_value(text: &str) -> Result<Self, String> {
        let zero = text.trim().parse().is_ok_and(|number: f64| number == 0.0);
        if zero {
            return Ok(Delay(Duration::ZERO));
        }
        Seconds::from_arg_value(text).map(|Seconds(delay)| Delay(delay))
    }
}

/// A share, from 0 to 1, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(pub u32);

impl FromArgValue for Share {
    fn from_arg_value(text: &str) -> Result<Self, String> {
        match text.trim().parse::<f64>() {
            Ok(share) if (0.0..=1.0).contains(&share) => Ok(Share((share * 1e6).round() as u32)),
            Ok(share) if !share.is_nan() => Err(format!("{share} is not in the range 0<=x<=1.")),
            _ => Err(format!("{} is not a valid float.", quoted(text))),
        }
    }
}

/// Actors, and kinds of them, between commas: `dispatch,connection#42`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actors(pub Vec<String>);

impl FromArgValue for Actors {
    fn from_arg_value(text: &str) -> Result<Self, String> {
        let names = text.split(',').map(str::trim);
        let names: Vec<String> = names.map(str::to_owned).collect();
        match names.iter().find(|name| !is_actor(name)) {
            None => Ok(Actors(names)),
            Some(name) => Err(format!(
                "{} names no actor; there are 'dispatch', 'listener', 'connection', and single ones \
                 like 'connection#42'.",
                quoted(name)
            )),
        }
    }
}

fn is_actor(name: &str) -> bool {
    match name.split_once('#') {
        None => matches!(name, "dispatch" | "listener" | "connection"),
        Some(("listener", number)) => number.parse::<u32>().is_ok(),
        Some(("connection", number)) => number.parse::<u64>().is_ok(),
        Some(_) => false,
    }
}

/// The shortest timeout of our own options, seconds.
const SECONDS_MIN: f64 = 0.001;

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Int<const MIN: i64, const MAX: i64>(pub i64);

impl<const MIN: i64, const MAX: i64> FromArgValue for Int<MIN, MAX> {
    fn from_arg_value(text: &str) -> Result<Self, String> {
        let Some(number) = integer(text) else {
            return Err(format!("{} is not a valid integer.", quoted(text)));
        };
        match i64::try_from(number) {
            Ok(number) if (MIN..=MAX).contains(&number) => Ok(Int(number)),
            _ if MAX == i64::MAX => Err(format!("{number} is not in the range x>={MIN}.")),
            _ => Err(format!("{number} is not in the range {MIN}<=x<={MAX}.")),
        }
    }
}

/// Python's `int(text)`; beyond 128 bits the largest number.
pub fn integer(text: &str) -> Option<i128> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let groups: Vec<&str> = digits.split('_').collect();
    if groups
        .iter()
        .any(|group| group.is_empty() || !group.bytes().all(|b| b.is_ascii_digit()))
    {
        return None;
    }
    Some(sign * groups.concat().parse::<i128>().unwrap_or(i128::MAX))
}

/// A number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number(pub f64);

impl FromArgValue for Number {
    fn from_arg_value(text: &str) -> Result<Self, String> {
        float(text)
            .map(Number)
            .ok_or_else(|| format!("{} is not a valid float.", quoted(text)))
    }
}

impl Number {
    /// So many seconds; zero, and for ever, for a number that is not above zero.
    pub fn or_never(self) -> Duration {
        if self.0 > 0.0 {
            Duration::from_secs_f64(self.0.clamp(SECONDS_MIN, SECONDS_MAX as f64))
        } else {
            Duration::ZERO
        }
    }
}

/// Python's `float(text)`.
fn float(text: &str) -> Option<f64> {
    let text = text.trim();
    let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let mut plain = String::with_capacity(text.len());
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '_' {
            plain.push(c);
        } else if !is_digit(before) || !is_digit(rest.peek().copied()) {
            return None;
        }
        before = Some(c);
    }
    plain.parse().ok()
}

/// A timeout of one of our own options; fractions of a second count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds(pub Duration);

impl FromArgValue for Seconds {
    fn from_arg_value(text: &str) -> Result<Self, String> {
        let Number(seconds) = Number::from_arg_value(text)?;
        if !(SECONDS_MIN..=SECONDS_MAX as f64).contains(&seconds) {
            return Err(format!(
                "{seconds} is not in the range {SECONDS_MIN}<=x<={SECONDS_MAX}."
            ));
        }
        Ok(Seconds(Duration::from_secs_f64(seconds)))
    }
}

/// A word for true or false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truth(pub bool);

impl FromArgValue for Truth {
    fn from_arg_value(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "1" | "t" | "true" | "y" | "yes" | "on" => Ok(Truth(true)),
            "" | "0" | "f" | "false" | "n" | "no" | "off" => Ok(Truth(false)),
            _ => Err(format!(
                "{} is not a valid boolean. Recognized values: , 0, 1, f, false, n, no, off, on, \
                 t, true, y, yes",
                quoted(text)
            )),
        }
    }
}

/// A path to something that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExistingPath(pub PathBuf);

impl FromArgValue for ExistingPath {
    fn from_arg_value(text: &str) -> Result<Self, String> {
        let path = PathBuf::from(text);
        if !path.exists() {
            return Err(format!("Path {} does not exist.", quoted(text)));
        }
        Ok(ExistingPath(path))
    }
}

/// Permission bits, octal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode(pub u32);

impl FromArgValue for Mode {
    fn from_arg_value(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix("0o").unwrap_or(text);
        let is_octal = !digits.is_empty() && digits.bytes().all(|b| matches!(b, b'0'..=b'7'));
        match u32::from_str_radix(digits, 8) {
            Ok(bits @ 0..=0o777) if is_octal => Ok(Mode(bits)),
            _ => Err(format!(
                "{} is not an octal mode from 0 to 777.",
                quoted(text)
            )),
        }
    }
}

/// A header for every response: lower-case name and value, bytes of the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderLine(pub Vec<u8>, pub Vec<u8>);

impl FromArgValue for HeaderLine {
    fn from_arg_value(text: &str) -> Result<Self, String> {
        let Some((name, value)) = text.split_once(':') else {
            return Err(format!("{} is not of the form 'Name:Value'.", quoted(text)));
        };
        if name.is_empty() || !name.bytes().all(is_token_byte) {
            return Err(format!("{} is not a header name.", quoted(name)));
        }
        let name = name.to_ascii_lowercase();
        if FRAMING_HEADERS.contains(&name.as_str()) {
            return Err(format!("{} is for the server to set.", quoted(&name)));
        }
        // A header is Latin-1 (RFC 9110, section 5.5, and what uvicorn sends).
        let is_value_char = |c: char| c == '\t' || !c.is_control();
        let bytes: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(c).ok()).collect();
        match bytes {
            Some(bytes) if value.chars().all(is_value_char) => {
                Ok(HeaderLine(name.into_bytes(), bytes))
            }
            _ => Err(format!("{} is not a header value.", quoted(value))),
        }
    }
}

/// Headers that say where a message ends.
const FRAMING_HEADERS: &[&str] = &["connection", "content-length", "transfer-encoding"];

impl FromArgValue for BindTarget {
    fn from_arg_value(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err(format!("{} names no path.", quoted(text))),
                path => Ok(BindTarget::Unix(path.into())),
            };
        }
        if let Some(number) = text.strip_prefix("fd://") {
            return match number.parse::<u32>().map(i32::try_from) {
                Ok(Ok(fd)) => Ok(BindTarget::Descriptor(fd)),
                _ => Err(format!("{} names no descriptor.", quoted(text))),
            };
        }
        let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
        let Ok(port) = port.parse() else {
            return Err(format!(
                "{} is not of the form HOST:PORT, [IPV6]:PORT, unix:PATH or fd://NUMBER.",
                quoted(text)
            ));
        };
        let bracketed = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        match bracketed {
            Some(host) => Ok(BindTarget::Tcp {
                host: host.to_owned(),
                port,
            }),
            None if host.contains(':') => Err(format!(
                "{} has an IPv6 address without brackets.",
                quoted(text)
            )),
            None => Ok(BindTarget::Tcp {
                host: host.to_owned(),
                port,
            }),
        }
    }
}

/// RFC 9110, section 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The complaint about a word that is none of `names`.
fn not_one_of(text: &str, names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    format!("{} is not one of {}.", quoted(text), names.join(", "))
}

/// The complaint about an engine whose cargo feature, of the same name, is off.
#[cfg(not(all(feature = "async-h1", feature = "tungstenite")))]
fn not_built(text: &str) -> String {
    let name = quoted(text);
    format!("{name} is not in this build; the cargo feature {name} adds it.")
}

/// The complaint about an import string of a protocol class.
fn protocol_class(text: &str, names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    format!(
        "{} is a protocol class, and smolcorn has its own protocols: {}.",
        quoted(text),
        names.join(", ")
    )
}

impl FromArgValue for Interface {
    fn from_arg_value(text: &str) -> Result<Self, String> {
        Interface::from_name(text).ok_or_else(|| not_one_of(text, Interface::NAMES))
    }
}

impl FromArgValue for Lifespan {
    fn from_arg_value(text: &str) -> Result<Self, String> {
        Lifespan::from_name(text).ok_or_else(|| not_one_of(text, Lifespan::NAMES))
    }
}

impl FromArgValue for LogLevel {
    fn from_arg_value(text: &str) -> Result<Self, String> {
        LogLevel::from_name(text).ok_or_else(|| not_one_of(text, LogLevel::NAMES))
    }
}

impl FromArgValue for HttpEngine {
    fn from_arg_value(text: &str) -> Result<Self, String> {
        match text {
            "auto" | "h11" | "httptools" | "zttp" => Ok(HttpEngine::Native),
            #[cfg(feature = "async-h1")]
            "async-h1" => Ok(HttpEngine::AsyncH1),
            #[cfg(not(feature = "async-h1"))]
            "async-h1" => Err(not_built(text)),
            _ if text.contains(':') => Err(protocol_class(text, HTTP_NAMES)),
            _ => Err(not_one_of(text, HTTP_NAMES)),
        }
    }
}

impl FromArgValue for TlsVersion {
    fn from_arg_value(text: &str) -> Result<Self, String> {
        TlsVersion::from_name(text).ok_or_else(|| not_one_of(text, TlsVersion::NAMES))
    }
}

impl FromArgValue for EventLoop {
    fn from_arg_value(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(EventLoop::Auto),
            "none" => Ok(EventLoop::None),
            "asyncio" => Ok(EventLoop::Asyncio),
            "uvloop" => Ok(EventLoop::Uvloop),
            "zuvloop" => Err(unavailable(&quoted(text))),
            _ => Ok(EventLoop::Factory(text.to_owned())),
        }
    }
}

impl FromArgValue for WebSockets {
    fn from_arg_value(text: &str) -> Result<Self, String> {
        match text {
            "auto" | "websockets" | "websockets-sansio" | "wsproto" => Ok(WebSockets::Auto),
            "none" => Ok(WebSockets::Off),
            #[cfg(feature = "tungstenite")]
            "tungstenite" => Ok(WebSockets::Tungstenite),
            #[cfg(not(feature = "tungstenite"))]
            "tungstenite" => Err(not_built(text)),
            _ if text.contains(':') => Err(protocol_class(text, WS_NAMES)),
            _ => Err(not_one_of(text, WS_NAMES)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn complaint<T: FromArgValue>(text: &str) -> String {
        T::from_arg_value(text).map(|_| ()).unwrap_err()
    }

    #[test]
    fn integers_are_read_as_python_reads_them() {
        for (text, number) in [
            ("0", 0),
            ("-1", -1),
            ("+5", 5),
            (" 5\n", 5),
            ("1_000", 1000),
            ("007", 7),
            ("-0", 0),
        ] {
            assert_eq!(integer(text), Some(number), "{text:?}");
        }
        for text in [
            "", " ", "abc", "1.0", "0x10", "1__0", "_1", "1_", "- 1", "--1", "+-1", "1e3",
        ] {
            assert_eq!(integer(text), None, "{text:?}");
        }
        assert_eq!(integer(&"9".repeat(80)), Some(i128::MAX));
    }

    #[test]
    fn integers_outside_their_range_are_refused() {
        type Port = Int<0, 65535>;
        assert_eq!(Port::from_arg_value("65535"), Ok(Int(65535)));
        assert_eq!(
            complaint::<Port>("99999"),
            "99999 is not in the range 0<=x<=65535."
        );
        assert_eq!(
            complaint::<Port>("-1"),
            "-1 is not in the range 0<=x<=65535."
        );
        assert_eq!(
            complaint::<Int<0, { i64::MAX }>>("-1"),
            "-1 is not in the range x>=0."
        );
        assert_eq!(
            complaint::<Port>("99999999999999999999"),
            "99999999999999999999 is not in the range 0<=x<=65535."
        );
    }

    #[test]
    fn floats_are_read_as_python_reads_them() {
        for (text, number) in [
            ("0.25", 0.25),
            (" 1_0.5e3 ", 10500.0),
            ("5", 5.0),
            (".5", 0.5),
            ("-1.", -1.0),
        ] {
            assert_eq!(float(text), Some(number), "{text:?}");
        }
        assert!(float("NaN").is_some_and(f64::is_nan));
        assert_eq!(float("-inf"), Some(f64::NEG_INFINITY));
        for text in ["", "x", "1__0", "_1", "1_", "1_.5", "0x1p3"] {
            assert_eq!(float(text), None, "{text:?}");
        }
    }

    #[test]
    fn timeouts_are_above_zero_and_finite() {
        assert_eq!(
            Seconds::from_arg_value("2.5"),
            Ok(Seconds(Duration::from_millis(2500)))
        );
        for text in ["0", "-1", "nan", "inf", "1e300", "0.0001"] {
            assert!(
                complaint::<Seconds>(text).contains("is not in the range"),
                "{text}"
            );
        }
        assert_eq!(complaint::<Seconds>("soon"), "'soon' is not a valid float.");
    }

    #[test]
    fn booleans_are_clicks() {
        for text in ["1", "t", "true", "y", "yes", "on", "ON", "True", " YES "] {
            assert_eq!(Truth::from_arg_value(text), Ok(Truth(true)), "{text}");
        }
        for text in ["", "0", "f", "false", "n", "no", "off", "Off"] {
            assert_eq!(Truth::from_arg_value(text), Ok(Truth(false)), "{text}");
        }
        assert_eq!(
            complaint::<Truth>("maybe"),
            "'maybe' is not a valid boolean. Recognized values: , 0, 1, f, false, n, no, off, on, \
             t, true, y, yes"
        );
    }

    #[test]
    fn modes_are_octal() {
        for (text, bits) in [("660", 0o660), ("0660", 0o660), ("0o660", 0o660), ("0", 0)] {
            assert_eq!(Mode::from_arg_value(text), Ok(Mode(bits)), "{text}");
        }
        for text in ["", "0o", "668", "+660", "1777", "rw-rw----"] {
            assert!(
                complaint::<Mode>(text).contains("is not an octal mode"),
                "{text}"
            );
        }
    }

    #[test]
    fn header_values_keep_their_blanks_and_are_latin_1() {
        assert_eq!(
            HeaderLine::from_arg_value("X-A: c:d"),
            Ok(HeaderLine(b"x-a".to_vec(), b" c:d".to_vec()))
        );
        assert_eq!(
            HeaderLine::from_arg_value("X-A:é"),
            Ok(HeaderLine(b"x-a".to_vec(), b"\xe9".to_vec()))
        );
        assert_eq!(
            HeaderLine::from_arg_value("x:"),
            Ok(HeaderLine(b"x".to_vec(), Vec::new()))
        );
    }

    #[test]
    fn whatever_can_be_listened_on_has_a_form() {
        let tcp = |host: &str, port| BindTarget::Tcp {
            host: host.to_owned(),
            port,
        };
        for (text, target) in [
            ("127.0.0.1:80", tcp("127.0.0.1", 80)),
            ("[::1]:0", tcp("::1", 0)),
            (":8000", tcp("", 8000)),
            ("localhost:1", tcp("localhost", 1)),
            ("unix:/run/a:b", BindTarget::Unix("/run/a:b".into())),
            ("unix:app.sock", BindTarget::Unix("app.sock".into())),
            ("fd://3", BindTarget::Descriptor(3)),
        ] {
            assert_eq!(BindTarget::from_arg_value(text), Ok(target));
        }
        let form = "is not of the form HOST:PORT, [IPV6]:PORT, unix:PATH or fd://NUMBER.";
        for (text, what) in [
            ("localhost", form),
            ("a:b", form),
            ("a:65536", form),
            ("", form),
            ("::1:80", "has an IPv6 address without brackets."),
            ("unix:", "names no path."),
            ("fd://", "names no descriptor."),
            ("fd://-1", "names no descriptor."),
        ] {
            assert_eq!(complaint::<BindTarget>(text), format!("'{text}' {what}"));
        }
    }

    #[test]
    fn headers_that_would_break_a_response_are_refused() {
        assert_eq!(
            complaint::<HeaderLine>("foo"),
            "'foo' is not of the form 'Name:Value'."
        );
        assert_eq!(complaint::<HeaderLine>(":x"), "'' is not a header name.");
        assert_eq!(
            complaint::<HeaderLine>("X A:x"),
            "'X A' is not a header name."
        );
        assert_eq!(
            complaint::<HeaderLine>("x:a\r\nb"),
            "'a\\r\\nb' is not a header value."
        );
        assert_eq!(complaint::<HeaderLine>("x:€"), "'€' is not a header value.");
        assert_eq!(
            complaint::<HeaderLine>("Content-Length:5"),
            "'content-length' is for the server to set."
        );
    }

    #[test]
    fn every_name_of_uvicorns_http_engines_means_our_own() {
        for name in ["auto", "h11", "httptools", "zttp"] {
            assert_eq!(HttpEngine::from_arg_value(name), Ok(HttpEngine::Native));
        }
        assert_eq!(
            complaint::<HttpEngine>("foo"),
            "'foo' is not one of 'auto', 'h11', 'httptools', 'zttp', 'async-h1'."
        );
        assert!(
            complaint::<HttpEngine>("pkg:Class").starts_with("'pkg:Class' is a protocol class")
        );
    }

    #[test]
    fn async_h1_is_there_if_it_was_built_in() {
        let answer = HttpEngine::from_arg_value("async-h1");
        let answer = answer.map(HttpEngine::as_str);
        if cfg!(feature = "async-h1") {
            assert_eq!(answer, Ok("async-h1"));
        } else {
            assert_eq!(
                answer.unwrap_err(),
                "'async-h1' is not in this build; the cargo feature 'async-h1' adds it."
            );
        }
    }

    #[test]
    fn what_is_not_above_zero_is_never() {
        let seconds = |text: &str| Number::from_arg_value(text).unwrap().or_never();
        for text in ["0", "-1", "nan", "-inf"] {
            assert_eq!(seconds(text), Duration::ZERO, "{text}");
        }
        assert_eq!(seconds("1.5"), Duration::from_millis(1500));
        assert_eq!(seconds("1e-9"), Duration::from_millis(1));
        assert_eq!(seconds("inf"), Duration::from_secs(SECONDS_MAX as u64));
    }

    #[test]
    fn a_loop_may_be_an_import_string() {
        assert_eq!(EventLoop::from_arg_value("none"), Ok(EventLoop::None));
        assert_eq!(
            EventLoop::from_arg_value("mine:make"),
            Ok(EventLoop::Factory("mine:make".to_owned()))
        );
        assert_eq!(
            complaint::<EventLoop>("zuvloop"),
            "'zuvloop' is not available in smolcorn 0.1 yet."
        );
    }

    #[test]
    fn the_names_of_uvicorns_websocket_engines_mean_ours() {
        assert_eq!(WebSockets::from_arg_value("auto"), Ok(WebSockets::Auto));
        assert_eq!(WebSockets::from_arg_value("none"), Ok(WebSockets::Off));
        for name in ["websockets", "websockets-sansio", "wsproto"] {
            assert_eq!(WebSockets::from_arg_value(name), Ok(WebSockets::Auto));
        }
        let tungstenite = WebSockets::from_arg_value("tungstenite");
        let tungstenite = tungstenite.map(WebSockets::as_str);
        if cfg!(feature = "tungstenite") {
            assert_eq!(tungstenite, Ok("tungstenite"));
        } else {
            assert!(
                tungstenite
                    .unwrap_err()
                    .contains("the cargo feature 'tungstenite'")
            );
        }
        assert!(complaint::<WebSockets>("foo").contains("is not one of 'auto', 'none'"));
        assert!(complaint::<WebSockets>("pkg:Class").contains("is a protocol class"));
    }
}
