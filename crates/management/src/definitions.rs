//! Definitions: everything durable but messages, as a JSON document that goes in and comes out.
//!
//! RabbitMQ's `rabbit_definitions` and `rabbit_mgmt_wm_definitions` say what it looks like and what order it is
//! imported in. A document is read once as a whole, so that one with a mistake in its JSON changes nothing; its objects
//! stay text until their turn, so that a large one takes hardly more memory than its text.

mod convert;
mod document;
mod export;
mod import;

pub(crate) use document::Document;
pub(crate) use export::{Scope, export};
pub(crate) use import::{Entry, Mode, run};

use broker::Broker;

/// Definitions that could not be imported; each message is for operators, in RabbitMQ's words where it has some.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionsError {
    /// They are not a JSON object.
    #[error("failed_to_parse_json")]
    NotJson,
    /// Something in them is refused; what came before it has been imported.
    #[error("{0}")]
    Refused(String),
    /// The broker cannot do it now.
    #[error("{0}")]
    Unavailable(String),
}

/// Imports a whole document, as at the start of a node.
pub fn import_definitions(broker: &Broker, bytes: &[u8]) -> Result<(), DefinitionsError> {
    let document = Document::parse(bytes)?;
    run(broker, &document, None, Mode::Import, &mut |_| {})
}

#[cfg(test)]
mod tests;
