//! The command line.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// A message broker that is what RabbitMQ is.
#[derive(Parser)]
#[command(name = "leveret", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: ServerOptions,
}

#[derive(Subcommand)]
enum Command {
    /// Run the broker; what plain `leveret` does.
    Server(ServerOptions),
}

/// Options of the broker.
#[derive(Args, Clone, Default)]
pub(crate) struct ServerOptions {
    /// A file in the format of rabbitmq.conf.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where everything durable is kept [default: leveret-data].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// A key of rabbitmq.conf; overrides the file.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

impl Arguments {
    /// The broker's options, given behind `server` or without it.
    pub(crate) fn server_options(self) -> ServerOptions {
        match self.command {
            Some(Command::Server(options)) => ServerOptions {
                config: options.config.or(self.options.config),
                data_dir: options.data_dir.or(self.options.data_dir),
                set: [self.options.set, options.set].concat(),
            },
            None => self.options,
        }
    }
}
