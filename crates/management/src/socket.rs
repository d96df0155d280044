//! The unix socket in the data directory.

use socket2::{Domain, SockAddr, Socket, Type};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// Name of the socket in the data directory.
pub const SOCKET_NAME: &str = "leveret.sock";

/// Only the broker's own user, and root, may connect.
const MODE: u32 = 0o600;
const BACKLOG: i32 = 128;

/// Listens on the socket of `data_dir`, which the caller has locked: one that is there is left over from a crash.
pub(crate) fn listen(data_dir: &Path) -> io::Result<(UnixListener, PathBuf)> {
    let path = data_dir.join(SOCKET_NAME);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(&path)?)?;
    // Before it listens nobody can connect, so there is no moment at which others could.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(MODE))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok((UnixListener::from(socket), path))
}
