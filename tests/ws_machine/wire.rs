//! Frames as a client writes them, and as it reads ours.

/// The masking key of the examples in RFC 6455, section 5.7.
pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub const CONTINUATION: u8 = 0x0;
pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xa;
pub const FIN: u8 = 0x80;
pub const RSV1: u8 = 0x40;

/// A masked frame; `first` is its first byte.
pub fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut frame = header(first, payload.len() as u64);
    frame.extend(masked(payload, 0));
    frame
}

/// The header of a masked frame, its key at the end.
pub fn header(first: u8, len: u64) -> Vec<u8> {
    let mut header = vec![first];
    match len {
        0..126 => header.push(0x80 | len as u8),
        126..65536 => {
            header.push(0x80 | 126);
            header.extend((len as u16).to_be_bytes());
        }
        _ => {
            header.push(0x80 | 127);
            header.extend(len.to_be_bytes());
        }
    }
    header.extend(KEY);
    header
}

/// Bytes of a payload, masked, from `at` on.
pub fn masked(payload: &[u8], at: usize) -> Vec<u8> {
    payload
        .iter()
        .enumerate()
        .map(|(index, byte)| byte ^ KEY[(at + index) % 4])
        .collect()
}

pub fn text(payload: &str) -> Vec<u8> {
    frame(FIN | TEXT, payload)
}

pub fn binary(payload: &[u8]) -> Vec<u8> {
    frame(FIN | BINARY, payload)
}

pub fn ping(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(FIN | PING, payload)
}

pub fn pong(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(FIN | PONG, payload)
}

pub fn close(code: u16, reason: &str) -> Vec<u8> {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend(reason.as_bytes());
    frame(FIN | CLOSE, payload)
}

/// The first frame of a server in `wire`: first byte, payload, and what is behind it.
pub fn read_frame(wire: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (first, rest) = wire.split_first()?;
    let (short, rest) = rest.split_first()?;
    let (len, rest) = match short {
        0..126 => (u64::from(*short), rest),
        126 => {
            let (len, rest) = rest.split_first_chunk()?;
            (u64::from(u16::from_be_bytes(*len)), rest)
        }
        127 => {
            let (len, rest) = rest.split_first_chunk()?;
            (u64::from_be_bytes(*len), rest)
        }
        128.. => panic!("a server's frame is masked"),
    };
    let (payload, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
    Some((*first, payload, rest))
}

/// Each of a server's frames in one line.
pub fn describe(mut wire: &[u8]) -> Vec<String> {
    let mut frames = Vec::new();
    while !wire.is_empty() {
        let Some((first, payload, rest)) = read_frame(wire) else {
            frames.push(format!("incomplete: {wire:?}"));
            return frames;
        };
        let name = match first & 0x0f {
            CONTINUATION => "continuation",
            TEXT => "text",
            BINARY => "binary",
            CLOSE => "close",
            PING => "ping",
            PONG => "pong",
            _ => "unknown",
        };
        let shown = match (first & 0x0f, payload.split_first_chunk::<2>()) {
            (CLOSE, Some((code, reason))) => format!(
                "{} {:?}",
                u16::from_be_bytes(*code),
                String::from_utf8_lossy(reason)
            ),
            _ if payload.len() > 200 => format!("{} bytes", payload.len()),
            _ => format!("{:?}", String::from_utf8_lossy(payload)),
        };
        let marks = match first & 0xf0 {
            FIN => "",
            0xc0 => " compressed",
            _ => " with odd bits",
        };
        frames.push(format!("{name}{marks} {shown}"));
        wire = rest;
    }
    frames
}
