//! Who may log in and what they may do.
//!
//! A client's SASL response becomes [`Credentials`] by its [`Mechanism`]; [`AccessControl`] holds users and permissions
//! in memory, checks the credentials and answers, per user and object, whether an operation is allowed. It is filled
//! from a [`metadata::Snapshot`] and follows every later [`metadata::Change`]; it never writes to the journal. This crate
//! must never know queues, channels or sockets.

mod access;
mod first_boot;
mod login;
mod mechanism;
mod password;
mod pattern;
mod permissions;
mod resource;
mod user;

pub use access::AccessControl;
pub use first_boot::DefaultUser;
pub use login::{LoginError, LoginSettings};
pub use mechanism::{Credentials, Mechanism, SaslError};
pub use password::{HashingAlgorithm, PasswordError, hash_password};
pub use pattern::{Pattern, PatternError};
pub use resource::{AccessRefused, Permission, Resource, ResourceKind, TopicRefused, VhostRefused};
pub use user::User;
