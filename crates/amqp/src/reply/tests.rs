use super::*;

#[test]
fn names_and_numbers() {
    assert_eq!(ReplyCode::NotFound.value(), 404);
    assert_eq!(reply_text(ReplyCode::NotFound, "no queue 'q' in vhost '/'"), "NOT_FOUND - no queue 'q' in vhost '/'");
    for &code in ReplyCode::ALL {
        assert_eq!(ReplyCode::from_u16(code.value()), Some(code));
    }
    assert_eq!(ReplyCode::from_u16(999), None);
}

#[test]
fn which_codes_close_the_connection() {
    let closing: Vec<u16> =
        ReplyCode::ALL.iter().filter(|code| code.is_connection_error()).map(|code| code.value()).collect();
    assert_eq!(closing, [320, 402, 501, 502, 503, 504, 505, 506, 530, 540, 541]);
}

#[test]
fn a_long_text_ends_in_dots_at_255_bytes() {
    let text = reply_text(ReplyCode::NotFound, &"a".repeat(300));
    assert_eq!(text, format!("NOT_FOUND - {}...", "a".repeat(240)));
    assert_eq!(text.len(), 255);
    assert_eq!(reply_text(ReplyCode::NotFound, &"a".repeat(243)).len(), 255);
    assert!(!reply_text(ReplyCode::NotFound, &"a".repeat(243)).ends_with("..."));
}

#[test]
fn a_long_text_is_cut_between_characters() {
    let text = reply_text(ReplyCode::NotFound, &format!("a{}", "é".repeat(200)));
    assert_eq!(text.len(), 254);
    assert!(text.ends_with("é..."));
}
