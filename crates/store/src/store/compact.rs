//! Compaction: what is still wanted of some cold segments moves to a new one, and they go.
