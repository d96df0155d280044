//! The content header of class basic.

use crate::bytes::{Reader, Writer};
use crate::value::{Table, Value};

/// Message properties of class basic, each present or not.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the properties of the specification under their own names")]
pub struct Properties {
    pub content_type: Option<String>,
    pub content_encoding: Option<String>,
    pub headers: Option<Table>,
    pub delivery_mode: Option<u8>,
    pub priority: Option<u8>,
    pub correlation_id: Option<String>,
    pub reply_to: Option<String>,
    pub expiration: Option<String>,
    pub message_id: Option<String>,
    pub timestamp: Option<u64>,
    pub message_type: Option<String>,
    pub user_id: Option<String>,
    pub app_id: Option<String>,
    pub cluster_id: Option<String>,
}

impl Properties {
    /// With one header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Properties {
        self.headers.get_or_insert_default().push((name.to_owned(), value.into()));
        self
    }

    /// With a reply-to address.
    #[must_use]
    pub fn reply_to(mut self, address: &str) -> Properties {
        self.reply_to = Some(address.to_owned());
        self
    }

    /// With an expiration.
    #[must_use]
    pub fn expiration(mut self, text: &str) -> Properties {
        self.expiration = Some(text.to_owned());
        self
    }

    /// With a user id.
    #[must_use]
    pub fn user_id(mut self, user: &str) -> Properties {
        self.user_id = Some(user.to_owned());
        self
    }

    /// With delivery mode 2.
    #[must_use]
    pub fn persistent(mut self) -> Properties {
        self.delivery_mode = Some(2);
        self
    }

    /// The property flags and list, as they end a content header.
    pub fn encode(&self) -> Vec<u8> {
        let mut flags = 0_u16;
        let mut list = Writer::default();
        let mut bit = 15;
        let mut field = |present: bool| {
            if present {
                flags |= 1 << bit;
            }
            bit -= 1;
        };
        let text = |value: &Option<String>, list: &mut Writer, field: &mut dyn FnMut(bool)| {
            field(value.is_some());
            if let Some(value) = value {
                list.short_string(value);
            }
        };
        text(&self.content_type, &mut list, &mut field);
        text(&self.content_encoding, &mut list, &mut field);
        field(self.headers.is_some());
        if let Some(headers) = &self.headers {
            list.table(headers);
        }
        for octet in [self.delivery_mode, self.priority] {
            field(octet.is_some());
            if let Some(octet) = octet {
                list.octet(octet);
            }
        }
        for value in [&self.correlation_id, &self.reply_to, &self.expiration, &self.message_id] {
            text(value, &mut list, &mut field);
        }
        field(self.timestamp.is_some());
        if let Some(timestamp) = self.timestamp {
            list.longlong(timestamp);
        }
        for value in [&self.message_type, &self.user_id, &self.app_id, &self.cluster_id] {
            text(value, &mut list, &mut field);
        }
        let mut encoded = Writer::default();
        encoded.short(flags).raw(&list.finish());
        encoded.finish()
    }

    /// Reads property flags and list.
    pub fn decode(bytes: &[u8]) -> Properties {
        let mut input = Reader::new(bytes);
        let flags = input.short();
        let has = |at: u16| flags & (1 << (15 - at)) != 0;
        let properties = Properties {
            content_type: has(0).then(|| input.short_string()),
            content_encoding: has(1).then(|| input.short_string()),
            headers: has(2).then(|| input.table()),
            delivery_mode: has(3).then(|| input.octet()),
            priority: has(4).then(|| input.octet()),
            correlation_id: has(5).then(|| input.short_string()),
            reply_to: has(6).then(|| input.short_string()),
            expiration: has(7).then(|| input.short_string()),
            message_id: has(8).then(|| input.short_string()),
            timestamp: has(9).then(|| input.longlong()),
            message_type: has(10).then(|| input.short_string()),
            user_id: has(11).then(|| input.short_string()),
            app_id: has(12).then(|| input.short_string()),
            cluster_id: has(13).then(|| input.short_string()),
        };
        assert!(input.is_empty(), "{} bytes after the properties", input.rest().len());
        properties
    }
}
