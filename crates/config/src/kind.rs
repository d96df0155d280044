//! What a value looks like, and reading it.

use crate::ldap_query::LdapQuery;
use crate::options::RotationDate;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The type of a key's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// `true` or `false`, also `on` or `off`.
    Boolean,
    /// A decimal integer within bounds, both included.
    Integer {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
    },
    /// A decimal fraction within bounds, `0.4`, or a percentage, `40%`.
    Fraction {
        /// Smallest value.
        min: f64,
        /// Largest value.
        max: f64,
    },
    /// Bytes with the units of RabbitMQ's `bytesize`: KB, MB and GB are powers of 1024, as are KiB, MiB and GiB.
    Size {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
    },
    /// Bytes with RabbitMQ's information units: k, kB, M, MB and on are powers of 1000, Ki, KiB, Mi, MiB and on of 1024.
    InformationUnit {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
    },
    /// Milliseconds, or a duration with units from `ms` to `w`, such as `30m` or `1h30m`.
    Duration {
        /// Smallest value in milliseconds.
        min_ms: i64,
    },
    /// `interval:` and milliseconds or a duration: how often something happens, beside words such as `always`.
    Interval {
        /// Smallest value in milliseconds.
        min_ms: i64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One of these words, or a value of the other type.
    Either(&'static [&'static str], &'static Self),
    /// Any text.
    Text,
    /// Any text but the empty one.
    Name,
    /// The name of a node, with the host's or without.
    NodeName,
    /// A file or directory.
    Path,
    /// A password, a key or a token: any text, never shown.
    Secret,
    /// A port, or an IP address with a port.
    Listener,
    /// An IP address.
    Ip,
    /// Words separated by commas or spaces.
    List,
    /// A query of the LDAP backend, as an Erlang term.
    LdapQuery,
    /// Tags with such queries.
    LdapTags,
    /// Three numbers with dots.
    Version,
    /// When a log file is rotated, as `$D0`.
    RotationDate,
}

/// A value that was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Boolean(bool),
    /// Also bytes and milliseconds.
    Integer(i64),
    Fraction(f64),
    Text(String),
    Listener(Vec<SocketAddr>),
    /// A word of [`Kind::Choice`] or [`Kind::Either`].
    Word(&'static str),
}

impl Value {
    /// What a listener binds; nothing for other values.
    pub(crate) fn into_addresses(self) -> Vec<SocketAddr> {
        match self {
            Self::Listener(addresses) => addresses,
            _ => Vec::new(),
        }
    }
}

impl Kind {
    /// Any integer from 0 on.
    pub(crate) const NON_NEGATIVE: Self = Self::Integer { min: 0, max: i64::MAX };
    /// Any integer from 1 on.
    pub(crate) const POSITIVE: Self = Self::Integer { min: 1, max: i64::MAX };
    /// Any integer.
    pub(crate) const ANY_INTEGER: Self = Self::Integer { min: i64::MIN, max: i64::MAX };
    /// A TCP port.
    pub(crate) const PORT: Self = Self::Integer { min: 1, max: 65535 };
    /// An integer from 0 on, or no limit.
    pub(crate) const LIMIT: Self = Self::Either(&["infinity"], &Self::NON_NEGATIVE);

