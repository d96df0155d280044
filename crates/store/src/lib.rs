//! Message records and the memory they live in.
