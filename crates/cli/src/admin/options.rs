//! The options, and the configuration file that has them for a host.

use super::Failed;
use std::fs;

/// What is set by options, the file, or nobody.
#[derive(Clone)]
pub(super) struct Options {
    pub(super) words: Vec<String>,
    pub(super) host: String,
    pub(super) port: String,
    pub(super) path_prefix: String,
    pub(super) vhost: Option<String>,
    pub(super) declare_vhost: String,
    pub(super) username: String,
    pub(super) password: String,
    pub(super) secure: bool,
    pub(super) ca_certificate: Option<String>,
    pub(super) timeout_s: u64,
    pub(super) format: String,
    pub(super) depth: usize,
    pub(super) sort: Option<String>,
    pub(super) sort_reverse: bool,
    pub(super) quiet: bool,
    pub(super) wants_help: bool,
    pub(super) wants_version: bool,
    pub(super) wants_completion: bool,
}

/// An option: its letter, its name, the name of its value or nothing for a flag, and what it is for.
pub(super) type Known = (Option<char>, &'static str, Option<&'static str>, &'static str);

pub(super) const KNOWN: [Known; 24] = [
    (None, "version", None, "print the version"),
    (Some('h'), "help", None, "print this"),
    (Some('c'), "config", Some("CONFIG"), "configuration file [default: ~/.rabbitmqadmin.conf]"),
    (Some('N'), "node", Some("NODE"), "section of the configuration file [default: default]"),
    (Some('H'), "host", Some("HOST"), "host of the broker [default: localhost]"),
    (Some('P'), "port", Some("PORT"), "port of its HTTP API [default: 15672]"),
    (None, "path-prefix", Some("PATH_PREFIX"), "what stands before /api"),
    (Some('V'), "vhost", Some("VHOST"), "virtual host [default: all for list, / for declare]"),
    (Some('u'), "username", Some("USERNAME"), "user [default: guest]"),
    (Some('p'), "password", Some("PASSWORD"), "password [default: guest]"),
    (Some('U'), "base-uri", Some("URI"), "host, port, user and password as one address"),
    (Some('q'), "quiet", None, "only print results"),
    (Some('s'), "ssl", None, "use TLS"),
    (None, "ssl-key-file", Some("SSL_KEY_FILE"), "key of a client certificate; not available"),
    (None, "ssl-cert-file", Some("SSL_CERT_FILE"), "client certificate; not available"),
    (None, "ssl-ca-cert-file", Some("SSL_CA_CERT_FILE"), "authorities that the broker's certificate comes from"),
    (None, "ssl-disable-hostname-verification", None, "not available: certificates are always checked"),
    (Some('k'), "ssl-insecure", None, "not available: certificates are always checked"),
    (Some('t'), "request-timeout", Some("REQUEST_TIMEOUT"), "seconds that an answer may take [default: 120]"),
    (Some('f'), "format", Some("FORMAT"), "raw_json, pretty_json, tsv, long, table, kvp or bash [default: table]"),
    (Some('S'), "sort", Some("SORT"), "column by which lists are sorted"),
    (Some('R'), "sort-reverse", None, "sort the other way round"),
    (Some('d'), "depth", Some("DEPTH"), "how deep objects in objects are shown [default: 1]"),
    (None, "bash-completion", None, "print a script for completion in bash"),
];

/// Options that would be a promise that is not kept.
const UNAVAILABLE: [&str; 4] = ["ssl-key-file", "ssl-cert-file", "ssl-disable-hostname-verification", "ssl-insecure"];

type Given = Vec<(&'static str, String)>;

impl Options {
    /// Takes a command line apart, and reads the configuration file.
    pub(super) fn read(arguments: &[String]) -> Result<Options, Failed> {
        let (given, words) = split(arguments)?;
        let from_file = file(&given)?;
        // What stands on the command line is stronger than the file.
        let of = |name: &str| {
            let own = given.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
            let key = if name == "host" { "hostname".to_owned() } else { name.replace('-', "_") };
            own.or_else(|| from_file.iter().rev().find(|(known, _)| *known == key).map(|(_, value)| value.clone()))
        };
        let is_on = |name: &str| of(name).is_some_and(|value| value.is_empty() || value == "True");
        if let Some(name) =
            UNAVAILABLE.into_iter().find(|name| is_on(name) || of(name).is_some_and(|value| value != "False"))
        {
            return Err(Failed::usage(format!("--{name} is not available here: use --ssl-ca-cert-file")));
        }
        let number = |name: &str, usual: u64| match of(name) {
            None => Ok(usual),
            Some(text) => {
                text.parse().map_err(|_| Failed::usage(format!("option --{name}: invalid integer value: '{text}'")))
            }
        };
        let text = |name: &str, usual: &str| of(name).unwrap_or_else(|| usual.to_owned());
        let vhost = of("vhost");
        let mut options = Options {
            words,
            host: text("host", "localhost"),
            port: text("port", "15672"),
            path_prefix: text("path-prefix", ""),
            declare_vhost: text("declare-vhost", "/"),
            vhost,
            username: text("username", "guest"),
            password: text("password", "guest"),
            secure: is_on("ssl"),
            ca_certificate: of("ssl-ca-cert-file"),
            timeout_s: number("request-timeout", 120)?,
            format: text("format", "table"),
            depth: usize::try_from(number("depth", 1)?).unwrap_or(usize::MAX),
            sort: of("sort"),
            sort_reverse: is_on("sort-reverse"),
            quiet: is_on("quiet"),
            wants_help: is_on("help"),
            wants_version: is_on("version"),
            wants_completion: is_on("bash-completion"),
        };
        if let Some(uri) = of("base-uri") {
            options.take_uri(&uri)?;
        }
        Ok(options)
    }

    fn take_uri(&mut self, uri: &str) -> Result<(), Failed> {
        let wrong = || Failed::usage("the base URI looks like http://user:password@host:15672");
        let (_, rest) = uri.split_once("://").ok_or_else(wrong)?;
        let authority = rest.split('/').next().unwrap_or(rest);
        let (credentials, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
        if !user.is_empty() {
            user.clone_into(&mut self.username);
        }
        if !password.is_empty() {
            password.clone_into(&mut self.password);
        }
        match host.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
            Some((host, port)) => {
                host.clone_into(&mut self.host);
                port.clone_into(&mut self.port);
            }
            None => host.clone_into(&mut self.host),
        }
        Ok(())
    }
}

/// Options with their values, and what is no option.
fn split(arguments: &[String]) -> Result<(Given, Vec<String>), Failed> {
    let (mut given, mut words) = (Given::new(), Vec::new());
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--" {
            words.extend(rest.by_ref().cloned());
        } else if let Some(long) = argument.strip_prefix("--") {
            let (name, inline) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let known = by_prefix(name).ok_or_else(|| Failed::usage(format!("no such option: --{name}")))?;
            given.push((known.1, value_of(&known, inline.map(str::to_owned), &mut rest)?));
        } else if argument.len() > 1 && argument.starts_with('-') {
            letters(argument, &mut given, &mut rest)?;
        } else {
            words.push(argument.clone());
        }
    }
    Ok((given, words))
}