    /// Reads a value, or `None` where the text is not of this type.
    pub(crate) fn read(self, text: &str) -> Option<Value> {
        match self {
            Self::Boolean => match text {
                "true" | "on" => Some(Value::Boolean(true)),
                "false" | "off" => Some(Value::Boolean(false)),
                _ => None,
            },
            Self::Integer { min, max } => within(text.parse().ok()?, min, max),
            Self::Fraction { min, max } => {
                let fraction = fraction(text)?;
                (min..=max).contains(&fraction).then_some(Value::Fraction(fraction))
            }
            Self::Size { min, max } => within(bytes(text, 1024)?, min, max),
            Self::InformationUnit { min, max } => within(bytes(text, 1000)?, min, max),
            Self::Duration { min_ms } => within(milliseconds(text)?, min_ms, i64::MAX),
            Self::Interval { min_ms } => Self::Duration { min_ms }.read(text.strip_prefix("interval:")?),
            Self::Choice(words) => word(words, text),
            Self::Either(words, other) => word(words, text).or_else(|| other.read(text)),
            Self::Text | Self::Secret => Some(Value::Text(text.to_owned())),
            Self::Name | Self::Path => (!text.is_empty()).then(|| Value::Text(text.to_owned())),
            Self::NodeName => is_node_name(text).then(|| Value::Text(text.to_owned())),
            Self::Listener => listener(text).map(Value::Listener),
            Self::Ip => text.parse::<IpAddr>().ok().map(|_| Value::Text(text.to_owned())),
            Self::List => text.split([',', ' ']).any(|item| !item.is_empty()).then(|| Value::Text(text.to_owned())),
            Self::RotationDate => {
                let is_date = text.is_empty() || RotationDate::parse(text).is_some();
                is_date.then(|| Value::Text(text.to_owned()))
            }
            Self::LdapQuery => LdapQuery::parse(text).map(|_| Value::Text(text.to_owned())),
            Self::LdapTags => LdapQuery::parse_tags(text).map(|_| Value::Text(text.to_owned())),
            Self::Version => version(text).then(|| Value::Text(text.to_owned())),
        }
    }

    /// Whether its values must not be shown.
    #[must_use]
    pub const fn is_secret(self) -> bool {
        match self {
            Self::Secret => true,
            Self::Either(_, other) => other.is_secret(),
            _ => false,
        }
    }

    /// A value of this type.
    #[must_use]
    pub const fn example(self) -> &'static str {
        match self {
            Self::Boolean => "true",
            Self::Integer { min, max } if min > 0 && max >= 5672 => "5672",
            Self::Integer { .. } => "10",
            Self::Fraction { .. } => "0.4",
            Self::Size { .. } => "128KB",
            Self::InformationUnit { .. } => "512MiB",
            Self::Duration { .. } => "60000",
            Self::Interval { .. } => "interval:50",
            Self::Choice(words) => match words {
                [first, ..] => first,
                [] => "",
            },
            Self::Either(_, other) => other.example(),
            Self::Text | Self::Name | Self::Secret => "text",
            Self::Path => "/etc/rabbitmq/file",
            Self::Listener => "127.0.0.1:5672",
            Self::Ip => "127.0.0.1",
            Self::List => "one, two",
            Self::LdapQuery => "{constant, true}",
            Self::LdapTags => "[{administrator, {constant, false}}]",
            Self::Version => "4.2.0",
            Self::RotationDate => "$D0",
            Self::NodeName => "rabbit@host",
        }
    }
}

/// What is accepted, as it stands after "expected" and in the table of keys.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Boolean => f.write_str("true or false"),
            Self::Integer { min, max } => {
                f.write_str("an integer")?;
                bounds(f, min, max)
            }
            Self::Fraction { min, max } if max.is_finite() => {
                write!(f, "a fraction from {min} to {max}, or a percentage")
            }
            Self::Fraction { min, .. } => write!(f, "a fraction from {min}, or a percentage"),
            Self::Size { min, max } => {
                f.write_str("a size in bytes, or in KB, MB, GB of 1024")?;
                bounds(f, min, max)
            }
            Self::InformationUnit { min, max } => {
                f.write_str("a size in bytes, or with a unit such as MB (1000) or MiB (1024)")?;
                bounds(f, min, max)
            }
            Self::Duration { min_ms } => {
                f.write_str("milliseconds, or a duration such as 30m")?;
                bounds(f, min_ms, i64::MAX)
            }
            Self::Interval { min_ms } => {
                write!(f, "interval:N with N milliseconds from {min_ms} or a duration such as 2s")
            }
            Self::Choice(words) => f.write_str(&words.join(", ")),
            Self::Either(words, other) => write!(f, "{}, or {other}", words.join(", ")),
            Self::Text => f.write_str("text"),
            Self::Name => f.write_str("text that is not empty"),
            Self::NodeName => f.write_str("a node's name such as rabbit@host, of letters, digits and . _ + -"),
            Self::Path => f.write_str("a path"),
            Self::Secret => f.write_str("a secret"),
            Self::Listener => f.write_str("a port, or an IP address with a port"),
            Self::Ip => f.write_str("an IP address"),
            Self::List => f.write_str("words separated by commas"),
            Self::LdapQuery => f.write_str("a query such as {in_group, \"cn=${vhost},dc=example\"}"),
            Self::LdapTags => f.write_str("tags with queries such as [{administrator, {constant, false}}]"),
            Self::Version => f.write_str("a version such as 4.2.0"),
            Self::RotationDate => f.write_str("a time such as $D0, $W0D3, $M1 or $H30"),
        }
    }
}

