//! SASL mechanisms: from a client's response to credentials.

use std::fmt;

use amqp::erlang;
use amqp::field::{FieldRef, TableRef};

/// A SASL mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// User name and password between NUL bytes (RFC 4616).
    Plain,
    /// User name and password as fields of a table.
    Amqplain,
    /// No credentials: the login of the configured anonymous user.
    Anonymous,
    /// The user that the client's certificate names; only over TLS.
    External,
}

impl Mechanism {
    const EVERY: [Mechanism; 4] = [Mechanism::Plain, Mechanism::Amqplain, Mechanism::Anonymous, Mechanism::External];

    /// The name in `connection.start`.
    pub fn as_str(self) -> &'static str {
        match self {
            Mechanism::Plain => "PLAIN",
            Mechanism::Amqplain => "AMQPLAIN",
            Mechanism::Anonymous => "ANONYMOUS",
            Mechanism::External => "EXTERNAL",
        }
    }

    /// The mechanism called `name`, exactly.
    pub fn from_name(name: &str) -> Option<Mechanism> {
        Mechanism::EVERY.into_iter().find(|mechanism| mechanism.as_str() == name)
    }

    /// The mechanism that a client chose by `name`, if it is among those `offered`.
    pub fn choose(name: &str, offered: &[Mechanism]) -> Result<Mechanism, SaslError> {
        let mechanism = Mechanism::from_name(name).ok_or_else(|| SaslError::UnknownMechanism(name.to_owned()))?;
        offered.contains(&mechanism).then_some(mechanism).ok_or(SaslError::InvalidMechanism(mechanism))
    }

    /// Reads the response of `connection.start-ok`; every mechanism here needs just that one. `certified` is the user
    /// that the client's certificate names, or why it names none.
    pub fn credentials(self, response: &[u8], certified: Result<&str, &'static str>) -> Result<Credentials, SaslError> {
        match self {
            Mechanism::Plain => plain(response),
            Mechanism::Amqplain => amqplain(response),
            Mechanism::External => Ok(match certified {
                Ok(name) => Credentials::Certificate { name: name.to_owned() },
                Err(reason) => Credentials::NoCertificate { reason },
            }),
            Mechanism::Anonymous => Ok(Credentials::Anonymous), // the response is a trace that RFC 4505 lets us ignore
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a client logs in with; `Debug` leaves the password out.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A user name and its password, any bytes.
    Password {
        /// As sent; a name that is not UTF-8 is nobody's.
        user: Vec<u8>,
        /// As sent.
        password: Vec<u8>,
    },
    /// The anonymous user's.
    Anonymous,
    /// The name in a certificate that the client has proved to own.
    Certificate {
        /// The user's name.
        name: String,
    },
    /// A login by certificate without one that names a user.
    NoCertificate {
        /// Why, in RabbitMQ's words.
        reason: &'static str,
    },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credentials::Password { user, .. } => {
                f.debug_struct("Password").field("user", &String::from_utf8_lossy(user)).finish_non_exhaustive()
            }
            Credentials::Anonymous => f.write_str("Anonymous"),
            Credentials::Certificate { name } => f.debug_struct("Certificate").field("name", name).finish(),
            Credentials::NoCertificate { reason } => write!(f, "NoCertificate({reason})"),
        }
    }
}

/// A SASL exchange that cannot go on.
///
/// RabbitMQ never shows these to the client: it waits 3 s and closes the socket without `connection.close`
/// (seen on 3.10.8; `rabbit_reader:handle_exception` of 4.3 is the same). [`SaslError::reply_code`] and
/// [`SaslError::reply_text`] are what it logs; the text of a malformed response holds the response, password and all,
/// so that `Display`, which is for our log, leaves it out, and so does `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum SaslError {
    /// No mechanism has this name.
    UnknownMechanism(String),
    /// The mechanism exists and is not offered.
    InvalidMechanism(Mechanism),
    /// A PLAIN response of another form than NUL, user, NUL, password.
    InvalidResponse(Vec<u8>),
    /// An AMQPLAIN response that is no field table.
    NotATable,
    /// An AMQPLAIN table without LOGIN or PASSWORD.
    MissingField,
    /// LOGIN or PASSWORD is neither a long string nor a byte array.
    UnsupportedType,
}

impl SaslError {
    /// 503 (command invalid) for the choice of mechanism, 502 (syntax error) for its response.
    pub fn reply_code(&self) -> u16 {
        match self {
            SaslError::UnknownMechanism(_) | SaslError::InvalidMechanism(_) => 503,
            _ => 502,
        }
    }

    /// RabbitMQ's text, without the leading name of the reply code; it may contain a password.
    pub fn reply_text(&self) -> String {
        match self {
            SaslError::InvalidResponse(response) => erlang::response_invalid(response),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for SaslError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SaslError::UnknownMechanism(name) => write!(f, "unknown authentication mechanism '{name}'"),
            SaslError::InvalidMechanism(mechanism) => write!(f, "invalid authentication mechanism '{mechanism}'"),
            SaslError::InvalidResponse(_) => f.write_str("PLAIN response invalid"),
            SaslError::NotATable => f.write_str("AMQPLAIN auth info is not a field table"),
            SaslError::MissingField => f.write_str("AMQPLAIN auth info is missing LOGIN or PASSWORD field"),
            SaslError::UnsupportedType => {
                f.write_str("AMQPLAIN auth info uses unsupported type for LOGIN or PASSWORD field")
            }
        }
    }
}

impl fmt::Debug for SaslError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SaslError({self})")
    }
}

