//! Measures the TLS of a running broker from the outside: what docs/performance.md says of TLS was made with it.
//!
//! ```text
//! tls_speed tunnel PORT BROKER CA              a plain port, from which everything goes on to BROKER over TLS 1.3
//! tls_speed handshakes BROKER CA PID SECONDS [resumed] [1.2]      handshakes one after another, on two threads
//! tls_speed idle BROKER CA PID COUNT           memory of COUNT connections that have shaken hands
//! tls_speed alone CA CERT KEY                  what the same costs in rustls alone, without a broker and sockets
//! ```

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConfig, ServerConnection, version};
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use tls::{Endpoint, ServerOptions, rustls};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn config(authority: &str, is_12: bool) -> Outcome<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority)?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = if is_12 { &[&version::TLS12] } else { &[&version::TLS13] };
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions)?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

fn session(config: &Arc<ClientConfig>, address: SocketAddr) -> Outcome<ClientConnection> {
    Ok(ClientConnection::new(config.clone(), ServerName::from(address.ip()))?)
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let is_12 = words.contains(&"1.2");
    match words[..] {
        ["tunnel", port, broker, authority] => tunnel(port.parse()?, broker.parse()?, &config(authority, false)?),
        ["handshakes", broker, authority, pid, seconds, ..] => {
            let resumed = words.contains(&"resumed");
            handshakes(broker.parse()?, &config(authority, is_12)?, pid, seconds.parse()?, resumed)
        }
        ["idle", broker, authority, pid, count] => {
            idle(broker.parse()?, &config(authority, false)?, pid, count.parse()?)
        }
        ["alone", authority, certificate, key] => alone(&config(authority, false)?, certificate, key),
        _ => Err("see the head of this file".into()),
    }
}

/// What the threads of a process have run, in ns. Clock ticks of 10 ms would say it less exactly.
fn ran_ns(pid: &str) -> Outcome<u64> {
    let mut sum = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let Ok(line) = std::fs::read_to_string(task?.path().join("schedstat")) else { continue };
        sum += line.split_whitespace().next().ok_or("no times")?.parse::<u64>()?;
    }
    Ok(sum)
}

fn resident_kib(pid: &str) -> Outcome<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// A handshake, up to the first word of the broker's, before which tickets come.
fn shake(config: &Arc<ClientConfig>, broker: SocketAddr) -> Outcome<(ClientConnection, TcpStream)> {
    let (mut session, mut stream) = (session(config, broker)?, TcpStream::connect(broker)?);
    stream.set_nodelay(true)?;
    let mut tls = rustls::Stream::new(&mut session, &mut stream);
    tls.write_all(b"AMQP\0\0\x09\x01")?;
    tls.read_exact(&mut [0; 1])?;
    Ok((session, stream))
}

fn handshakes(broker: SocketAddr, with: &Arc<ClientConfig>, pid: &str, seconds: u64, resumed: bool) -> Outcome<()> {
    let (count, again) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let before = ran_ns(pid)?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let (count, again, mut config) = (count.clone(), again.clone(), with.clone());
            if !resumed {
                let mut fresh = ClientConfig::clone(&config);
                fresh.resumption = rustls::client::Resumption::disabled();
                config = Arc::new(fresh);
            }
            thread::spawn(move || -> Outcome<()> {
                while Instant::now() < end {
                    let (session, _) = shake(&config, broker)?;
                    count.fetch_add(1, Ordering::Relaxed);
                    let is_again = session.handshake_kind() == Some(HandshakeKind::Resumed);
                    again.fetch_add(usize::from(is_again), Ordering::Relaxed);
                }
                Ok(())
            })
        })
        .collect();
    for thread in threads {
        thread.join().map_err(|_| "a thread ended with a panic")??;
    }
    let (count, again) = (count.load(Ordering::Relaxed), again.load(Ordering::Relaxed));
    settle();
    let ran_ns = ran_ns(pid)? - before;
    println!(
        "{count} handshakes, {again} of them resumed: {:.0}/s, {:.0} µs of the broker's CPU each",
        count as f64 / seconds as f64,
        ran_ns as f64 / 1000.0 / count as f64,
    );
    Ok(())
}

fn idle(broker: SocketAddr, config: &Arc<ClientConfig>, pid: &str, count: u64) -> Outcome<()> {
    let before = resident_kib(pid)?;
    let open: Outcome<Vec<_>> = (0..count).map(|_| shake(config, broker)).collect();
    settle();
    let grown = resident_kib(pid)?.saturating_sub(before);
    println!("{count} connections: {:.1} KiB each", grown as f64 / count as f64);
    drop(open?);
    Ok(())
}

/// Lets the broker finish what handshakes left behind.
#[expect(clippy::disallowed_methods, reason = "the ban is for the message path")]
fn settle() {
    thread::sleep(Duration::from_secs(2));
}

/// The server's half of everything, in memory.
struct Alone {
    client: ClientConnection,
    server: ServerConnection,
    /// Time in the calls of the server's half.
    taken: Duration,
}

