//! Command-line tools over the administrative surface.
