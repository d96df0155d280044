//! The binary: flags, wiring, signals.

mod application;
mod arguments;
mod backup;
mod backup_command;
mod certificates;
mod cluster;
mod configuration;
mod definitions;
mod in_force;
mod log_exchange;
mod logging;
mod memory;
mod pid_file;
mod reload;
mod server;
mod service;
mod settings;
mod storage;
mod store;

use anyhow::Context;
use arguments::Task;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Faster than the system's allocator where memory is freed on another thread; message bodies have memory of their own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The exit code when the configuration is wrong, as RabbitMQ has it: EX_CONFIG of sysexits.h.
const CONFIGURATION_IS_WRONG: u8 = 78;

/// The exit code of an import after which something is not as it was at the old broker.
const DIFFERENT: u8 = 3;

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
            if error.is::<config::Problems>() || error.is::<settings::Unusable>() {
                ExitCode::from(CONFIGURATION_IS_WRONG)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

fn main() -> ExitCode {
    match arguments::task() {
        Task::Serve(options) => exit_code(server::run(options)),
        Task::Configuration { command, options } => configuration::run(command, options),
        Task::Store(command) => exit_code(store::run(command)),
        Task::BackUp { to, data_dir, is_quiet } => {
            exit_code(backup_command::back_up(&cli::data_dir(data_dir), &to, is_quiet))
        }
        Task::Restore { from, to, is_quiet } => exit_code(backup_command::restore(&from, &to, is_quiet)),
        Task::Import { options, data_dir } => {
            let options = options.into_options(|| cli::data_dir(data_dir));
            match migrate::run(&options) {
                Ok(migrate::Outcome::Complete) => ExitCode::SUCCESS,
                Ok(migrate::Outcome::Different) => ExitCode::from(DIFFERENT),
                Err(error) => exit_code(Err(error)),
            }
        }
        Task::AdministerOverHttp { arguments } => ExitCode::from(cli::run_admin(&arguments)),
        Task::Complete { shell } => exit_code(print_completions(&shell)),
        Task::Document { directory } => exit_code(write_man_pages(&directory)),
        Task::Administer { tool, program, arguments, data_dir } => {
            let version = env!("CARGO_PKG_VERSION");
            ExitCode::from(cli::run(&cli::Invocation { tool, program, arguments, data_dir, version }))
        }
    }
}

fn print_completions(shell: &str) -> anyhow::Result<()> {
    let script = cli::completions(shell).ok_or_else(|| anyhow::anyhow!("there is no completion for {shell}"))?;
    std::io::stdout().write_all(script.as_bytes()).context("cannot print")
}

fn write_man_pages(directory: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    for (name, page) in cli::man_pages() {
        let path = directory.join(name);
        std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
