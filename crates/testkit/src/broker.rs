//! A broker as a process of its own, on a free port with a data directory of its own.

use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::ports::free_address;
use crate::wait::pause;

/// The line that says connections are accepted.
const STARTED: &str = "Server startup complete";
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A running `leveret`; dropping it kills it and removes its data unless they were there before it.
#[derive(Debug)]
pub struct BrokerProcess {
    binary: PathBuf,
    settings: Vec<(String, String)>,
    /// Further arguments of the command, and variables of its environment.
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    address: SocketAddr,
    /// Where the HTTP API and the metrics are served, if they are.
    network: Option<Network>,
    data: Data,
    running: Option<Running>,
}

#[derive(Clone, Copy, Debug)]
struct Network {
    management: SocketAddr,
    prometheus: SocketAddr,
}

/// Where the data are.
#[derive(Debug)]
enum Data {
    /// A directory that goes with the broker.
    Own(TempDir),
    /// One that belongs to the test.
    Given(PathBuf),
}

impl Data {
    fn path(&self) -> &Path {
        match self {
            Data::Own(directory) => directory.path(),
            Data::Given(path) => path,
        }
    }
}

#[derive(Debug)]
struct Running {
    broker: Child,
    /// Ends the broker when this process ends without dropping it, as a test binary with a static does.
    watchdog: Child,
    log: Arc<Log>,
}

/// What the process wrote so far.
#[derive(Debug, Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    changed: Condvar,
}

