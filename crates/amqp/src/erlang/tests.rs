use super::*;
use crate::FieldTable;

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
    check("€".as_bytes(), "<<\"€\"/utf8>>");
    check("é\n".as_bytes(), "<<\"é\\n\"/utf8>>");
    check("\u{fffe}".as_bytes(), "<<239,191,190>>");
    check(&[233, 128], "<<233,128>>");
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

#[test]
fn long_byte_lists_break_at_column_80() {
    let count = |to: u8| (0..=to).collect::<Vec<u8>>();
    let first = "response <<0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,";
    assert_eq!(response_invalid(&count(25)), format!("{first}25>> invalid"));
    assert_eq!(response_invalid(&count(26)), format!("{first}25,\n           26>> invalid"));
    let mut wide = count(24);
    wide.push(100);
    assert_eq!(response_invalid(&wide), format!("{first}100>> invalid"));
    let second = "26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46";
    assert_eq!(
        response_invalid(&count(50)),
        format!("{first}25,\n           {second},47,\n           48,49,50>> invalid")
    );
    let mut last = count(46);
    last.push(100);
    assert_eq!(response_invalid(&last), format!("{first}25,\n           {second},100>> invalid"));
    assert_eq!(
        unknown_frame(1, &(128..=143).collect::<Vec<u8>>()),
        "type 1, all octets = <<128,129,130,131,132,133,134,135,136,137,138,139,140,141,\n                       \
         142,143>>: unknown_frame"
    );
    let more: Vec<u8> = (128..=144).collect();
    let broken = "type 1, first 16 octets = <<128,129,130,131,132,133,134,135,136,137,138,139,\n                            \
                  140,141,142,143>>: ";
    assert_eq!(unknown_frame(1, &more), format!("{broken}unknown_frame"));
    assert_eq!(invalid_frame_end_marker(1, &more, 255), format!("{broken}{{invalid_frame_end_marker,255}}"));
}

#[test]
fn tuples_break_before_column_80() {
    let payload = b"defghijklmnopqrst";
    let before = "type 1, first 16 octets = <<\"defghijklmnopqrs\">>: {invalid_frame_end_marker,";
    assert_eq!(invalid_frame_end_marker(1, payload, 0), format!("{before}0}}"));
    assert_eq!(invalid_frame_end_marker(1, payload, 255), format!("{before}\n{}255}}", " ".repeat(51)));
    let mut text = String::from("invalid arg 'x-message-ttl' for queue 'aaaaaaaaa' in vhost '/': ");
    append_tuple(&mut text, ["value_negative", "-1"]);
    let expected = "invalid arg 'x-message-ttl' for queue 'aaaaaaaaa' in vhost '/': {value_negative,\n";
    assert_eq!(text, format!("{expected}{}-1}}", " ".repeat(65)));
}

#[test]
fn field_values_print_as_the_terms_rabbitmq_holds() {
    #[track_caller]
    fn check(value: impl Into<FieldValue>, expected: &str) {
        assert_eq!(field_value(&value.into()), expected);
    }
    check(5, "5");
    check(true, "true");
    check("a", r#"<<"a">>"#);
    check(FieldValue::Void, "undefined");
    check(FieldValue::Decimal { scale: 1, value: 5 }, "{1,5}");
    check(vec![FieldValue::I32(1), FieldValue::from("a")], r#"[{signedint,1},{longstr,<<"a">>}]"#);
    let mut table = FieldTable::new();
    table.insert("a", FieldTable::new());
    table.insert("b", vec![FieldValue::I64(-1)]);
    check(table, r#"[{<<"a">>,table,[]},{<<"b">>,array,[{long,-1}]}]"#);
    assert_eq!(field_value_bare(&"a".into()), "a");
}

#[test]
fn floats_print_as_erlang_prints_them() {
    #[track_caller]
    fn check(value: f64, expected: &str) {
        assert_eq!(float(value), expected);
    }
    check(1.0, "1.0");
    check(100.0, "100.0");
    check(1e10, "1.0e10");
    check(1e22, "1.0e22");
    check(1e-5, "1.0e-5");
    check(0.1, "0.1");
    check(0.001, "0.001");
    check(0.0001, "0.0001");
    check(-0.0, "-0.0");
    check(123_456_789.125, "123456789.125");
    check(1.234567e-4, "1.234567e-4");
    check(1.5e300, "1.5e300");
    check(4_503_599_627_370_496.0, "4503599627370496.0");
    check(9_007_199_254_740_991.0, "9007199254740991.0");
    check(9_007_199_254_740_992.0, "9.007199254740992e15");
    check(1.2345678901234567e19, "1.2345678901234567e19");
}

/// As `rabbitmqctl set_policy` of 3.10.8 prints values that it refuses.
#[test]
fn values_that_came_as_json() {
    let text = |text: &str| FieldValue::LongString(text.as_bytes().to_vec());
    let table = FieldTable::from_iter([("b".to_owned(), FieldValue::I64(1)), ("c".to_owned(), FieldValue::Void)]);
    let list = FieldValue::Array(vec![text("a"), FieldValue::Table(table.clone())]);
    assert_eq!(json_value(&list), r#"[<<"a">>,#{<<"b">> => 1,<<"c">> => null}]"#);
    assert_eq!(json_fields(table.iter()), r#"[{<<"b">>,1},{<<"c">>,null}]"#);
    assert_eq!(json_value(&FieldValue::Bool(true)), "true");
}
