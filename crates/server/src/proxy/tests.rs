//! Headers as proxies send them, and whatever else may come.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn version_1_names_both_ends() {
    let line = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 5672\r\nAMQP";
    let header = parse(line).unwrap().unwrap();
    assert_eq!(header.length, line.len() - 4);
    assert_eq!(header.ends, Some((address("192.0.2.7:56324"), address("198.51.100.1:5672"))));
    let six = parse(b"PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n").unwrap().unwrap();
    assert_eq!(six.ends, Some((address("[2001:db8::1]:1"), address("[2001:db8::2]:2"))));
    assert_eq!(parse(b"PROXY UNKNOWN a b c\r\n").unwrap().unwrap().ends, None);
}

#[test]
fn every_beginning_of_a_header_waits_for_the_rest() {
    for whole in [&b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 5672\r\n"[..], &with_tls()] {
        for end in 0..whole.len() {
            assert_eq!(parse(&whole[..end]), Ok(None), "{end}");
        }
        assert_eq!(parse(whole).unwrap().unwrap().length, whole.len());
    }
}

#[test]
fn what_is_no_header_is_refused() {
    for (bytes, error) in [
        (&b"AMQP\0\0\x09\x01"[..], HeaderError::Missing),
        (b"\r\n\r\n\0\r\nQUIX", HeaderError::Missing),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n", HeaderError::Malformed),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 05672\r\n", HeaderError::Malformed),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 65536\r\n", HeaderError::Malformed),
        (b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", HeaderError::Malformed),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n", HeaderError::Malformed),
        (b"PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n", HeaderError::Malformed),
        (&[b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat(), HeaderError::Malformed),
        (&[V2_SIGNATURE.as_slice(), &[0x31, 0x11, 0, 12]].concat(), HeaderError::Malformed),
        (&[V2_SIGNATURE.as_slice(), &[0x22, 0x11, 0, 12]].concat(), HeaderError::Malformed),
        (&[V2_SIGNATURE.as_slice(), &[0x21, 0x11, 0, 2, 0, 0]].concat(), HeaderError::Malformed),
        (&[V2_SIGNATURE.as_slice(), &[0x21, 0x11, 0xff, 0xff]].concat(), HeaderError::TooLong),
    ] {
        assert_eq!(parse(bytes), Err(error), "{:?}", String::from_utf8_lossy(bytes));
    }
}

/// A header of version 2 with an extension that says nothing here, and that for TLS.
fn with_tls() -> Vec<u8> {
    let mut ssl = vec![0x01, 0, 0, 0, 0];
    for (kind, value) in [(SUBTYPE_SSL_VERSION, "TLSv1.2"), (SUBTYPE_SSL_CIPHER, "ECDHE-RSA-AES128-GCM-SHA256")] {
        ssl.extend([kind, 0, value.len() as u8]);
        ssl.extend(value.as_bytes());
    }
    let mut rest = vec![192, 0, 2, 7, 198, 51, 100, 1, 0xdc, 0x04, 0x16, 0x28];
    rest.extend([0x04, 0, 2, 9, 9, TYPE_SSL, 0, ssl.len() as u8]);
    rest.extend(ssl);
    let mut header = [V2_SIGNATURE.as_slice(), &[0x21, 0x11, 0, rest.len() as u8]].concat();
    header.extend(rest);
    header
}

#[test]
fn version_2_names_both_ends_and_tls() {
    let header = parse(&with_tls()).unwrap().unwrap();
    assert_eq!(header.ends, Some((address("192.0.2.7:56324"), address("198.51.100.1:5672"))));
    assert_eq!(header.tls, Some(("TLSv1.2".to_owned(), "ECDHE-RSA-AES128-GCM-SHA256".to_owned())));
}

#[test]
fn a_proxy_that_speaks_for_itself_names_nobody() {
    let mut local = with_tls();
    local[12] = 0x20;
    let header = parse(&local).unwrap().unwrap();
    assert_eq!(header, Header { length: local.len(), ends: None, tls: None });
}

/// Addresses of one family, as the two ends of a connection have.
fn ends() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
    let of = |ip: BoxedStrategy<IpAddr>| {
        let end = (ip, any::<u16>()).prop_map(SocketAddr::from);
        (end.clone(), end)
    };
    let v4 = any::<[u8; 4]>().prop_map(IpAddr::from).boxed();
    let v6 = any::<[u8; 16]>().prop_map(IpAddr::from).boxed();
    prop_oneof![of(v4), of(v6)]
}

fn v1(peer: SocketAddr, local: SocketAddr) -> Vec<u8> {
    let family = if peer.is_ipv4() { "TCP4" } else { "TCP6" };
    format!("PROXY {family} {} {} {} {}\r\n", peer.ip(), local.ip(), peer.port(), local.port()).into_bytes()
}

fn v2(peer: SocketAddr, local: SocketAddr) -> Vec<u8> {
    let octets = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let mut rest = [octets(peer.ip()), octets(local.ip())].concat();
    rest.extend(peer.port().to_be_bytes());
    rest.extend(local.port().to_be_bytes());
    let family = if peer.is_ipv4() { 0x11 } else { 0x21 };
    [V2_SIGNATURE.as_slice(), &[0x21, family, 0, rest.len() as u8], &rest].concat()
}

proptest! {
    #[test]
    fn what_proxies_say_is_read_and_nothing_behind_it((peer, local) in ends(), behind in vec(any::<u8>(), 0..40)) {
        for header in [v1(peer, local), v2(peer, local)] {
            for end in 0..header.len() {
                prop_assert_eq!(parse(&header[..end]), Ok(None));
            }
            let expected = Header { length: header.len(), ends: Some((peer, local)), tls: None };
            prop_assert_eq!(parse(&[&header[..], &behind].concat()), Ok(Some(expected)));
        }
    }

    /// What is taken was there, and fits in what is looked at; and once there are as many bytes as that, it is decided.
    #[test]
    fn whatever_comes_is_bounded(
        start in select(vec![&b""[..], b"PROXY ", b"PROXY TCP4 1", &V2_SIGNATURE[..], b"\r\n"]),
        rest in vec(any::<u8>(), 0..300),
    ) {
        let bytes = [start, &rest].concat();
        if let Ok(Some(header)) = parse(&bytes) {
            prop_assert!(header.length <= bytes.len().min(MAX_HEADER_BYTES));
        }
        let full = [&bytes[..], &[0; MAX_HEADER_BYTES]].concat();
        prop_assert!(parse(&full[..MAX_HEADER_BYTES]) != Ok(None));
    }

    #[test]
    fn one_wrong_byte_makes_no_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut header = with_tls();
        let at = at.index(header.len());
        header[at] = byte;
        if let Ok(Some(Header { tls: Some((version, suite)), .. })) = parse(&header) {
            prop_assert!(version.chars().chain(suite.chars()).all(|letter| letter.is_ascii_graphic()));
        }
    }
}
