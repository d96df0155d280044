//! A service that does not answer keeps nobody waiting who needs none.

use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use testkit::RawClient;

use crate::http::start_with;
use crate::service::Service;
use crate::{assert_refused, begun, connect, get, get_from};

#[test]
fn internal_users_log_in_while_a_service_is_asked_about_many_others() {
    let (release, hold) = mpsc::channel::<()>();
    let hold = Mutex::new(hold);
    let service = Service::start(move |asked| {
        if asked.get("username").starts_with("slow") {
            let _ = hold.lock().unwrap().recv_timeout(Duration::from_secs(60));
        }
        (200, "deny".to_owned())
    });
    let broker = start_with(&service, &[("auth_backends.1", "internal"), ("auth_backends.2", "http")]);
    let waiting: Vec<RawClient> = (0..40).map(|_| begun(&broker, "slow", "good")).collect();
    let management = broker.management();
    for _ in 0..20 {
        // Nobody waits for the answer: the service is released when all is checked.
        std::thread::spawn(move || {
            std::panic::catch_unwind(|| get_from(management, "/api/whoami", "Basic c2xvdzpnb29k"))
        });
    }
    let mut asked = 0;
    testkit::eventually("all threads that ask wait for the service", || {
        asked += service.take().len();
        asked >= 32
    });
    let begun = Instant::now();
    for _ in 0..3 {
        connect(&broker, "guest", "guest");
        assert_eq!(get(&broker, "/api/whoami", "Basic Z3Vlc3Q6Z3Vlc3Q=").0, 200);
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    drop(release);
    drop(waiting);
    // Whom the internal database refuses is still asked about.
    service.take();
    assert_refused(&broker, "guest", "wrong");
    assert!(service.take().iter().any(|asked| asked.get("username") == "guest"));
}
