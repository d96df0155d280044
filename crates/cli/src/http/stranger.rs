//! Servers that are not the HTTP API, as far as their first bytes say what they are.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::io;

/// What answers where the HTTP API was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// A broker's port for AMQP.
    Amqp,
    /// A port with TLS, spoken to without.
    Tls,
    /// A port without TLS, spoken to with.
    Plain,
    /// A certificate that no authority known here has signed.
    UnknownAuthority,
    /// A certificate for another name.
    OtherName,
    /// A certificate that has expired, or is not valid yet.
    OutOfDate,
    /// A certificate with something else wrong.
    BadCertificate,
    /// It answers, but half or not as HTTP does.
    NoHttp,
}

/// The content types of TLS that a server begins with: an alert, and a handshake.
const TLS_RECORDS: [&[u8]; 2] = [&[0x15, 0x03], &[0x16, 0x03]];

impl Stranger {
    /// Who says `answer` to a request.
    pub(super) fn of_answer(answer: &[u8]) -> io::Error {
        let stranger = if answer.starts_with(b"AMQP") {
            Stranger::Amqp
        } else if TLS_RECORDS.iter().any(|start| answer.starts_with(start)) {
            Stranger::Tls
        } else if answer.is_empty() {
            return io::ErrorKind::UnexpectedEof.into();
        } else {
            Stranger::NoHttp
        };
        stranger.into()
    }

    /// Why the handshake of TLS failed.
    pub(super) fn of_handshake(error: io::Error) -> io::Error {
        use rustls::{CertificateError, Error};
        let stranger = match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(Error::InvalidMessage(_)) => Stranger::Plain,
            Some(Error::InvalidCertificate(problem)) => match problem {
                CertificateError::UnknownIssuer => Stranger::UnknownAuthority,
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    Stranger::OtherName
                }
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. } => Stranger::OutOfDate,
                _ => Stranger::BadCertificate,
            },
            _ => return error,
        };
        stranger.into()
    }

    /// What to do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Stranger::Amqp => "the HTTP API is usually on port 15672, or 15671 with https",
            Stranger::Tls => "write https:// instead of http://",
            Stranger::Plain => "write http:// instead of https://, or give the port with TLS, usually 15671",
            Stranger::UnknownAuthority => "name the file of the authority that signed it with --ca-certificate",
            Stranger::OtherName => "give the address by a name that its certificate has",
            Stranger::OutOfDate => "replace the broker's certificate, and see that both clocks are right",
            Stranger::BadCertificate => "replace the broker's certificate",
            Stranger::NoHttp => "see what listens there; the HTTP API is usually on port 15672, or 15671 with https",
        }
    }
}

impl From<Stranger> for io::Error {
    fn from(stranger: Stranger) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, stranger)
    }
}

impl Display for Stranger {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Stranger::Amqp => "it speaks AMQP",
            Stranger::Tls => "it speaks TLS",
            Stranger::Plain => "it does not speak TLS",
            Stranger::UnknownAuthority => "its certificate comes from an authority that is not known here",
            Stranger::OtherName => "its certificate is for another name",
            Stranger::OutOfDate => "its certificate has expired, or is not valid yet",
            Stranger::BadCertificate => "its certificate is not valid",
            Stranger::NoHttp => "the answer is not HTTP",
        })
    }
}

impl Error for Stranger {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_say_who_answers() {
        let said = |answer: &[u8]| Stranger::of_answer(answer).to_string();
        assert_eq!(said(b"AMQP\0\0\x09\x01"), "it speaks AMQP");
        assert_eq!(said(&[0x15, 0x03, 0x03, 0, 2, 2, 70]), "it speaks TLS");
        assert_eq!(said(b"220 smtp.example.com"), "the answer is not HTTP");
        assert_eq!(Stranger::of_answer(b"").kind(), io::ErrorKind::UnexpectedEof);
    }
}
