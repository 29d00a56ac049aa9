//! Field names and values (RFC 9110, section 5): what both directions agree on.

/// What is wrong with a header that the application gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadHeader {
    /// The name is empty or has a byte that no field name may have.
    Name,
    /// The value has CR, LF, NUL or another control byte.
    Value,
    /// `content-length` is not a number, or there are two different ones.
    ContentLength,
}

/// Appends `name: value\r\n` to `lines`, the name in lower case. Serves headers and trailers.
///
/// # Errors
/// [`BadHeader::Name`] unless the name is a token, [`BadHeader::Value`] when the value has a
/// control byte other than TAB (RFC 9110, sections 5.1 and 5.5). `lines` is then as before.
pub fn push_line(lines: &mut Vec<u8>, name: &[u8], value: &[u8]) -> Result<(), BadHeader> {
    let start = lines.len();
    let mut valid = !name.is_empty();
    lines.reserve(name.len() + value.len() + 4);
    lines.extend(name.iter().map(|byte| {
        let lower = TOKEN_LOWER[usize::from(*byte)];
        valid &= lower != 0;
        lower
    }));
    if !valid {
        lines.truncate(start);
        return Err(BadHeader::Name);
    }
    if !is_field_value(value) {
        lines.truncate(start);
        return Err(BadHeader::Value);
    }
    lines.extend_from_slice(b": ");
    lines.extend_from_slice(value);
    lines.extend_from_slice(b"\r\n");
    Ok(())
}

/// The same for a trailer; one that may stand in heads only is checked and left out.
///
/// # Errors
/// As [`push_line`].
pub fn push_trailer(lines: &mut Vec<u8>, name: &[u8], value: &[u8]) -> Result<(), BadHeader> {
    let start = lines.len();
    push_line(lines, name, value)?;
    if HEAD_ONLY.iter().any(|only| name.eq_ignore_ascii_case(only)) {
        lines.truncate(start);
    }
    Ok(())
}

/// Fields about framing, routing and the connection. As trailers they would be wrong where
/// somebody on the way puts trailers into the head (RFC 9110, section 6.5.1).
const HEAD_ONLY: [&[u8]; 9] = [
    b"connection",
    b"content-length",
    b"host",
    b"keep-alive",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
];

/// True when `text` is a token (RFC 9110, section 5.6.2).
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| TOKEN_LOWER[usize::from(*byte)] != 0)
}

/// True when `value` may be a field's value: no control bytes but TAB (RFC 9110, section 5.5).
pub fn is_field_value(value: &[u8]) -> bool {
    // Without an early exit, so that the compiler can look at many bytes at once.
    !value
        .iter()
        .fold(false, |bad, byte| bad | is_control(*byte))
}

const fn is_control(byte: u8) -> bool {
    (byte < 0x20 && byte != b'\t') || byte == 0x7f
}

/// The lower-case form of each byte that a token may have (RFC 9110, section 5.6.2), else 0.
pub(super) static TOKEN_LOWER: [u8; 256] = token_lower();

const fn token_lower() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    while byte < 0x7f {
        if byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            )
        {
            table[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    table
}

/// True when the comma-separated list `value` has `token`, in any case.
pub(crate) fn has_token(value: &[u8], token: &[u8]) -> bool {
    value
        .split(|byte| *byte == b',')
        .any(|part| part.trim_ascii().eq_ignore_ascii_case(token))
}

/// A number of digits only, that fits into 64 bits.
pub(crate) fn parse_decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}
