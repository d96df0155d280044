//! Exchange types, bindings and the topic trie: which destinations a message goes to.
//!
//! A [`BindingTable`] holds the bindings of one exchange and names the destinations for a routing key and headers; a
//! [`RouteCache`] remembers such decisions. Nothing here knows messages, what a queue contains, or sockets.

mod binding;
mod cache;
mod destinations;
mod exchange_type;
mod hash_source;
mod headers;
mod jump;
mod keys;
mod phash2;
mod ring;
mod scratch;
mod slab;
mod table;
mod topic;

pub use binding::BindingRef;
pub use cache::RouteCache;
pub use exchange_type::ExchangeType;
pub use hash_source::{HashProperty, HashSource, HashSourceError};
pub use headers::{BindError, validate};
pub use phash2::of_table;
pub use ring::{HashKey, modulus};
pub use table::BindingTable;
