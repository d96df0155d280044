//! advanced.config: what is read, as which keys, and what is refused.

use std::collections::BTreeMap;

use crate::advanced::translate;

/// The keys that a text is translated to, and the problems.
fn read(text: &str) -> (BTreeMap<String, String>, Vec<String>) {
    let mut problems = Vec::new();
    let translated = translate("advanced.config".into(), text.as_bytes(), &mut problems);
    let keys = translated.into_iter().map(|(key, text, _)| (key.to_string(), text)).collect();
    (keys, problems.iter().map(ToString::to_string).collect())
}

#[track_caller]
fn check(text: &str, expected: &[(&str, &str)]) {
    let (keys, problems) = read(text);
    assert_eq!(problems, Vec::<String>::new());
    let keys: Vec<_> = keys.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
    assert_eq!(keys, expected);
}

#[test]
fn the_usual_settings_are_read() {
    check("[].", &[]);
    check(
        "%% comment\n[{rabbit, [{heartbeat, 30}, {frame_max, 131_072}, {channel_max, -1}]}]. % the end",
        &[("channel_max", "-1"), ("frame_max", "131072"), ("heartbeat", "30")],
    );
}

#[test]
fn settings_with_more_than_one_key_are_read() {
    check(
        r#"[{rabbit, [
            {tcp_listeners, [5672, {"127.0.0.1", 5673}]},
            {vm_memory_high_watermark, 0.6},
            {disk_free_limit, {mem_relative, 1.5}},
            {default_user, <<"admin">>},
            {default_user_tags, [administrator, monitoring]},
            {default_permissions, [<<"c">>, <<"w">>, <<"r">>]},
            {loopback_users, []},
            {auth_mechanisms, ['PLAIN', 'AMQPLAIN']},
            {tcp_listen_options, [binary, {packet, raw}, {backlog, 128}, {nodelay, true}, {linger, {true, 0}}]},
            {log, [{file, [{level, debug}, {file, "/tmp/x.log"}]}, {console, [{enabled, true}]},
                   {categories, [{connection, [{level, error}]}]}]},
            {ssl_options, [{cacertfile, "/ca.pem"}, {verify, verify_peer}, {versions, ['tlsv1.2', 'tlsv1.3']}]}
        ]},
        {rabbitmq_management, [{tcp_config, [{port, 15673}, {ip, "127.0.0.1"}]}, {rates_mode, none},
                               {sample_retention_policies, [{basic, [{3600, 60}]}]}]},
        {rabbitmq_mqtt, [{vhost, <<"/">>}]}]."#,
        &[
            ("auth_mechanisms.1", "PLAIN"),
            ("auth_mechanisms.2", "AMQPLAIN"),
            ("default_permissions.configure", "c"),
            ("default_permissions.read", "r"),
            ("default_permissions.write", "w"),
            ("default_user", "admin"),
            ("default_user_tags.administrator", "true"),
            ("default_user_tags.monitoring", "true"),
            ("disk_free_limit.relative", "1.5"),
            ("listeners.tcp", "none"),
            ("listeners.tcp.1", "5672"),
            ("listeners.tcp.2", "127.0.0.1:5673"),
            ("log.connection.level", "error"),
            ("log.console", "true"),
            ("log.file", "/tmp/x.log"),
            ("log.file.level", "debug"),
            ("loopback_users", "none"),
            ("management.rates_mode", "none"),
            ("management.sample_retention_policies.basic.3600", "60"),
            ("management.tcp.ip", "127.0.0.1"),
            ("management.tcp.port", "15673"),
            ("mqtt.vhost", "/"),
            ("ssl_options.cacertfile", "/ca.pem"),
            ("ssl_options.verify", "verify_peer"),
            ("ssl_options.versions.1", "tlsv1.2"),
            ("ssl_options.versions.2", "tlsv1.3"),
            ("tcp_listen_options.backlog", "128"),
            ("tcp_listen_options.linger.on", "true"),
            ("tcp_listen_options.linger.timeout", "0"),
            ("tcp_listen_options.nodelay", "true"),
            ("vm_memory_high_watermark.relative", "0.6"),
        ],
    );
}

