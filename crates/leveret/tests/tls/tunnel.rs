//! A way from a plain socket to one with TLS, so that every client of the tests can speak it.

use crate::authority::Authority;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use tls::rustls::pki_types::pem::PemObject;
use tls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tls::rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, version};

/// A certificate with the chain behind it, and its key, in PEM.
pub struct Identity {
    pub chain: String,
    pub key: String,
}

/// Versions that a client speaks.
#[derive(Clone, Copy)]
pub enum Versions {
    All,
    Only12,
}

/// What a client trusts, shows and speaks.
pub fn client_config(authority: &Authority, identity: Option<&Identity>, versions: Versions) -> Arc<ClientConfig> {
    let provider = Arc::new(tls::rustls::crypto::aws_lc_rs::default_provider());
    let versions: &[_] = match versions {
        Versions::All => &[&version::TLS13, &version::TLS12],
        Versions::Only12 => &[&version::TLS12],
    };
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let builder = builder.with_root_certificates(roots);
    Arc::new(match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain = CertificateDer::pem_slice_iter(identity.chain.as_bytes()).map(Result::unwrap).collect();
            let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    })
}

/// Does the handshake and waits for a word of the server's; the error is why there is none.
pub fn handshake(address: SocketAddr, config: Arc<ClientConfig>) -> io::Result<ClientConnection> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut session = ClientConnection::new(config, ServerName::from(address.ip())).unwrap();
    session.writer().write_all(b"AMQP\0\0\x09\x01")?;
    let mut one = [0; 1];
    loop {
        while session.wants_write() {
            session.write_tls(&mut stream)?;
        }
        match session.reader().read(&mut one) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => return Ok(session),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if session.read_tls(&mut stream)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        session.process_new_packets().map_err(io::Error::other)?;
    }
}

/// The plain end.
pub struct Tunnel {
    plain: SocketAddr,
    /// Sessions that were taken up.
    taken_up: Arc<AtomicUsize>,
}

impl Tunnel {
    pub fn to(address: SocketAddr, authority: &Authority, identity: Option<&Identity>, versions: Versions) -> Tunnel {
        Tunnel::with(address, client_config(authority, identity, versions), Vec::new())
    }

    /// Says something before the handshake.
    pub fn after(address: SocketAddr, authority: &Authority, preface: &[u8]) -> Tunnel {
        Tunnel::with(address, client_config(authority, None, Versions::All), preface.to_vec())
    }

    /// A way of a client that remembers sessions.
    pub fn with(address: SocketAddr, config: Arc<ClientConfig>, preface: Vec<u8>) -> Tunnel {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let plain = listener.local_addr().unwrap();
        let taken_up = Arc::new(AtomicUsize::new(0));
        let count = taken_up.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (config, preface, count) = (config.clone(), preface.clone(), count.clone());
                thread::spawn(move || {
                    // What goes wrong ends both sockets, which is what clients see.
                    let _ = serve(&stream, address, config, &preface, &count);
                    let _ = stream.shutdown(Shutdown::Both);
                });
            }
        });
        Tunnel { plain, taken_up }
    }

    pub fn address(&self) -> SocketAddr {
        self.plain
    }

    /// How many sessions were taken up by connections that are over.
    pub fn taken_up(&self) -> usize {
        self.taken_up.load(Ordering::Acquire)
    }
}

fn serve(
    plain: &TcpStream,
    address: SocketAddr,
    config: Arc<ClientConfig>,
    preface: &[u8],
    taken_up: &AtomicUsize,
) -> io::Result<()> {
    let sealed = TcpStream::connect(address)?;
    sealed.set_nodelay(true)?;
    (&sealed).write_all(preface)?;
    let session = ClientConnection::new(config, ServerName::from(address.ip())).map_err(io::Error::other)?;
    let session = Arc::new(Mutex::new(session));
    send(&session, &sealed)?;
    let (up_session, up_plain, up_sealed) = (session.clone(), plain.try_clone()?, sealed.try_clone()?);
    thread::spawn(move || {
        let mut bytes = vec![0; 64 << 10];
        loop {
            let count = (&up_plain).read(&mut bytes).unwrap_or(0);
            if count == 0 {
                up_session.lock().unwrap().send_close_notify();
                let _ = send(&up_session, &up_sealed);
                let _ = up_sealed.shutdown(Shutdown::Write);
                return;
            }
            for piece in bytes[..count].chunks(16 << 10) {
                if up_session.lock().unwrap().writer().write_all(piece).is_err()
                    || send(&up_session, &up_sealed).is_err()
                {
                    return;
                }
            }
        }
    });
    let mut bytes = vec![0; 64 << 10];
    loop {
        let count = (&sealed).read(&mut bytes)?;
        if count == 0 {
            let kind = session.lock().unwrap().handshake_kind();
            taken_up.fetch_add(usize::from(kind == Some(HandshakeKind::Resumed)), Ordering::AcqRel);
            return Ok(());
        }
        let mut rest = &bytes[..count];
        while !rest.is_empty() {
            let mut out = Vec::new();
            let outcome = {
                let mut session = session.lock().unwrap();
                session.read_tls(&mut rest)?;
                let outcome = session.process_new_packets();
                let _ = session.reader().read_to_end(&mut out);
                outcome
            };
            send(&session, &sealed)?;
            (&*plain).write_all(&out)?;
            outcome.map_err(io::Error::other)?;
        }
    }
}

fn send(session: &Mutex<ClientConnection>, mut sealed: &TcpStream) -> io::Result<()> {
    let mut session = session.lock().unwrap();
    while session.wants_write() {
        session.write_tls(&mut sealed)?;
    }
    Ok(())
}