impl Alone {
    fn open(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Outcome<Alone> {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let begun = Instant::now();
        let server = ServerConnection::new(server.clone())?;
        let taken = begun.elapsed();
        let mut both = Alone { client: session(client, address)?, server, taken };
        while both.client.wants_write() || both.server.wants_write() {
            both.up()?;
            both.down()?;
        }
        Ok(both)
    }

    /// What the client has to say is read by the server.
    fn up(&mut self) -> Outcome<()> {
        let mut bytes = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut bytes)?;
        }
        let (begun, mut rest, mut plain) = (Instant::now(), &bytes[..], vec![0; 64 << 10]);
        while !rest.is_empty() {
            self.server.read_tls(&mut rest)?;
            self.server.process_new_packets()?;
            while self.server.reader().read(&mut plain).is_ok_and(|count| count > 0) {}
        }
        self.taken += begun.elapsed();
        Ok(())
    }

    /// The other way round.
    fn down(&mut self) -> Outcome<()> {
        let (begun, mut bytes) = (Instant::now(), Vec::new());
        while self.server.wants_write() {
            self.server.write_tls(&mut bytes)?;
        }
        self.taken += begun.elapsed();
        let (mut rest, mut plain) = (&bytes[..], vec![0; 64 << 10]);
        while !rest.is_empty() {
            self.client.read_tls(&mut rest)?;
            self.client.process_new_packets()?;
            while self.client.reader().read(&mut plain).is_ok_and(|count| count > 0) {}
        }
        Ok(())
    }
}

fn alone(client: &Arc<ClientConfig>, certificate: &str, key: &str) -> Outcome<()> {
    let options = ServerOptions {
        certfile: Some(certificate.into()),
        keyfile: Some(key.into()),
        reuse_sessions: true,
        ..ServerOptions::default()
    };
    let server = Endpoint::open(options)?.config();
    let mut fresh = ClientConfig::clone(client);
    fresh.resumption = rustls::client::Resumption::disabled();
    for (what, client) in [("full", &Arc::new(fresh)), ("resumed", client)] {
        Alone::open(client, &server)?;
        let taken: Outcome<Vec<_>> = (0..500).map(|_| Ok(Alone::open(client, &server)?.taken)).collect();
        println!("{what} handshake: {:.0} µs", taken?.iter().sum::<Duration>().as_secs_f64() * 1e6 / 500.0);
    }
    let mut both = Alone::open(client, &server)?;
    let bytes = vec![7; 16 << 10];
    let (mut decrypt, mut encrypt) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..20_000 {
        both.client.writer().write_all(&bytes)?;
        both.taken = Duration::ZERO;
        both.up()?;
        decrypt += both.taken;
        let begun = Instant::now();
        both.server.writer().write_all(&bytes)?;
        both.taken = begun.elapsed();
        both.down()?;
        encrypt += both.taken;
    }
    let each = |time: Duration| time.as_secs_f64() * 1e6 / 20_000.0;
    println!("a record of 16 KiB: {:.2} µs to decrypt, {:.2} µs to encrypt", each(decrypt), each(encrypt));
    Ok(())
}

fn tunnel(port: u16, broker: SocketAddr, config: &Arc<ClientConfig>) -> Outcome<()> {
    for plain in TcpListener::bind(("127.0.0.1", port))?.incoming() {
        let (plain, config) = (plain?, config.clone());
        thread::spawn(move || {
            if let Err(error) = carry(&plain, broker, &config) {
                eprintln!("{error}");
            }
            let _ = plain.shutdown(Shutdown::Both);
        });
    }
    Ok(())
}

fn carry(plain: &TcpStream, broker: SocketAddr, config: &Arc<ClientConfig>) -> Outcome<()> {
    plain.set_nodelay(true)?;
    let mut sealed = TcpStream::connect(broker)?;
    sealed.set_nodelay(true)?;
    let mut begun = session(config, broker)?;
    while begun.is_handshaking() {
        begun.complete_io(&mut sealed)?;
    }
    let shared = Arc::new(Mutex::new(begun));
    let (up, up_plain, mut up_sealed) = (shared.clone(), plain.try_clone()?, sealed.try_clone()?);
    thread::spawn(move || {
        let mut bytes = vec![0; 48 << 10];
        while let Ok(count) = (&up_plain).read(&mut bytes) {
            let Ok(mut session) = up.lock() else { return };
            let sent = if count == 0 {
                session.send_close_notify();
                Ok(())
            } else {
                session.writer().write_all(&bytes[..count])
            };
            let sent = sent.and_then(|()| send(&mut session, &mut up_sealed));
            if count == 0 || sent.is_err() {
                return;
            }
        }
    });
    let mut bytes = vec![0; 256 << 10];
    let mut out = Vec::new();
    loop {
        let count = sealed.read(&mut bytes)?;
        if count == 0 {
            return Ok(());
        }
        {
            let mut session = shared.lock().map_err(|_| "a thread ended with a panic")?;
            let mut rest = &bytes[..count];
            while !rest.is_empty() {
                session.read_tls(&mut rest)?;
                session.process_new_packets()?;
                match session.reader().read_to_end(&mut out) {
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error.into()),
                }
            }
            send(&mut session, &mut sealed)?;
        }
        (&*plain).write_all(&out)?;
        out.clear();
    }
}

fn send(session: &mut ClientConnection, sealed: &mut TcpStream) -> io::Result<()> {
    while session.wants_write() {
        session.write_tls(sealed)?;
    }
    Ok(())
}
