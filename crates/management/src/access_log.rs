//! The log of requests: a line for each that came over the network, in a file for each hour, as RabbitMQ writes it
//! (`management.http_log_dir`; names and lines seen with 3.10.8).
//!
//! Lines are written by a thread of their own; those that it cannot keep up with are dropped.

use crate::caller::Origin;
use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Version, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{SystemTime, UNIX_EPOCH};

/// Nobody else reads names of users and queues.
const MODE: u32 = 0o640;
/// Lines that wait to be written.
const WAITING: usize = 4096;
const HOUR_S: u64 = 3600;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Where requests are told.
#[derive(Clone)]
pub(crate) struct AccessLog(SyncSender<(u64, String)>);

impl AccessLog {
    /// Makes the directory where there is none, and the file of this hour.
    pub(crate) fn start(directory: &Path) -> io::Result<AccessLog> {
        std::fs::create_dir_all(directory)?;
        let mut files = Files { directory: directory.to_owned(), hour: 0, file: None };
        files.of(now_s())?;
        let (lines, waiting) = sync_channel(WAITING);
        std::thread::Builder::new().name("access-log".to_owned()).spawn(move || run(files, &waiting))?;
        Ok(AccessLog(lines))
    }
}

struct Files {
    directory: PathBuf,
    hour: u64,
    file: Option<BufWriter<File>>,
}

impl Files {
    /// The file of the hour that a time in seconds since 1970 is in.
    fn of(&mut self, time_s: u64) -> io::Result<&mut BufWriter<File>> {
        let hour = time_s / HOUR_S;
        if self.hour != hour {
            self.file = None;
            self.hour = hour;
        }
        match &mut self.file {
            Some(file) => Ok(file),
            none => {
                let path = self.directory.join(name(time_s));
                let file = OpenOptions::new().create(true).append(true).mode(MODE).open(path)?;
                Ok(none.insert(BufWriter::new(file)))
            }
        }
    }
}

/// What cannot be written is lost: requests are served all the same.
fn run(mut files: Files, lines: &Receiver<(u64, String)>) {
    while let Ok((time_s, line)) = lines.recv() {
        let _ = files.of(time_s).and_then(|file| file.write_all(line.as_bytes()));
        for (time_s, line) in lines.try_iter().take(WAITING) {
            let _ = files.of(time_s).and_then(|file| file.write_all(line.as_bytes()));
        }
        if let Some(file) = &mut files.file {
            let _ = file.flush();
        }
    }
}

/// Sends the request on, and tells of it with what came back.
pub(crate) async fn tell(State(log): State<AccessLog>, request: Request, next: Next) -> Response {
    let Some(Origin::Network(peer)) = request.extensions().get::<Origin>().copied() else {
        return next.run(request).await;
    };
    let asked = Asked::of(&request);
    let response = next.run(request).await;
    let time_s = now_s();
    let status = response.status().as_u16();
    let length = response.body().size_hint().exact().unwrap_or(0);
    let user = asked.user.as_deref().filter(|_| status != 401).unwrap_or("-");
    let Asked { method, path, version, referer, agent, .. } = &asked;
    let line = format!(
        "{} - {user} {} \"{method} {path} HTTP/{version}\" {status} {length} \"{referer}\" \"{agent}\"\n",
        peer.ip(),
        date(time_s),
    );
    let _ = log.0.try_send((time_s, line));
    response
}

/// What a line has of a request.
struct Asked {
    method: Method,
    path: String,
    version: &'static str,
    /// Whoever it says it is, with a password; who comes with a token has none.
    user: Option<String>,
    referer: String,
    agent: String,
}

impl Asked {
    fn of(request: &Request) -> Asked {
        let headers = request.headers();
        let text =
            |name| String::from_utf8_lossy(headers.get(name).map_or(&b""[..], |value| value.as_bytes())).into_owned();
        Asked {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            version: if request.version() == Version::HTTP_10 { "1.0" } else { "1.1" },
            user: user(headers),
            referer: text(header::REFERER),
            agent: text(header::USER_AGENT),
        }
    }
}

/// A name with line feeds in it would be a line of its own.
fn user(headers: &HeaderMap) -> Option<String> {
    let (scheme, encoded) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let decoded = STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let (name, _) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(name.replace(char::is_control, "?"))
}

/// `access.log.2026_11_25_12`.
fn name(time_s: u64) -> String {
    let (year, month, day) = civil(time_s / 86_400);
    format!("access.log.{year}_{month:02}_{day:02}_{:02}", time_s / HOUR_S % 24)
}

/// `[25/Nov/2026:12:18:20 +0000]`.
fn date(time_s: u64) -> String {
    let (year, month, day) = civil(time_s / 86_400);
    let month = MONTHS[month as usize - 1];
    let (hour, minute, second) = (time_s / HOUR_S % 24, time_s / 60 % 60, time_s % 60);
    format!("[{day:02}/{month}/{year}:{hour:02}:{minute:02}:{second:02} +0000]")
}

/// Year, month and day of a day since 1970, in the Gregorian calendar.
fn civil(day: u64) -> (u64, u64, u64) {
    // Years that begin in March have the day of leap years at their end; 400 of them have 146 097 days.
    let day = day + 719_468;
    let of_era = day % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + day / 146_097 * 400 + u64::from(month <= 2);
    (year, month, of_year - (153 * from_march + 2) / 5 + 1)
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_times_are_named_as_rabbitmq_names_them() {
        assert_eq!(name(1_795_609_100), "access.log.2026_11_25_12");
        assert_eq!(date(1_795_609_100), "[25/Nov/2026:12:18:20 +0000]");
        assert_eq!(
            (civil(0), civil(59), civil(11_016), civil(11_017)),
            ((1970, 1, 1), (1970, 3, 1), (2000, 2, 29), (2000, 3, 1))
        );
    }
}
