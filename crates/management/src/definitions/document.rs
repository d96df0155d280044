//! A document of definitions, read as far as its objects.

use super::DefinitionsError;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;

/// Marks of UTF-8, UTF-32 and UTF-16 texts, which RabbitMQ takes off whatever follows; longer ones first.
const BYTE_ORDER_MARKS: [&[u8]; 5] =
    [&[0xef, 0xbb, 0xbf], &[0xff, 0xfe, 0, 0], &[0, 0, 0xfe, 0xff], &[0xff, 0xfe], &[0xfe, 0xff]];

/// A document whose JSON is in order; its objects are still text.
#[derive(Debug, Default)]
pub(crate) struct Document<'a> {
    /// Of the broker that exported it.
    pub(crate) version: Option<String>,
    categories: HashMap<Cow<'a, str>, &'a RawValue>,
}

/// Whether an object says where it belongs.
#[derive(Deserialize)]
struct Place {
    vhost: Option<IgnoredAny>,
}

impl<'a> Document<'a> {
    /// Reads the whole text; an empty one is an empty document.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Document<'a>, DefinitionsError> {
        let text = BYTE_ORDER_MARKS.iter().find_map(|mark| bytes.strip_prefix(*mark)).unwrap_or(bytes);
        if text.is_empty() {
            return Ok(Document::default());
        }
        // Keys that nobody knows are ignored, and of a key that is there twice the last one counts.
        let categories: HashMap<Cow<'a, str>, &'a RawValue> =
            serde_json::from_slice(text).map_err(|_| DefinitionsError::NotJson)?;
        let text = |key: &str| serde_json::from_str::<String>(categories.get(key)?.get()).ok();
        Ok(Document { version: text("rabbitmq_version").or_else(|| text("rabbit_version")), categories })
    }

    /// The objects of a category; what is no object is left out, as RabbitMQ does.
    pub(crate) fn objects(&self, category: &str) -> Result<Vec<&'a RawValue>, DefinitionsError> {
        let Some(value) = self.categories.get(category) else { return Ok(Vec::new()) };
        let mut all: Vec<&RawValue> = serde_json::from_str(value.get())
            .map_err(|_| DefinitionsError::Refused(format!("{category} must be a list")))?;
        all.retain(|object| object.get().starts_with('{'));
        Ok(all)
    }

    /// True for a document of a single virtual host, whose objects do not say where they belong.
    pub(crate) fn is_of_one_vhost(&self) -> Result<bool, DefinitionsError> {
        let is_orphan =
            |object: &&RawValue| serde_json::from_str::<Place>(object.get()).is_ok_and(|place| place.vhost.is_none());
        for category in ["queues", "exchanges", "bindings"] {
            if self.objects(category)?.iter().any(is_orphan) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
