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
