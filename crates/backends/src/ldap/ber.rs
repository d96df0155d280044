//! The part of BER that LDAP uses (RFC 4511, 5.1): definite lengths, and tags of one byte.

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// Adds an element.
pub(super) fn put(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    out.push(tag);
    match u8::try_from(content.len()) {
        Ok(short @ 0..=0x7f) => out.push(short),
        _ => {
            let bytes = content.len().to_be_bytes();
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            let length = bytes.get(zeros..).unwrap_or_default();
            // Eight bytes at most.
            out.push(0x80 | u8::try_from(length.len()).unwrap_or_default());
            out.extend_from_slice(length);
        }
    }
    out.extend_from_slice(content);
}

/// Adds an element that consists of others.
pub(super) fn put_all(out: &mut Vec<u8>, tag: u8, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut content = Vec::new();
    fill(&mut content);
    put(out, tag, &content);
}

/// Adds an integer that is not negative.
pub(super) fn put_integer(out: &mut Vec<u8>, tag: u8, value: u32) {
    let bytes = [&[0][..], &value.to_be_bytes()].concat();
    // As short as it can be without becoming negative.
    let zeros = bytes.windows(2).take_while(|pair| pair[0] == 0 && pair[1] < 0x80).count();
    put(out, tag, &bytes[zeros..]);
}

/// Elements one after the other.
#[derive(Clone, Copy)]
pub(super) struct Elements<'a>(pub(super) &'a [u8]);

impl<'a> Elements<'a> {
    /// The next one, with its tag; `None` at the end and for what is none.
    pub(super) fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (length, rest) = length(rest)?;
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The content of the next one, if it has the tag.
    pub(super) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }

    /// The next one as an integer that is not negative.
    pub(super) fn integer(&mut self, tag: u8) -> Option<u32> {
        let content = self.expect(tag)?;
        let is_negative = content.first().is_none_or(|first| *first >= 0x80);
        let fits = content.len() <= 4 || content.len() == 5 && content.first() == Some(&0);
        (!is_negative && fits).then(|| content.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
    }

    /// The next one as text; other bytes than UTF-8 are nothing that is compared with.
    pub(super) fn text(&mut self) -> Option<String> {
        self.expect(OCTETS).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }
}

/// A length, and what stands behind it.
pub(super) fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first < 0x80 {
        return Some((usize::from(first), rest));
    }
    let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
    let fits = (1..=4).contains(&digits.len());
    fits.then(|| (digits.iter().fold(0, |value, byte| value << 8 | usize::from(*byte)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn integers_are_as_short_as_they_can_be() {
        for (value, bytes) in [
            (0, &[2, 1, 0][..]),
            (127, &[2, 1, 127]),
            (128, &[2, 2, 0, 128]),
            (0x0102_0304, &[2, 4, 1, 2, 3, 4]),
            (u32::MAX, &[2, 5, 0, 255, 255, 255, 255]),
        ] {
            let mut out = Vec::new();
            put_integer(&mut out, INTEGER, value);
            assert_eq!(out, bytes);
            assert_eq!(Elements(&out).integer(INTEGER), Some(value));
        }
    }

    #[test]
    fn long_contents_have_long_lengths() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let mut out = Vec::new();
            put(&mut out, OCTETS, &vec![7; length]);
            let mut elements = Elements(&out);
            assert_eq!(elements.expect(OCTETS).map(<[u8]>::len), Some(length));
            assert!(elements.0.is_empty());
        }
    }

    #[test]
    fn what_is_no_element_is_none() {
        for bytes in [
            &[][..],
            &[4],
            &[4, 2, 1],
            &[4, 0x80],
            &[4, 0x81],
            &[4, 0x85, 0, 0, 0, 0, 1, 1],
            &[4, 0x84, 255, 255, 255, 255],
        ] {
            assert_eq!(Elements(bytes).next(), None, "{bytes:?}");
        }
        assert_eq!(Elements(&[2, 1, 0x80]).integer(INTEGER), None);
        assert_eq!(Elements(&[2, 0]).integer(INTEGER), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut elements = Elements(&bytes);
            let mut read = 0;
            while let Some((_, content)) = elements.next() {
                read += content.len() + 2;
            }
            // No element has more than was there.
            prop_assert!(read + elements.0.len() <= bytes.len());
            for tag in [BOOLEAN, INTEGER, OCTETS, ENUMERATED, SEQUENCE, SET] {
                let _ = (Elements(&bytes).integer(tag), Elements(&bytes).expect(tag), Elements(&bytes).text());
            }
        }

        #[test]
        fn a_length_is_believed_only_with_its_content(digits in proptest::collection::vec(any::<u8>(), 1..9), there in 0..40_usize) {
            let mut bytes = vec![OCTETS, 0x80 | u8::try_from(digits.len()).unwrap()];
            bytes.extend_from_slice(&digits);
            bytes.resize(bytes.len() + there, 7);
            let claimed = digits.iter().fold(0_u64, |value, digit| value << 8 | u64::from(*digit));
            let is_there = digits.len() <= 4 && claimed <= there as u64;
            prop_assert_eq!(Elements(&bytes).next().map(|(_, content)| content.len() as u64), is_there.then_some(claimed));
        }

        #[test]
        fn what_is_put_comes_back(elements in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..300)), 0..6)) {
            let mut bytes = Vec::new();
            put_all(&mut bytes, SEQUENCE, |out| elements.iter().for_each(|(tag, content)| put(out, *tag, content)));
            let mut inner = Elements(Elements(&bytes).expect(SEQUENCE).unwrap());
            for (tag, content) in &elements {
                prop_assert_eq!(inner.next(), Some((*tag, &content[..])));
            }
            prop_assert_eq!(inner.next(), None);
        }
    }
}
