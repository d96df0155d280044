//! The binary: flags, wiring, signals.

mod arguments;
mod logging;
mod server;
mod settings;

use clap::Parser;
use std::process::ExitCode;

/// Faster than the system's allocator where memory is freed on another thread; message bodies have memory of their own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = arguments::Arguments::parse();
    match server::run(arguments.server_options()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
