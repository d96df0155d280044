//! The command line, by the name that the binary is called with.

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use cli::Tool;
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
    /// Look into the message store of a broker that does not run.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Copy the data directory of a running broker, which goes on meanwhile.
    Backup {
        /// An empty folder, or one that is not there, on the broker's machine.
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        /// The broker's data directory [default: leveret-data].
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
        /// Show nothing while it goes on.
        #[arg(long, short)]
        quiet: bool,
    },
    /// Make a data directory of a backup.
    Restore {
        /// The folder of the backup.
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
        /// The new data directory: empty or not there.
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        /// Show nothing while it goes on.
        #[arg(long, short)]
        quiet: bool,
    },
    /// Move in: take the definitions, and if wanted the messages, of a RabbitMQ or LavinMQ.
    Import(ImportOptions),
    /// Look at the configuration that the broker would start with.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Administer a running broker; what `rabbitmqctl` does.
    #[command(disable_help_flag = true)]
    Ctl(Passed),
    /// Look at a running broker and check it; what `rabbitmq-diagnostics` does.
    #[command(disable_help_flag = true)]
    Diagnostics(Passed),
    /// Replicas and leaders of queues; what `rabbitmq-queues` does.
    #[command(disable_help_flag = true)]
    Queues(Passed),
    /// Replicas of streams; what `rabbitmq-streams` does.
    #[command(disable_help_flag = true)]
    Streams(Passed),
    /// Enable and disable plugins; what `rabbitmq-plugins` does.
    #[command(disable_help_flag = true)]
    Plugins(Passed),
    /// Take a node out of service and back; what `rabbitmq-upgrade` does.
    #[command(disable_help_flag = true)]
    Upgrade(Passed),
    /// Administer a broker by its HTTP API; what `rabbitmqadmin` does, in its classic syntax.
    #[command(disable_help_flag = true)]
    Admin(Passed),
    /// Say what is risky in a running broker, and what to do about it.
    #[command(disable_help_flag = true)]
    Doctor(Passed),
    /// Print a script that completes commands and options in a shell.
    Completions {
        /// The shell.
        #[arg(value_parser = ["bash", "zsh", "fish"])]
        shell: String,
    },
    /// Write manual pages of all tools into a directory.
    Man {
        /// The directory, which has to be there.
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
}

/// What a tool takes apart itself; `help` lists its commands.
#[derive(Args)]
struct Passed {
    /// A command with its arguments and options.
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// What to do with a message store.
#[derive(Subcommand, Debug, PartialEq, Eq)]
pub(crate) enum StoreCommand {
    /// Read everything and say what is damaged; nothing is changed.
    Check {
        /// The data directory.
        #[arg(value_name = "DIR")]
        data_dir: PathBuf,
    },
    /// Print every record; nothing is changed.
    Dump {
        /// The data directory.
        #[arg(value_name = "DIR")]
        data_dir: PathBuf,
    },
    /// Have the broker start without files of the log that are missing, and so without the messages in them.
    AcceptLoss {
        /// The data directory.
        #[arg(value_name = "DIR")]
        data_dir: PathBuf,
    },
}

/// What to do with a configuration.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum ConfigCommand {
    /// Say all that is wrong with it, a line each; the exit code is 78 when something is.
    Check {
        /// Files in the format of rabbitmq.conf, or directories of them; `*.config` for Erlang terms.
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        options: ServerOptions,
    },
    /// Print the keys that are given, with where each comes from; secrets are not shown.
    Show {
        /// Files in the format of rabbitmq.conf, or directories of them; `*.config` for Erlang terms.
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Keys that are not given, too, with their defaults.
        #[arg(long)]
        all: bool,
        /// How it is printed.
        #[arg(long, value_name = "FORMAT", value_parser = ["text", "json"], default_value = "text")]
        format: String,
        #[command(flatten)]
        options: ServerOptions,
    },
}

impl ConfigCommand {
    fn take_options(&mut self) -> ServerOptions {
        match self {
            Self::Check { options, .. } | Self::Show { options, .. } => std::mem::take(options),
        }
    }
}

