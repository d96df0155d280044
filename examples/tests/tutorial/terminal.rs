//! Plays the `console` blocks of a page in terminals: programs that run at the same time, and what they print.
//!
//! A line `$ COMMAND` starts a program, after the one before it in that terminal ended; `^C` interrupts it. Any other
//! line is one that the program prints next: in it `...` stands for any text, and alone for any number of lines.

use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use crate::broker::{self, Broker};
use crate::page::Block;

const PATIENCE: Duration = Duration::from_secs(30);
const BROKER_TERMINAL: &str = "1";
const START_BROKER: &str = "cargo run --release";
const RUN_EXAMPLE: &str = "cargo run -q -p examples --bin ";

/// The terminals of one page, and the broker that their programs use.
pub struct Session {
    terminals: BTreeMap<String, Program>,
    broker: Broker,
}

impl Session {
    /// Terminals in which nothing runs yet.
    pub fn new(broker: Broker) -> Self {
        Self { terminals: BTreeMap::new(), broker }
    }

    /// Does what a block shows. The error says what differed.
    pub fn play(&mut self, block: &Block) -> Result<(), String> {
        if block.place == BROKER_TERMINAL && self.broker.runs_already() {
            return Ok(());
        }
        if block.place != BROKER_TERMINAL && self.terminals.is_empty() && !self.broker.runs_already() {
            self.start_broker()?;
        }
        let terminal = block.place.as_str();
        for line in &block.lines {
            let played = match line.strip_prefix("$ ") {
                Some(command) => self.run(terminal, command),
                None if line == "^C" => self.interrupt(terminal),
                None => self.running(terminal).and_then(|program| program.expect(line)),
            };
            played.map_err(|failure| format!("terminal {terminal}: {failure}"))?;
        }
        Ok(())
    }

    /// Interrupts what still runs; none of it may have printed more than the page shows.
    ///
    /// The programs stand still first: what one of them has not acknowledged when it ends is not for another to print.
    pub fn end(mut self) -> Result<(), String> {
        let programs = self.terminals.iter().filter(|(terminal, _)| terminal.as_str() != BROKER_TERMINAL);
        programs.for_each(|(_, program)| program.signal(Signal::STOP));
        while let Some((terminal, program)) = self.terminals.pop_last() {
            program.interrupt().map_err(|failure| format!("terminal {terminal}: {failure}"))?;
        }
        Ok(())
    }

    /// What the first page shows in its first terminal; the later pages rely on it.
    fn start_broker(&mut self) -> Result<(), String> {
        self.run(BROKER_TERMINAL, START_BROKER)?;
        let program = self.running(BROKER_TERMINAL)?;
        ["...", "...Server startup complete...", "..."].into_iter().try_for_each(|line| program.expect(line))
    }

    fn run(&mut self, terminal: &str, command: &str) -> Result<(), String> {
        if let Some(previous) = self.terminals.remove(terminal) {
            previous.wait()?;
        }
        let mut process = if command == START_BROKER {
            self.broker.command()
        } else {
            let mut process = example(command)?;
            process.env("AMQP_URI", self.broker.uri()).env_remove("RUST_BACKTRACE");
            process
        };
        let program = Program::start(&mut process).map_err(|error| format!("`{command}`: {error}"))?;
        self.terminals.insert(terminal.into(), program);
        Ok(())
    }

    fn interrupt(&mut self, terminal: &str) -> Result<(), String> {
        self.terminals.remove(terminal).ok_or("nothing runs there")?.interrupt()
    }

    fn running(&mut self, terminal: &str) -> Result<&mut Program, String> {
        self.terminals.get_mut(terminal).ok_or_else(|| "nothing runs there".into())
    }
}

/// `cargo run` of an example, as its program directly: it is built already.
fn example(command: &str) -> Result<Command, String> {
    let example = command.strip_prefix(RUN_EXAMPLE).ok_or_else(|| format!("no test can run `{command}`"))?;
    let (name, arguments) = example.split_once(" -- ").unwrap_or((example, ""));
    let program = broker::built_programs().join(name);
    if !program.is_file() {
        return Err(format!("`{command}`: there is no example {name}"));
    }
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("exec \"$0\" {arguments}")).arg(program);
    Ok(shell)
}

/// A program that runs in a terminal.
struct Program {
    child: Child,
    output: Receiver<String>,
    /// The page said `...` last: anything may come before the next line it shows.
    anything: bool,
}

impl Program {
    fn start(command: &mut Command) -> std::io::Result<Self> {
        let (reader, writer) = std::io::pipe()?;
        let child = command.stdin(std::process::Stdio::null()).stdout(writer.try_clone()?).stderr(writer).spawn()?;
        // The command keeps the pipe's writing end, and the pipe would never end.
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let (sender, output) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(reader).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, output, anything: false })
    }

    fn expect(&mut self, expected: &str) -> Result<(), String> {
        if expected == "..." {
            self.anything = true;
            return Ok(());
        }
        let mut passed_over = String::new();
        loop {
            let line = self.output.recv_timeout(PATIENCE).map_err(|error| match error {
                RecvTimeoutError::Timeout => format!("`{expected}` did not come in {PATIENCE:?}, only\n{passed_over}"),
                RecvTimeoutError::Disconnected => format!("the program ended before `{expected}`, with\n{passed_over}"),
            })?;
            if matches(expected, &line) {
                self.anything = false;
                return Ok(());
            }
            if !self.anything {
                return Err(format!("expected `{expected}`, got `{line}`"));
            }
            passed_over += &line;
            passed_over.push('\n');
        }
    }

    fn interrupt(self) -> Result<(), String> {
        self.signal(Signal::INT);
        self.signal(Signal::CONT);
        self.wait()
    }

    fn signal(&self, signal: Signal) {
        // An error means that the program has ended by itself, which `wait` takes as well.
        _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Waits until the program ends, whatever its exit code: an error that a page shows is part of the lesson.
    fn wait(self) -> Result<(), String> {
        loop {
            match self.output.recv_timeout(PATIENCE) {
                Ok(line) if !self.anything => return Err(format!("`{line}` is not in the page")),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return Err(format!("the program did not end in {PATIENCE:?}")),
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only for a program that has ended and was waited for.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Whether `line` is `pattern` with any text in place of each `...`.
fn matches(pattern: &str, line: &str) -> bool {
    let Some((start, rest)) = pattern.split_once("...") else { return pattern == line };
    let Some(line) = line.strip_prefix(start) else { return false };
    let Some((middle, end)) = rest.rsplit_once("...") else { return line.ends_with(rest) };
    let Some(mut line) = line.strip_suffix(end) else { return false };
    for piece in middle.split("...") {
        let Some((_, rest)) = line.split_once(piece) else { return false };
        line = rest;
    }
    true
}

#[test]
fn dots_match_any_text() {
    let line = "12:00 INFO Server startup complete; 0 plugins";
    for pattern in [line, "...", "12:00...", "...plugins", "...startup complete...", "12...Server...; 0 plugins"] {
        assert!(matches(pattern, line), "{pattern}");
    }
    for pattern in ["", "12:00", "...complete", "Server...", "...plugins...Server...", "12:00...12:00 INFO..."] {
        assert!(!matches(pattern, line), "{pattern}");
    }
}
