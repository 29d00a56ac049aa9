//! One connection: what it has yet to send, and where it is in what comes.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use crate::frames::{self, Frame};
use crate::handshake::Upgraded;

const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
/// An empty masked pong. Servers that wait for one look at the payload only to tell which it is.
const PONG_HEAD: [u8; 2] = [0x8a, 0x80];
const PONG_MASK: [u8; 4] = [0; 4];
const CONTROL_BYTES_MAX: usize = 125;

/// What a connection has to say of what has come.
pub enum Came {
    /// A whole message of so many bytes.
    Message(u64),
    /// Something that the load does not allow.
    Wrong,
}

/// One WebSocket.
pub struct Connection {
    stream: TcpStream,
    /// Bytes that were read and make no whole head yet.
    partial: Vec<u8>,
    /// Bytes of a payload that are yet to come, and its frame.
    payload: Option<(Frame, u64)>,
    /// Bytes of the message that have come in earlier frames.
    message_bytes: u64,
    /// The payload of a ping, to be sent back.
    ping: Vec<u8>,
    /// Pongs that are to be sent, between messages.
    pongs: Vec<u8>,
    /// Messages to be sent, and how much of the first one is.
    owed: u64,
    sent_bytes: usize,
    /// When the messages that are under way were begun.
    begun: VecDeque<Instant>,
    /// Whether it has ended.
    pub ended: bool,
}

impl Connection {
    /// A connection that has just been upgraded.
    pub fn new(upgraded: Upgraded) -> Connection {
        Connection {
            stream: upgraded.stream,
            partial: upgraded.rest,
            payload: None,
            message_bytes: 0,
            ping: Vec::new(),
            pongs: Vec::new(),
            owed: 0,
            sent_bytes: 0,
            begun: VecDeque::new(),
            ended: false,
        }
    }

    /// The socket, to be watched.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// So many messages more are to go out.
    pub fn owe(&mut self, messages: u64, now: Instant) {
        self.owed += messages;
        for _ in 0..messages {
            self.begun.push_back(now);
        }
    }

    /// When the oldest message under way was begun; it is no longer.
    pub fn answered(&mut self) -> Option<Instant> {
        self.begun.pop_front()
    }

    /// Writes as much as the socket takes.
    pub fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        loop {
            if self.sent_bytes == 0 && !self.pongs.is_empty() {
                let Some(count) = write_some(&mut self.stream, &self.pongs)? else {
                    return Ok(());
                };
                self.pongs.drain(..count);
            } else if self.owed > 0 {
                let rest = frame.get(self.sent_bytes..).unwrap_or_default();
                let Some(count) = write_some(&mut self.stream, rest)? else {
                    return Ok(());
                };
                self.sent_bytes += count;
                if self.sent_bytes >= frame.len() {
                    self.sent_bytes = 0;
                    self.owed -= 1;
                }
            } else {
                return Ok(());
            }
        }
    }

    /// Reads what is there, and tells of each message that has come whole.
    pub fn read(&mut self, buffer: &mut [u8], mut came: impl FnMut(Came)) -> io::Result<()> {
        let early = std::mem::take(&mut self.partial);
        self.take(&early, &mut came);
        loop {
            match self.stream.read(buffer) {
                Ok(0) => {
                    self.ended = true;
                    return Ok(());
                }
                Ok(count) => {
                    let bytes = buffer.get(..count).unwrap_or_default();
                    if self.partial.is_empty() {
                        self.take(bytes, &mut came);
                    } else {
                        let mut joined = std::mem::take(&mut self.partial);
                        joined.extend_from_slice(bytes);
                        self.take(&joined, &mut came);
                    }
                    if count < buffer.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Goes through bytes of frames; keeps a head that is not whole.
    fn take(&mut self, mut bytes: &[u8], came: &mut impl FnMut(Came)) {
        loop {
            let (frame, missing) = match self.payload.take() {
                Some(begun) => begun,
                None => match frames::head(bytes) {
                    Some((frame, head_bytes)) => {
                        bytes = bytes.get(head_bytes..).unwrap_or_default();
                        (frame, frame.payload_bytes)
                    }
                    None => {
                        self.partial = bytes.to_vec();
                        return;
                    }
                },
            };
            let here = usize::try_from(missing)
                .unwrap_or(usize::MAX)
                .min(bytes.len());
            let (part, rest) = bytes.split_at(here);
            if frame.opcode == PING && self.ping.len() + here <= CONTROL_BYTES_MAX {
                self.ping.extend_from_slice(part);
            }
            bytes = rest;
            if (here as u64) < missing {
                self.payload = Some((frame, missing - here as u64));
                return;
            }
            self.end_frame(frame, came);
        }
    }

    fn end_frame(&mut self, frame: Frame, came: &mut impl FnMut(Came)) {
        match frame.opcode {
            0..=2 => {
                self.message_bytes += frame.payload_bytes;
                if frame.last {
                    came(Came::Message(std::mem::take(&mut self.message_bytes)));
                }
            }
            PING => {
                let [first, second] = PONG_HEAD;
                // A longer payload than 125 bytes was not kept.
                self.pongs.extend([first, second | self.ping.len() as u8]);
                self.pongs.extend(PONG_MASK);
                self.pongs.append(&mut self.ping);
            }
            PONG => {}
            CLOSE => {
                self.ended = true;
                came(Came::Wrong);
            }
            _ => came(Came::Wrong),
        }
    }
}

/// How much the socket has taken; nothing if it takes no more now.
fn write_some(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<Option<usize>> {
    loop {
        match stream.write(bytes) {
            Ok(count) => return Ok(Some(count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// What a connection tells of these pieces.
    fn tell(pieces: &[&[u8]]) -> (Vec<u64>, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let rest = Vec::new();
        let mut connection = Connection::new(Upgraded { stream, rest });
        let mut messages = Vec::new();
        let mut came = |came| match came {
            Came::Message(bytes) => messages.push(bytes),
            Came::Wrong => messages.push(u64::MAX),
        };
        for piece in pieces {
            let mut bytes = std::mem::take(&mut connection.partial);
            bytes.extend_from_slice(piece);
            connection.take(&bytes, &mut came);
        }
        (messages, connection)
    }

    #[test]
    fn messages_may_come_in_any_pieces() {
        let bytes = b"\x81\x05hello\x82\x7e\x00\x80";
        let mut all = bytes.to_vec();
        all.extend([7; 128]);
        let whole = tell(&[&all]).0;
        let split: Vec<&[u8]> = all.chunks(1).collect();
        assert_eq!(whole, [5, 128]);
        assert_eq!(tell(&split).0, whole);
    }

    #[test]
    fn fragments_make_one_message() {
        assert_eq!(tell(&[b"\x01\x02ab\x00\x01c\x80\x02de"]).0, [5]);
    }

    #[test]
    fn a_ping_within_a_message_is_answered() {
        let (messages, connection) = tell(&[b"\x01\x02ab\x89\x02hi\x80\x02de"]);
        assert_eq!(messages, [4]);
        assert_eq!(connection.pongs, b"\x8a\x82\0\0\0\0hi");
    }

    #[test]
    fn a_close_is_wrong() {
        assert_eq!(tell(&[b"\x88\x00"]).0, [u64::MAX]);
    }
}