/// What to move, from where, and where to.
#[derive(Args, Clone, Debug)]
pub(crate) struct ImportOptions {
    /// A file of definitions; instead of --from.
    #[arg(value_name = "FILE", required_unless_present = "from", conflicts_with = "from")]
    file: Option<PathBuf>,
    /// The old broker's HTTP API, such as http://user:password@old:15672.
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// Only this virtual host, with the users who have permissions in it.
    #[arg(long, value_name = "NAME")]
    vhost: Option<String>,
    /// Move messages too.
    #[arg(long)]
    messages: bool,
    /// Port of the old broker for AMQP, on the host of --from [default: 5672].
    #[arg(long, value_name = "PORT")]
    amqp_port: Option<u16>,
    /// The old broker for AMQP, such as amqp://user:password@old:5672.
    #[arg(long, value_name = "URL", conflicts_with = "amqp_port")]
    from_amqp: Option<String>,
    /// What quorum queues and streams are taken as: classic, which is durable classic queues.
    #[arg(long, value_name = "TYPE", value_parser = ["classic"])]
    quorum_as: Option<String>,
    /// Leave out what the new broker refuses, instead of importing nothing.
    #[arg(long)]
    leave_out_refused: bool,
    /// Say what would be done, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before anything is changed.
    #[arg(long)]
    yes: bool,
    /// The new broker's HTTP API [default: the broker that has its data in --data-dir].
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// The new broker for AMQP [default: a user is made for it, and deleted afterwards].
    #[arg(long, value_name = "URL")]
    to_amqp: Option<String>,
    /// Where the data of the new broker are [default: leveret-data].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where it is kept what has been moved, so that the same command goes on [default: leveret-import.state].
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Messages on their way at a time [default: 1000].
    #[arg(long, value_name = "COUNT")]
    prefetch: Option<u16>,
    /// Do not add the headers x-original-exchange and x-original-routing-key.
    #[arg(long)]
    no_origin_headers: bool,
    /// Show nothing while messages are moved.
    #[arg(long, short)]
    quiet: bool,
}

impl ImportOptions {
    /// The same for the crate that does it.
    pub(crate) fn into_options(self, data_dir: impl FnOnce() -> PathBuf) -> migrate::Options {
        migrate::Options {
            file: self.file,
            from: self.from,
            vhost: self.vhost,
            messages: self.messages,
            amqp_port: self.amqp_port,
            from_amqp: self.from_amqp,
            quorum_as_classic: self.quorum_as.is_some(),
            leave_out_refused: self.leave_out_refused,
            dry_run: self.dry_run,
            yes: self.yes,
            to: self.to,
            to_amqp: self.to_amqp,
            data_dir: self.data_dir.unwrap_or_else(data_dir),
            state: self.state,
            prefetch: self.prefetch,
            no_origin_headers: self.no_origin_headers,
            is_quiet: self.quiet,
        }
    }
}

/// What the process is to do.
pub(crate) enum Task {
    Serve(ServerOptions),
    Store(StoreCommand),
    BackUp {
        to: PathBuf,
        /// The data directory, if it was given.
        data_dir: Option<PathBuf>,
        is_quiet: bool,
    },
    Restore {
        from: PathBuf,
        to: PathBuf,
        is_quiet: bool,
    },
    Configuration {
        command: ConfigCommand,
        /// The broker's options.
        options: ServerOptions,
    },
    Import {
        options: ImportOptions,
        /// The data directory, if it was given before the command.
        data_dir: Option<PathBuf>,
    },
    /// `rabbitmqadmin`.
    AdministerOverHttp {
        arguments: Vec<String>,
    },
    /// Print a script for a shell.
    Complete {
        shell: String,
    },
    /// Write manual pages.
    Document {
        directory: PathBuf,
    },
    Administer {
        tool: Tool,
        /// The program's name for usage texts.
        program: String,
        arguments: Vec<String>,
        /// The data directory, if it was given before the command.
        data_dir: Option<PathBuf>,
    },
}

/// Options of the broker.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ServerOptions {
    /// A file in the format of rabbitmq.conf, or a directory of them; may be given more than once.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Vec<PathBuf>,
    /// Directory of rabbitmq.conf, conf.d, advanced.config, rabbitmq-env.conf and enabled_plugins, each of which may be
    /// missing [default: $LEVERET_CONFIG_DIR, and /etc/rabbitmq for rabbitmq-server].
    #[arg(long, value_name = "DIR")]
    pub(crate) config_dir: Option<PathBuf>,
    /// Where everything durable is kept [default: leveret-data].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// A key of rabbitmq.conf; overrides the file.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Write the process's id to this file while it runs [default: what RABBITMQ_PID_FILE names].
    #[arg(long, value_name = "FILE")]
    pub(crate) pid_file: Option<PathBuf>,
}

impl ServerOptions {
    /// Both, of which the later ones count more.
    fn followed_by(self, later: Self) -> Self {
        Self {
            config: [self.config, later.config].concat(),
            config_dir: later.config_dir.or(self.config_dir),
            data_dir: later.data_dir.or(self.data_dir),
            set: [self.set, later.set].concat(),
            pid_file: later.pid_file.or(self.pid_file),
        }
    }
}

