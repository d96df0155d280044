//! The binary: flags, wiring, signals.

fn main() {}
