//! Values that `erlang:phash2/1` of Erlang/OTP 25.2.3 gave for the same terms.

use amqp::field::{FieldTable, FieldValue, TableRef};

use super::{of_atom, of_binaries, of_binary, of_decimal, of_field, of_float, of_item, of_nil, of_table};

/// The fields of a table with one field, as a message has it.
fn table(fields: &[(&str, FieldValue)]) -> FieldTable {
    fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn string(text: &[u8]) -> FieldValue {
    FieldValue::LongString(text.to_vec())
}

#[test]
fn binaries() {
    for (bytes, expected) in [
        (&b""[..], 13_708_901),
        (b"a", 112_802_447),
        (b"abc", 98_228_475),
        (&[0], 96_315_567),
        (&[255, 255], 108_774_587),
        (b"12345678901", 32_732_558),
        (b"123456789012", 40_293_642),
        (b"1234567890123", 94_740_708),
        (b"hello world, twelve", 7_372_595),
        (b"The quick brown fox jumps over the lazy dog", 6_115_960),
    ] {
        assert_eq!(of_binary(bytes), expected, "{bytes:?}");
    }
}

#[test]
fn lists_of_binaries() {
    for (list, expected) in [
        (&[&b""[..]][..], 38_220_213),
        (&[b"", b""], 8_578_898),
        (&[b"a"], 53_691_870),
        (&[b"abc"], 63_525_141),
        (&[b"a", b"b"], 3_094_894),
        (&[b"key", b"cc", b"bcc"], 101_739_666),
    ] {
        assert_eq!(of_binaries(list.iter().copied()), expected, "{list:?}");
    }
    assert_eq!(of_binaries([]), of_nil());
}

#[test]
fn what_is_no_list() {
    assert_eq!(of_nil(), 113_427_502);
    for (atom, expected) in [("undefined", 45_914_356), ("true", 506_293), ("false", 7_111_573)] {
        assert_eq!(of_atom(atom), expected, "{atom}");
    }
    for (float, expected) in [
        (1.0, 77_147_068),
        (0.0, 20_875_736),
        (-0.0, 20_875_736),
        (1.5, 10_380_315),
        (-2.25, 106_798_634),
        (1.0e300, 119_088_650),
    ] {
        assert_eq!(of_float(float), expected, "{float}");
    }
    for ((scale, value), expected) in [((1, 25), 62_499_223), ((0, 0), 53_449_675), ((3, u32::MAX), 83_696_413)] {
        assert_eq!(of_decimal(scale, value), expected, "{value}");
    }
}

#[test]
fn items_of_arrays() {
    let nested = table(&[("n", FieldValue::Table(FieldTable::new())), ("m", FieldValue::I32(1))]);
    for (value, expected) in [
        (FieldValue::I8(-5), 100_886_737),
        (FieldValue::I8(5), 128_459_157),
        (FieldValue::U8(200), 88_973_546),
        (FieldValue::I16(-300), 38_839_696),
        (FieldValue::U16(65000), 9_026_718),
        (FieldValue::I32(5), 40_839_585),
        (FieldValue::I32(i32::MIN), 18_235_318),
        (FieldValue::U32(u32::MAX), 24_982_162),
        (FieldValue::I64(i64::MIN), 112_631_110),
        (FieldValue::I64(1 << 27), 117_666_136),
        (FieldValue::I64(-(1 << 27) - 1), 132_651_809),
        (FieldValue::F32(1.5), 89_550_739),
        (FieldValue::F64(-0.0), 28_702_447),
        (FieldValue::Bool(true), 32_030_443),
        (FieldValue::Bool(false), 54_145_719),
        (FieldValue::Timestamp(u64::MAX), 132_064_098),
        (FieldValue::Decimal { scale: 2, value: 314 }, 113_508_173),
        (FieldValue::Bytes(vec![1, 2]), 115_591_744),
        (FieldValue::Void, 27_077_197),
        (string(b""), 116_351_706),
        (string(b"x"), 14_442_427),
        (FieldValue::Array(Vec::new()), 86_211_673),
        (FieldValue::Array(vec![FieldValue::Array(Vec::new()), FieldValue::I64(0)]), 48_808_071),
        (FieldValue::Array(vec![FieldValue::I64(1), FieldValue::I32(2)]), 49_938_554),
        (FieldValue::Table(FieldTable::new()), 80_606_520),
        (FieldValue::Table(nested), 119_475_315),
        (FieldValue::Table(table(&[("a", FieldValue::Bool(true))])), 58_343_644),
    ] {
        let bytes = table(&[("", value.clone())]).to_bytes();
        let item = TableRef::new(&bytes).find("").expect("the field");
        assert_eq!(of_item(item), expected, "{value:?}");
    }
}

#[test]
fn fields_of_tables() {
    for (name, value, expected) in [
        ("a", string(b"b"), 130_674_054),
        ("n", FieldValue::Bool(false), 126_545_650),
        ("", FieldValue::Void, 126_674_465),
        ("long name of a field", FieldValue::Array(vec![string(b"v")]), 98_672_934),
    ] {
        let bytes = table(&[(name, value.clone())]).to_bytes();
        let found = TableRef::new(&bytes).find(name).expect("the field");
        assert_eq!(of_field(name, found), expected, "{name} {value:?}");
    }
}

/// What RabbitMQ 3.10.8 made of these arguments in `properties_key`.
#[test]
fn tables_in_32_bits() {
    let one = table(&[("a", FieldValue::I64(1))]);
    assert_eq!(of_table(&one), 0x0236_adfd);
    let many = table(&[
        ("a", FieldValue::I64(1)),
        ("b", string(b"x")),
        ("c", FieldValue::Bool(true)),
        ("d", FieldValue::Array(vec![FieldValue::I64(1), string(b"y")])),
        ("e", FieldValue::Table(table(&[("f", FieldValue::F64(1.5))]))),
    ]);
    assert_eq!(of_table(&many), 0xed68_c5fe);
}
