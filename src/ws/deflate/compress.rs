//! Compresses our messages. The compressors belong to a thread, not to a connection: a connection
//! that finds its own again goes on with its context, any other one begins anew.

use flate2::{Compress, Compression, FlushCompress, Status};

use super::{Deflate, TAIL};

/// Messages below this many bytes are sent as they are: they would hardly get smaller.
pub const COMPRESSED_BYTES_MIN: usize = 256;

/// Compressors of a thread; so many connections at a time have a context.
const COMPRESSORS_MAX: usize = 16;

/// Of zlib's levels from 1 to 9. A server has many peers and little time.
const LEVEL: u32 = 3;

/// Room that is made for output at a time, at least: more than the marker of a flush, which would
/// come out twice if it did not fit.
const ROOM_BYTES_MIN: usize = 64;

/// Who a compressor belongs to.
pub type Owner = u64;

/// The compressors of one thread.
#[derive(Debug, Default)]
pub struct Compressors {
    slots: Vec<Slot>,
    /// Counts uses, to find the compressor that was not used for longest.
    uses: u64,
    owners: Owner,
    /// The last message compressed.
    out: Vec<u8>,
}

#[derive(Debug)]
struct Slot {
    owner: Owner,
    window_bits: u8,
    used: u64,
    compress: Compress,
}

impl Compressors {
    /// A number for a connection that will compress.
    pub fn new_owner(&mut self) -> Owner {
        self.owners += 1;
        self.owners
    }

    /// Compresses a whole message. `None` when that does not make it smaller; then it is to be
    /// sent as it is. The buffer may be taken out or be left for the next message.
    pub fn compress(
        &mut self,
        message: &[u8],
        owner: Owner,
        deflate: &Deflate,
    ) -> Option<&mut Vec<u8>> {
        let mut out = std::mem::take(&mut self.out);
        out.clear();
        let slot = self.slot(owner, deflate);
        let smaller = deflate_message(&mut slot.compress, message, &mut out);
        if !smaller {
            // The client does not see what was compressed in vain.
            slot.compress.reset();
        }
        self.out = out;
        smaller.then_some(&mut self.out)
    }

    /// The compressor of `owner`, or one that begins anew.
    fn slot(&mut self, owner: Owner, deflate: &Deflate) -> &mut Slot {
        self.uses += 1;
        let index = match self.slots.iter().position(|slot| slot.owner == owner) {
            Some(index) => index,
            None => self.assign(owner, deflate.server_window_bits),
        };
        let uses = self.uses;
        let slot = &mut self.slots[index];
        slot.used = uses;
        if deflate.server_no_context_takeover {
            slot.compress.reset();
        }
        slot
    }

    fn assign(&mut self, owner: Owner, window_bits: u8) -> usize {
        let make = || Slot {
            owner,
            window_bits,
            used: 0,
            compress: Compress::new_with_window_bits(
                Compression::new(LEVEL),
                false,
                window_bits.clamp(9, 15),
            ),
        };
        let oldest = (0..self.slots.len()).min_by_key(|index| self.slots[*index].used);
        match oldest {
            Some(index) if self.slots.len() >= COMPRESSORS_MAX => {
                let slot = &mut self.slots[index];
                if slot.window_bits == window_bits {
                    slot.compress.reset();
                    slot.owner = owner;
                } else {
                    *slot = make();
                }
                index
            }
            _ => {
                self.slots.push(make());
                self.slots.len() - 1
            }
        }
    }
}

