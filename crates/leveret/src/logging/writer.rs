//! The thread that writes.

use super::file::LogFile;
use super::format::Format;
use super::levels::{Levels, Output};
use super::record::Record;
use super::{Logging, Tap};
use anyhow::Result;
use config::{LogFormatter, LogLevel, LogLevelFormat, LogOptions, LogStdio, LogStyle, LogTimeFormat};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::SystemTime;

/// Records that are written before outputs are flushed, however many wait.
const BATCH: usize = 256;

/// What the thread is told.
pub(super) enum Message {
    Record(Record),
    Configure { levels: Box<Levels>, outputs: Option<Box<Outputs>>, done: SyncSender<()> },
    Rotate(SyncSender<()>),
    Tap { tap: Tap, done: SyncSender<()> },
    Flush(SyncSender<()>),
}

/// Where records go.
pub(crate) struct Outputs {
    console: Option<Console>,
    file: Option<(Format, LogFile)>,
    /// By number of the category.
    of_categories: BTreeMap<usize, (Format, LogFile)>,
}

struct Console {
    format: Format,
    stdio: LogStdio,
    colors: Option<BTreeMap<LogLevel, String>>,
    /// What is not written yet.
    buffer: String,
}

impl Outputs {
    /// Opens the files.
    pub(super) fn open(options: &LogOptions, node: &str) -> Result<Outputs> {
        let open = |file: &config::LogFileOptions| -> Result<(Format, LogFile)> {
            Ok((Format::new(&file.output.formatter), LogFile::open(&file.place, node, &file.rotation)?))
        };
        let mut of_categories = BTreeMap::new();
        for (category, file) in &options.category_files {
            of_categories.insert(Levels::category(category), open(file)?);
        }
        Ok(Outputs {
            console: options.console.as_ref().map(|console| Console {
                format: Format::new(&console.output.formatter),
                stdio: console.stdio,
                colors: console.colors.clone(),
                buffer: String::new(),
            }),
            file: options.file.as_ref().map(open).transpose()?,
            of_categories,
        })
    }

    /// What an output does not take is lost there: there is no other place to complain.
    fn write(&mut self, record: &Record, levels: &Levels) {
        let takes = |output| levels.takes(output, record.category, record.level);
        if let Some(console) = self.console.as_mut().filter(|_| takes(Output::Console)) {
            console.write(record);
        }
        let file = self.of_categories.get_mut(&record.category).or(self.file.as_mut());
        if let Some((format, file)) = file.filter(|_| takes(Output::File)) {
            let _ = file.write(&format.lines(record), record.time);
        }
    }

    fn flush(&mut self) {
        if let Some(console) = &mut self.console {
            console.flush();
        }
        for (_, file) in self.file.iter_mut().chain(self.of_categories.values_mut()) {
            let _ = file.flush();
        }
    }

    fn rotate(&mut self) {
        for (_, file) in self.file.iter_mut().chain(self.of_categories.values_mut()) {
            let _ = file.rotate(SystemTime::now());
        }
    }
}

impl Console {
    fn write(&mut self, record: &Record) {
        let lines = self.format.lines(record);
        match &self.colors {
            Some(colors) => {
                let color = colors.get(&record.level).map_or("", String::as_str);
                for line in lines.lines() {
                    self.buffer += &format!("{color}{line}\u{1b}[0m\n");
                }
            }
            None => self.buffer += &lines,
        }
    }

    fn flush(&mut self) {
        let text = std::mem::take(&mut self.buffer);
        let _ = match self.stdio {
            LogStdio::Stdout => io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()),
            LogStdio::Stderr => io::stderr().write_all(text.as_bytes()),
        };
    }
}

/// Works until the process ends.
pub(super) fn run(logging: &Logging, messages: &Receiver<Message>, outputs: Outputs, levels: Levels) {
    let mut writer = Writer { logging, outputs, levels, tap: None, in_memory: in_memory(), told_dropped: 0 };
    while let Ok(message) = messages.recv() {
        writer.take(message);
        for message in messages.try_iter().take(BATCH) {
            writer.take(message);
        }
        writer.tell_dropped();
        writer.outputs.flush();
    }
}

/// How lines look that are kept in memory.
fn in_memory() -> Format {
    Format::new(&LogFormatter {
        style: LogStyle::Plaintext,
        time_format: LogTimeFormat::Rfc3339Space,
        level_format: LogLevelFormat::Lower,
        is_single_line: true,
        plaintext_format: "$time [$level] $pid $msg".to_owned(),
        json_field_map: String::new(),
    })
}

struct Writer<'a> {
    logging: &'a Logging,
    outputs: Outputs,
    levels: Levels,
    tap: Option<Tap>,
    in_memory: Format,
    told_dropped: u64,
}

impl Writer<'_> {
    fn take(&mut self, message: Message) {
        // Nobody may wait for the answer any more.
        let tell = |done: SyncSender<()>| _ = done.try_send(());
        match message {
            Message::Record(record) => self.record(&record),
            Message::Configure { levels, outputs, done } => {
                self.levels = *levels;
                if let Some(outputs) = outputs {
                    self.outputs.flush();
                    self.outputs = *outputs;
                }
                tell(done);
            }
            Message::Rotate(done) => {
                self.outputs.rotate();
                tell(done);
            }
            Message::Tap { tap, done } => {
                self.tap = Some(tap);
                tell(done);
            }
            Message::Flush(done) => {
                self.tell_dropped();
                self.outputs.flush();
                tell(done);
            }
        }
    }

    fn record(&mut self, record: &Record) {
        self.outputs.write(record, &self.levels);
        self.logging.ring().push(self.in_memory.lines(record).trim_end_matches('\n').to_owned());
        if let Some(tap) =
            self.tap.as_mut().filter(|_| self.levels.takes(Output::Exchange, record.category, record.level))
        {
            tap(record);
        }
    }

    fn tell_dropped(&mut self) {
        let dropped = self.logging.dropped();
        let more = dropped - self.told_dropped;
        if more > 0 {
            self.told_dropped = dropped;
            let message = format!("{more} lines of the log were dropped: the outputs are slower than what is logged");
            self.record(&Record {
                time: SystemTime::now(),
                level: LogLevel::Warning,
                category: 0,
                message,
                thread: super::record::thread_number(),
                file: None,
                line: None,
            });
        }
    }
}
