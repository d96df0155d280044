//! `rabbitmqadmin` in its classic syntax: options, a verb, a kind of object, and `name=value` for the rest.
//!
//! Everything is a request to the HTTP API, so it works against RabbitMQ, too.

mod format;
mod help;
mod objects;
mod options;
mod request;
#[cfg(test)]
mod tests;

use crate::http::segment;
use objects::{Object, Verb};
use options::Options;
use request::Api;
use serde_json::{Map, Value};
use std::fs;
use std::io::{self, Read, Write};

/// What cannot be done: the text for standard error.
#[derive(Debug, PartialEq, Eq)]
struct Failed(String);

impl Failed {
    /// The command line makes no sense.
    fn usage(problem: impl AsRef<str>) -> Failed {
        Failed(format!("\nERROR: {}\n\nrabbitmqadmin --help for help\n", problem.as_ref()))
    }

    /// The broker does not do it.
    fn refused(reason: impl AsRef<str>) -> Failed {
        // RabbitMQ's has an empty line behind it.
        Failed(format!("*** {}\n", reason.as_ref()))
    }
}

/// Runs `rabbitmqadmin` with these arguments and returns the exit code of the process: 1 for any failure, as RabbitMQ's.
pub fn run(arguments: &[String]) -> u8 {
    let printed = execute(arguments).and_then(|text| {
        let mut output = io::stdout().lock();
        match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
            // `| head` has what it wants.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failed::refused(format!("cannot print: {error}")))
            }
            _ => Ok(()),
        }
    });
    match printed {
        Ok(()) => 0,
        Err(Failed(text)) => {
            // There is nobody left to tell when standard error is gone.
            let _ = writeln!(io::stderr(), "{text}");
            1
        }
    }
}

fn execute(arguments: &[String]) -> Result<String, Failed> {
    let options = Options::read(arguments)?;
    if options.wants_version {
        return Ok(format!("rabbitmqadmin {}\n", env!("CARGO_PKG_VERSION")));
    }
    if options.wants_help {
        return Ok(help::overview());
    }
    if options.wants_completion {
        return Ok(help::bash_completion());
    }
    let Some((verb, rest)) = options.words.split_first() else {
        return Err(Failed::usage("Action not specified"));
    };
    let api = Api::new(&options)?;
    let tool = Tool { options: &options, api: &api, rest };
    match verb.as_str() {
        "help" => tool.help(),
        "list" => tool.list(objects::LISTABLE, "list"),
        "show" => tool.list(objects::SHOWABLE, "show"),
        "declare" => tool.change(Verb::Declare, "declared"),
        "delete" => tool.change(Verb::Delete, "deleted"),
        "close" => tool.change(Verb::Close, "closed"),
        "purge" => tool.change(Verb::Purge, "purged"),
        "publish" => tool.publish(),
        "get" => tool.get(),
        "export" => tool.export(),
        "import" => tool.import(),
        other => Err(Failed::usage(format!("Action {other} not understood"))),
    }
}

struct Tool<'a> {
    options: &'a Options,
    api: &'a Api,
    /// What follows the verb.
    rest: &'a [String],
}

