use super::*;

#[test]
fn binaries_print_as_erlang_prints_them() {
    #[track_caller]
    fn check(bytes: &[u8], expected: &str) {
        assert_eq!(binary(bytes), expected);
    }
    check(b"", "<<>>");
    check(b"abc", r#"<<"abc">>"#);
    check(b"a\nb", r#"<<"a\nb">>"#);
    check(b"a\"b\\c", r#"<<"a\"b\\c">>"#);
    check(b"\t\r\x1b\x08\x0c\x0b", r#"<<"\t\r\e\b\f\v">>"#);
    check(&[0, 1], "<<0,1>>");
    check(b"a\0", "<<97,0>>");
    check(&[7], "<<7>>");
    check(&[127], "<<127>>");
    check(&[128], "<<128>>");
    check(&[233], "<<\"é\">>");
    check("é".as_bytes(), "<<\"é\"/utf8>>");
    check("€".as_bytes(), "<<226,130,172>>");
    check("\u{85}".as_bytes(), "<<194,133>>");
}

#[test]
fn frame_error_texts() {
    assert_eq!(unknown_frame(9, b"abc"), r#"type 9, all octets = <<"abc">>: unknown_frame"#);
    assert_eq!(
        invalid_frame_end_marker(1, b"abcdefghijklmnopq", 0),
        r#"type 1, first 16 octets = <<"abcdefghijklmnop">>: {invalid_frame_end_marker,0}"#
    );
    assert_eq!(frame_too_large(3, 200_000, 131_064), "type 3, all octets = <<>>: {frame_too_large,200000,131064}");
    assert_eq!(unexpected_frame(8, b""), "type 8, all octets = <<>>");
    assert_eq!(cannot_decode(b"abc"), "cannot decode <<97,98,99>>");
    assert_eq!(cannot_decode(&[0]), "cannot decode <<0>>");
}
