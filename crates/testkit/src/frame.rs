//! Frames over a blocking socket, with a limit on every wait.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::bytes::Writer;

/// A frame of methods.
pub const FRAME_METHOD: u8 = 1;
/// A content header.
pub const FRAME_HEADER: u8 = 2;
/// A part of a content body.
pub const FRAME_BODY: u8 = 3;
/// A heartbeat.
pub const FRAME_HEARTBEAT: u8 = 8;
/// The octet after each payload.
pub const FRAME_END: u8 = 0xce;

/// A frame as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The frame type's octet.
    pub frame_type: u8,
    /// The channel.
    pub channel: u16,
    /// Everything between frame header and frame end.
    pub payload: Vec<u8>,
}

/// The bytes of a frame that ends in `end`.
pub fn encode_frame(frame_type: u8, channel: u16, payload: &[u8], end: u8) -> Vec<u8> {
    let mut out = Writer::default();
    out.octet(frame_type).short(channel).long_string(payload).octet(end);
    out.finish()
}

/// A socket that reads frames and writes bytes, at once or, while corked, together.
#[derive(Debug)]
pub struct FrameStream {
    input: BufReader<TcpStream>,
    output: TcpStream,
    corked: Option<Vec<u8>>,
    timeout: Duration,
}

impl FrameStream {
    /// Connects; every later wait ends after `timeout`.
    pub fn connect(address: SocketAddr, timeout: Duration) -> io::Result<FrameStream> {
        let output = TcpStream::connect_timeout(&address, timeout)?;
        output.set_nodelay(true)?;
        output.set_read_timeout(Some(timeout))?;
        output.set_write_timeout(Some(timeout))?;
        let input = BufReader::with_capacity(256 * 1024, output.try_clone()?);
        Ok(FrameStream { input, output, corked: None, timeout })
    }

    /// The socket itself, for shutting down or for options.
    pub fn socket(&self) -> &TcpStream {
        &self.output
    }

    /// Changes how long a wait may take.
    pub fn set_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.timeout = timeout;
        self.output.set_read_timeout(Some(timeout))?;
        self.output.set_write_timeout(Some(timeout))
    }

    /// Writes, or keeps for [`FrameStream::uncork`].
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.corked {
            Some(kept) => {
                kept.extend_from_slice(bytes);
                Ok(())
            }
            None => self.output.write_all(bytes),
        }
    }

    /// Keeps what is written from now on.
    pub fn cork(&mut self) {
        self.corked.get_or_insert_default();
    }

    /// Writes what was kept in one call.
    pub fn uncork(&mut self) -> io::Result<()> {
        match self.corked.take() {
            Some(kept) => self.output.write_all(&kept),
            None => Ok(()),
        }
    }

    /// The next frame, or `None` when the peer closed or reset the connection between frames.
    pub fn read(&mut self) -> io::Result<Option<Frame>> {
        let mut first = [0];
        match self.input.read(&mut first) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) if is_end(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut header = [0; 6];
        self.input.read_exact(&mut header)?;
        let [high, low, size @ ..] = header;
        let size = u32::from_be_bytes(size) as usize;
        let mut payload = Vec::new();
        (&mut self.input).take(size as u64).read_to_end(&mut payload)?;
        let mut end = [0];
        self.input.read_exact(&mut end)?;
        if end != [FRAME_END] {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("frame of {size} bytes ends in {end:?}")));
        }
        Ok(Some(Frame { frame_type: first[0], channel: u16::from_be_bytes([high, low]), payload }))
    }

    /// Reads exactly `length` bytes that are no frame, such as a protocol header; `None` at the end of the stream.
    pub fn read_bytes(&mut self, length: usize) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = vec![0; length];
        match self.input.read_exact(&mut bytes) {
            Ok(()) => Ok(Some(bytes)),
            Err(error) if is_end(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// True when a byte (or the end of the stream) can be read within `wait`.
    pub fn readable_within(&mut self, wait: Duration) -> io::Result<bool> {
        self.output.set_read_timeout(Some(wait))?;
        let readable = match self.input.fill_buf() {
            Ok(_) => Ok(true),
            Err(error) if is_timeout(&error) => Ok(false),
            Err(error) if is_end(&error) => Ok(true),
            Err(error) => Err(error),
        };
        self.output.set_read_timeout(Some(self.timeout))?;
        readable
    }
}

/// True for errors that mean a wait ended without anything.
pub fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}
