//! Where the configuration of a process comes from, in RabbitMQ's order of precedence.
//!
//! Later ones count more: rabbitmq.conf, the files of conf.d by name, advanced.config, environment variables (which
//! rabbitmq-env.conf adds to), arguments. In RabbitMQ variables that have a key beside them count more than the files, too.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::advanced;
use crate::environment_file;
use crate::error::Error;
use crate::key::Key;
use crate::load::{Loader, read};
use crate::log_variables;
use crate::options::Config;
use crate::origin::Origin;
use crate::plugins::Plugins;
use crate::variables::{UnknownVariable, Variables};

/// Names the data directory, to the command line too.
const DATA_DIR: &str = "LEVERET_DATA_DIR";

/// What a process is given to configure itself with.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// `--config`: a file or a directory each, in the place of the main file; they must exist.
    pub files: Vec<PathBuf>,
    /// The directory of rabbitmq.conf, conf.d, advanced.config, enabled_plugins and rabbitmq-env.conf, any of which may be
    /// missing; `None` reads only what is named.
    pub directory: Option<PathBuf>,
    /// `--set`.
    pub settings: Vec<String>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// All environment variables.
    pub environment: BTreeMap<String, String>,
    /// The host's name up to the first dot, for the name of the node.
    pub host_name: String,
    /// The host's whole name.
    pub long_host_name: String,
}

/// A configuration, and what is worth saying about where it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What was asked for.
    pub config: Config,
    /// The files that were read, in order.
    pub files: Vec<PathBuf>,
    /// Variables that nobody knows.
    pub unknown_variables: Vec<UnknownVariable>,
    /// Variables that RabbitMQ has and nothing here depends on.
    pub variables_without_effect: Vec<String>,
}

/// Everything that is wrong with a configuration; never empty.
#[derive(Debug)]
pub struct Problems(Vec<Error>);

impl Problems {
    /// One line each.
    pub fn iter(&self) -> impl Iterator<Item = &Error> {
        self.0.iter()
    }
}

/// The first, and how many more there are.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => Ok(()),
            [only] => write!(f, "{only}"),
            [first, more @ ..] => {
                write!(f, "{first} (and {} more: `leveret config check` lists them)", more.len())
            }
        }
    }
}

impl std::error::Error for Problems {}

impl Sources {
    /// Reads and checks everything.
    ///
    /// # Errors
    /// All that is wrong, when anything is.
    pub fn load(&self) -> Result<Loaded, Problems> {
        let environment = self.environment.clone();
        let loader = Loader::with_environment(move |name| environment.get(name).cloned());
        let variables = Variables::new(&self.environment);
        let (files, problems, unused) = (Vec::new(), Vec::new(), Vec::new());
        let mut reading = Reading { sources: self, loader, variables, files, problems, unused };
        reading.everything();
        let Reading { loader, variables, files, mut problems, unused, .. } = reading;
        let config = loader.check(&mut problems);
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        Ok(Loaded {
            config,
            files,
            unknown_variables: variables.unknown(),
            variables_without_effect: variables.inert().into_iter().chain(unused).collect(),
        })
    }
}

struct Reading<'a> {
    sources: &'a Sources,
    loader: Loader,
    variables: Variables,
    files: Vec<PathBuf>,
    problems: Vec<Error>,
    /// Variables in whose place something else counts.
    unused: Vec<String>,
}

