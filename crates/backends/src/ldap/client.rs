//! A connection to a server: bind, search and StartTLS (RFC 4511), each with a limit of time and size.
//!
//! Nothing more is needed here, and a server, or who stands between, must not be able to end the process by what it
//! sends. Filters are encoded from their parts and never written as text, so that no value can add to one.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::ber::{BOOLEAN, ENUMERATED, Elements, INTEGER, OCTETS, SEQUENCE, SET, length, put, put_all, put_integer};
use super::query::Failure;

const BIND: u8 = 0x60;
const BOUND: u8 = 0x61;
const SEARCH: u8 = 0x63;
const ENTRY: u8 = 0x64;
const DONE: u8 = 0x65;
const REFERENCE: u8 = 0x73;
const EXTENDED: u8 = 0x77;
const EXTENDED_DONE: u8 = 0x78;

const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

/// Longest message that is read, in bytes, and how much one search may find.
const LONGEST: usize = 4 << 20;
/// Entries that a search may find.
const MOST_ENTRIES: u32 = 1000;

const SUCCESS: u32 = 0;
const SIZE_LIMIT_EXCEEDED: u32 = 4;
const REFERRAL: u32 = 10;
const NO_SUCH_OBJECT: u32 = 32;
const INVALID_CREDENTIALS: u32 = 49;
/// timeLimitExceeded, adminLimitExceeded, busy, unavailable, other: another time it may be another answer.
const PASSING: [u32; 5] = [3, 11, 51, 52, 80];

/// Where a search looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Entry = 0,
    Below = 1,
    Subtree = 2,
}

/// What a search looks for: any entry, or those with a value of an attribute.
pub(super) type Filter<'a> = Option<(&'a str, &'a str)>;

/// What a search found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) entries: Vec<Entry>,
    /// These are all; false where a limit left some out.
    pub(super) is_all: bool,
}

/// An entry that was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) dn: String,
    pub(super) attributes: Vec<(String, Vec<String>)>,
}

/// How a connection is protected.
#[derive(Clone)]
pub(super) enum Protection {
    None,
    Tls(Arc<ClientConfig>),
    StartTls(Arc<ClientConfig>),
}

pub(super) struct Connection {
    stream: Stream,
    last_id: u32,
    timeout: Option<Duration>,
}

