//! The engine: virtual hosts, sessions, channels, confirms, flow, alarms and administrative commands.
