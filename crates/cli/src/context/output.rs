//! What a command prints, in the format that was asked for.

use super::Context;
use crate::exit::{self, Failure};
use crate::formatter::Formatter;
use crate::table::Table;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

impl Context<'_> {
    /// True where what is for people is wanted.
    pub(crate) fn is_talkative(&self) -> bool {
        !self.arguments.quiet && !self.arguments.silent && !self.arguments.formatter.is_for_machines()
    }

    /// Prints what is about to happen, unless nobody wants to know.
    pub(crate) fn banner(&self, text: &str) -> Result<(), Failure> {
        if self.is_talkative() { print(&format!("{text}\n")) } else { Ok(()) }
    }

    /// Prints a closing remark, unless nobody wants to know.
    pub(crate) fn remark(&self, text: &str) -> Result<(), Failure> {
        match self.arguments.formatter {
            Formatter::Json | Formatter::JsonStream => {
                let node = self.node_name()?;
                print(&format!("{}\n", json!({ "message": text.trim_end(), "node": node, "status": "ok" })))
            }
            _ => self.banner(text),
        }
    }

    /// Prints a result in words, as a whole line.
    pub(crate) fn message(&self, text: &str) -> Result<(), Failure> {
        match self.arguments.formatter {
            Formatter::Json | Formatter::JsonStream => print(&format!("{}\n", json!({ "message": text }))),
            _ => print(&format!("{text}\n")),
        }
    }

    /// Prints an object for machines; people get `text`.
    pub(crate) fn result(&self, object: &Value, text: &str) -> Result<(), Failure> {
        match self.arguments.formatter {
            Formatter::Json | Formatter::JsonStream => print(&format!("{object}\n")),
            Formatter::Erlang => print(&format!("{}\n", crate::term::term(object))),
            _ if text.is_empty() => Ok(()),
            _ => print(&format!("{text}\n")),
        }
    }

    /// Says that it is done to machines that want to hear it; `more` is an object.
    pub(crate) fn done(&self, more: Value) -> Result<(), Failure> {
        if !matches!(self.arguments.formatter, Formatter::Json | Formatter::JsonStream) {
            return Ok(());
        }
        let mut object = json!({ "node": self.node_name()?, "result": "ok" });
        if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
            object.extend(more);
        }
        print(&format!("{object}\n"))
    }

    /// The failure of a check: an object for machines, and words for people.
    pub(crate) fn failed_check(&self, object: &Value, text: &str) -> Failure {
        match self.arguments.formatter {
            Formatter::Json | Formatter::JsonStream => Failure::new(exit::UNAVAILABLE, object.to_string()),
            _ => Failure::new(exit::UNAVAILABLE, text),
        }
    }

    /// Prints a list in the format asked for.
    pub(crate) fn print_table(&self, table: &Table) -> Result<(), Failure> {
        let headers = !self.arguments.silent && !self.arguments.no_table_headers;
        print(&table.format(self.arguments.formatter, headers))
    }

    /// Prints a list in the format asked for, with names of columns only where somebody wants them.
    pub(crate) fn print_bare_table(&self, table: &Table) -> Result<(), Failure> {
        let headers = self.flag("table-headers") && !self.arguments.silent && !self.arguments.no_table_headers;
        print(&table.format(self.arguments.formatter, headers))
    }

    /// Prints a list in the format asked for; an empty one is an empty line, as RabbitMQ prints some.
    pub(crate) fn print_table_or_blank(&self, table: &Table) -> Result<(), Failure> {
        if table.rows.is_empty() && self.arguments.formatter == Formatter::Table {
            return print("\n");
        }
        self.print_table(table)
    }
}

/// True once something was printed: whoever reads JSON is told of success by an object, where there is no other.
static HAS_PRINTED: AtomicBool = AtomicBool::new(false);

/// True once something was printed to standard output.
pub(crate) fn has_printed() -> bool {
    HAS_PRINTED.load(Ordering::Relaxed)
}

/// Prints to standard output; a reader who has gone, as `head` does, is no reason to leave the command half done.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    // An empty list is a result, too.
    HAS_PRINTED.store(true, Ordering::Relaxed);
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::error(exit::UNAVAILABLE, format!("cannot print: {error}")))
        }
        _ => Ok(()),
    }
}