impl Connection {
    /// Connects to `host`.
    pub(super) fn open(
        host: &str,
        port: u16,
        timeout: Option<Duration>,
        protection: &Protection,
    ) -> Result<Connection, Failure> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let tcp = connect(host, port, deadline).map_err(|error| Failure::Other(error.to_string()))?;
        // What is sent is small and waited for.
        let _ = tcp.set_nodelay(true);
        let timed = Timed { stream: tcp, deadline };
        let mut connection = Connection { stream: Stream::Plain(timed), last_id: 0, timeout };
        match protection {
            Protection::None => Ok(connection),
            Protection::Tls(config) => connection.protect(host, config),
            Protection::StartTls(config) => {
                connection.send(|out| put_all(out, EXTENDED, |out| put(out, 0x80, START_TLS)))?;
                let (tag, content) = connection.receive()?;
                let code = if tag == EXTENDED_DONE { result_of(&content) } else { None };
                match code {
                    Some(SUCCESS) => connection.protect(host, config),
                    Some(code) => Err(Failure::Other(format!("StartTLS is refused with {code}"))),
                    None => Err(unreadable()),
                }
            }
        }
    }

    fn protect(self, host: &str, config: &Arc<ClientConfig>) -> Result<Connection, Failure> {
        let tls = |text: String| Failure::Other(format!("TLS: {text}"));
        let name = ServerName::try_from(host.to_owned()).map_err(|error| tls(error.to_string()))?;
        let session = ClientConnection::new(config.clone(), name).map_err(|error| tls(error.to_string()))?;
        let Stream::Plain(timed) = self.stream else { return Err(tls("is in use already".to_owned())) };
        let mut stream = StreamOwned::new(session, timed);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).map_err(|error| tls(error.to_string()))?;
        }
        Ok(Connection { stream: Stream::Tls(Box::new(stream)), ..self })
    }

    /// Binds; false for a wrong name or password. Neither may be empty, which servers take for nobody in particular and
    /// let in (RFC 4513, 5.1.2), nor begin with a zero, where a server written in C may see their end.
    pub(super) fn bind(&mut self, dn: &str, password: &str) -> Result<bool, Failure> {
        if [dn, password].iter().any(|text| text.is_empty() || text.starts_with('\0')) {
            return Ok(false);
        }
        self.send(|out| {
            put_all(out, BIND, |out| {
                put_integer(out, INTEGER, 3);
                put(out, OCTETS, dn.as_bytes());
                put(out, 0x80, password.as_bytes());
            });
        })?;
        match self.receive()? {
            (BOUND, content) => match result_of(&content).ok_or_else(unreadable)? {
                SUCCESS => Ok(true),
                INVALID_CREDENTIALS => Ok(false),
                code => Err(Failure::Other(format!("the server answers with result code {code}"))),
            },
            _ => Err(unreadable()),
        }
    }

    /// What is found, with the values of one attribute.
    pub(super) fn search(
        &mut self,
        base: &str,
        scope: Scope,
        filter: Filter<'_>,
        attribute: &str,
    ) -> Result<Found, Failure> {
        self.send(|out| put_all(out, SEARCH, |out| put_search(out, base, scope, filter, attribute)))?;
        let (mut entries, mut bytes) = (Vec::new(), 0);
        loop {
            let (tag, content) = self.receive()?;
            // What is around it counts, so that nothing at all has an end, too.
            bytes += 16 + content.len();
            if bytes > LONGEST {
                return Err(Failure::Broken("the answer is too long".to_owned()));
            }
            match tag {
                ENTRY => entries.push(entry(&content).ok_or_else(unreadable)?),
                REFERENCE => {}
                DONE => match result_of(&content).ok_or_else(unreadable)? {
                    code @ (SUCCESS | SIZE_LIMIT_EXCEEDED) => return Ok(Found { entries, is_all: code == SUCCESS }),
                    NO_SUCH_OBJECT => return Err(Failure::Other("noSuchObject".to_owned())),
                    REFERRAL => return Err(Failure::Other("referrals_not_supported".to_owned())),
                    code if PASSING.contains(&code) => {
                        return Err(Failure::Undecided(format!("the server answers with result code {code}")));
                    }
                    code => return Err(Failure::Other(format!("the server answers with result code {code}"))),
                },
                _ => return Err(unreadable()),
            }
        }
    }

    fn send(&mut self, fill: impl FnOnce(&mut Vec<u8>)) -> Result<(), Failure> {
        self.stream.timed().deadline = self.timeout.map(|timeout| Instant::now() + timeout);
        self.last_id = self.last_id.wrapping_add(1) & 0x7fff_ffff;
        let mut message = Vec::new();
        put_all(&mut message, SEQUENCE, |out| {
            put_integer(out, INTEGER, self.last_id);
            fill(out);
        });
        self.stream.write_all(&message).and_then(|()| self.stream.flush()).map_err(|error| lost(&error))
    }

    /// Tag and content of what the server answers to what was sent last.
    fn receive(&mut self) -> Result<(u8, Vec<u8>), Failure> {
        let message = read_message(&mut self.stream).map_err(|error| lost(&error))?;
        let mut elements = Elements(&message);
        let id = elements.integer(INTEGER).ok_or_else(unreadable)?;
        let (tag, content) = elements.next().ok_or_else(unreadable)?;
        if id == 0 {
            // The server says that it closes the connection.
            return Err(Failure::Closed);
        }
        // Nothing else is under way.
        if id == self.last_id { Ok((tag, content.to_vec())) } else { Err(unreadable()) }
    }
}

fn put_search(out: &mut Vec<u8>, base: &str, scope: Scope, filter: Filter<'_>, attribute: &str) {
    put(out, OCTETS, base.as_bytes());
    put_integer(out, ENUMERATED, scope as u32);
    // Aliases are followed, as eldap does.
    put_integer(out, ENUMERATED, 3);
    put_integer(out, INTEGER, MOST_ENTRIES);
    put_integer(out, INTEGER, 0);
    put(out, BOOLEAN, &[0]);
    match filter {
        Some((attribute, value)) => put_all(out, 0xa3, |out| {
            put(out, OCTETS, attribute.as_bytes());
            put(out, OCTETS, value.as_bytes());
        }),
        None => put(out, 0x87, b"objectClass"),
    }
    put_all(out, SEQUENCE, |out| put(out, OCTETS, attribute.as_bytes()));
}

/// The code of an LDAPResult.
fn result_of(content: &[u8]) -> Option<u32> {
    Elements(content).integer(ENUMERATED)
}

fn entry(content: &[u8]) -> Option<Entry> {
    let mut elements = Elements(content);
    let dn = elements.text()?;
    let mut list = Elements(elements.expect(SEQUENCE)?);
    let mut attributes = Vec::new();
    while let Some((SEQUENCE, attribute)) = list.next() {
        let mut attribute = Elements(attribute);
        let name = attribute.text()?;
        let mut set = Elements(attribute.expect(SET)?);
        let values = std::iter::from_fn(|| set.text()).collect();
        attributes.push((name, values));
    }
    Some(Entry { dn, attributes })
}

/// The content of the next message. Its memory grows with what comes, and not by what its length claims.
fn read_message(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let bad = |text: &str| io::Error::new(io::ErrorKind::InvalidData, text.to_owned());
    let mut head = [0; 6];
    stream.read_exact(&mut head[..2])?;
    let more = if head[1] < 0x80 { 0 } else { usize::from(head[1] & 0x7f) };
    let digits = head.get_mut(2..2 + more).ok_or_else(|| bad("no LDAP"))?;
    stream.read_exact(digits)?;
    let (length, _) = length(&head[1..2 + more]).ok_or_else(|| bad("no LDAP"))?;
    if head[0] != SEQUENCE || length > LONGEST {
        return Err(bad("no LDAP, or too long"));
    }
    let mut message = Vec::new();
    read_content(stream, length, &mut message)?;
    Ok(message)
}