/// The name under which this binary is RabbitMQ's tool for its HTTP API.
const RABBITMQADMIN: &str = "rabbitmqadmin";
/// The name under which this binary is RabbitMQ's server, which reads RabbitMQ's configuration.
const RABBITMQ_SERVER: &str = "rabbitmq-server";
const RABBITMQ_CONFIG_DIR: &str = "/etc/rabbitmq";
/// Names the directory where `--config-dir` does not.
const CONFIG_DIR_VARIABLE: &str = "LEVERET_CONFIG_DIR";
/// What RabbitMQ's script takes to leave the terminal, and this program does not.
const DETACHED: [&str; 2] = ["-detached", "--detached"];

/// Reads the command line; prints and ends the process for `--help`, `--version` and mistakes.
///
/// What is for a tool is seen before anything is parsed: scripts start these by the second, and clap is not for free.
pub(crate) fn task() -> Task {
    let mut given = std::env::args_os();
    let called = given.next().map(PathBuf::from);
    let called = called.as_deref().and_then(|path| path.file_name()?.to_str()).unwrap_or_default().to_owned();
    let rest: Vec<String> = given.map(|argument| argument.to_string_lossy().into_owned()).collect();
    if let Some(tool) = Tool::of_program(&called) {
        return Task::Administer { tool, program: called, arguments: rest, data_dir: None };
    }
    let is_server = called == RABBITMQ_SERVER;
    if let Some(tool) = rest.first().filter(|_| !is_server).and_then(|word| Tool::of_word(word)) {
        return administer(tool, rest.into_iter().skip(1).collect(), None);
    }
    if called == RABBITMQADMIN {
        return Task::AdministerOverHttp { arguments: rest };
    }
    match rest.split_first().filter(|_| !is_server) {
        Some((word, arguments)) if word == "admin" => {
            return Task::AdministerOverHttp { arguments: arguments.to_vec() };
        }
        Some((word, _)) if word == "doctor" => {
            return Task::Administer {
                tool: Tool::Diagnostics,
                program: "leveret".to_owned(),
                arguments: rest,
                data_dir: None,
            };
        }
        _ => {}
    }
    if is_server && rest.iter().any(|word| DETACHED.contains(&word.as_str())) {
        let problem = "the broker does not leave its terminal by itself: start it as a service (systemctl start), or in \
                       the background by the shell\n";
        Arguments::command().error(ErrorKind::InvalidValue, problem).exit();
    }
    let mut task = Arguments::parse().into_task();
    if let Task::Serve(options) | Task::Configuration { options, .. } = &mut task
        && options.config_dir.is_none()
    {
        let named = std::env::var_os(CONFIG_DIR_VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from);
        options.config_dir = named.or_else(|| is_server.then(|| RABBITMQ_CONFIG_DIR.into()));
    }
    task
}

fn administer(tool: Tool, arguments: Vec<String>, data_dir: Option<PathBuf>) -> Task {
    Task::Administer { tool, program: format!("leveret {}", tool.word()), arguments, data_dir }
}

impl Arguments {
    /// The broker's options may stand before `server` and `config` or behind them.
    fn into_task(self) -> Task {
        let data_dir = self.options.data_dir.clone();
        match self.command {
            Some(Command::Server(options)) => Task::Serve(self.options.followed_by(options)),
            Some(Command::Config(mut command)) => {
                let options = self.options.followed_by(command.take_options());
                Task::Configuration { command, options }
            }
            Some(Command::Store(command)) => Task::Store(command),
            Some(Command::Backup { to, data_dir: given, quiet }) => {
                Task::BackUp { to, data_dir: given.or(data_dir), is_quiet: quiet }
            }
            Some(Command::Restore { from, to, quiet }) => Task::Restore { from, to, is_quiet: quiet },
            Some(Command::Import(options)) => Task::Import { options, data_dir },
            Some(Command::Ctl(passed)) => administer(Tool::Ctl, passed.arguments, data_dir),
            Some(Command::Diagnostics(passed)) => administer(Tool::Diagnostics, passed.arguments, data_dir),
            Some(Command::Queues(passed)) => administer(Tool::Queues, passed.arguments, data_dir),
            Some(Command::Streams(passed)) => administer(Tool::Streams, passed.arguments, data_dir),
            Some(Command::Plugins(passed)) => administer(Tool::Plugins, passed.arguments, data_dir),
            Some(Command::Upgrade(passed)) => administer(Tool::Upgrade, passed.arguments, data_dir),
            Some(Command::Admin(passed)) => Task::AdministerOverHttp { arguments: passed.arguments },
            Some(Command::Doctor(passed)) => Task::Administer {
                tool: Tool::Diagnostics,
                program: "leveret".to_owned(),
                arguments: [vec!["doctor".to_owned()], passed.arguments].concat(),
                data_dir,
            },
            Some(Command::Completions { shell }) => Task::Complete { shell },
            Some(Command::Man { directory }) => Task::Document { directory },
            None => Task::Serve(self.options),
        }
    }
}
