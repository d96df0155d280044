//! The administrative surface over HTTP.