fn read_content(stream: &mut impl Read, length: usize, message: &mut Vec<u8>) -> io::Result<()> {
    stream.take(length as u64).read_to_end(message)?;
    if message.len() < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

fn unreadable() -> Failure {
    Failure::Broken("the server's answer is no LDAP".to_owned())
}

fn lost(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Failure::Broken("timeout".to_owned()),
        io::ErrorKind::InvalidData => Failure::Broken(error.to_string()),
        _ => Failure::Closed,
    }
}

fn connect(host: &str, port: u16, deadline: Option<Instant>) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in (host, port).to_socket_addrs()? {
        let connected = match remaining(deadline)? {
            Some(left) => TcpStream::connect_timeout(&address, left),
            None => TcpStream::connect(address),
        };
        match connected {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn remaining(deadline: Option<Instant>) -> io::Result<Option<Duration>> {
    let Some(deadline) = deadline else { return Ok(None) };
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
}

/// A socket on which everything is over at the deadline, however little comes at a time.
struct Timed {
    stream: TcpStream,
    deadline: Option<Instant>,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(remaining(self.deadline)?)?;
        self.stream.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(remaining(self.deadline)?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

enum Stream {
    Plain(Timed),
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

impl Stream {
    fn timed(&mut self) -> &mut Timed {
        match self {
            Stream::Plain(timed) => timed,
            Stream::Tls(stream) => &mut stream.sock,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(timed) => timed.read(buffer),
            Stream::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(timed) => timed.write(bytes),
            Stream::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(timed) => timed.flush(),
            Stream::Tls(stream) => stream.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_entry_is_taken_apart() {
        let mut bytes = Vec::new();
        put(&mut bytes, OCTETS, b"cn=a");
        put_all(&mut bytes, SEQUENCE, |out| {
            put_all(out, SEQUENCE, |out| {
                put(out, OCTETS, b"mail");
                put_all(out, SET, |out| {
                    put(out, OCTETS, b"one");
                    put(out, OCTETS, b"two");
                });
            });
        });
        let values = vec!["one".to_owned(), "two".to_owned()];
        let expected = Entry { dn: "cn=a".to_owned(), attributes: vec![("mail".to_owned(), values)] };
        assert_eq!(entry(&bytes), Some(expected));
    }

    #[test]
    fn a_message_takes_no_memory_for_what_it_claims() {
        let claims = |bytes: &[u8]| read_message(&mut &*bytes).unwrap_err().kind();
        assert_eq!(claims(&[0x30, 0x83, 0x3f, 0xff, 0xff, 1]), io::ErrorKind::UnexpectedEof);
        assert_eq!(claims(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 1]), io::ErrorKind::InvalidData);
        assert_eq!(claims(&[0x30, 0x88, 0, 0, 0, 0, 0, 0, 0, 1]), io::ErrorKind::InvalidData);
        assert_eq!(claims(b"HTTP/1.1 400 Bad Request"), io::ErrorKind::InvalidData);
        assert_eq!(read_message(&mut &[0x30, 2, 5, 0, 9][..]).unwrap(), [5, 0]);
        let mut message = Vec::new();
        let error = read_content(&mut &[7; 1000][..], LONGEST, &mut message).unwrap_err();
        assert_eq!((error.kind(), message.len()), (io::ErrorKind::UnexpectedEof, 1000));
        assert!(message.capacity() <= 16 << 10, "{} bytes for a thousand", message.capacity());
    }

    proptest! {
        #[test]
        fn an_entry_that_was_tampered_with_is_none_or_another(
            at in 0..64_usize, byte in any::<u8>(), cut in 0..64_usize, dn in ".{0,20}", value in ".{0,20}",
        ) {
            let mut bytes = Vec::new();
            put(&mut bytes, OCTETS, dn.as_bytes());
            put_all(&mut bytes, SEQUENCE, |out| {
                put_all(out, SEQUENCE, |out| {
                    put(out, OCTETS, b"mail");
                    put_all(out, SET, |out| put(out, OCTETS, value.as_bytes()));
                });
            });
            let whole = Entry { dn, attributes: vec![("mail".to_owned(), vec![value])] };
            prop_assert_eq!(entry(&bytes), Some(whole));
            if let Some(found) = bytes.get_mut(at) {
                *found = byte;
            }
            bytes.truncate(bytes.len().saturating_sub(cut));
            // Its texts are what is there: replaced bytes take three each.
            if let Some(Entry { dn, attributes }) = entry(&bytes) {
                let values = attributes.iter().flat_map(|(_, values)| values).map(String::len).sum::<usize>();
                prop_assert!(dn.len() + values <= 3 * bytes.len());
            }
        }

        #[test]
        fn no_bytes_of_a_server_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_message(&mut &*bytes);
            let _ = entry(&bytes);
            let _ = result_of(&bytes);
        }
    }
}
