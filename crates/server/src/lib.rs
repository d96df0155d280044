//! The driver: reactors, listeners and timers around the engine.
