//! The binary: flags, wiring, signals.

mod application;
mod arguments;
mod definitions;
mod logging;
mod memory;
mod server;
mod settings;
mod storage;
mod store;

use arguments::Task;
use std::path::PathBuf;
use std::process::ExitCode;

/// Faster than the system's allocator where memory is freed on another thread; message bodies have memory of their own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Names the data directory to the command line where `--data-dir` does not.
const DATA_DIR_VARIABLE: &str = "LEVERET_DATA_DIR";

/// An error and its causes, without causes that the text before them names already.
fn one_line(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |text, cause| match cause.to_string() {
        cause if text.is_empty() => cause,
        cause if text.ends_with(&cause) => text,
        cause => format!("{text}: {cause}"),
    })
}

/// Says on standard error what went wrong.
fn exit_code(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", one_line(&error));
            ExitCode::FAILURE
        }
    }
}

fn main() -> ExitCode {
    match arguments::task() {
        Task::Serve(options) => exit_code(server::run(options)),
        Task::Store(command) => exit_code(store::run(command)),
        Task::Administer { program, arguments, data_dir } => {
            let from_environment = || std::env::var_os(DATA_DIR_VARIABLE).map(PathBuf::from);
            ExitCode::from(cli::run(&cli::Invocation {
                program: program.to_owned(),
                arguments,
                data_dir: data_dir.or_else(from_environment).unwrap_or_else(|| PathBuf::from("leveret-data")),
                version: env!("CARGO_PKG_VERSION"),
            }))
        }
    }
}
