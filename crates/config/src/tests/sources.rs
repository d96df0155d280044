//! Where settings come from, and which of several places counts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::tests::shown;
use crate::{Config, Loaded, MemoryWatermark, Sources};

/// A directory that goes with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("leveret-config-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn sources(directory: Option<&Path>, environment: &[(&str, &str)]) -> Sources {
    Sources {
        directory: directory.map(Path::to_owned),
        environment: environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        host_name: "host".to_owned(),
        long_host_name: "host.example.com".to_owned(),
        ..Sources::default()
    }
}

fn load(sources: &Sources) -> Loaded {
    sources.load().unwrap_or_else(|problems| panic!("{:?}", lines(&problems)))
}

fn lines(problems: &crate::Problems) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

fn refused(sources: &Sources) -> Vec<String> {
    lines(&sources.load().expect_err("there is something wrong"))
}

fn in_environment(environment: &[(&str, &str)]) -> Config {
    load(&sources(None, environment)).config
}

fn origin(config: &Config, key: &str) -> String {
    config.settings.iter().find(|setting| setting.key == key).unwrap().origin.to_string()
}

/// Each place says more than the one before it, and every one of them is heard where no later one speaks.
#[test]
fn later_places_count_more() {
    let directory = Directory::new("precedence");
    directory.write("rabbitmq.conf", "heartbeat = 1\ndefault_vhost = main\ndefault_user = main\nleveret.reactors = 1");
    directory.write("conf.d/20-b.conf", "heartbeat = 3\ndefault_user = later");
    directory.write("conf.d/10-a.conf", "heartbeat = 2\ndefault_user = earlier\nchannel_max = 7");
    directory.write("conf.d/ignored.txt", "no_such_key = 1");
    directory.write("advanced.config", "[{rabbit, [{heartbeat, 4}, {default_vhost, <<\"advanced\">>}]}].");
    let mut sources = sources(Some(&directory.0), &[("RABBITMQ_DEFAULT_VHOST", "variable")]);
    let config = load(&sources).config;
    assert_eq!((config.heartbeat_s, config.default_vhost.as_str()), (4, "variable"));
    assert_eq!((config.default_user.name.as_str(), config.channel_max, config.reactors), ("later", 7, 1));
    assert!(origin(&config, "heartbeat").ends_with("advanced.config:1"), "{}", origin(&config, "heartbeat"));
    assert_eq!(origin(&config, "default_vhost"), "RABBITMQ_DEFAULT_VHOST");
    assert!(origin(&config, "default_user").ends_with("conf.d/20-b.conf:2"));

    sources.settings = vec!["heartbeat=5".to_owned(), "default_vhost=argument".to_owned()];
    let config = load(&sources).config;
    assert_eq!((config.heartbeat_s, config.default_vhost.as_str()), (5, "argument"));
    assert_eq!(origin(&config, "heartbeat"), "--set");
}

#[test]
fn files_of_the_directory_may_be_missing_and_named_ones_may_not() {
    let directory = Directory::new("missing");
    assert_eq!(load(&sources(Some(&directory.0), &[])).files, Vec::<PathBuf>::new());
    let missing = directory.0.join("nothing.conf").display().to_string();
    for variable in
        ["RABBITMQ_CONFIG_FILE", "RABBITMQ_CONFIG_FILES", "RABBITMQ_ADVANCED_CONFIG_FILE", "RABBITMQ_CONF_ENV_FILE"]
    {
        let problems = refused(&sources(None, &[(variable, &missing)]));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with(&format!("cannot read {missing}")), "{problems:?}");
    }
    let mut given = sources(None, &[]);
    given.files = vec![missing.into()];
    assert_eq!(refused(&given).len(), 1);
}

