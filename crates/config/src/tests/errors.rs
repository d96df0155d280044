//! Each mistake is one line that names it, where it is, and what to do.

use super::load_all;

fn check(argument: &str, expected: &str) {
    assert_eq!(load_all(&[], &[argument]).unwrap_err(), format!("--set: {expected}"));
}

#[test]
fn an_unknown_key_names_the_nearest() {
    check("hartbeat=30", "unknown key `hartbeat`, did you mean `heartbeat`");
    check("listener.tcp.default=5672", "unknown key `listener.tcp.default`, did you mean `listeners.tcp.default`");
    check("chanel_max=5", "unknown key `chanel_max`, did you mean `channel_max`");
    check(
        "leveret.compat.versions=4.0.0",
        "unknown key `leveret.compat.versions`, did you mean `leveret.compat.version`",
    );
    check(
        "vm_memory_high_watermark=0.4",
        "unknown key `vm_memory_high_watermark`, did you mean `vm_memory_high_watermark.relative`",
    );
    check("disk_free_limit=1GB", "unknown key `disk_free_limit`, did you mean `disk_free_limit.relative`");
    check("nothing.like.it=1", "unknown key `nothing.like.it`, remove it");
    check(&format!("{}=1", "x".repeat(200)), &format!("unknown key `{}`, remove it", "x".repeat(80)));
}

#[test]
fn an_unknown_key_in_a_file_is_named_with_its_line() {
    let error = load_all(&["heartbeat = 30\nframe_mx = 8192\n"], &[]).unwrap_err();
    assert_eq!(error, "1.conf:2: unknown key `frame_mx`, did you mean `frame_max`");
}

#[test]
fn a_bad_value_says_what_is_expected() {
    check("heartbeat=often", "bad value `often` for `heartbeat`, expected an integer from 0 to 65535");
    check("log.console=yes", "bad value `yes` for `log.console`, expected true or false");
    check(
        "frame_max=1024",
        "bad value `1024` for `frame_max`, expected 0, or a size in bytes, or in KB, MB, GB of 1024 from 4096 to 4294967295",
    );
    check(
        "max_message_size=1GiB",
        "bad value `1GiB` for `max_message_size`, expected a size in bytes, or with a unit such as MB (1000) or MiB (1024) \
         from 1 to 536870912",
    );
    check(
        "leveret.compat.publisher_x_death=yes",
        "bad value `yes` for `leveret.compat.publisher_x_death`, expected ignore, interpret",
    );
    check(
        "vm_memory_high_watermark.relative=1.2",
        "bad value `1.2` for `vm_memory_high_watermark.relative`, expected a fraction from 0 to 1, or a percentage",
    );
    check(
        "listeners.tcp.default=localhost:5672",
        "bad value `localhost:5672` for `listeners.tcp.default`, expected a port, or an IP address with a port",
    );
    check("channel_max=-1", "bad value `-1` for `max_channels_per_connection`, expected an integer from 0 to 65535");
    check("default_user=", "bad value `` for `default_user`, expected text that is not empty");
}

#[test]
fn an_encrypted_value_is_refused_without_showing_it() {
    check(
        "default_pass=encrypted:c2VjcmV0",
        "encrypted value for `default_pass` cannot be read, give it in clear or as $(NAME) from the environment",
    );
}

#[test]
fn ignoring_what_decides_who_may_log_in_is_refused() {
    check(
        "ssl_options.crl_sources.1=http",
        "`ssl_options.crl_sources.1 = http` is not supported and ignoring it would be unsafe, remove it or set it to `dir`",
    );
    load_all(
        &["auth_backends.1 = internal\nauth_backends.2 = rabbit_auth_backend_internal\nssl_options.crl_sources.1 = dir"],
        &[],
    )
    .unwrap();
}

#[test]
fn a_backend_that_is_not_there_is_refused() {
    let error = load_all(&[], &["auth_backends.1=kerberos"]).unwrap_err().to_string();
    assert!(error.contains("`auth_backends.1`") && error.contains("rabbit_auth_backend_oauth2"), "{error}");
}

#[test]
fn an_argument_without_a_value_is_refused() {
    check("heartbeat", "expected KEY = VALUE, found `heartbeat`");
    check("default..user=x", "expected KEY = VALUE, found `default..user`");
}