impl Tool<'_> {
    /// A status message, unless nobody wants them.
    fn say(&self, text: &str) -> String {
        if self.options.quiet { String::new() } else { format!("{text}\n") }
    }

    fn only_argument(&self) -> Result<&str, Failed> {
        match self.rest {
            [argument] => Ok(argument),
            _ => Err(Failed::usage("Exactly one argument required")),
        }
    }

    fn help(&self) -> Result<String, Failed> {
        match self.rest {
            [] => Ok(help::overview()),
            [topic] if topic == "subcommands" => Ok(help::subcommands()),
            [topic] if topic == "config" => Ok(help::configuration()),
            _ => Err(Failed::usage("help topic must be one of:\n  subcommands\n  config")),
        }
    }

    fn list(&self, kinds: &[objects::Listed], verb: &str) -> Result<String, Failed> {
        let Some((kind, columns)) = self.rest.split_first() else {
            return Err(Failed::usage(format!("Don't know how to {verb} nothing")));
        };
        let Some(listed) = kinds.iter().find(|listed| listed.name == kind) else {
            return Err(Failed::usage(format!("Don't know how to {verb} {kind}")));
        };
        let mut path = format!("/{}", kind.replace('_', "-"));
        if let Some(vhost) = self.options.vhost.as_deref().filter(|_| listed.is_of_vhost) {
            path += &format!("/{}", segment(vhost));
        }
        let usual = self.options.depth == 1 && !self.options.format.contains("json");
        let columns: Vec<String> = match columns {
            [] if usual => listed.columns.iter().map(|name| (*name).to_owned()).collect(),
            given => given.to_vec(),
        };
        let mut query = Vec::new();
        if !columns.is_empty() {
            let names: Vec<String> = columns.iter().map(|name| segment(name)).collect();
            query.push(format!("columns={}", names.join(",")));
        }
        query.extend(self.options.sort.as_ref().map(|key| format!("sort={}", segment(key))));
        query.extend(self.options.sort_reverse.then(|| "sort_reverse=true".to_owned()));
        if !query.is_empty() {
            path += &format!("?{}", query.join("&"));
        }
        let answer = self.api.get(&path)?;
        let answer = if verb == "show" { format!("[{answer}]") } else { answer };
        format::list(&answer, &columns, listed.as_json, self.options)
    }

    fn change(&self, verb: Verb, done: &str) -> Result<String, Failed> {
        let Some((kind, arguments)) = self.rest.split_first() else {
            return Err(Failed::usage("Type not specified"));
        };
        let Some(object) = objects::find(verb, kind) else {
            return Err(Failed::usage(format!("Type {kind} not recognised")));
        };
        let (path, upload) = self.parse(object, arguments)?;
        match verb {
            Verb::Declare if kind == "binding" => self.api.post(&path, &Value::Object(upload).to_string())?,
            Verb::Declare => self.api.put(&path, &Value::Object(upload).to_string())?,
            Verb::Delete | Verb::Close | Verb::Purge => self.api.delete(&path)?,
        };
        Ok(self.say(&format!("{kind} {done}")))
    }

    /// The path and the body that `name=value` arguments make of an object.
    fn parse(&self, object: &Object, arguments: &[String]) -> Result<(String, Map<String, Value>), Failed> {
        let vhost = self.options.vhost.as_deref().unwrap_or(&self.options.declare_vhost);
        object.parse(arguments, vhost)
    }

    fn publish(&self) -> Result<String, Failed> {
        let (path, mut upload) = self.parse(&objects::PUBLISH, self.rest)?;
        if !upload.contains_key("payload") {
            use base64::Engine;
            let mut payload = Vec::new();
            let read = io::stdin().lock().read_to_end(&mut payload);
            read.map_err(|error| Failed::refused(format!("cannot read the payload: {error}")))?;
            let encoded = base64::engine::general_purpose::STANDARD.encode(payload);
            upload.insert("payload".to_owned(), encoded.into());
            upload.insert("payload_encoding".to_owned(), "base64".into());
        }
        let answer: Value = serde_json::from_str(&self.api.post(&path, &Value::Object(upload).to_string())?)
            .map_err(|_| Failed::refused("the broker's answer is not JSON"))?;
        let routed = answer["routed"] == true;
        Ok(self.say(if routed { "Message published" } else { "Message published but NOT routed" }))
    }

    fn get(&self) -> Result<String, Failed> {
        let (path, upload) = self.parse(&objects::GET, self.rest)?;
        let file = upload.get("payload_file").and_then(Value::as_str).map(str::to_owned);
        if file.is_some() && upload.get("count") != Some(&Value::from("1")) {
            return Err(Failed::usage("Cannot get multiple messages using payload_file"));
        }
        let answer = self.api.post(&path, &Value::Object(upload).to_string())?;
        let Some(file) = file else { return format::list(&answer, &[], &[], self.options) };
        let messages: Value = serde_json::from_str(&answer).unwrap_or_default();
        let Some(message) = messages.get(0) else { return Ok(self.say("No items")) };
        write_payload(&file, message)?;
        let columns = ["routing_key", "exchange", "message_count", "payload_bytes", "redelivered"].map(str::to_owned);
        format::list(&answer, &columns, &[], self.options)
    }

    fn definitions(&self) -> String {
        self.options
            .vhost
            .as_ref()
            .map_or_else(|| "/definitions".to_owned(), |vhost| format!("/definitions/{}", segment(vhost)))
    }

    fn export(&self) -> Result<String, Failed> {
        let path = self.only_argument()?;
        let definitions = self.api.get(&self.definitions())?;
        fs::write(path, definitions).map_err(|error| Failed::refused(format!("cannot write {path}: {error}")))?;
        Ok(self.say(&format!("Exported definitions for {} to \"{path}\"", self.options.host)))
    }

    fn import(&self) -> Result<String, Failed> {
        let path = self.only_argument()?;
        let definitions =
            fs::read_to_string(path).map_err(|error| Failed::refused(format!("cannot read {path}: {error}")))?;
        self.api.post(&self.definitions(), &definitions)?;
        // RabbitMQ's has the two the other way round.
        Ok(self.say(&format!("Uploaded definitions from \"{path}\" to {}.", self.options.host)))
    }
}

fn write_payload(file: &str, message: &Value) -> Result<(), Failed> {
    use base64::Engine;
    let payload = message["payload"].as_str().unwrap_or_default();
    let bytes = if message["payload_encoding"] == "base64" {
        let decoded = base64::engine::general_purpose::STANDARD.decode(payload);
        decoded.map_err(|_| Failed::refused("the broker's answer is not in base64"))?
    } else {
        payload.as_bytes().to_vec()
    };
    fs::write(file, bytes).map_err(|error| Failed::refused(format!("cannot write {file}: {error}")))
}
