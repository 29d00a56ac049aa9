//! Takes a server's bytes apart into frames (RFC 6455, section 5.2), without keeping payloads.

/// A frame of a server, without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Whether it is the last of its message.
    pub last: bool,
    /// What it is: 0 goes on with a message, 1 is text, 2 bytes, 8 a close, 9 a ping, 10 a pong.
    pub opcode: u8,
    /// Bytes of its payload.
    pub payload_bytes: u64,
}

/// The frame whose head is at the start, and how long that head is; nothing while it is not whole.
pub fn head(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (&[first, second], rest) = bytes.split_first_chunk()?;
    let (payload_bytes, head_bytes) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*rest.first_chunk()?), 10),
        short => (u64::from(short), 2),
    };
    let frame = Frame {
        last: first & 0x80 != 0,
        opcode: first & 0x0f,
        payload_bytes,
    };
    Some((frame, head_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_come_in_three_forms() {
        assert_eq!(
            head(&[0x81, 5]).map(|(f, n)| (f.payload_bytes, n)),
            Some((5, 2))
        );
        assert_eq!(
            head(&[0x82, 126, 1, 0]).map(|(f, n)| (f.payload_bytes, n)),
            Some((256, 4))
        );
        let long = [0x02, 127, 0, 0, 0, 0, 0, 1, 0, 0];
        assert_eq!(
            head(&long).map(|(f, n)| (f.payload_bytes, n)),
            Some((65_536, 10))
        );
        assert_eq!(head(&long).map(|(f, _)| f.last), Some(false));
    }

    #[test]
    fn a_part_of_a_head_is_none() {
        for part in [
            &[][..],
            &[0x81],
            &[0x81, 126, 1],
            &[0x81, 127, 0, 0, 0, 0, 0, 0, 0],
        ] {
            assert_eq!(head(part), None);
        }
    }
}
