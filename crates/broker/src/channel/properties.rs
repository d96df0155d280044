//! What a publish's properties may say, and what the broker changes in them.

use crate::connection::Connection;
use crate::core::{Core, Incoming};
use crate::errors::{self, ProtocolError};
use crate::names::REPLY_TO;
use crate::topology::Exchange;
use amqp::properties::{ContentHeader, Properties};
use amqp::{FieldRef, FieldTable, FieldValue, TableRef, erlang};
use auth::User;

/// Ten years, RabbitMQ's limit for times to live, in ms.
const LONGEST_EXPIRATION_MS: u128 = 315_360_000_000;

/// The outcome of the checks.
#[derive(Default)]
pub(crate) struct Checked<'a> {
    /// The content header to use instead of the one that arrived.
    pub(crate) header: Option<Vec<u8>>,
    /// Routing keys of CC and BCC.
    pub(crate) more_keys: Vec<Vec<u8>>,
    /// Those of them that are of BCC and thus at the end.
    pub(crate) hidden: usize,
    pub(crate) headers: Option<TableRef<'a>>,
    /// True when it has an expiration.
    pub(crate) expires: bool,
}

impl Checked<'_> {
    /// Routing keys that no consumer is to see, as BCC names them; dead letters go by them too.
    pub(crate) fn hidden_keys(&self) -> impl Iterator<Item = &[u8]> {
        self.more_keys.iter().rev().take(self.hidden).rev().map(Vec::as_slice)
    }
}

impl Core {
    /// Checks the properties of a publish; most have none that need a look.
    #[inline]
    pub(crate) fn check_properties<'a>(
        &mut self,
        conn: &mut Connection,
        number: u16,
        incoming: &Incoming<'a>,
        exchange: &Exchange,
    ) -> Result<Checked<'a>, ProtocolError> {
        if incoming.header.properties.is_plain() {
            Ok(Checked::default())
        } else {
            self.check_all_properties(conn, number, incoming, exchange)
        }
    }

    fn check_all_properties<'a>(
        &mut self,
        conn: &mut Connection,
        number: u16,
        incoming: &Incoming<'a>,
        exchange: &Exchange,
    ) -> Result<Checked<'a>, ProtocolError> {
        let own_address = || conn.channels.find(number).and_then(|channel| channel.reply_address().map(str::to_owned));
        let user = conn.user.clone();
        let checked = check_all(incoming.header, exchange.delays(), user.as_deref(), own_address)?;
        if !checked.more_keys.is_empty() {
            self.check_more_topics(conn, number, exchange, &checked.more_keys)?;
        }
        Ok(checked)
    }
}

/// Checks the properties of a publish by `user`, of an operator's where there is none. `own_address` is where direct
/// replies for the publisher go.
pub(crate) fn check_all<'a>(
    header: ContentHeader<'a>,
    delays: bool,
    user: Option<&User>,
    own_address: impl FnOnce() -> Option<String>,
) -> Result<Checked<'a>, ProtocolError> {
    let raw = header.properties;
    let malformed = || errors::CANNOT_DECODE.with(&[&errors::Octets(raw.bytes)]).on_connection();
    let properties = raw.decode().map_err(|_| malformed())?;
    if let Some(headers) = properties.headers {
        // Consumers would choke on a table that cannot be read, so it is refused here.
        TableRef::parse(headers.bytes()).map_err(|_| malformed())?;
    }
    let mut checked = Checked { headers: properties.headers, ..Checked::default() };
    let mut rewrite = false;
    let address: String;
    let without_bcc: Vec<u8>;
    let mut changed: Properties<'_> = properties;
    if properties.reply_to == Some(REPLY_TO) {
        address = own_address().ok_or_else(|| errors::NO_REPLY_CONSUMER.with(&[]))?;
        changed.reply_to = Some(&address);
        rewrite = true;
    }
    if let Some(user_id) = properties.user_id {
        check_user_id(user, user_id)?;
    }
    if let Some(expiration) = properties.expiration {
        parse_expiration(expiration)?;
        checked.expires = true;
    }
    if let Some(headers) = properties.headers {
        checked.more_keys = routing_keys(headers, "CC")?;
        let shown = checked.more_keys.len();
        checked.more_keys.append(&mut routing_keys(headers, "BCC")?);
        checked.hidden = checked.more_keys.len() - shown;
        // What waits is routed later, and needs all its keys then.
        let waits = delays && crate::delayed::delay_ms(headers).is_some();
        if !waits && headers.find("BCC").is_some() {
            without_bcc = without(headers, "BCC");
            changed.headers = Some(TableRef::new(&without_bcc));
            rewrite = true;
        }
    }
    if rewrite {
        checked.header = Some(encode(&changed, header.body_size));
    }
    Ok(checked)
}

