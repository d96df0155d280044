//! What is said of a certificate, and which user it names.

use crate::{der, names};
use std::net::{Ipv4Addr, Ipv6Addr};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

/// A kind of subject alternative name (`ssl_cert_login_san_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlternativeName {
    /// A host name.
    Dns,
    /// An address, as text.
    Ip,
    /// An address for mail.
    Email,
    /// A URI.
    Uri,
    /// Whatever else; its value where that is a string.
    Other,
}

/// The part of a certificate that names the user (`ssl_cert_login_from`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginFrom {
    /// The whole subject.
    #[default]
    DistinguishedName,
    /// Its common names, joined by commas.
    CommonName,
    /// The alternative name of a kind at an index, which counts from 0.
    AlternativeName(AlternativeName, usize),
}

/// What RabbitMQ says of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Subject as RFC 4514 has it.
    pub subject: String,
    /// Issuer, likewise.
    pub issuer: String,
    /// First and last moment, as `2026-01-01T00:00:00Z - 2027-01-01T00:00:00Z`.
    pub validity: String,
    /// Serial number in upper-case hexadecimal digits.
    pub serial: String,
    /// Common names of the subject.
    pub common_names: Vec<String>,
    /// Subject alternative names in their order.
    pub alternative_names: Vec<(AlternativeName, String)>,
    /// First moment, in s since 1970.
    pub not_before_s: i64,
    /// Last moment, in s since 1970.
    pub not_after_s: i64,
}

impl Certificate {
    /// Reads a certificate in DER; `None` where it is none.
    pub fn parse(der: &[u8]) -> Option<Certificate> {
        let (_, parsed) = X509Certificate::from_der(der).ok()?;
        let validity = parsed.validity();
        Some(Certificate {
            subject: names::distinguished(parsed.subject()),
            issuer: names::distinguished(parsed.issuer()),
            validity: format!("{} - {}", moment(&validity.not_before), moment(&validity.not_after)),
            serial: serial(parsed.raw_serial()),
            common_names: names::common(parsed.subject()),
            alternative_names: alternative_names(&parsed),
            not_before_s: validity.not_before.timestamp(),
            not_after_s: validity.not_after.timestamp(),
        })
    }

    /// The user that it names; the error is RabbitMQ's reason.
    pub fn login_name(&self, from: LoginFrom) -> Result<String, &'static str> {
        let name = match from {
            LoginFrom::DistinguishedName => Some(self.subject.clone()),
            LoginFrom::CommonName => (!self.common_names.is_empty()).then(|| self.common_names.join(",")),
            LoginFrom::AlternativeName(kind, index) => {
                let mut of_kind = self.alternative_names.iter().filter(|(other, _)| *other == kind);
                of_kind.nth(index).map(|(_, name)| name.clone())
            }
        };
        name.ok_or("no name found")
    }
}

fn moment(time: &ASN1Time) -> String {
    let time = time.to_datetime();
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

fn serial(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() { "0".to_owned() } else { digits.to_owned() }
}

fn alternative_names(parsed: &X509Certificate<'_>) -> Vec<(AlternativeName, String)> {
    let names = parsed.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
        _ => None,
    });
    names.into_iter().flatten().filter_map(alternative_name).collect()
}

fn alternative_name(name: &GeneralName<'_>) -> Option<(AlternativeName, String)> {
    match name {
        GeneralName::DNSName(name) => Some((AlternativeName::Dns, (*name).to_owned())),
        GeneralName::RFC822Name(name) => Some((AlternativeName::Email, (*name).to_owned())),
        GeneralName::URI(name) => Some((AlternativeName::Uri, (*name).to_owned())),
        GeneralName::IPAddress(bytes) => Some((AlternativeName::Ip, address(bytes)?)),
        // The value stands in an explicit tag.
        GeneralName::OtherName(_, value) => {
            let (_, inner) = der::element(value)?;
            let (tag, content) = der::element(inner)?;
            Some((AlternativeName::Other, der::text(tag, content)?))
        }
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|bytes| Ipv4Addr::from(bytes).to_string());
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(|bytes| Ipv6Addr::from(bytes).to_string())).ok()
}