/// Flags in one word, the last of which may be an option with its value behind it.
fn letters(word: &str, given: &mut Given, rest: &mut std::slice::Iter<'_, String>) -> Result<(), Failed> {
    let mut left = word.get(1..).unwrap_or_default();
    while let Some(letter) = left.chars().next() {
        left = left.get(letter.len_utf8()..).unwrap_or_default();
        let known = KNOWN.iter().find(|known| known.0 == Some(letter)).copied();
        let known = known.ok_or_else(|| Failed::usage(format!("no such option: -{letter}")))?;
        if known.2.is_some() {
            let inline = (!left.is_empty()).then(|| left.to_owned());
            given.push((known.1, value_of(&known, inline, rest)?));
            return Ok(());
        }
        given.push((known.1, String::new()));
    }
    Ok(())
}

/// A long name may be shortened as far as it is the only one.
fn by_prefix(name: &str) -> Option<Known> {
    let exact = KNOWN.iter().find(|known| known.1 == name).copied();
    let mut shortened = KNOWN.iter().filter(|known| known.1.starts_with(name));
    exact.or_else(|| shortened.next().filter(|_| shortened.next().is_none()).copied())
}

fn value_of(known: &Known, inline: Option<String>, rest: &mut std::slice::Iter<'_, String>) -> Result<String, Failed> {
    match known.2 {
        None => Ok(String::new()),
        Some(_) => inline
            .or_else(|| rest.next().cloned())
            .ok_or_else(|| Failed::usage(format!("--{} option requires 1 argument", known.1))),
    }
}

/// The keys and values of the section that is asked for.
fn file(given: &Given) -> Result<Vec<(String, String)>, Failed> {
    let of = |name: &str| given.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| value.as_str());
    let (path, is_wanted) = match (of("config"), std::env::var("HOME")) {
        (Some(path), _) => (path.to_owned(), true),
        (None, Ok(home)) => (format!("{home}/.rabbitmqadmin.conf"), false),
        (None, Err(_)) => return Ok(Vec::new()),
    };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(_) if !is_wanted => return Ok(Vec::new()),
        Err(_) => return Err(Failed::usage(format!("Could not read config file '{path}'"))),
    };
    let section = of("node").unwrap_or("default");
    match parse_section(&text, section) {
        Some(pairs) => Ok(pairs),
        None if section == "default" => Ok(Vec::new()),
        None => Err(Failed::usage(format!(
            "Could not read section '{section}' in config file '{path}':\n   No section: '{section}'"
        ))),
    }
}

/// The pairs of a section of an INI file; `None` where there is no such section.
pub(super) fn parse_section(text: &str, wanted: &str) -> Option<Vec<(String, String)>> {
    let (mut found, mut is_inside) = (None, false);
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            is_inside = name == wanted;
            if is_inside {
                found.get_or_insert_with(Vec::new);
            }
        } else if let Some((key, value)) = line.split_once(['=', ':']).filter(|_| is_inside) {
            // A percent sign is written twice.
            let pair = (key.trim().to_ascii_lowercase(), value.trim().replace("%%", "%"));
            found.get_or_insert_with(Vec::new).push(pair);
        }
    }
    found
}