/// Appends `message`, compressed, to `out`; false when it does not get smaller.
fn deflate_message(compress: &mut Compress, message: &[u8], out: &mut Vec<u8>) -> bool {
    out.reserve(message.len() / 2 + ROOM_BYTES_MIN);
    let mut rest = message;
    loop {
        let before = compress.total_in();
        let status = compress.compress_vec(rest, out, FlushCompress::Sync);
        let taken = (compress.total_in() - before) as usize;
        rest = rest.get(taken..).unwrap_or_default();
        match status {
            Ok(Status::Ok | Status::BufError) => {}
            Ok(Status::StreamEnd) | Err(_) => return false,
        }
        if out.len() < out.capacity() {
            break;
        }
        if out.len() > message.len() + TAIL.len() {
            return false;
        }
        out.reserve(out.len().max(ROOM_BYTES_MIN));
    }
    if !rest.is_empty() || !out.ends_with(&TAIL) {
        return false;
    }
    out.truncate(out.len() - TAIL.len());
    out.len() < message.len()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::ws::deflate::inflate::Inflater;

    const DEFLATE: Deflate = Deflate {
        server_window_bits: 12,
        client_window_bits: Some(12),
        server_no_context_takeover: false,
        client_no_context_takeover: false,
    };

    fn text(number: usize) -> Vec<u8> {
        format!("message {number} of the test; ")
            .repeat(40)
            .into_bytes()
    }

    fn inflate(inflater: &mut Inflater, wire: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        inflater.inflate(wire, &mut out, 1 << 24).unwrap();
        inflater.finish(&mut out, 1 << 24).unwrap();
        out
    }

    #[test]
    fn what_is_known_already_is_shorter() {
        let mut compressors = Compressors::default();
        let owner = compressors.new_owner();
        let mut inflater = Inflater::new(&DEFLATE, Rc::default());
        let mut lengths = Vec::new();
        for _ in 0..3 {
            let wire = compressors.compress(&text(1), owner, &DEFLATE).unwrap();
            lengths.push(wire.len());
            assert_eq!(inflate(&mut inflater, wire), text(1));
        }
        assert!(lengths[1] < lengths[0] / 2, "{lengths:?}");
        assert_eq!(lengths[1], lengths[2]);
    }

    #[test]
    fn without_takeover_every_message_stands_for_itself() {
        let deflate = Deflate {
            server_no_context_takeover: true,
            ..DEFLATE
        };
        let mut compressors = Compressors::default();
        let owner = compressors.new_owner();
        let first = compressors
            .compress(&text(1), owner, &deflate)
            .unwrap()
            .clone();
        let second = compressors.compress(&text(1), owner, &deflate).unwrap();
        assert_eq!(first, *second);
    }

    #[test]
    fn more_connections_than_compressors() {
        let mut compressors = Compressors::default();
        let mut peers: Vec<_> = (0..3 * COMPRESSORS_MAX)
            .map(|_| {
                (
                    compressors.new_owner(),
                    Inflater::new(&DEFLATE, Rc::default()),
                )
            })
            .collect();
        for round in 0..300 {
            let index = (round * 31) % peers.len();
            let (owner, inflater) = &mut peers[index];
            let wire = compressors
                .compress(&text(round), *owner, &DEFLATE)
                .unwrap();
            assert_eq!(inflate(inflater, wire), text(round));
        }
        assert_eq!(compressors.slots.len(), COMPRESSORS_MAX);
    }

    /// A message that is sent as it is leaves no trace in the context.
    #[test]
    fn what_does_not_get_smaller() {
        let mut compressors = Compressors::default();
        let owner = compressors.new_owner();
        let mut inflater = Inflater::new(&DEFLATE, Rc::default());
        let mut state = 1_u32;
        let noise: Vec<u8> = (0..5000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        for message in [text(1), noise.clone(), noise, text(1)] {
            if let Some(wire) = compressors.compress(&message, owner, &DEFLATE) {
                assert!(wire.len() < message.len());
                assert_eq!(inflate(&mut inflater, wire), message);
            }
        }
    }

    #[test]
    fn long_messages_of_all_windows() {
        for server_window_bits in 9..=12 {
            let deflate = Deflate {
                server_window_bits,
                ..DEFLATE
            };
            let mut compressors = Compressors::default();
            let owner = compressors.new_owner();
            let mirrored = Deflate {
                client_window_bits: Some(server_window_bits),
                ..DEFLATE
            };
            let mut inflater = Inflater::new(&mirrored, Rc::default());
            for len in [256, 257, 4096, 65536, 1 << 20] {
                let message: Vec<u8> = (0..len).map(|at| (at / 5 * 7 % 251) as u8).collect();
                let wire = compressors.compress(&message, owner, &deflate).unwrap();
                assert!(inflate(&mut inflater, wire) == message);
            }
        }
    }
}
