//! As much of DER (X.690) as it takes to walk through a name.

/// `SEQUENCE`
pub const SEQUENCE: u8 = 0x30;
/// `SET`
pub const SET: u8 = 0x31;
/// `OBJECT IDENTIFIER`
pub const OBJECT_ID: u8 = 0x06;

/// What is left of some DER.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

/// An element: tag, contents, and the element as it stands, header included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// Its tag.
    pub tag: u8,
    /// Its contents.
    pub contents: &'a [u8],
    /// All of it.
    pub whole: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    /// The next element, which must have this tag: its contents, and what is behind it.
    pub fn read(mut self, tag: u8) -> Option<(&'a [u8], &'a [u8])> {
        let element = self.next()?;
        (element.tag == tag).then_some((element.contents, self.0))
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Element<'a>;

    /// `None` at the end, and where it is not DER.
    fn next(&mut self) -> Option<Element<'a>> {
        let (tag, rest) = self.0.split_first()?;
        let (first, mut rest) = rest.split_first()?;
        let mut len = usize::from(*first);
        if len > 0x7f {
            let (digits, behind) = rest.split_at_checked(len & 0x7f)?;
            if digits.is_empty() || digits.len() > 4 {
                return None;
            }
            len = digits
                .iter()
                .fold(0, |len, digit| len << 8 | usize::from(*digit));
            rest = behind;
        }
        let (contents, behind) = rest.split_at_checked(len)?;
        let whole = self.0.get(..self.0.len() - behind.len())?;
        self.0 = behind;
        Some(Element {
            tag: *tag,
            contents,
            whole,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_follow_each_other() {
        let bytes = [0x30, 3, 1, 2, 3, 0x06, 0x81, 1, 9];
        let mut reader = Reader::new(&bytes);
        let first = reader.next().map(|element| (element.tag, element.contents));
        assert_eq!(first, Some((SEQUENCE, &[1, 2, 3][..])));
        let second = reader.next();
        assert_eq!(second.map(|element| element.contents), Some(&[9][..]));
        assert_eq!(second.map(|element| element.whole), Some(&bytes[5..]));
        assert_eq!(reader.next(), None);
    }

    #[test]
    fn what_is_cut_short_ends_the_walk() {
        for bytes in [
            &[0x30][..],
            &[0x30, 2, 1],
            &[0x30, 0x82, 1],
            &[0x30, 0x80],
            &[0x30, 0x85, 0, 0, 0, 0, 1],
        ] {
            assert_eq!(Reader::new(bytes).next(), None, "{bytes:?}");
        }
    }
}
