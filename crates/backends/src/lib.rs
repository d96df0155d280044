//! Authentication and authorization by others than the internal database.
