//! Frames: type, channel, size, payload and the end octet (AMQP 0-9-1 section 4.2.3), and the protocol header.

#[cfg(test)]
mod tests;

use crate::method::Method;
use crate::wire::length_prefixed;

/// Frame type: a method.
pub const FRAME_METHOD: u8 = 1;
/// Frame type: a content header.
pub const FRAME_HEADER: u8 = 2;
/// Frame type: a part of a content body.
pub const FRAME_BODY: u8 = 3;
/// Frame type: a heartbeat.
pub const FRAME_HEARTBEAT: u8 = 8;
/// The octet that ends every frame.
pub const FRAME_END: u8 = 0xCE;
/// Bytes of a frame's header.
pub const FRAME_HEADER_SIZE: usize = 7;
/// Bytes of a frame besides its payload.
pub const FRAME_OVERHEAD: usize = 8;
/// The smallest frame_max, and the largest frame before tuning, in bytes.
pub const FRAME_MIN_SIZE: usize = 4096;
/// A whole heartbeat frame.
pub const HEARTBEAT_FRAME: [u8; 8] = [FRAME_HEARTBEAT, 0, 0, 0, 0, 0, 0, FRAME_END];

/// What stands before the payload of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Frame type, `FRAME_METHOD` and others.
    pub kind: u8,
    /// Channel number; 0 is the connection.
    pub channel: u16,
    /// Bytes of the payload.
    pub size: u32,
}

impl FrameHeader {
    /// Reads a header; any seven bytes are one.
    #[inline]
    pub fn parse(bytes: &[u8; FRAME_HEADER_SIZE]) -> FrameHeader {
        let [kind, c0, c1, s0, s1, s2, s3] = *bytes;
        FrameHeader { kind, channel: u16::from_be_bytes([c0, c1]), size: u32::from_be_bytes([s0, s1, s2, s3]) }
    }

    /// The bytes of the header.
    #[inline]
    pub fn to_bytes(self) -> [u8; FRAME_HEADER_SIZE] {
        let [c0, c1] = self.channel.to_be_bytes();
        let [s0, s1, s2, s3] = self.size.to_be_bytes();
        [self.kind, c0, c1, s0, s1, s2, s3]
    }
}

/// Appends a frame around `payload`.
#[inline]
pub fn write_frame(out: &mut Vec<u8>, kind: u8, channel: u16, payload: &[u8]) {
    out.reserve(payload.len() + FRAME_OVERHEAD);
    out.extend_from_slice(&FrameHeader { kind, channel, size: payload.len() as u32 }.to_bytes());
    out.extend_from_slice(payload);
    out.push(FRAME_END);
}

/// Appends a frame whose payload `write` appends.
#[inline]
pub fn write_frame_with(out: &mut Vec<u8>, kind: u8, channel: u16, write: impl FnOnce(&mut Vec<u8>)) {
    let [c0, c1] = channel.to_be_bytes();
    out.extend_from_slice(&[kind, c0, c1]);
    length_prefixed(out, write);
    out.push(FRAME_END);
}

/// Appends a method frame.
#[inline]
pub fn write_method(out: &mut Vec<u8>, channel: u16, method: &Method<'_>) {
    write_frame_with(out, FRAME_METHOD, channel, |out| method.encode(out));
}

/// What the first bytes of a connection ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolHeader {
    /// `AMQP 0 0 9 1`.
    Amqp091,
    /// `AMQP 1 1 0 9`: AMQP 0-9, which RabbitMQ serves as 0-9-1.
    Amqp09,
    /// `AMQP 3 1 0 0`: AMQP 1.0 over SASL.
    Amqp10Sasl,
    /// `AMQP x 1 0 0`: AMQP 1.0 without the SASL that RabbitMQ demands.
    Amqp10,
    /// `GET `: somebody speaks HTTP to the AMQP port.
    Http,
    /// A TLS ClientHello on a plain port.
    Tls,
    /// `AMQP 0 0 x y` with x of 9 and more: a version of 0-9-1's line that does not exist.
    OtherVersion,
    /// Anything else.
    Other,
}

impl ProtocolHeader {
    /// Bytes of a protocol header.
    pub const SIZE: usize = 8;
    /// The header that asks for, or offers, AMQP 0-9-1.
    pub const AMQP_0_9_1: [u8; 8] = *b"AMQP\x00\x00\x09\x01";
    /// The header that asks for, or offers, AMQP 1.0 over SASL.
    pub const AMQP_1_0_SASL: [u8; 8] = *b"AMQP\x03\x01\x00\x00";

    /// Classifies the first bytes of a connection; `None` while there are fewer than eight.
    pub fn classify(bytes: &[u8]) -> Option<ProtocolHeader> {
        let header = bytes.first_chunk::<8>()?;
        Some(match *header {
            [b'A', b'M', b'Q', b'P', 0, 0, 9, 1] => ProtocolHeader::Amqp091,
            [b'A', b'M', b'Q', b'P', 1, 1, 0, 9] => ProtocolHeader::Amqp09,
            [b'A', b'M', b'Q', b'P', 3, 1, 0, 0] => ProtocolHeader::Amqp10Sasl,
            [b'A', b'M', b'Q', b'P', _, 1, 0, 0] => ProtocolHeader::Amqp10,
            [b'A', b'M', b'Q', b'P', 0, 0, 9..=255, _] => ProtocolHeader::OtherVersion,
            [b'G', b'E', b'T', b' ', ..] => ProtocolHeader::Http,
            [0x16, 0x03, _, _, _, 0x01, ..] => ProtocolHeader::Tls,
            _ => ProtocolHeader::Other,
        })
    }

    /// The header RabbitMQ 4.x answers a refused one with before it closes; `None` for the two it serves as 0-9-1. A
    /// server without AMQP 1.0 refuses `Amqp10Sasl` too, and then offers 0-9-1.
    pub fn refusal(self) -> Option<[u8; 8]> {
        match self {
            ProtocolHeader::Amqp091 | ProtocolHeader::Amqp09 => None,
            ProtocolHeader::Amqp10Sasl | ProtocolHeader::OtherVersion => Some(Self::AMQP_0_9_1),
            ProtocolHeader::Amqp10 | ProtocolHeader::Http | ProtocolHeader::Tls | ProtocolHeader::Other => {
                Some(Self::AMQP_1_0_SASL)
            }
        }
    }
}