#[test]
fn the_main_file_is_named_with_its_extension_or_without() {
    let directory = Directory::new("extension");
    let path = directory.write("broker.conf", "heartbeat = 9");
    let bare = path.with_extension("");
    for name in [&path, &bare] {
        assert_eq!(in_environment(&[("RABBITMQ_CONFIG_FILE", name.to_str().unwrap())]).heartbeat_s, 9);
    }
    directory.write("broker.config", "[{rabbit, [{heartbeat, 10}]}].");
    let config = in_environment(&[("RABBITMQ_CONFIG_FILE", bare.to_str().unwrap())]);
    assert_eq!(config.heartbeat_s, 10, "the old format counts where both are there, as in RabbitMQ");
}

#[test]
fn further_files_are_a_directory_or_a_pattern() {
    let directory = Directory::new("further");
    directory.write("one.conf", "heartbeat = 1");
    directory.write("two.conf", "heartbeat = 2");
    directory.write("zzz.ini", "heartbeat = 3");
    directory.write(".hidden", "no_such_key = 1");
    let of = |path: &str| {
        let path = directory.0.join(path);
        in_environment(&[("RABBITMQ_CONFIG_FILES", path.to_str().unwrap())]).heartbeat_s
    };
    assert_eq!((of(""), of("*.conf"), of("o??.conf"), of("one.conf")), (3, 2, 1, 1));
}

#[test]
fn the_node_its_data_and_its_port_come_from_variables() {
    let config = in_environment(&[
        ("RABBITMQ_NODENAME", "hare"),
        ("RABBITMQ_MNESIA_BASE", "/data"),
        ("RABBITMQ_NODE_PORT", "5673"),
        ("RABBITMQ_PID_FILE", "/run/pid"),
    ]);
    assert_eq!(config.data_dir, Path::new("/data/hare@host"));
    assert_eq!(config.node_name.as_deref(), Some("hare"));
    assert_eq!(config.listeners, ["0.0.0.0:5673".parse().unwrap(), "[::]:5673".parse().unwrap()]);
    assert_eq!(config.pid_file.as_deref(), Some(Path::new("/run/pid")));
    let config = in_environment(&[
        ("RABBITMQ_USE_LONGNAME", "true"),
        ("RABBITMQ_MNESIA_BASE", "/data"),
        ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1"),
    ]);
    assert!(config.long_names);
    assert_eq!(config.data_dir, Path::new("/data/rabbit@host.example.com"));
    assert_eq!(config.listeners, ["127.0.0.1:5672".parse().unwrap()]);
    let config = in_environment(&[("RABBITMQ_MNESIA_BASE", "/data"), ("RABBITMQ_MNESIA_DIR", "/exact")]);
    assert_eq!(config.data_dir, Path::new("/exact"));
}

/// The name is a directory below RABBITMQ_MNESIA_BASE.
#[test]
fn names_of_nodes_are_checked() {
    for name in ["hare", "hare@burrow", "a.b_c+d-1@burrow-0.burrows.default", "hare@fe80::1"] {
        let config = in_environment(&[("RABBITMQ_NODENAME", name), ("RABBITMQ_MNESIA_BASE", "/data")]);
        assert_eq!(config.node_name.as_deref(), Some(name));
    }
    let problem = |place: &str, name: &str| {
        let expected = "a node's name such as rabbit@host, of letters, digits and . _ + -";
        vec![format!("RABBITMQ_NODENAME{place}: bad value `{name}` for `leveret.node_name`, expected {expected}")]
    };
    for name in ["../evil@h", "rabbit@host name", "@h", "rabbit@", "rabbit@../h", "..", ".@h", "a@b@c", "hase@hügel"] {
        let environment = [("RABBITMQ_NODENAME", name), ("RABBITMQ_MNESIA_BASE", "/data")];
        assert_eq!(refused(&sources(None, &environment)), problem("", name));
    }
    // HOSTNAME is not set: an empty text, as in a shell.
    let directory = Directory::new("node-name");
    let file = directory.write("rabbitmq-env.conf", "NODENAME=rabbit@$HOSTNAME\n");
    let place = format!(" in {}", file.display());
    assert_eq!(refused(&sources(Some(&directory.0), &[])), problem(&place, "rabbit@"));
}

