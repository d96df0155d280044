use super::*;

#[test]
fn every_method_with_empty_arguments_comes_back() {
    for method in all() {
        let mut payload = Vec::new();
        method.encode(&mut payload);
        assert_eq!(Method::decode(&payload), Ok(method), "{}", method.name());
        assert_eq!(method.id().name(), Some(method.name()));
        payload.push(0);
        assert_eq!(Method::decode(&payload), Err(DecodeError::Malformed(method.id())), "{}", method.name());
    }
}
