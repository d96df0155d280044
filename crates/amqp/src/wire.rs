//! Reading and writing of the elementary types of AMQP 0-9-1 section 4.2.5: integers, strings and packed bits.

/// The longest short string, in bytes.
pub(crate) const SHORTSTR_MAX: usize = 255;

/// A cursor over bytes of a peer; every read answers `None` past the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    bits: u8,
    bits_left: u8,
}

impl<'a> Reader<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, bits: 0, bits_left: 0 }
    }

    /// What has not been read.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        self.bits_left = 0;
        Some(taken)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.bytes.split_first_chunk::<N>()?;
        self.bytes = rest;
        self.bits_left = 0;
        Some(*taken)
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    #[inline]
    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// The next bit; consecutive bits share octets from the lowest bit up (section 4.2.5.2).
    #[inline]
    pub(crate) fn bit(&mut self) -> Option<bool> {
        if self.bits_left == 0 {
            self.bits = self.u8()?;
            self.bits_left = 8;
        }
        let bit = self.bits & 1 != 0;
        self.bits >>= 1;
        self.bits_left -= 1;
        Some(bit)
    }

    #[inline]
    pub(crate) fn shortstr(&mut self) -> Option<&'a [u8]> {
        let len = self.u8()?;
        self.take(usize::from(len))
    }

    #[inline]
    pub(crate) fn longstr(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()?;
        self.take(usize::try_from(len).ok()?)
    }
}

/// Appends elementary types to a buffer.
#[derive(Debug)]
pub(crate) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    bits_used: u8,
}

impl<'o> Writer<'o> {
    #[inline]
    pub(crate) fn new(out: &'o mut Vec<u8>) -> Writer<'o> {
        Writer { out, bits_used: 0 }
    }

    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.bits_used = 0;
        self.out.extend_from_slice(bytes);
    }

    #[inline]
    pub(crate) fn bit(&mut self, bit: bool) {
        if self.bits_used & 7 == 0 {
            self.out.push(0);
        }
        if let Some(octet) = self.out.last_mut() {
            *octet |= u8::from(bit) << (self.bits_used & 7);
        }
        self.bits_used += 1;
    }

    /// A short string; text over 255 bytes is cut on a character boundary, since the length is one octet.
    #[inline]
    pub(crate) fn shortstr(&mut self, text: &str) {
        let text = cut(text, SHORTSTR_MAX);
        self.bytes(&[text.len() as u8]);
        self.bytes(text.as_bytes());
    }

    /// A short string of any bytes, cut after 255 of them.
    #[inline]
    pub(crate) fn shortbytes(&mut self, bytes: &[u8]) {
        let bytes = &bytes[..bytes.len().min(SHORTSTR_MAX)];
        self.bytes(&[bytes.len() as u8]);
        self.bytes(bytes);
    }

    #[inline]
    pub(crate) fn longstr(&mut self, bytes: &[u8]) {
        self.bytes(&(bytes.len() as u32).to_be_bytes());
        self.bytes(bytes);
    }
}

/// The longest beginning of `text` of at most `max` bytes that ends on a character boundary.
#[inline]
pub(crate) fn cut(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    (0..=max).rev().find_map(|end| text.get(..end)).unwrap_or_default()
}

/// Appends what `write` does behind its length as 32 bits.
pub(crate) fn length_prefixed(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let len = (out.len() - at - 4) as u32;
    if let Some(prefix) = out.get_mut(at..at + 4) {
        prefix.copy_from_slice(&len.to_be_bytes());
    }
}
