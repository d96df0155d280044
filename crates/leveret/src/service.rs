//! What a service manager is told: that the broker is ready, lives, and stops (systemd's sd_notify protocol).
//!
//! Datagrams of `NAME=value` lines go to the socket that `NOTIFY_SOCKET` names. Nothing is sent, and no thread started,
//! where it names none. A manager that does not listen is no reason not to serve, so errors are only logged.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tracing::debug;

/// How often a start that goes on asks for more time.
const EXTEND_EVERY: Duration = Duration::from_secs(10);
/// How much more time it asks for: enough for one look that comes late.
const EXTEND_BY: Duration = Duration::from_secs(30);

/// The service manager that started this process, if one did.
#[derive(Clone)]
pub(crate) struct ServiceManager {
    destination: Option<Arc<Destination>>,
}

struct Destination {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl ServiceManager {
    /// The one that the environment names.
    pub(crate) fn from_environment() -> ServiceManager {
        let destination = std::env::var_os("NOTIFY_SOCKET").and_then(|path| match destination(&path) {
            Ok(destination) => Some(Arc::new(destination)),
            Err(error) => {
                debug!("cannot use NOTIFY_SOCKET {}: {error}", path.display());
                None
            }
        });
        ServiceManager { destination }
    }

    /// Says that connections are accepted, with a line for people.
    pub(crate) fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={}", status.replace('\n', " ")));
    }

    /// Says that the configuration is read again; to be followed by [`ready`](Self::ready).
    pub(crate) fn reloading(&self) {
        self.send("RELOADING=1\nSTATUS=reading the configuration again");
    }

    /// Says that the broker goes down.
    pub(crate) fn stopping(&self, status: &str) {
        self.send(&format!("STOPPING=1\nSTATUS={status}"));
    }

    /// Replaces the line for people.
    pub(crate) fn status(&self, status: &str) {
        self.send(&format!("STATUS={}", status.replace('\n', " ")));
    }

    /// Asks for more time, again and again, until the guard is dropped: reading a large log can take longer than the
    /// manager's patience. Only as long as this process does something, so that one that hangs is still ended.
    pub(crate) fn extend_start(&self) -> Option<Repeated> {
        let mut before = cpu_ticks();
        self.repeat(EXTEND_EVERY, move |manager| {
            let now = cpu_ticks();
            if now != before {
                manager.send(&format!("EXTEND_TIMEOUT_USEC={}", EXTEND_BY.as_micros()));
            }
            before = now;
        })
    }

    /// Where the manager wants to hear that the broker lives, tells it twice per interval, until the guard is dropped.
    ///
    /// `look` is called before, and does not return where the broker hangs.
    pub(crate) fn keep_alive(&self, look: impl Fn() + Send + 'static) -> Option<Repeated> {
        self.repeat(watchdog_interval()? / 2, move |manager| {
            look();
            manager.send("WATCHDOG=1");
        })
    }

    fn repeat(&self, every: Duration, mut act: impl FnMut(&ServiceManager) + Send + 'static) -> Option<Repeated> {
        self.destination.as_ref()?;
        let manager = self.clone();
        let (end, ended) = channel::<()>();
        let thread = std::thread::Builder::new().name("service".to_owned()).spawn(move || {
            while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                act(&manager);
            }
        });
        match thread {
            Ok(thread) => Some(Repeated { end: Some(end), thread: Some(thread) }),
            Err(error) => {
                debug!("cannot start a thread for the service manager: {error}");
                None
            }
        }
    }

    fn send(&self, state: &str) {
        let Some(destination) = &self.destination else { return };
        if let Err(error) = destination.socket.send_to_addr(state.as_bytes(), &destination.address) {
            debug!("cannot tell the service manager: {error}");
        }
    }
}

/// Something that is said again and again until this is dropped.
pub(crate) struct Repeated {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Repeated {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // What it did cannot be wrong in a way that matters here.
            let _ = thread.join();
        }
    }
}

/// An absolute path, or a name in the abstract namespace behind an `@`.
fn destination(path: &OsStr) -> io::Result<Destination> {
    let address = match path.as_bytes() {
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(path)?,
    };
    let socket = UnixDatagram::unbound()?;
    // A manager whose queue is full does not get to stop the broker.
    socket.set_nonblocking(true)?;
    Ok(Destination { socket, address })
}

/// How long the manager waits for a sign of life, if it is this process that it waits for.
fn watchdog_interval() -> Option<Duration> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let wanted = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    number("WATCHDOG_USEC").filter(|&micros| wanted && micros > 0).map(Duration::from_micros)
}

/// Time that this process has spent on a processor, in the system's ticks; nothing where the system does not say.
fn cpu_ticks() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold spaces; behind it are the fields from the third on, of which 14 and 15 are wanted.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(11).map(str::parse::<u64>);
    Some(times.next()?.ok()? + times.next()?.ok()?)
}

#[cfg(test)]
mod tests;
