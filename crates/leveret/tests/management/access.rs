//! Who gets in.

use crate::support::{Client, request, start};

#[test]
fn users_log_in_with_their_password() {
    let broker = start(&[]);
    let whoami = Client::guest(&broker).send("GET", "/api/whoami", &[], "");
    assert_eq!(whoami.status, 200, "{whoami:?}");
    for refused in [
        Client::new(&broker, "guest", "wrong").send("GET", "/api/whoami", &[], ""),
        Client::new(&broker, "nobody", "guest").send("GET", "/api/whoami", &[], ""),
        request(broker.management(), "GET", "/api/whoami", &[], ""),
    ] {
        assert_eq!(refused.status, 401);
        assert_eq!(refused.body, r#"{"error":"not_authorized","reason":"Login failed"}"#);
        assert_eq!(refused.header("www-authenticate"), Some("Basic realm=\"RabbitMQ Management\""));
    }
}
