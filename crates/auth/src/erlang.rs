//! Bytes as Erlang's `io_lib:format("~tp")` prints a binary, which RabbitMQ's error texts contain.

use std::fmt::Write;

/// The last column that a list of bytes reaches before the pretty printer breaks it.
const WIDTH: usize = 79;

/// `bytes` as an Erlang binary, printed from column `column` on (counted from 0).
///
/// Printable text is quoted, as `<<"abc">>`, or `<<"é"/utf8>>` where it is UTF-8 above ASCII; anything else is a list of
/// byte values, broken at 80 columns.
pub(crate) fn pretty_binary(bytes: &[u8], column: usize) -> String {
    if bytes.is_empty() {
        return "<<>>".to_owned();
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && text.chars().all(is_printable)
    {
        let suffix = if text.is_ascii() { "" } else { "/utf8" };
        return format!("<<\"{}\"{suffix}>>", escaped(text.chars()));
    }
    let latin1 = || bytes.iter().map(|&byte| char::from(byte));
    if latin1().all(is_printable) {
        return format!("<<\"{}\">>", escaped(latin1()));
    }
    byte_list(bytes, column + 2)
}

/// Printable for a runtime started without `+pc unicode`, as RabbitMQ is: ISO 8859-1 and the common escapes.
fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{ff}' | '\x08'..='\r' | '\x1b')
}

fn escaped(text: impl Iterator<Item = char>) -> String {
    let mut out = String::new();
    for c in text {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\x1b' => out.push_str("\\e"),
            c => out.push(c),
        }
    }
    out
}

fn byte_list(bytes: &[u8], indent: usize) -> String {
    let mut out = "<<".to_owned();
    let mut column = indent;
    for (at, byte) in bytes.iter().enumerate() {
        let last = at + 1 == bytes.len();
        let item = if last { byte.to_string() } else { format!("{byte},") };
        if column + item.len() > WIDTH {
            let _ = write!(out, "\n{:indent$}", ""); // writing to a String cannot fail
            column = indent;
        }
        out.push_str(&item);
        column += item.len();
    }
    out.push_str(">>");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every expectation was printed by Erlang 25 under RabbitMQ 3.10.8, after `response `.
    #[track_caller]
    fn check(bytes: &[u8], expected: &str) {
        assert_eq!(pretty_binary(bytes, "response ".len()), expected);
    }

    #[test]
    fn text_is_quoted() {
        check(b"", "<<>>");
        check(b"abc", r#"<<"abc">>"#);
        check(b"a\"b\\c\nd\te\x1bf", r#"<<"a\"b\\c\nd\te\ef">>"#);
        check("éa".as_bytes(), r#"<<"éa"/utf8>>"#);
        check(&[255, 254], "<<\"ÿþ\">>");
        check(&[160], "<<\"\u{a0}\">>");
        check(&[b'x'; 150], &format!("<<\"{}\">>", "x".repeat(150)));
    }

    #[test]
    fn anything_else_is_a_list_of_bytes() {
        check(b"\0guest", "<<0,103,117,101,115,116>>");
        check("日".as_bytes(), "<<230,151,165>>");
        check(&[127], "<<127>>");
        check(&[128], "<<128>>");
        check(&[97, 194, 128], "<<97,194,128>>");
    }

    #[test]
    fn long_lists_are_broken_at_80_columns() {
        check(
            b"\0guest\0some long password that goes on\0and more and more",
            "<<0,103,117,101,115,116,0,115,111,109,101,32,108,111,110,103,32,112,\n           \
             97,115,115,119,111,114,100,32,116,104,97,116,32,103,111,101,115,32,\n           \
             111,110,0,97,110,100,32,109,111,114,101,32,97,110,100,32,109,111,\n           114,101>>",
        );
        check(
            &[1; 100],
            &format!("<<{}\n           {}\n           {}>>", "1,".repeat(34), "1,".repeat(34), "1,".repeat(31) + "1"),
        );
    }
}
