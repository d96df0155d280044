//! Who may log in and what they may do.
//!
//! A client's SASL response becomes [`Credentials`] by its [`Mechanism`]; [`AccessControl`] holds users and permissions
//! in memory, checks the credentials and answers, per user and object, whether an operation is allowed. It is filled
//! from a [`metadata::Snapshot`] and follows every later [`metadata::Change`]; it never writes to the journal. Beside it
//! a [`Chain`] may name other backends, which this crate knows as a trait: the network is not its business. This crate
//! must never know queues, channels or sockets.

mod access;
mod argon2;
mod backend;
mod cache;
mod chain;
mod credentials;
mod first_boot;
mod login;
mod mechanism;
mod password;
mod pattern;
mod permissions;
mod question;
mod resource;
mod session;
mod user;

pub use access::AccessControl;
pub use backend::{Attempt, Authenticated, Backend, Refusal, Token};
pub use cache::{Cache, CacheSettings};
pub use chain::{Begun, Chain, Link, Module, SecretRefused, Unsettled};
pub use credentials::CredentialRule;
pub use first_boot::DefaultUser;
pub use login::{LoginError, LoginSettings};
pub use mechanism::{Credentials, Mechanism, SaslError};
pub use password::{HashingAlgorithm, PasswordError, hash_password};
pub use pattern::{Pattern, PatternError};
pub use question::{Asked, Question, Verdict};
pub use resource::{AccessRefused, Permission, Resource, ResourceKind, TopicRefused, VhostRefused};
pub use user::User;
