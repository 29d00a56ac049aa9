//! What close frames say: codes and reasons (RFC 6455, section 7.4), and failures that lead to
//! one.

use std::borrow::Cow;

use super::limits::REASON_BYTES_MAX;

/// All is said.
pub const NORMAL: u16 = 1000;
/// The peer's close frame had no code. Never on the wire.
pub const NO_CODE: u16 = 1005;
/// The connection broke. Never on the wire.
pub const ABNORMAL: u16 = 1006;
/// Somebody broke the protocol.
const PROTOCOL_ERROR: u16 = 1002;
/// Text was not UTF-8, or compressed data not deflate.
const INVALID_DATA: u16 = 1007;
/// A message is over the limit.
const TOO_BIG: u16 = 1009;
/// The server cannot go on.
pub const INTERNAL_ERROR: u16 = 1011;
/// The server is stopping.
pub const SERVICE_RESTART: u16 = 1012;

/// Why a connection is failed (RFC 6455, section 7.1.7): what the peer's close frame and the
/// application's disconnect event will say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The close code.
    pub code: u16,
    /// The reason; short enough for a close frame.
    pub reason: Cow<'static, str>,
}

impl Failure {
    /// The client broke the protocol.
    pub const fn protocol(reason: &'static str) -> Failure {
        Failure {
            code: PROTOCOL_ERROR,
            reason: Cow::Borrowed(reason),
        }
    }

    /// Text was not UTF-8.
    pub const fn invalid_text() -> Failure {
        Failure {
            code: INVALID_DATA,
            reason: Cow::Borrowed(""),
        }
    }

    /// Compressed data was not deflate.
    pub const fn invalid_deflate() -> Failure {
        Failure {
            code: INVALID_DATA,
            reason: Cow::Borrowed("invalid compressed data"),
        }
    }

    /// A frame announces more than a message may have. `before` bytes of its message have come.
    pub fn frame_too_big(frame_bytes: u64, before: usize, max: usize) -> Failure {
        let reason = if before == 0 {
            format!("frame with {frame_bytes} bytes exceeds limit of {max} bytes")
        } else {
            format!(
                "frame with {frame_bytes} bytes after reading {before} bytes exceeds limit of \
                 {max} bytes"
            )
        };
        Failure {
            code: TOO_BIG,
            reason: Cow::Owned(reason),
        }
    }

    /// A compressed message turned out too big before its end.
    pub fn inflated_too_big(max: usize) -> Failure {
        Failure {
            code: TOO_BIG,
            reason: Cow::Owned(format!("frame exceeds limit of {max} bytes")),
        }
    }

    /// Something is wrong on our side.
    pub const fn internal(reason: &'static str) -> Failure {
        Failure {
            code: INTERNAL_ERROR,
            reason: Cow::Borrowed(reason),
        }
    }

    /// A ping was not answered in time.
    pub const fn ping_timeout() -> Failure {
        Failure::internal("keepalive ping timeout")
    }
}

/// Reads the payload of a close frame: code and reason.
///
/// # Errors
/// 1002 for one byte alone or a code that must not be sent, 1007 for a reason that is not UTF-8.
pub fn read_payload(payload: &[u8]) -> Result<(u16, &str), Failure> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() {
            Ok((NO_CODE, ""))
        } else {
            Err(Failure::protocol("close frame too short"))
        };
    };
    let code = u16::from_be_bytes(*code);
    if !may_be_sent(code) {
        return Err(Failure::protocol("invalid status code"));
    }
    let reason = std::str::from_utf8(reason).map_err(|_| Failure::invalid_text())?;
    Ok((code, reason))
}

/// True for codes that may stand in a close frame: those registered with IANA, and those for
/// libraries, frameworks and applications (RFC 6455, section 7.4).
pub const fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Appends the payload of a close frame: nothing for [`NO_CODE`], and a reason that is too
/// long cut between two characters.
pub fn write_payload(out: &mut Vec<u8>, code: u16, reason: &str) {
    if code != NO_CODE {
        out.extend_from_slice(&code.to_be_bytes());
        out.extend_from_slice(cut_reason(reason).as_bytes());
    }
}

/// Bytes that [`write_payload`] appends.
pub fn payload_bytes(code: u16, reason: &str) -> usize {
    if code == NO_CODE {
        0
    } else {
        2 + cut_reason(reason).len()
    }
}

/// As much of `reason` as a close frame takes, in whole characters.
pub fn cut_reason(reason: &str) -> &str {
    (0..=reason.len().min(REASON_BYTES_MAX))
        .rev()
        .find_map(|end| reason.get(..end))
        .unwrap_or_default()
}
