//! Names the release whose tests are run: see `run`.
