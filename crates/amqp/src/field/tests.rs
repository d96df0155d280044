use super::*;

/// The bytes of `table`, decoded again.
fn round_trip(table: &FieldTable) -> FieldTable {
    FieldTable::from_slice(&table.to_bytes()).expect("encoded here")
}

#[test]
fn every_type_comes_back() {
    let mut inner = FieldTable::new();
    inner.insert("k", "v");
    let mut table = FieldTable::new();
    for (at, value) in [
        FieldValue::Bool(true),
        FieldValue::I8(-1),
        FieldValue::U8(255),
        FieldValue::I16(-2),
        FieldValue::U16(65535),
        FieldValue::I32(-3),
        FieldValue::U32(u32::MAX),
        FieldValue::I64(i64::MIN),
        FieldValue::F32(1.5),
        FieldValue::F64(-2.25),
        FieldValue::Decimal { scale: 2, value: 314 },
        FieldValue::LongString(vec![0, 255]),
        FieldValue::Bytes(vec![1]),
        FieldValue::Array(vec![FieldValue::Void, FieldValue::Table(inner.clone())]),
        FieldValue::Timestamp(u64::MAX),
        FieldValue::Table(inner),
        FieldValue::Void,
    ]
    .into_iter()
    .enumerate()
    {
        table.insert(format!("field {at}"), value);
    }
    assert_eq!(round_trip(&table), table);
}

#[test]
fn big_l_is_signed_64_bits() {
    let bytes = [1, b'a', b'L', 255, 255, 255, 255, 255, 255, 255, 255];
    let table = FieldTable::from_slice(&bytes).expect("valid");
    assert_eq!(table.get("a"), Some(&FieldValue::I64(-1)));
}

#[test]
fn any_octet_but_zero_is_true() {
    assert_eq!(TableRef::new(&[1, b'a', b't', 2]).find("a"), Some(FieldRef::Bool(true)));
    assert_eq!(TableRef::new(&[1, b'a', b't', 0]).find("a"), Some(FieldRef::Bool(false)));
}

#[test]
fn the_first_of_two_fields_counts() {
    let bytes = [1, b'a', b'B', 1, 1, b'a', b'B', 2];
    assert_eq!(TableRef::new(&bytes).find("a"), Some(FieldRef::U8(1)));
    assert_eq!(FieldTable::from_slice(&bytes).expect("valid").len(), 2);
}

#[test]
fn what_is_wrong_is_named() {
    #[track_caller]
    fn check(bytes: &[u8], expected: FieldError) {
        assert_eq!(TableRef::parse(bytes), Err(expected), "parse");
        assert_eq!(FieldTable::from_slice(bytes), Err(expected), "to_owned");
    }
    check(&[1], FieldError::Truncated);
    check(&[1, b'a'], FieldError::Truncated);
    check(&[1, b'a', b'I', 0, 0, 0], FieldError::Truncated);
    check(&[1, b'a', b'S', 255, 255, 255, 255], FieldError::Truncated);
    check(&[1, b'a', b'Z'], FieldError::UnknownType(b'Z'));
    check(&[1, 255, b'V'], FieldError::NameNotUtf8);
    check(&[1, b'a', b'f', 0x7f, 0xc0, 0, 0], FieldError::NotFinite);
    check(&[1, b'a', b'd', 0x7f, 0xf0, 0, 0, 0, 0, 0, 0], FieldError::NotFinite);
    check(&[1, b'a', b'A', 0, 0, 0, 1, b'?'], FieldError::UnknownType(b'?'));
}

#[test]
fn nesting_ends_at_the_limit() {
    let nested = |levels: usize| {
        (1..levels).fold(FieldTable::new(), |inner, _| {
            let mut outer = FieldTable::new();
            outer.insert("t", inner);
            outer
        })
    };
    assert_eq!(round_trip(&nested(MAX_DEPTH)), nested(MAX_DEPTH));
    let bytes = nested(MAX_DEPTH + 1).to_bytes();
    assert_eq!(TableRef::parse(&bytes), Err(FieldError::TooDeep));
    assert_eq!(FieldTable::from_slice(&bytes), Err(FieldError::TooDeep));
}

#[test]
fn equivalence_is_by_value() {
    #[track_caller]
    fn check(left: FieldValue, right: FieldValue, expected: bool) {
        assert_eq!(left.equivalent(&right), expected, "{left:?} and {right:?}");
        assert_eq!(right.equivalent(&left), expected, "{right:?} and {left:?}");
    }
    check(FieldValue::I32(5), FieldValue::I64(5), true);
    check(FieldValue::I8(5), FieldValue::U32(5), true);
    check(FieldValue::I32(5), FieldValue::I64(6), false);
    check(FieldValue::I32(5), FieldValue::F64(5.0), false);
    check(FieldValue::F32(0.5), FieldValue::F64(0.5), true);
    check(FieldValue::from("a"), FieldValue::Bytes(b"a".to_vec()), true);
    check(FieldValue::from("5"), FieldValue::I32(5), false);
    check(FieldValue::Timestamp(5), FieldValue::I32(5), true);
    check(FieldValue::Array(vec![]), FieldValue::Table(FieldTable::new()), true);
    check(FieldValue::Array(vec![FieldValue::I32(1)]), FieldValue::Array(vec![FieldValue::I64(1)]), false);
    check(FieldValue::Bool(true), FieldValue::I32(1), false);
}

#[test]
fn integers_of_every_width_read_as_i64() {
    assert_eq!(FieldValue::U8(200).as_i64(), Some(200));
    assert_eq!(FieldValue::I16(-5).as_i64(), Some(-5));
    assert_eq!(FieldValue::U32(u32::MAX).as_i64(), Some(4_294_967_295));
    assert_eq!(FieldValue::Timestamp(1).as_i64(), None);
    assert_eq!(FieldValue::from("1").as_i64(), None);
}

#[test]
fn a_name_too_long_is_cut_between_characters() {
    let mut table = FieldTable::new();
    table.insert("é".repeat(128), true);
    let back = round_trip(&table);
    assert_eq!(back.iter().next().expect("one field").0.len(), 254);
}