/// Seen with RabbitMQ 3.10.8: with `listeners.tcp.default = 25601` and RABBITMQ_NODE_PORT=25602 it listens on 25601, and
/// with two listeners in the file and RABBITMQ_NODE_IP_ADDRESS on those two.
#[test]
fn listeners_of_files_count_more_than_the_port_of_the_environment() {
    let directory = Directory::new("listeners");
    let environment = [("RABBITMQ_NODE_PORT", "5673"), ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")];
    let ports = |loaded: &Loaded| loaded.config.listeners.iter().map(SocketAddr::port).collect::<BTreeSet<_>>();
    directory.write("rabbitmq.conf", "listeners.tcp.1 = 5000\nlisteners.tcp.2 = 5001");
    let loaded = load(&sources(Some(&directory.0), &environment));
    assert_eq!(ports(&loaded), BTreeSet::from([5000, 5001]));
    assert_eq!(loaded.variables_without_effect, ["RABBITMQ_NODE_PORT (listeners.tcp is given)"]);
    directory.write("rabbitmq.conf", "listeners.tcp = none\nlisteners.ssl.default = 5671");
    assert!(load(&sources(Some(&directory.0), &environment)).config.listeners.is_empty());
    directory.write("rabbitmq.conf", "heartbeat = 1");
    assert_eq!(ports(&load(&sources(Some(&directory.0), &environment))), BTreeSet::from([5673]));
    directory.write("advanced.config", "[{rabbit, [{tcp_listeners, [5002]}]}].");
    assert_eq!(ports(&load(&sources(Some(&directory.0), &environment))), BTreeSet::from([5002]));
}

#[test]
fn secrets_come_from_files_but_not_from_both() {
    let directory = Directory::new("secrets");
    let file = directory.write("pass", "s3cret$(x)\n");
    let file = file.to_str().unwrap();
    let config = in_environment(&[("RABBITMQ_DEFAULT_PASS_FILE", file)]);
    assert_eq!(config.default_user.password.expose(), "s3cret$(x)");
    assert!(!format!("{config:?}").contains("s3cret"));
    let both = refused(&sources(None, &[("RABBITMQ_DEFAULT_PASS_FILE", file), ("RABBITMQ_DEFAULT_PASS", "x")]));
    assert_eq!(both, ["RABBITMQ_DEFAULT_PASS and RABBITMQ_DEFAULT_PASS_FILE are both set, unset one of them"]);
    for text in ["", "\n"] {
        let empty = directory.write("empty", text);
        let empty = empty.to_str().unwrap();
        let problems =
            refused(&sources(None, &[("RABBITMQ_DEFAULT_USER_FILE", empty), ("RABBITMQ_DEFAULT_PASS_FILE", empty)]));
        let expected = ["PASS", "USER"].map(|of| {
            format!("RABBITMQ_DEFAULT_{of}_FILE: {empty} is empty, write the value into it or unset the variable")
        });
        assert_eq!(problems, expected);
    }
}

#[test]
fn the_watermark_is_a_share_or_bytes() {
    let of = |value| in_environment(&[("RABBITMQ_VM_MEMORY_HIGH_WATERMARK", value)]).vm_memory_high_watermark;
    assert_eq!((of("0.5"), of("50%")), (MemoryWatermark::Relative(0.5), MemoryWatermark::Relative(0.5)));
    assert_eq!(of("512MiB"), MemoryWatermark::AbsoluteBytes(512 << 20));
    assert_eq!(of("1000000"), MemoryWatermark::AbsoluteBytes(1_000_000));
}

#[test]
fn certificates_in_variables_open_the_listener_for_them() {
    let config = in_environment(&[
        ("RABBITMQ_SSL_CERTFILE", "/tls/cert.pem"),
        ("RABBITMQ_SSL_VERSIONS", "tlsv1.3,tlsv1.2"),
        ("RABBITMQ_SSL_VERIFY", "verify_peer"),
        ("RABBITMQ_MANAGEMENT_SSL_CERTFILE", "/tls/cert.pem"),
    ]);
    let keys: Vec<_> =
        config.settings.iter().map(|setting| format!("{}={}", setting.key, setting.shown_value())).collect();
    for expected in [
        "listeners.ssl.default=5671",
        "ssl_options.certfile=/tls/cert.pem",
        "ssl_options.verify=verify_peer",
        "ssl_options.versions.1=tlsv1.3",
        "ssl_options.versions.2=tlsv1.2",
        "management.ssl.port=15671",
    ] {
        assert!(keys.iter().any(|key| key == expected), "{expected} in {keys:?}");
    }
}

#[test]
fn variables_that_nobody_knows_are_listed_with_the_nearest_name() {
    let loaded = load(&sources(
        None,
        &[
            ("RABBITMQ_NODENAM", "x"),
            ("RABBITMQ_ERLANG_COOKIE", "secret"),
            ("RABBITMQ_SERVICE_HOST", "10.0.0.1"),
            ("RABBITMQ_PORT_5672_TCP", "tcp://10.0.0.1:5672"),
            ("OTHER", "x"),
        ],
    ));
    let unknown: Vec<_> = loaded.unknown_variables.iter().map(|v| (v.name.as_str(), v.nearest.as_deref())).collect();
    assert_eq!(unknown, [("RABBITMQ_NODENAM", Some("RABBITMQ_NODENAME"))]);
    assert_eq!(loaded.variables_without_effect, ["RABBITMQ_ERLANG_COOKIE"]);
}

#[test]
fn rabbitmq_env_conf_adds_what_the_environment_lacks() {
    let directory = Directory::new("env");
    directory.write(
        "rabbitmq-env.conf",
        "# a comment\n\nNODENAME=first\nexport NODENAME='second'  # the last counts\nRABBITMQ_NODE_PORT=5999\n\
         MNESIA_BASE=\"$ROOT/${SUB}/x\"\n",
    );
    let environment = [("RABBITMQ_NODE_PORT", "5000"), ("ROOT", "/srv"), ("SUB", "data")];
    let config = load(&sources(Some(&directory.0), &environment)).config;
    assert_eq!(config.node_name.as_deref(), Some("second"));
    assert_eq!(config.data_dir, Path::new("/srv/data/x/second@host"));
    assert_eq!(config.listeners[0].port(), 5000);

    let path = directory.write("rabbitmq-env.conf", "NODENAME=x\nif true; then\nNODE_PORT=`echo 1`\nfi\nA=$(x)\n");
    let problems = refused(&sources(Some(&directory.0), &[]));
    let at = |line: usize| format!("{}:{line}: only NAME=value is read here", path.display());
    assert_eq!(problems.len(), 4, "{problems:?}");
    for (problem, line) in problems.iter().zip([2, 3, 4, 5]) {
        assert!(problem.starts_with(&at(line)), "{problem}");
    }
}

#[test]
fn values_of_rabbitmq_env_conf_go_on_over_lines() {
    let directory = Directory::new("env-lines");
    let path = directory.write(
        "rabbitmq-env.conf",
        "SERVER_ADDITIONAL_ERL_ARGS=\"-a \\\n  -b\"\r\nMNESIA_BASE='/da\nta' # a comment\nNODENAME=ha\\\nre@burr\\ow\n\
         LOG_BASE=\"/a\\\"b\\c\"",
    );
    let config = load(&sources(Some(&directory.0), &[])).config;
    assert_eq!(config.node_name.as_deref(), Some("hare@burrow"));
    assert_eq!(config.data_dir, Path::new("/da\nta/hare@burrow"));
    assert_eq!(shown(&config, "log.dir"), "/a\"b\\c");

    directory.write("rabbitmq-env.conf", "A='\n\n'\nif x\n\nB=\"no end\n");
    let problems = refused(&sources(Some(&directory.0), &[]));
    let expected = [(4, "if"), (6, "B")]
        .map(|(line, word)| format!("{}:{line}: only NAME=value is read here, found `{word}`", path.display()));
    assert_eq!(problems, expected);
}

#[test]
fn plugins_decide_about_listeners() {
    let directory = Directory::new("plugins");
    let with = |text: &str| {
        directory.write("enabled_plugins", text);
        load(&sources(Some(&directory.0), &[])).config
    };
    let open =
        |config: &Config| (!config.management.listeners.is_empty(), !config.management.prometheus_listeners.is_empty());
    assert_eq!(open(&load(&sources(Some(&directory.0), &[])).config), (true, true), "without the file");
    assert_eq!(open(&with("[rabbitmq_management].")), (true, false));
    assert_eq!(open(&with("[rabbitmq_prometheus, rabbitmq_shovel].\n")), (false, true));
    assert_eq!(open(&with("[].")), (false, false));
    let config = with("[rabbitmq_prometheus, rabbitmq_shovel].");
    assert_eq!(config.plugins.absent().collect::<Vec<_>>(), ["rabbitmq_shovel"]);
    assert!(config.plugins.is_enabled("rabbitmq_web_dispatch"), "along with another");
    assert!(!config.plugins.is_enabled("rabbitmq_shovel"));
    assert_eq!(config.events.exchange_vhost, None, "nobody asks for it");
    assert_eq!(with("[rabbitmq_event_exchange].").events.exchange_vhost.as_deref(), Some("/"));
    let of = |list| open(&load(&sources(Some(&directory.0), &[("RABBITMQ_ENABLED_PLUGINS", list)])).config);
    assert_eq!((of("ALL"), of(""), of("rabbitmq_management")), ((true, true), (false, false), (true, false)));
    directory.write("enabled_plugins", "[rabbitmq_management");
    assert_eq!(refused(&sources(Some(&directory.0), &[])).len(), 1);
}

#[test]
fn all_problems_are_told() {
    let directory = Directory::new("problems");
    directory.write("rabbitmq.conf", "heartbaet = 1\nheartbeat = often\nnonsense\ndefault_vhost = fine");
    let mut sources = sources(Some(&directory.0), &[("RABBITMQ_NODE_PORT", "http")]);
    sources.settings = vec!["channel_max=-1".to_owned()];
    let problems = refused(&sources);
    assert_eq!(problems.len(), 5, "{problems:?}");
    for part in
        ["rabbitmq.conf:3: expected", "rabbitmq.conf:1: unknown key", "rabbitmq.conf:2: bad value", "NODE_PORT: bad"]
    {
        assert!(problems.iter().any(|problem| problem.contains(part)), "{part}: {problems:?}");
    }
    let shown = sources.load().unwrap_err().to_string();
    assert!(shown.contains("and 4 more") && !shown.contains('\n'), "{shown}");
}

#[test]
fn logs_follow_their_variables() {
    let keys = |environment: &[(&str, &str)]| -> BTreeMap<String, String> {
        let config = in_environment(environment);
        config.settings.iter().map(|setting| (setting.key.clone(), setting.shown_value().to_owned())).collect()
    };
    let console = keys(&[("RABBITMQ_LOGS", "-")]);
    assert_eq!((console["log.console"].as_str(), console["log.console.stdio"].as_str()), ("true", "stdout"));
    assert_eq!(keys(&[("RABBITMQ_LOGS", "-stderr")])["log.console.stdio"], "stderr");
    assert_eq!(keys(&[("RABBITMQ_LOGS", "/var/log/a.log")])["log.file"], "/var/log/a.log");
    for (place, key) in [("exchange:", "log.exchange"), ("journald:", "log.journald"), ("syslog:x", "log.syslog")] {
        let environment = [("RABBITMQ_LOGS", place)];
        assert_eq!(keys(&environment)[key], "true");
        let config = in_environment(&environment);
        assert!(config.log.file.is_none() && config.log.console.is_some(), "{place}");
        assert_eq!(config.log.exchange.is_some(), key == "log.exchange");
        assert_eq!(config.ignored.contains(&key.to_owned()), key != "log.exchange");
    }
    let levels = keys(&[("RABBITMQ_LOG", "debug,connection=warning,+color,+json")]);
    assert_eq!((levels["log.default.level"].as_str(), levels["log.connection.level"].as_str()), ("debug", "warning"));
    assert_eq!((levels["log.console.use_colors"].as_str(), levels["log.file.formatter"].as_str()), ("true", "json"));
}
