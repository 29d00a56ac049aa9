//! Masks of frames (RFC 6455, section 5.3).

/// A frame's masking key, turned to the next byte of its payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mask([u8; 4]);

impl Mask {
    /// The key as it stands in the frame's header.
    pub const fn new(key: [u8; 4]) -> Mask {
        Mask(key)
    }

    /// Masks the next bytes of the payload, or undoes it, in place, eight at a time; the compiler
    /// makes sixteen or thirty-two of them where it can.
    pub fn apply(&mut self, bytes: &mut [u8]) {
        let [a, b, c, d] = self.0;
        let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
        let (words, tail) = bytes.as_chunks_mut::<8>();
        for chunk in words {
            *chunk = (u64::from_ne_bytes(*chunk) ^ word).to_ne_bytes();
        }
        for (byte, key) in tail.iter_mut().zip(word.to_ne_bytes()) {
            *byte ^= key;
        }
        self.0.rotate_left(tail.len() % 4);
    }
}

#[cfg(test)]
mod tests {
    use super::Mask;

    #[test]
    fn a_payload_may_be_unmasked_in_pieces() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let payload: Vec<u8> = (0..100).collect();
        let plain: Vec<u8> = payload
            .iter()
            .enumerate()
            .map(|(at, byte)| byte ^ key[at % 4])
            .collect();
        for first in 0..payload.len() {
            for second in first..payload.len() {
                let mut bytes = payload.clone();
                let mut mask = Mask::new(key);
                mask.apply(&mut bytes[..first]);
                mask.apply(&mut bytes[first..second]);
                mask.apply(&mut bytes[second..]);
                assert_eq!(bytes, plain);
            }
        }
    }
}
