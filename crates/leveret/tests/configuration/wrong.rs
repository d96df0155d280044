//! Files and variables that cannot be what they should be: one line, exit code 78, and nothing half done.

use crate::{directory, json, run, write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What a configuration that is wrong leads to, checked and started with.
const EX_CONFIG: Option<i32> = Some(78);

/// The one line that both say, without `error: `.
#[track_caller]
fn refusal(arguments: &[&str], environment: &[(&str, &str)], data: &Path) -> String {
    let check = [arguments, &["config", "check"]].concat();
    let (code, _, of_check) = run(&check, environment);
    assert_eq!(code, EX_CONFIG, "{of_check}");
    let server = [&["server", "--data-dir", data.to_str().unwrap()], arguments].concat();
    let (code, _, of_server) = run(&server, environment);
    assert_eq!(code, EX_CONFIG, "{of_server}");
    for text in [&of_check, &of_server] {
        assert_eq!(text.trim_end().lines().count(), 1, "{text}");
    }
    assert_eq!(of_check, of_server);
    assert!(!data.exists(), "nothing is made");
    of_server.trim_end().strip_prefix("error: ").unwrap_or_else(|| panic!("{of_server}")).to_owned()
}

/// Starts with a directory of configuration files.
#[track_caller]
fn refused_in(directory: &Path) -> String {
    refusal(&["--config-dir", directory.to_str().unwrap()], &[], &directory.join("data"))
}

#[test]
fn a_main_file_that_is_none_is_named() {
    let directory = directory("wrong-main");
    let main = directory.join("rabbitmq.conf");
    std::fs::create_dir(&main).unwrap();
    assert!(refused_in(&directory).starts_with(&format!("cannot read {}: ", main.display())));
    std::fs::remove_dir(&main).unwrap();

    std::fs::write(&main, b"heartbeat = 1\n\x7fELF\x02\x01\x01\0\0\xff\xfe\0\0").unwrap();
    assert_eq!(refused_in(&directory), format!("{}:2: the line is not UTF-8, save the file as UTF-8", main.display()));

    std::fs::write(&main, b"heartbeat = 1\n# gr\xfcn\n").unwrap();
    assert_eq!(refused_in(&directory), format!("{}:2: the line is not UTF-8, save the file as UTF-8", main.display()));

    // A hole in a file takes no space, and is read as far as the limit only.
    std::fs::File::create(&main).unwrap().set_len(100 << 20).unwrap();
    let line = format!("{} is larger than 4194304 bytes and is no configuration file", main.display());
    assert_eq!(refused_in(&directory), line);

    std::fs::write(&main, b"\0\0\0\0").unwrap();
    assert!(refused_in(&directory).starts_with(&format!("{}:1: expected KEY = VALUE", main.display())));
}

#[test]
fn definitions_that_are_not_there_are_named() {
    let directory = directory("no-definitions");
    let definitions = directory.join("definitions.json");
    write(&directory, "rabbitmq.conf", &format!("load_definitions = {}\n", definitions.display()));
    let expected = format!("cannot read definitions from {}: ", definitions.display());
    assert!(refused_in(&directory).starts_with(&expected));
}

/// Where the log is a file alone, operators look for the reason there.
#[test]
fn why_a_start_failed_is_in_the_log() {
    let directory = directory("reason");
    let definitions = write(&directory, "definitions.json", "{");
    let log = directory.join("node.log");
    let text = format!(
        "load_definitions = {}\nlog.console = false\nlog.file = {}\nlisteners.tcp = none\nleveret.management = false\nleveret.prometheus = false\n",
        definitions.display(),
        log.display()
    );
    write(&directory, "rabbitmq.conf", &text);
    let data = directory.join("data");
    let arguments = ["server", "--config-dir", directory.to_str().unwrap(), "--data-dir", data.to_str().unwrap()];
    let (code, stdout, stderr) = run(&arguments, &[]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    let reason = stderr.trim_end().strip_prefix("error: ").unwrap();
    assert!(reason.starts_with("cannot import definitions from "), "{reason}");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.lines().any(|line| line.contains("[error]") && line.ends_with(reason)), "{log}");
}

#[test]
fn a_file_that_may_not_be_read_is_named() {
    let directory = directory("unreadable");
    let main = write(&directory, "rabbitmq.conf", "heartbeat = 1\n");
    std::fs::set_permissions(&main, std::fs::Permissions::from_mode(0o000)).unwrap();
    // root reads everything.
    if std::fs::read(&main).is_ok() {
        return;
    }
    assert!(refused_in(&directory).starts_with(&format!("cannot read {}: Permission denied", main.display())));
}

#[test]
fn what_is_in_conf_d_and_does_not_end_in_conf_is_left_alone() {
    let directory = directory("conf-d");
    write(&directory, "conf.d/10-good.conf", "heartbeat = 17\n");
    for name in ["20-old.conf.bak", "30.conf~", "README", ".40-hidden.conf", "50.config"] {
        write(&directory, &format!("conf.d/{name}"), "this is = nothing that is known\n");
    }
    std::fs::create_dir(directory.join("conf.d/60-directory.conf")).unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"70-\xff.txt");
    std::fs::write(directory.join("conf.d").join(odd), "nonsense").unwrap();
    let (code, shown, error) = run(&["--config-dir", directory.to_str().unwrap(), "config", "show"], &[]);
    assert_eq!(code, Some(0), "{error}");
    let path = directory.join("conf.d/10-good.conf");
    assert_eq!(shown, format!("heartbeat = 17  # {}:1\n", path.display()));
    write(&directory, "conf.d/80-bad.conf", "heartbeat = often\n");
    let bad = directory.join("conf.d/80-bad.conf");
    assert!(refused_in(&directory).starts_with(&format!("{}:1: bad value `often` for `heartbeat`", bad.display())));
}

