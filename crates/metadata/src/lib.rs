//! Durable definitions, users and permissions, and the journal that commits them.