#[test]
fn queries_of_the_ldap_backend_are_kept_as_they_are() {
    let (translated, problems) = read(
        r#"[{rabbitmq_auth_backend_ldap, [
            {servers, ["one", "two"]}, {pool_size, 8}, {timeout, infinity}, {use_ssl, false},
            {other_bind, {"cn=admin,dc=a", "p\"w"}}, {dn_lookup_bind, anon},
            {vhost_access_query, {'and', [{exists, "ou=${vhost},dc=a"}, {'not', {constant, false}}]}},
            {tag_queries, [{administrator, {match, {string, "${username}"}, {string, "^a\\.b$"}}}]},
            {ssl_options, [{cacertfile, "/ca.pem"}]}]}]."#,
    );
    assert_eq!(problems, Vec::<String>::new());
    let found = |key: &str| translated.get(key).map(String::as_str);
    for (key, text) in [
        ("auth_ldap.servers.1", "one"),
        ("auth_ldap.servers.2", "two"),
        ("auth_ldap.connection_pool_size", "8"),
        ("auth_ldap.timeout", "infinity"),
        ("auth_ldap.use_ssl", "false"),
        ("auth_ldap.other_bind.user_dn", "cn=admin,dc=a"),
        ("auth_ldap.other_bind.password", "p\"w"),
        ("auth_ldap.dn_lookup_bind", "anon"),
        ("auth_ldap.ssl_options.cacertfile", "/ca.pem"),
        (
            "auth_ldap.queries.vhost_access",
            r#"{'and', [{'exists', "ou=${vhost},dc=a"}, {'not', {'constant', 'false'}}]}"#,
        ),
        (
            "auth_ldap.queries.tags",
            r#"[{'administrator', {'match', {'string', "${username}"}, {'string', "^a\\.b$"}}}]"#,
        ),
    ] {
        assert_eq!(found(key), Some(text), "{key}");
    }
}

#[test]
fn what_is_not_read_is_named_by_its_line() {
    let (_, problems) = read("[{rabbit, [\n  {heartbeat, [1]},\n  {no_such_thing, 1}]},\n {ra, [{x, 1}]}].");
    assert_eq!(
        problems,
        [
            "advanced.config:2: `rabbit.heartbeat` is not read from here, set `heartbeat` in rabbitmq.conf",
            "advanced.config:3: `rabbit.no_such_thing` is not read from here, and no key of rabbitmq.conf says the same, \
             remove it",
            "advanced.config:4: `ra` is not read from here, and no key of rabbitmq.conf says the same, remove it",
        ]
    );
}

/// The key whose name is nearest is about something else.
#[test]
fn nodes_of_a_cluster_are_called_that() {
    let (_, problems) = read("[{rabbit, [{cluster_nodes, {['rabbit@a', 'rabbit@b'], disc}}]}].");
    let expected =
        "advanced.config:1: `rabbit.cluster_nodes` is not read from here, there are no clusters yet, remove it";
    assert_eq!(problems, [expected]);
}

#[test]
fn what_is_no_term_is_named_by_its_line() {
    for (text, expected) in [
        ("[{rabbit, [\n", "advanced.config:2: expected a term, found the end of the file"),
        ("[\n]", "advanced.config:2: expected a dot after the term"),
        ("[{rabbit, [{x, \"abc}]}].", "advanced.config:1: the `\"` has no partner"),
        ("[{rabbit, [{x, #{}}]}].", "advanced.config:1: expected a term, found `#`"),
        ("[{rabbit, [{x, 1 2}]}].", "advanced.config:1: expected a comma or `}`"),
        ("{rabbit, []}.", "advanced.config:1: expected a list of applications such as [{rabbit, [{heartbeat, 30}]}]."),
    ] {
        assert_eq!(read(text).1, [expected], "{text}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(read(&deep).1, ["advanced.config:1: the terms are nested too deep"]);
}
