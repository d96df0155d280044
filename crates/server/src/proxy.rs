//! The PROXY protocol, versions 1 and 2, by which a proxy says for whom it connects.
//!
//! <https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt>

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Most bytes of a header that are taken. The specification lets one of version 2 have 64 KiB of extensions; all that are
/// in use fit in a fraction of this.
pub(crate) const MAX_HEADER_BYTES: usize = 4096;

const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const V2_FIXED: usize = 16;
/// The longest line of version 1, with its end.
const V1_MOST: usize = 107;
const TYPE_SSL: u8 = 0x20;
const SUBTYPE_SSL_VERSION: u8 = 0x21;
const SUBTYPE_SSL_CIPHER: u8 = 0x23;

/// What a proxy said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    /// How many bytes it took.
    pub(crate) length: usize,
    /// Who connected to where; `None` where the proxy speaks for itself, or for what is no TCP.
    pub(crate) ends: Option<(SocketAddr, SocketAddr)>,
    /// What the client spoke TLS with to the proxy: version and suite, as OpenSSL calls them.
    pub(crate) tls: Option<(String, String)>,
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeaderError {
    #[error("no PROXY header")]
    Missing,
    #[error("malformed PROXY header")]
    Malformed,
    #[error("PROXY header of more than {MAX_HEADER_BYTES} bytes")]
    TooLong,
}

/// Reads a header from the bytes that have come; `None` until it is whole.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Header>, HeaderError> {
    let is_prefix = |of: &[u8]| of.starts_with(&bytes[..bytes.len().min(of.len())]);
    if is_prefix(V2_SIGNATURE) {
        if bytes.len() < V2_FIXED { Ok(None) } else { version_2(bytes) }
    } else if is_prefix(b"PROXY ") {
        version_1(bytes)
    } else {
        Err(HeaderError::Missing)
    }
}

fn version_1(bytes: &[u8]) -> Result<Option<Header>, HeaderError> {
    let Some(end) = bytes.windows(2).take(V1_MOST - 1).position(|pair| pair == b"\r\n") else {
        return if bytes.len() < V1_MOST { Ok(None) } else { Err(HeaderError::Malformed) };
    };
    let line = std::str::from_utf8(&bytes[..end]).map_err(|_| HeaderError::Malformed)?;
    let mut fields = line.split(' ').skip(1);
    let mut next = || fields.next().ok_or(HeaderError::Malformed);
    let ends = match next()? {
        "UNKNOWN" => return Ok(Some(Header { length: end + 2, ..Header::default() })),
        "TCP4" => {
            let (peer, local) = (ip::<Ipv4Addr>(next()?)?, ip::<Ipv4Addr>(next()?)?);
            (SocketAddr::new(peer, port(next()?)?), SocketAddr::new(local, port(next()?)?))
        }
        "TCP6" => {
            let (peer, local) = (ip::<Ipv6Addr>(next()?)?, ip::<Ipv6Addr>(next()?)?);
            (SocketAddr::new(peer, port(next()?)?), SocketAddr::new(local, port(next()?)?))
        }
        _ => return Err(HeaderError::Malformed),
    };
    if fields.next().is_some() {
        return Err(HeaderError::Malformed);
    }
    Ok(Some(Header { length: end + 2, ends: Some(ends), tls: None }))
}

fn ip<A: std::str::FromStr + Into<IpAddr>>(text: &str) -> Result<IpAddr, HeaderError> {
    text.parse::<A>().map(Into::into).map_err(|_| HeaderError::Malformed)
}

/// In digits, without a sign or a zero in front.
fn port(text: &str) -> Result<u16, HeaderError> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain).ok_or(HeaderError::Malformed)
}

fn version_2(bytes: &[u8]) -> Result<Option<Header>, HeaderError> {
    let [.., command, family, high, low] = bytes[..V2_FIXED] else { return Err(HeaderError::Malformed) };
    let length = V2_FIXED + usize::from(u16::from_be_bytes([high, low]));
    if command >> 4 != 2 || command & 0xf > 1 {
        return Err(HeaderError::Malformed);
    }
    if length > MAX_HEADER_BYTES {
        return Err(HeaderError::TooLong);
    }
    let Some(rest) = bytes.get(V2_FIXED..length) else { return Ok(None) };
    // The proxy itself, as for a look whether somebody is there: whatever it says is not about a client.
    if command & 0xf == 0 {
        return Ok(Some(Header { length, ..Header::default() }));
    }
    let (ends, extensions) = match family {
        0x11 => split::<4>(rest).ok_or(HeaderError::Malformed)?,
        0x21 => split::<16>(rest).ok_or(HeaderError::Malformed)?,
        // Neither TCP over IPv4 nor over IPv6: taken, and not understood.
        _ => return Ok(Some(Header { length, ..Header::default() })),
    };
    Ok(Some(Header { length, ends: Some(ends), tls: tls(extensions)? }))
}

type Split<'a> = ((SocketAddr, SocketAddr), &'a [u8]);

/// Two addresses of `N` octets, two ports, and what follows.
fn split<const N: usize>(bytes: &[u8]) -> Option<Split<'_>>
where
    [u8; N]: Into<IpAddr>,
{
    let (peer, rest) = bytes.split_first_chunk::<N>()?;
    let (local, rest) = rest.split_first_chunk::<N>()?;
    let (peer_port, rest) = rest.split_first_chunk::<2>()?;
    let (local_port, rest) = rest.split_first_chunk::<2>()?;
    let end = |ip: [u8; N], port: &[u8; 2]| SocketAddr::new(ip.into(), u16::from_be_bytes(*port));
    Some(((end(*peer, peer_port), end(*local, local_port)), rest))
}

/// Version and suite of the extension for TLS, where the client used it.
fn tls(extensions: &[u8]) -> Result<Option<(String, String)>, HeaderError> {
    let Some(value) = extension(extensions, TYPE_SSL)? else { return Ok(None) };
    // What the client did, bit 0 for TLS, and what came of its certificate; then more of the same form.
    let (flags, inner) = value.split_first_chunk::<5>().ok_or(HeaderError::Malformed)?;
    if flags[0] & 1 == 0 {
        return Ok(None);
    }
    let text = |kind| -> Result<String, HeaderError> {
        let value = extension(inner, kind)?.unwrap_or_default();
        Ok(value.iter().map(|byte| char::from(*byte)).filter(char::is_ascii_graphic).collect())
    };
    Ok(Some((text(SUBTYPE_SSL_VERSION)?, text(SUBTYPE_SSL_CIPHER)?)))
}

/// The value of the extension of a kind.
fn extension(mut bytes: &[u8], wanted: u8) -> Result<Option<&[u8]>, HeaderError> {
    while let Some(([kind, high, low], rest)) = bytes.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let value = rest.get(..length).ok_or(HeaderError::Malformed)?;
        if *kind == wanted {
            return Ok(Some(value));
        }
        bytes = &rest[length..];
    }
    if bytes.is_empty() { Ok(None) } else { Err(HeaderError::Malformed) }
}

#[cfg(test)]
mod tests;
