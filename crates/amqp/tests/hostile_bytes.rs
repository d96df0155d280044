//! Random and mutated bytes against every decoder, on the stable toolchain: nothing panics, and what decodes is sound.
//!
//! `AMQP_SEED` repeats a run; the seed stands in the failure.

use amqp::method::{basic, connection, queue};
use amqp::{ContentHeader, FieldTable, FieldValue, FrameHeader, Method, Properties, ProtocolHeader, TableRef, erlang};

const ROUNDS: usize = 60_000;

/// xorshift64*: enough to vary bytes, and the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit.max(1)
    }

    fn bytes(&mut self) -> Vec<u8> {
        (0..self.below(80)).map(|_| self.next() as u8).collect()
    }

    /// One to four bytes changed, removed, added, or the end cut off.
    fn mutate(&mut self, sample: &[u8]) -> Vec<u8> {
        let mut bytes = sample.to_vec();
        for _ in 0..1 + self.below(4) {
            let at = self.below(bytes.len());
            match self.below(5) {
                0 if !bytes.is_empty() => drop(bytes.remove(at)),
                1 => bytes.insert(at, self.next() as u8),
                2 => bytes.truncate(at),
                3 if !bytes.is_empty() => bytes[at] = [0, 1, 127, 128, 255][self.below(5)],
                _ if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                _ => {}
            }
        }
        bytes
    }
}

fn samples() -> Vec<Vec<u8>> {
    let mut inner = FieldTable::new();
    inner.insert("list", vec![FieldValue::I64(-1), FieldValue::Void, "é".into(), FieldValue::F64(0.5)]);
    let mut table = FieldTable::new();
    table.insert("x-message-ttl", 60_000);
    table.insert("inner", inner);
    table.insert("bytes", FieldValue::Bytes(vec![0, 255]));
    let bytes = table.to_bytes();
    let arguments = TableRef::new(&bytes);
    let methods: [Method<'_>; 5] = [
        queue::Declare { queue: "q", arguments, ..Default::default() }.into(),
        basic::Publish { exchange: "amq.topic".into(), routing_key: "a.b.c".into(), ..Default::default() }.into(),
        basic::Ack { delivery_tag: 9, multiple: true }.into(),
        connection::StartOk {
            client_properties: arguments,
            mechanism: "PLAIN",
            response: b"\0guest\0guest",
            locale: "en_US",
        }
        .into(),
        connection::Close { reply_code: 200, reply_text: "bye", class_id: 0, method_id: 0 }.into(),
    ];
    let encode = |method: &Method<'_>| {
        let mut payload = Vec::new();
        method.encode(&mut payload);
        payload
    };
    let mut samples: Vec<Vec<u8>> = methods.iter().map(encode).collect();
    let mut header = Vec::new();
    Properties {
        content_type: Some("text/plain"),
        headers: Some(arguments),
        delivery_mode: Some(2),
        expiration: Some("60000"),
        timestamp: Some(1),
        ..Default::default()
    }
    .encode_header(5, &mut header);
    samples.extend([header, bytes.clone(), b"AMQP\0\0\x09\x01".to_vec()]);
    samples
}

fn decode_everything(bytes: &[u8]) {
    if let Ok(method) = Method::decode(bytes) {
        let mut encoded = Vec::new();
        method.encode(&mut encoded);
        assert_eq!(Method::decode(&encoded), Ok(method));
    }
    let owned = FieldTable::from_slice(bytes);
    assert_eq!(TableRef::parse(bytes).map(drop), owned.as_ref().map(drop).map_err(|error| *error));
    if let Ok(table) = owned {
        assert_eq!(FieldTable::from_slice(&table.to_bytes()), Ok(table));
    }
    if let Ok(header) = ContentHeader::parse(bytes) {
        let _ = (header.properties.delivery_mode(), header.properties.headers());
        if let Ok(properties) = header.properties.decode() {
            let mut encoded = Vec::new();
            properties.encode(&mut encoded);
            assert_eq!(&encoded[2..], header.properties.bytes);
            assert_eq!(header.properties.delivery_mode(), properties.delivery_mode);
        }
    }
    if let Some(header) = bytes.first_chunk() {
        assert_eq!(&FrameHeader::parse(header).to_bytes(), header);
    }
    assert_eq!(ProtocolHeader::classify(bytes).is_some(), bytes.len() >= 8);
    assert!(erlang::unknown_frame(9, bytes).ends_with(": unknown_frame"));
    assert!(erlang::binary(bytes).starts_with("<<"));
}

#[test]
fn no_bytes_break_a_decoder() {
    let seed = std::env::var("AMQP_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x1e7e_4e70);
    let mut random = Random(seed);
    let samples = samples();
    for round in 0..ROUNDS {
        let bytes = match round % 4 {
            0 => random.bytes(),
            _ => {
                let sample = &samples[random.below(samples.len())];
                random.mutate(sample)
            }
        };
        let outcome = std::panic::catch_unwind(|| decode_everything(&bytes));
        assert!(outcome.is_ok(), "AMQP_SEED={seed}, round {round}, bytes {bytes:?}");
    }
}
