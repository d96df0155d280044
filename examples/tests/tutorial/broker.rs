//! The broker that a page runs against: one started for it, or one that runs already.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use lapin::{Connection, ConnectionProperties};

/// The broker of one page.
pub enum Broker {
    /// A `leveret` with an empty data directory, started by the page.
    Own { port: u16, data: tempfile::TempDir },
    /// The one that `LEVERET_URI` names. Pages share it, so they run one after the other.
    Shared { uri: String, _turn: MutexGuard<'static, ()> },
}

impl Broker {
    /// The broker that the environment asks for.
    pub fn choose() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        if let Ok(uri) = std::env::var("LEVERET_URI") {
            let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
            delete_what_pages_leave(&uri);
            return Self::Shared { uri, _turn: turn };
        }
        leveret();
        // Free until the broker takes it, a moment later.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("the port just bound").port();
        Self::Own { port, data: tempfile::tempdir().expect("a data directory") }
    }

    /// Whether the page must not start it.
    pub fn runs_already(&self) -> bool {
        matches!(self, Self::Shared { .. })
    }

    /// The address for clients.
    pub fn uri(&self) -> String {
        match self {
            Self::Own { port, .. } => format!("amqp://guest:guest@127.0.0.1:{port}/%2f"),
            Self::Shared { uri, .. } => uri.clone(),
        }
    }

    /// What starts it.
    pub fn command(&self) -> Command {
        let Self::Own { port, data } = self else { panic!("{} runs already", self.uri()) };
        let mut command = Command::new(leveret());
        command.arg("server").arg("--data-dir").arg(data.path());
        command.arg("--set").arg(format!("listeners.tcp.default=127.0.0.1:{port}"));
        // Only one broker at a time could have the usual ports.
        command.args(["--set", "leveret.management=false", "--set", "leveret.prometheus=false"]);
        command
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Self::Shared { uri, .. } = self {
            delete_what_pages_leave(uri);
        }
    }
}

/// The durable objects of the six pages; what was left by a run before would change what they print.
#[tokio::main(flavor = "current_thread")]
async fn delete_what_pages_leave(uri: &str) {
    let connection = Connection::connect(uri, ConnectionProperties::default()).await;
    let connection = connection.unwrap_or_else(|error| panic!("no broker at {uri} (LEVERET_URI): {error}"));
    let channel = connection.create_channel().await.expect("a channel");
    for queue in ["hello", "photos", "factors"] {
        channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.expect("queue.delete");
    }
    for exchange in ["news", "parcels", "weather"] {
        channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default()).await.expect("exchange.delete");
    }
    connection.close(200, "done".into()).await.expect("connection.close");
}

/// The directory of the programs that cargo built with these tests.
pub fn built_programs() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_send")).parent().expect("the program is in a directory")
}

/// The path of the `leveret` program: `LEVERET_BIN`, or one built now with the profile of these tests.
fn leveret() -> &'static Path {
    static LEVERET: OnceLock<PathBuf> = OnceLock::new();
    LEVERET.get_or_init(|| std::env::var_os("LEVERET_BIN").map_or_else(build_leveret, |path| crate::root().join(path)))
}

fn build_leveret() -> PathBuf {
    let directory = built_programs();
    let profile = match directory.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let target = directory.parent().expect("profiles are directories of the target directory");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    // With the features that the whole workspace asks for, as `cargo test --workspace` has built everything already.
    let mut build = Command::new(cargo);
    build
        .args(["build", "--quiet", "--workspace", "--bin", "leveret", "--profile", profile, "--target-dir"])
        .arg(target);
    let status = build.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo runs");
    assert!(status.success(), "leveret did not build; LEVERET_BIN can name a program, or LEVERET_URI a broker");
    directory.join("leveret")
}