impl std::error::Error for SaslError {}

fn plain(response: &[u8]) -> Result<Credentials, SaslError> {
    let invalid = || SaslError::InvalidResponse(response.to_vec());
    // An authorization identity, which would stand before the first NUL, is refused as RabbitMQ does.
    let mut fields = response.strip_prefix(b"\0").ok_or_else(invalid)?.split(|&byte| byte == 0);
    match (fields.next(), fields.next(), fields.next()) {
        (Some(user), Some(password), None) => {
            Ok(Credentials::Password { user: user.to_vec(), password: password.to_vec() })
        }
        _ => Err(invalid()),
    }
}

fn amqplain(response: &[u8]) -> Result<Credentials, SaslError> {
    let table = TableRef::parse(response).map_err(|_| SaslError::NotATable)?;
    let (user, password) = table.find("LOGIN").zip(table.find("PASSWORD")).ok_or(SaslError::MissingField)?;
    let bytes = |field: FieldRef<'_>| field.as_bytes().map(<[u8]>::to_vec).ok_or(SaslError::UnsupportedType);
    Ok(Credentials::Password { user: bytes(user)?, password: bytes(password)? })
}

#[cfg(test)]
mod tests {
    use amqp::{FieldTable, FieldValue};

    use super::*;

    fn password(user: &str, password: &str) -> Result<Credentials, SaslError> {
        Ok(Credentials::Password { user: user.into(), password: password.into() })
    }

    fn table(fields: &[(&str, FieldValue)]) -> Vec<u8> {
        fields.iter().cloned().map(|(name, value)| (name.to_owned(), value)).collect::<FieldTable>().to_bytes()
    }

    fn long(text: &str) -> FieldValue {
        FieldValue::LongString(text.into())
    }

    #[test]
    fn plain_takes_user_and_password() {
        assert_eq!(Mechanism::Plain.credentials(b"\0guest\0s3cret", Err("no TLS")), password("guest", "s3cret"));
        assert_eq!(Mechanism::Plain.credentials(b"\0guest\0", Err("no TLS")), password("guest", ""));
        assert_eq!(Mechanism::Plain.credentials(b"\0\0", Err("no TLS")), password("", ""));
    }

    #[test]
    fn plain_refuses_any_other_form_with_rabbitmqs_text() {
        for (response, printed) in [
            (&b""[..], "<<>>"),
            (b"guest", "<<\"guest\">>"),
            (b"\0guest", "<<0,103,117,101,115,116>>"),
            (b"a\0b\0c", "<<97,0,98,0,99>>"),
            (b"\0b\0c\0", "<<0,98,0,99,0>>"),
        ] {
            let error = Mechanism::Plain.credentials(response, Err("no TLS")).unwrap_err();
            assert_eq!(error.reply_code(), 502);
            assert_eq!(error.reply_text(), format!("response {printed} invalid"));
        }
    }

    #[test]
    fn amqplain_takes_strings_and_byte_arrays() {
        let response = table(&[("PASSWORD", FieldValue::Bytes("s3cret".into())), ("LOGIN", long("guest"))]);
        assert_eq!(Mechanism::Amqplain.credentials(&response, Err("no TLS")), password("guest", "s3cret"));
    }

    #[test]
    fn amqplain_says_what_is_wrong() {
        let check = |response: &[u8], expected| {
            let error = Mechanism::Amqplain.credentials(response, Err("no TLS")).unwrap_err();
            assert_eq!((error.reply_code(), error), (502, expected));
        };
        check(&table(&[("LOGIN", long("guest"))]), SaslError::MissingField);
        check(b"", SaslError::MissingField);
        check(&table(&[("LOGIN", long("guest")), ("PASSWORD", FieldValue::I32(1))]), SaslError::UnsupportedType);
        check(b"\x05LOG", SaslError::NotATable);
    }

    #[test]
    fn a_certificate_names_the_user_whatever_the_response() {
        let certified = Mechanism::External.credentials(b"\0other\0", Ok("CN=client"));
        assert_eq!(certified, Ok(Credentials::Certificate { name: "CN=client".into() }));
        let without = Mechanism::External.credentials(b"guest", Err("not a TLS-enabled connection"));
        assert_eq!(without, Ok(Credentials::NoCertificate { reason: "not a TLS-enabled connection" }));
    }

    #[test]
    fn a_client_chooses_among_those_offered() {
        let offered = [Mechanism::Plain, Mechanism::Amqplain];
        let error = |name| Mechanism::choose(name, &offered).map_err(|error| (error.reply_code(), error.reply_text()));
        assert_eq!(error("AMQPLAIN"), Ok(Mechanism::Amqplain));
        assert_eq!(error("NOPE"), Err((503, "unknown authentication mechanism 'NOPE'".into())));
        assert_eq!(error("plain"), Err((503, "unknown authentication mechanism 'plain'".into())));
        assert_eq!(error("ANONYMOUS"), Err((503, "invalid authentication mechanism 'ANONYMOUS'".into())));
    }

    #[test]
    fn nothing_printed_for_a_log_holds_the_password() {
        let credentials = Mechanism::Plain.credentials(b"\0guest\0s3cret", Err("no TLS")).unwrap();
        assert_eq!(format!("{credentials:?}"), r#"Password { user: "guest", .. }"#);
        let error = Mechanism::Plain.credentials(b"guest\0guest\0s3cret", Err("no TLS")).unwrap_err();
        assert_eq!(format!("{error} {error:?}"), "PLAIN response invalid SaslError(PLAIN response invalid)");
    }
}