#[test]
fn files_of_secrets_that_cannot_be_read_are_named() {
    let directory = directory("secrets");
    let data = directory.join("data");
    let missing = directory.join("missing");
    for variable in [
        "RABBITMQ_DEFAULT_USER_FILE",
        "RABBITMQ_DEFAULT_PASS_FILE",
        "RABBITMQ_DEFAULT_VHOST_FILE",
        "RABBITMQ_SSL_CERTFILE_FILE",
        "RABBITMQ_MANAGEMENT_SSL_KEYFILE_FILE",
        "RABBITMQ_VM_MEMORY_HIGH_WATERMARK_FILE",
    ] {
        let line = refusal(&[], &[(variable, missing.to_str().unwrap())], &data);
        assert!(line.starts_with(&format!("cannot read {}: No such file", missing.display())), "{variable}: {line}");
    }
    let of = |path: &Path| refusal(&[], &[("RABBITMQ_DEFAULT_PASS_FILE", path.to_str().unwrap())], &data);
    assert!(of(&directory).starts_with(&format!("cannot read {}: Is a directory", directory.display())));
    let binary = directory.join("binary");
    std::fs::write(&binary, b"s3cret\xff").unwrap();
    let line = of(&binary);
    assert!(line.ends_with("the line is not UTF-8, save the file as UTF-8") && !line.contains("s3cret"), "{line}");
    let empty = directory.join("empty");
    for (variable, content) in [("RABBITMQ_DEFAULT_PASS_FILE", ""), ("RABBITMQ_DEFAULT_USER_FILE", "\r\n")] {
        std::fs::write(&empty, content).unwrap();
        let line = refusal(&[], &[(variable, empty.to_str().unwrap())], &data);
        let expected =
            format!("{variable}: {} is empty, write the value into it or unset the variable", empty.display());
        assert_eq!(line, expected);
    }
    let large = directory.join("large");
    std::fs::File::create(&large).unwrap().set_len(100 << 20).unwrap();
    assert!(of(&large).contains("is larger than 4194304 bytes"));
}

/// A name that leads out of the directory of all nodes' data makes nothing there.
#[test]
fn names_of_nodes_that_are_none_are_named() {
    let base = directory("node-names").join("base");
    for name in ["../evil@h", "rabbit@host name", "@h", "rabbit@"] {
        let environment = [("RABBITMQ_NODENAME", name), ("RABBITMQ_MNESIA_BASE", base.to_str().unwrap())];
        let (code, _, error) = run(&["server"], &environment);
        assert_eq!(code, EX_CONFIG, "{error}");
        let expected =
            format!("error: RABBITMQ_NODENAME: bad value `{name}` for `leveret.node_name`, expected a node's name");
        assert!(error.starts_with(&expected), "{error}");
    }
    assert_eq!(std::fs::read_dir(base.parent().unwrap()).unwrap().count(), 0);
}

/// Checking tells all of it, and the broker the first.
#[test]
fn what_is_wrong_beyond_single_keys_is_told_too() {
    let directory = directory("beyond-keys");
    let missing = directory.join("missing.pem");
    let missing = missing.to_str().unwrap();
    let main = write(
        &directory,
        "rabbitmq.conf",
        &format!(
            "listeners.ssl.1 = 127.0.0.1:5671\nssl_options.certfile = {missing}\nssl_options.keyfile = {missing}\n\
             auth_backends.1 = cache\ncredential_validator.validation_backend = regexp\n\
             credential_validator.regexp = (\n"
        ),
    );
    let main = main.to_str().unwrap();
    let (code, _, error) = run(&["config", "check", main], &[]);
    assert_eq!(code, EX_CONFIG, "{error}");
    let lines: Vec<_> = error.lines().collect();
    let expected = [
        format!("error: ssl_options.certfile: {missing} cannot be read: no such file"),
        "error: the backend `cache` needs `auth_cache.cached_backend`".to_owned(),
        "error: bad value `(` for `credential_validator.regexp`".to_owned(),
    ];
    assert_eq!(lines.len(), expected.len(), "{error}");
    for (line, expected) in lines.iter().zip(&expected) {
        assert!(line.starts_with(expected), "{line}");
    }
    let data = directory.join("data");
    let (code, _, error) = run(&["server", "--config", main, "--data-dir", data.to_str().unwrap()], &[]);
    assert_eq!(code, EX_CONFIG, "{error}");
    assert_eq!(error, format!("{} (and 2 more: `leveret config check` lists them)\n", lines[0]));
    assert!(!data.exists());
}

/// What is wrong with a running broker's files changes nothing about it.
#[test]
fn a_running_broker_keeps_what_it_has() {
    let directory = directory("running");
    let main = write(&directory, "rabbitmq.conf", "heartbeat = 7\n");
    let broker =
        testkit::BrokerProcess::start_configured(crate::LEVERET, &["--config", main.to_str().unwrap()], &[], false);
    for content in [&b"heartbeat = \xff\n"[..], b"heartbeat = -1\n", b"heartbeat\n", b"include other\n"] {
        std::fs::write(&main, content).unwrap();
        let answer = broker.http("POST", "/api/leveret/reload", &[], "").unwrap();
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.body.contains(&format!("{}:1: ", main.display())), "{answer:?}");
    }
    std::fs::remove_file(&main).unwrap();
    assert_eq!(broker.http("POST", "/api/leveret/reload", &[], "").unwrap().status, 400);
    assert_eq!(crate::setting(&broker, "heartbeat")["value"], "7");
    assert_eq!(json(&broker, "GET", "/api/leveret/process", "")["state"], "running");
}
