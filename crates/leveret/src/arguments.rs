//! The command line, by the name that the binary is called with.

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
    /// Look into the message store of a broker that does not run; nothing is changed.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Administer a running broker; what `rabbitmqctl` does.
    #[command(disable_help_flag = true)]
    Ctl {
        /// A command with its arguments and options; `leveret ctl help` lists them.
        #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

/// What to do with a message store.
#[derive(Subcommand, Debug, PartialEq, Eq)]
pub(crate) enum StoreCommand {
    /// Read everything and say what is damaged.
    Check {
        /// The data directory.
        #[arg(value_name = "DIR")]
        data_dir: PathBuf,
    },
    /// Print every record.
    Dump {
        /// The data directory.
        #[arg(value_name = "DIR")]
        data_dir: PathBuf,
    },
}

/// What the process is to do.
pub(crate) enum Task {
    Serve(ServerOptions),
    Store(StoreCommand),
    Administer {
        /// The program's name for usage texts.
        program: &'static str,
        arguments: Vec<String>,
        /// The data directory, if it was given before the command.
        data_dir: Option<PathBuf>,
    },
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

/// The name under which this binary is RabbitMQ's tool.
const RABBITMQCTL: &str = "rabbitmqctl";

/// Reads the command line; prints and ends the process for `--help`, `--version` and mistakes.
pub(crate) fn task() -> Task {
    let mut given = std::env::args_os();
    let called = given.next().map(PathBuf::from);
    if called.is_some_and(|path| path.file_name().is_some_and(|name| name == RABBITMQCTL)) {
        let arguments = given.map(|argument| argument.to_string_lossy().into_owned()).collect();
        return Task::Administer { program: RABBITMQCTL, arguments, data_dir: None };
    }
    Arguments::parse().into_task()
}

impl Arguments {
    /// The broker's options may stand before `server` or behind it.
    fn into_task(self) -> Task {
        match self.command {
            Some(Command::Server(options)) => Task::Serve(ServerOptions {
                config: options.config.or(self.options.config),
                data_dir: options.data_dir.or(self.options.data_dir),
                set: [self.options.set, options.set].concat(),
            }),
            Some(Command::Store(command)) => Task::Store(command),
            Some(Command::Ctl { arguments }) => {
                Task::Administer { program: "leveret ctl", arguments, data_dir: self.options.data_dir }
            }
            None => Task::Serve(self.options),
        }
    }
}