impl Log {
    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn collect(self: &Arc<Log>, output: impl Read + Send + 'static) {
        let log = Arc::clone(self);
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                log.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                log.changed.notify_all();
            }
        });
    }

    fn wait_for(&self, text: &str, timeout: Duration) -> bool {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = |lines: &mut Vec<String>| !lines.iter().any(|line| line.contains(text));
        let waited = self.changed.wait_timeout_while(lines, timeout, missing);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl BrokerProcess {
    /// Starts `binary` (or the one that `LEVERET_BIN` names) with rabbitmq.conf keys and values; panics with its log when
    /// it does not start.
    #[track_caller]
    pub fn start(binary: &str, settings: &[(&str, &str)]) -> BrokerProcess {
        let data = tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary directory: {error}"));
        BrokerProcess::start_on(binary, settings, Data::Own(data), None)
    }

    /// Starts it with the HTTP API and the metrics on ports of their own.
    #[track_caller]
    pub fn start_with_http(binary: &str, settings: &[(&str, &str)]) -> BrokerProcess {
        let data = tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary directory: {error}"));
        let free = || free_address().unwrap_or_else(|error| panic!("no free port: {error}"));
        let network = Network { management: free(), prometheus: free() };
        BrokerProcess::start_on(binary, settings, Data::Own(data), Some(network))
    }

    /// Starts it with further arguments and variables, and with the HTTP API and the metrics where `has_http`.
    #[track_caller]
    pub fn start_configured(
        binary: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
        has_http: bool,
    ) -> BrokerProcess {
        let data = tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary directory: {error}"));
        let free = || free_address().unwrap_or_else(|error| panic!("no free port: {error}"));
        let network = has_http.then(|| Network { management: free(), prometheus: free() });
        let mut broker = BrokerProcess::prepare(binary, &[], Data::Own(data), network);
        broker.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        broker.environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        broker.launch();
        broker
    }

    /// Starts it with its data in `directory`, which stays when the broker goes.
    #[track_caller]
    pub fn start_in(directory: &Path, binary: &str, settings: &[(&str, &str)]) -> BrokerProcess {
        BrokerProcess::start_on(binary, settings, Data::Given(directory.to_owned()), None)
    }

    #[track_caller]
    fn start_on(binary: &str, settings: &[(&str, &str)], data: Data, network: Option<Network>) -> BrokerProcess {
        let mut broker = BrokerProcess::prepare(binary, settings, data, network);
        broker.launch();
        broker
    }

    #[track_caller]
    fn prepare(binary: &str, settings: &[(&str, &str)], data: Data, network: Option<Network>) -> BrokerProcess {
        let binary = std::env::var_os("LEVERET_BIN").map_or_else(|| PathBuf::from(binary), PathBuf::from);
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let address = free_address().unwrap_or_else(|error| panic!("no free port: {error}"));
        let (arguments, environment) = (Vec::new(), Vec::new());
        BrokerProcess { binary, settings, arguments, environment, address, network, data, running: None }
    }

    /// Where it listens for AMQP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it serves the HTTP API; panics when it was not started with it.
    #[track_caller]
    pub fn management(&self) -> SocketAddr {
        self.network.map(|network| network.management).expect("started with HTTP")
    }

    /// Where it serves metrics; panics when it was not started with them.
    #[track_caller]
    pub fn prometheus(&self) -> SocketAddr {
        self.network.map(|network| network.prometheus).expect("started with HTTP")
    }

    /// Its data directory.
    pub fn data_dir(&self) -> &Path {
        self.data.path()
    }

    /// The process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.broker.id())
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = self.pid().and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/status")).ok());
        let line = status.as_deref().and_then(|status| status.lines().find(|line| line.starts_with("VmRSS:")));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|kib| kib.parse::<u64>().ok());
        kib.unwrap_or(0) * 1024
    }

    /// What it logged since it was last started.
    pub fn log(&self) -> Vec<String> {
        self.running.as_ref().map(|running| running.log.lines()).unwrap_or_default()
    }

    /// True when it has logged `text` or does so within 2 s.
    pub fn has_logged(&self, text: &str) -> bool {
        self.running.as_ref().is_some_and(|running| running.log.wait_for(text, Duration::from_secs(2)))
    }

    /// Ends it at once, as a power cut would.
    pub fn kill_9(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.broker.kill();
            let _ = running.broker.wait();
            let _ = running.watchdog.kill();
            let _ = running.watchdog.wait();
        }
    }

    /// Sends SIGHUP, on which it reads its configuration again.
    pub fn send_hang_up(&self) {
        let pid = self.pid().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, Signal::HUP);
        }
    }

    /// Sends SIGTERM without waiting for the end.
    pub fn send_terminate(&self) {
        let pid = self.pid().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Stops it with SIGTERM and waits for the end; panics when it takes longer than 30 s.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        self.send_terminate();
        self.wait()
    }

    /// Waits for the end; panics after 30 s.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + START_TIMEOUT;
        let Some(running) = &mut self.running else { panic!("the broker does not run") };
        let status = loop {
            match running.broker.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) => assert!(Instant::now() < deadline, "the broker does not stop"),
                Err(error) => panic!("cannot wait for the broker: {error}"),
            }
            pause(Duration::from_millis(5));
        };
        self.kill_9();
        status
    }

    /// Ends it in order and starts it again on the same port with the same data.
    #[track_caller]
    pub fn restart(&mut self) {
        self.terminate();
        self.launch();
    }

    /// Whether it is still there.
    pub fn is_running(&mut self) -> bool {
        self.running.as_mut().is_some_and(|running| matches!(running.broker.try_wait(), Ok(None)))
    }

    /// Starts it again after [`BrokerProcess::kill_9`] or [`BrokerProcess::terminate`].
    #[track_caller]
    pub fn launch(&mut self) {
        self.spawn();
        let Some(running) = &self.running else { return };
        assert!(
            running.log.wait_for(STARTED, START_TIMEOUT),
            "{} did not log {STARTED:?}:\n{}",
            self.binary.display(),
            running.log.lines().join("\n")
        );
    }

    /// The same without waiting until it is ready.
    #[track_caller]
    pub fn spawn(&mut self) {
        let mut command = Command::new(&self.binary);
        command.arg("server").arg("--data-dir").arg(self.data.path());
        command.arg("--set").arg(format!("listeners.tcp.default={}", self.address));
        match self.network {
            // Many brokers run at a time, and only one of them could have the usual ports.
            None => command.args(["--set", "leveret.management=false", "--set", "leveret.prometheus=false"]),
            Some(Network { management, prometheus }) => {
                for (what, address) in [("management", management), ("prometheus", prometheus)] {
                    command.arg("--set").arg(format!("{what}.tcp.ip={}", address.ip()));
                    command.arg("--set").arg(format!("{what}.tcp.port={}", address.port()));
                }
                &mut command
            }
        };
        command.args(&self.arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
        for (key, value) in &self.settings {
            command.arg("--set").arg(format!("{key}={value}"));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut broker =
            command.spawn().unwrap_or_else(|error| panic!("cannot start {}: {error}", self.binary.display()));
        let log = Arc::new(Log::default());
        if let Some(output) = broker.stdout.take() {
            log.collect(output);
        }
        if let Some(output) = broker.stderr.take() {
            log.collect(output);
        }
        let removed = match &self.data {
            Data::Own(directory) => Some(directory.path()),
            Data::Given(_) => None,
        };
        let watchdog = watchdog(broker.id(), removed).unwrap_or_else(|error| panic!("no watchdog: {error}"));
        self.running = Some(Running { broker, watchdog, log });
    }
}

impl Drop for BrokerProcess {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- log of the broker on {}\n{}", self.address, self.log().join("\n"));
        }
        self.kill_9();
        if thread::panicking() && std::env::var_os("LEVERET_KEEP_DATA").is_some() {
            let nothing = Data::Given(PathBuf::new());
            if let Data::Own(directory) = std::mem::replace(&mut self.data, nothing) {
                eprintln!("--- its data are in {}", directory.keep().display());
            }
        }
    }
}

/// A shell that waits for the end of its standard input, which this process holds, then ends the broker and removes its
/// data.
fn watchdog(broker: u32, data: Option<&Path>) -> io::Result<Child> {
    let script = r#"read -r _; kill -9 "$1" 2>/dev/null; shift; rm -rf -- "$@""#;
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "watchdog", &broker.to_string()]).args(data);
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}