impl Reading<'_> {
    fn everything(&mut self) {
        self.environment_file();
        self.main_files();
        self.additional_files();
        self.advanced_file();
        self.plugins();
        self.variables();
        if let Some(directory) = self.sources.environment.get(DATA_DIR).filter(|directory| !directory.is_empty()) {
            self.put("leveret.data_dir", directory.clone(), &Origin::Variable { name: DATA_DIR.to_owned() });
        }
        for setting in &self.sources.settings {
            if let Err(error) = self.loader.set(setting) {
                self.problems.push(error);
            }
        }
        self.listener();
        if let Some(directory) = &self.sources.data_dir {
            self.put("leveret.data_dir", directory.display().to_string(), &Origin::Argument { name: "--data-dir" });
        }
    }

    /// A file of the configuration directory, where there is one.
    fn usual(&self, name: &str) -> Option<PathBuf> {
        self.sources.directory.as_ref().map(|directory| directory.join(name)).filter(|path| path.exists())
    }

    fn contents(&mut self, path: &Path) -> Option<Vec<u8>> {
        match read(path) {
            Ok(bytes) => {
                self.files.push(path.to_owned());
                Some(bytes)
            }
            Err(error) => {
                self.problems.push(error);
                None
            }
        }
    }

    fn environment_file(&mut self) {
        let named = self.variables.path("CONF_ENV_FILE");
        let Some(path) = named.or_else(|| self.usual("rabbitmq-env.conf")) else { return };
        let Some(bytes) = self.contents(&path) else { return };
        let file = Arc::new(path.clone());
        let all = environment_file::assignments(path, &bytes, &self.sources.environment, &mut self.problems);
        // Of the same name in the file the last counts.
        for (name, value) in all.into_iter().rev() {
            self.variables.add(&name, value, &file);
        }
    }

    fn main_files(&mut self) {
        if !self.sources.files.is_empty() {
            return self.sources.files.iter().for_each(|path| self.file_or_directory(path));
        }
        let named = self.variables.path("CONFIG_FILE").map(|path| completed(&path));
        if let Some(path) = named.or_else(|| self.usual("rabbitmq.conf")) {
            self.file(&path);
        }
    }

    fn file_or_directory(&mut self, path: &Path) {
        if path.is_dir() {
            self.several(path, |name| name.ends_with(".conf"));
        } else {
            self.file(path);
        }
    }

    /// Lines of keys, or Erlang terms where the name ends in `.config`.
    fn file(&mut self, path: &Path) {
        let Some(bytes) = self.contents(path) else { return };
        if path.extension() == Some(OsStr::new("config")) {
            for (key, text, origin) in advanced::translate(path.to_owned(), &bytes, &mut self.problems) {
                self.loader.literal(key, text, origin);
            }
        } else {
            self.loader.lines(path.to_owned(), &bytes, &mut self.problems);
        }
    }

    /// A directory, of which every file counts, or a pattern with wildcards in its last segment.
    fn additional_files(&mut self) {
        match self.variables.path("CONFIG_FILES") {
            Some(path) if path.is_dir() => self.several(&path, |_| true),
            Some(path) => {
                let pattern = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                let directory = directory.unwrap_or_else(|| Path::new("."));
                if pattern.contains(['*', '?']) {
                    self.several(directory, |name| matches_wildcards(&pattern, name));
                } else {
                    self.file(&path);
                }
            }
            None => {
                if let Some(directory) = self.usual("conf.d") {
                    self.several(&directory, |name| name.ends_with(".conf"));
                }
            }
        }
    }

    /// The files of a directory whose names are wanted, in the order of their names.
    fn several(&mut self, directory: &Path, is_wanted: impl Fn(&str) -> bool) {
        let mut files = Vec::new();
        let entries = fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        match entries {
            Ok(entries) => files.extend(entries.into_iter().map(|entry| entry.path())),
            Err(source) => self.problems.push(Error::Unreadable { path: directory.to_owned(), source }),
        }
        files.retain(|file| {
            let name = file.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
            // What systems keep beside mounted files begins with a dot.
            !name.starts_with('.') && is_wanted(&name) && file.is_file()
        });
        files.sort();
        for file in files {
            self.file(&file);
        }
    }

    fn advanced_file(&mut self) {
        let named = self.variables.path("ADVANCED_CONFIG_FILE");
        let Some(path) = named.or_else(|| self.usual("advanced.config")) else { return };
        let Some(bytes) = self.contents(&path) else { return };
        for (key, text, origin) in advanced::translate(path, &bytes, &mut self.problems) {
            self.loader.literal(key, text, origin);
        }
    }

    fn plugins(&mut self) {
        let named = self.variables.path("ENABLED_PLUGINS_FILE");
        let usual = || self.sources.directory.as_ref().map(|directory| directory.join("enabled_plugins"));
        let file = named.or_else(usual);
        if let Some(list) = self.variables.value("ENABLED_PLUGINS") {
            return self.loader.plugins(Plugins::from_list(list, file));
        }
        let Some(file) = file else { return };
        // RabbitMQ starts without the file, too: it is written by the first command that enables a plugin.
        let contents = if file.exists() { self.contents(&file) } else { None };
        match Plugins::from_file(&file, contents.as_deref()) {
            Ok(plugins) => self.loader.plugins(plugins),
            Err(error) => self.problems.push(error),
        }
    }

    fn put(&mut self, key: &str, text: String, origin: &Origin) {
        if let Some(key) = Key::parse(key) {
            self.loader.literal(key, text, origin.clone());
        }
    }

    fn variables(&mut self) {
        for (origin, key, value) in self.variables.keys(&mut self.problems) {
            self.put(key, value, &origin);
        }
        self.node();
        self.log();
        self.tls();
        self.watermark();
    }

    /// The names that go into the node's, and the data directory that RabbitMQ names after the node.
    fn node(&mut self) {
        let is_yes = |value: &str| matches!(value, "1" | "yes" | "true");
        let long_names = self.variables.value("USE_LONGNAME").map(is_yes);
        if let Some(long_names) = long_names {
            self.put("leveret.long_names", long_names.to_string(), &self.variables.origin("USE_LONGNAME"));
        }
        let Some(base) = self.variables.path("MNESIA_BASE").filter(|_| self.variables.value("MNESIA_DIR").is_none())
        else {
            return;
        };
        let host = match long_names {
            Some(true) => &self.sources.long_host_name,
            _ => &self.sources.host_name,
        };
        let node = match self.variables.value("NODENAME").unwrap_or("rabbit") {
            name if name.contains('@') => name.to_owned(),
            name => format!("{name}@{host}"),
        };
        self.put("leveret.data_dir", base.join(node).display().to_string(), &self.variables.origin("MNESIA_BASE"));
    }

    /// The listener where nothing else says where to listen: in RabbitMQ (seen with 3.10.8) listeners of the files count, and
    /// these variables only where files have none.
    fn listener(&mut self) {
        let (port, ip) = (self.variables.value("NODE_PORT"), self.variables.value("NODE_IP_ADDRESS"));
        let name = if port.is_some() { "NODE_PORT" } else { "NODE_IP_ADDRESS" };
        let text = match (ip.filter(|ip| *ip != "auto"), port) {
            (None, None) => return,
            (None, Some(port)) => port.to_owned(),
            (Some(ip), port) => format!("{ip}:{}", port.unwrap_or("5672")),
        };
        if self.loader.is_any_given("listeners.tcp") {
            return self.unused.push(format!("RABBITMQ_{name} (listeners.tcp is given)"));
        }
        self.put("listeners.tcp.default", text, &self.variables.origin(name));
    }

    fn log(&mut self) {
        let places = self.variables.value("LOGS").map(log_variables::outputs);
        let levels = self.variables.value("LOG").map(log_variables::levels);
        for (name, settings) in [("LOGS", places), ("LOG", levels)] {
            let origin = self.variables.origin(name);
            for (key, text) in settings.unwrap_or_default() {
                self.put(&key, text, &origin);
            }
        }
    }

    /// Container images of RabbitMQ 3.8 had these; a certificate for AMQP opens the TLS listener.
    fn tls(&mut self) {
        for (name, family) in
            [("SSL_VERSIONS", "ssl_options.versions"), ("MANAGEMENT_SSL_VERSIONS", "management.ssl.versions")]
        {
            let versions = self.variables.value(name).unwrap_or_default().to_owned();
            let origin = self.variables.origin(name);
            let words = versions.split([',', ' ']).filter(|word| !word.is_empty());
            for (index, version) in words.enumerate() {
                self.put(&format!("{family}.{}", index + 1), version.to_owned(), &origin);
            }
        }
        let name = ["SSL_CERTFILE", "SSL_CERTFILE_FILE"].into_iter().find(|name| self.variables.value(name).is_some());
        if let Some(name) = name {
            let origin = self.variables.origin(name);
            self.put("listeners.ssl.default", "5671".to_owned(), &origin);
        }
        let name = ["MANAGEMENT_SSL_CERTFILE", "MANAGEMENT_SSL_CERTFILE_FILE"];
        if let Some(name) = name.into_iter().find(|name| self.variables.value(name).is_some()) {
            let origin = self.variables.origin(name);
            self.put("management.ssl.port", "15671".to_owned(), &origin);
        }
    }

    /// A share as `0.4` or `40%`, or bytes, also with a unit.
    fn watermark(&mut self) {
        let name = "VM_MEMORY_HIGH_WATERMARK";
        let Some(value) = self.variables.given(name, true, &mut self.problems) else { return };
        let is_share = value.ends_with('%') || value.parse::<f64>().is_ok_and(|share| share <= 1.0);
        let key = if is_share { "vm_memory_high_watermark.relative" } else { "vm_memory_high_watermark.absolute" };
        self.put(key, value, &self.variables.origin(name));
    }
}

/// RABBITMQ_CONFIG_FILE names the file with its extension or without; the old format comes first, as in RabbitMQ.
fn completed(path: &Path) -> PathBuf {
    let with = |extension: &str| PathBuf::from(format!("{}.{extension}", path.display()));
    let candidates = [path.to_owned(), with("config"), with("conf")];
    candidates.into_iter().find(|candidate| candidate.is_file()).unwrap_or_else(|| path.to_owned())
}

/// `*` for any characters, `?` for one.
fn matches_wildcards(pattern: &str, name: &str) -> bool {
    match pattern.chars().next() {
        None => name.is_empty(),
        Some('*') => {
            let rest = &pattern[1..];
            name.char_indices().map(|(at, _)| at).chain([name.len()]).any(|at| matches_wildcards(rest, &name[at..]))
        }
        Some(wanted) => {
            let mut rest = name.chars();
            rest.next().is_some_and(|c| wanted == '?' || c == wanted)
                && matches_wildcards(&pattern[wanted.len_utf8()..], rest.as_str())
        }
    }
}