fn encode(properties: &Properties<'_>, body_size: u64) -> Vec<u8> {
    let mut header = Vec::new();
    properties.encode_header(body_size, &mut header);
    header
}

/// The bytes of the table without `name`.
fn without(headers: TableRef<'_>, name: &str) -> Vec<u8> {
    let mut table = headers.to_owned().unwrap_or_else(|_| FieldTable::new());
    table.remove(name);
    table.to_bytes()
}

fn check_user_id(user: Option<&User>, user_id: &str) -> Result<(), ProtocolError> {
    let Some(user) = user else { return Ok(()) };
    if user.name() == user_id || user.is_impersonator() {
        return Ok(());
    }
    Err(errors::USER_ID_MISMATCH.with(&[&user_id, &user.name()]))
}

/// Routing keys of CC and BCC, as far as they can be read.
pub(crate) fn more_routing_keys(header: ContentHeader<'_>) -> Vec<Vec<u8>> {
    let Some(headers) = header.properties.decode().ok().and_then(|properties| properties.headers) else {
        return Vec::new();
    };
    ["CC", "BCC"].into_iter().flat_map(|name| routing_keys(headers, name).unwrap_or_default()).collect()
}

/// Routing keys in the header `name`, CC or BCC: an array of long strings.
pub(crate) fn routing_keys(headers: TableRef<'_>, name: &str) -> Result<Vec<Vec<u8>>, ProtocolError> {
    let Some(value) = headers.find(name) else { return Ok(Vec::new()) };
    let FieldRef::Array(array) = value else {
        let kind = headers.to_owned().ok().and_then(|table| table.get(name).map(FieldValue::type_name));
        return Err(errors::INVALID_ROUTING_HEADER.with(&[&name, &kind.unwrap_or("undefined")]));
    };
    // RabbitMQ takes the strings and passes over the rest.
    let long_string = |item| if let Ok(FieldRef::LongString(key)) = item { Some(key.to_vec()) } else { None };
    Ok(array.iter().filter_map(long_string).collect())
}

/// The time to live of a message in ms, as RabbitMQ reads it: `string:to_integer` and then nothing left over.
pub(crate) fn parse_expiration(text: &str) -> Result<u64, ProtocolError> {
    let invalid = |reason: &str| errors::INVALID_EXPIRATION.with(&[&text, &reason]);
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    if digits.is_empty() {
        return Err(invalid("no_integer"));
    }
    if !rest.is_empty() {
        return Err(invalid(&format!("{{leftover_string,{}}}", erlang::string(rest.chars()))));
    }
    let significant = digits.trim_start_matches('0');
    if negative && !significant.is_empty() {
        return Err(invalid(&format!("{{value_negative,-{significant}}}")));
    }
    match significant.parse::<u128>() {
        Ok(value) if value <= LONGEST_EXPIRATION_MS => Ok(value as u64),
        _ if significant.is_empty() => Ok(0),
        _ => Err(invalid(&format!("{{value_too_large,{significant}}}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expirations_are_read_as_rabbitmq_reads_them() {
        for (text, expected) in [("0", 0), ("60000", 60000), ("+5", 5), ("-0", 0), ("315360000000", 315_360_000_000)] {
            assert_eq!(parse_expiration(text).unwrap(), expected, "{text}");
        }
        for (text, reason) in [
            ("abc", "no_integer"),
            ("", "no_integer"),
            ("60s", "{leftover_string,\"s\"}"),
            ("-1", "{value_negative,-1}"),
            ("315360000001", "{value_too_large,315360000001}"),
        ] {
            let error = parse_expiration(text).unwrap_err();
            assert_eq!(error.text, format!("invalid expiration '{text}': {reason}"));
        }
    }
}