fn bounds(f: &mut fmt::Formatter<'_>, min: i64, max: i64) -> fmt::Result {
    if min > i64::MIN {
        write!(f, " from {min}")?;
    }
    if max < i64::MAX {
        write!(f, " to {max}")?;
    }
    Ok(())
}

fn within(value: i64, min: i64, max: i64) -> Option<Value> {
    (min..=max).contains(&value).then_some(Value::Integer(value))
}

fn word(words: &'static [&'static str], text: &str) -> Option<Value> {
    words.iter().find(|word| **word == text).map(|word| Value::Word(word))
}

fn fraction(text: &str) -> Option<f64> {
    let (number, divisor) = text.strip_suffix('%').map_or((text, 1.0), |percent| (percent, 100.0));
    let plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    // `f64` also reads exponents, infinities and NaN, none of which belongs into a configuration.
    if plain { number.parse::<f64>().ok().map(|value| value / divisor) } else { None }
}

/// Splits `15MB` into 15 and `MB`.
fn number_and_unit(text: &str) -> Option<(i64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit))
}

/// `thousand` is what the units without an `i` are powers of.
fn bytes(text: &str, thousand: i64) -> Option<i64> {
    let (number, unit) = number_and_unit(text)?;
    let unit = unit.to_ascii_lowercase();
    let mut letters = unit.chars();
    let power = match letters.next() {
        None => return Some(number),
        Some(prefix) => u32::try_from("kmgtp".find(prefix)?).ok()? + 1,
    };
    let base = match letters.as_str() {
        "" | "b" => thousand,
        "i" | "ib" => 1024,
        _ => return None,
    };
    number.checked_mul(base.checked_pow(power)?)
}

fn milliseconds(text: &str) -> Option<i64> {
    if let Ok(plain) = text.parse() {
        return Some(plain);
    }
    let mut rest = text;
    let mut total = 0_i64;
    while !rest.is_empty() {
        let (number, tail) = number_and_unit(rest)?;
        let unit_length = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(unit_length)?;
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit_ms)?)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

/// RabbitMQ writes an IPv6 address without brackets, `::1:5672`; the bracketed form is read too.
fn listener(text: &str) -> Option<Vec<SocketAddr>> {
    if let Some(port) = port(text) {
        return Some(vec![(Ipv4Addr::UNSPECIFIED, port).into(), (Ipv6Addr::UNSPECIFIED, port).into()]);
    }
    let (address, number) = text.rsplit_once(':')?;
    let address = address.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(address);
    Some(vec![(address.parse::<IpAddr>().ok()?, port(number)?).into()])
}

fn port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port > 0)
}

/// It names a directory, too, and must not lead out of the one it is in.
fn is_node_name(text: &str) -> bool {
    let is_of = |part: &str, others: &str| {
        let is_fine = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
        !part.is_empty() && part.chars().all(is_fine) && !matches!(part, "." | "..")
    };
    let (name, host) = text.split_once('@').map_or((text, None), |(name, host)| (name, Some(host)));
    is_of(name, "_.+-") && host.is_none_or(|host| is_of(host, "._:-"))
}

fn version(text: &str) -> bool {
    let mut numbers = text.split('.');
    numbers.by_ref().take(3).filter(|number| number.parse::<u16>().is_ok()).count() == 3 && numbers.next().is_none()
}
