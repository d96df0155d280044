//! As much DER as the values of names need: one element, and the strings of X.520.

const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const TELETEX_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const UNIVERSAL_STRING: u8 = 0x1c;
const BMP_STRING: u8 = 0x1e;

/// Tag and content of the element that `bytes` begin with; `None` where that is cut short.
pub(crate) fn element(bytes: &[u8]) -> Option<(u8, &[u8])> {
    split(bytes).map(|(tag, content, _)| (tag, content))
}

/// The same, and what follows.
pub(crate) fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    if first < 0x80 {
        let (content, rest) = rest.split_at_checked(usize::from(first))?;
        return Some((tag, content, rest));
    }
    // Nothing that we look at is longer than two octets of length can say.
    let octets = usize::from(first & 0x7f);
    let length = match rest.get(..octets)? {
        [one] => usize::from(*one),
        [high, low] => usize::from(u16::from_be_bytes([*high, *low])),
        _ => return None,
    };
    let (content, rest) = rest.get(octets..)?.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// The text of a string by its tag; `None` where it is none, or not what its tag says.
pub(crate) fn text(tag: u8, content: &[u8]) -> Option<String> {
    match tag {
        UTF8_STRING | PRINTABLE_STRING | IA5_STRING => std::str::from_utf8(content).ok().map(str::to_owned),
        // As RabbitMQ, which takes it for ISO 8859-1.
        TELETEX_STRING => Some(content.iter().copied().map(char::from).collect()),
        BMP_STRING | UNIVERSAL_STRING if !content.len().is_multiple_of(if tag == BMP_STRING { 2 } else { 4 }) => None,
        BMP_STRING => {
            let units = content.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).collect::<Result<String, _>>().ok()
        }
        UNIVERSAL_STRING => {
            let code = |four: &[u8]| u32::from_be_bytes([four[0], four[1], four[2], four[3]]);
            content.chunks_exact(4).map(|four| char::from_u32(code(four))).collect()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_what_its_tag_says_or_none() {
        for (tag, content, expected) in [
            (UTF8_STRING, &b"\xc3\xbc"[..], Some("\u{fc}")),
            (UTF8_STRING, b"\xfc", None),
            (TELETEX_STRING, b"\xfc", Some("\u{fc}")),
            (BMP_STRING, b"\0a\0b", Some("ab")),
            // Half a letter is not left out: two names must not become one.
            (BMP_STRING, b"\0a\0", None),
            (BMP_STRING, b"\xd8\0", None),
            (UNIVERSAL_STRING, b"\0\0\0a", Some("a")),
            (UNIVERSAL_STRING, b"\0\0\0a\0", None),
            (UNIVERSAL_STRING, b"\xff\0\0a", None),
            (0x04, b"a", None),
        ] {
            assert_eq!(text(tag, content).as_deref(), expected, "{tag:#x} {content:?}");
        }
    }

    #[test]
    fn an_element_is_whole_or_none() {
        assert_eq!(split(b"\x04\x02ab|"), Some((4, &b"ab"[..], &b"|"[..])));
        assert_eq!(split(b"\x04\x82\0\x02ab"), Some((4, &b"ab"[..], &b""[..])));
        for cut in [&b""[..], b"\x04", b"\x04\x03ab", b"\x04\x80ab", b"\x04\x82\0", b"\x04\x83\0\0\x02ab", b"\x04\xff"]
        {
            assert_eq!(split(cut), None, "{cut:?}");
        }
    }
}
