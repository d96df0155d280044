use super::*;

#[test]
fn all_properties_come_back() {
    let mut headers = crate::FieldTable::new();
    headers.insert("h", 1);
    let headers = headers.to_bytes();
    let properties = Properties {
        content_type: Some("text/plain"),
        content_encoding: Some("gzip"),
        headers: Some(TableRef::new(&headers)),
        delivery_mode: Some(2),
        priority: Some(9),
        correlation_id: Some("correlation"),
        reply_to: Some("reply"),
        expiration: Some("60000"),
        message_id: Some("id"),
        timestamp: Some(1_700_000_000),
        kind: Some("kind"),
        user_id: Some("guest"),
        app_id: Some("app"),
        cluster_id: Some(""),
    };
    let mut payload = Vec::new();
    properties.encode_header(5, &mut payload);
    let header = ContentHeader::parse(&payload).expect("valid");
    assert_eq!((header.class_id, header.body_size), (60, 5));
    assert_eq!(header.properties.decode(), Ok(properties));
    assert_eq!(header.properties.delivery_mode(), Some(2));
    assert_eq!(header.properties.headers(), properties.headers);
    let mut again = Vec::new();
    header.properties.encode_header(5, &mut again);
    assert_eq!(again, payload);
}

fn payload_of(properties: Properties<'_>) -> Vec<u8> {
    let mut payload = Vec::new();
    properties.encode_header(9, &mut payload);
    payload
}

#[test]
fn single_properties_are_read_behind_any_others() {
    let mut headers = crate::FieldTable::new();
    headers.insert("h", "value");
    let headers = headers.to_bytes();
    let all = Properties {
        content_type: Some("text/plain"),
        content_encoding: Some("gzip"),
        headers: Some(TableRef::new(&headers)),
        delivery_mode: Some(2),
        priority: Some(7),
        correlation_id: Some("correlation"),
        reply_to: Some("reply"),
        expiration: Some("60000"),
        message_id: Some("id"),
        ..Properties::default()
    };
    let without_text = Properties { content_type: None, reply_to: None, ..all };
    let only = Properties { priority: Some(255), expiration: Some("0"), ..Properties::default() };
    for (properties, priority, expiration) in
        [(all, Some(7), Some(60_000)), (without_text, Some(7), Some(60_000)), (only, Some(255), Some(0))]
    {
        let payload = payload_of(properties);
        assert_eq!((priority_of(&payload), expiration_of(&payload)), (priority, expiration), "{properties:?}");
    }
    for payload in [&payload_of(Properties { message_id: Some("id"), ..Properties::default() })[..], &[], &[0; 13]] {
        assert_eq!((priority_of(payload), expiration_of(payload)), (None, None));
    }
}

#[test]
fn expirations_are_numbers_with_a_sign_perhaps() {
    for (text, expected) in [
        ("0", Some(0)),
        ("+5", Some(5)),
        ("-0", Some(0)),
        ("007", Some(7)),
        ("18446744073709551615", Some(u64::MAX)),
        ("18446744073709551616", None),
        ("-1", None),
        ("", None),
        ("+", None),
        ("60s", None),
    ] {
        let payload = payload_of(Properties { expiration: Some(text), ..Properties::default() });
        assert_eq!(expiration_of(&payload), expected, "{text:?}");
    }
}

#[test]
fn a_header_is_set_and_the_rest_stays() {
    let mut headers = crate::FieldTable::new();
    headers.insert("a", "first");
    headers.insert("count", "not a number");
    headers.insert("z", true);
    let bytes = headers.to_bytes();
    let properties = Properties {
        content_type: Some("text/plain"),
        headers: Some(TableRef::new(&bytes)),
        expiration: Some("+05"),
        app_id: Some("app"),
        ..Properties::default()
    };
    let changed = with_header(&payload_of(properties), "count", 3).expect("a content header");
    headers.remove("count");
    headers.insert("count", crate::FieldValue::I64(3));
    let bytes = headers.to_bytes();
    assert_eq!(changed, payload_of(Properties { headers: Some(TableRef::new(&bytes)), ..properties }));
    let plain = with_header(&payload_of(Properties::default()), "count", -1).expect("a content header");
    let header = ContentHeader::parse(&plain).expect("a content header");
    assert_eq!(header.body_size, 9);
    assert_eq!(header.properties.headers().and_then(|table| table.find("count")), Some(crate::FieldRef::I64(-1)));
    assert_eq!(with_header(&[0; 13], "count", 1), None);
}

#[test]
fn cut_properties_are_put_together_again() {
    let all = Properties {
        content_encoding: Some("gzip"),
        headers: Some(TableRef::new(b"\x01hV")),
        delivery_mode: Some(2),
        priority: Some(7),
        reply_to: Some("reply"),
        expiration: Some("60000"),
        timestamp: Some(5),
        cluster_id: Some("c"),
        ..Properties::default()
    };
    let payload = payload_of(all);
    let cut = CutProperties::of(PropertiesRef::of_payload(&payload).expect("long enough")).expect("well formed");
    let encode = |cut: CutProperties<'_>| {
        let mut out = Vec::new();
        cut.encode_header(9, &mut out, |out| out.extend_from_slice(cut.headers.bytes()));
        out
    };
    assert_eq!(encode(cut), payload);
    assert_eq!(cut.expiration_ms(), Some(60_000));
    assert_eq!(encode(cut.without_expiration()), payload_of(Properties { expiration: None, ..all }));
}
