use metadata::{
    Change, Definitions, PermissionDefinition, Snapshot, TopicPermissionDefinition, UserDefinition, VhostDefinition,
};

use super::*;
use crate::{AccessRefused, Credentials, DefaultUser, HashingAlgorithm, TopicRefused, hash_password};

const HERE: &str = "127.0.0.1";
const AWAY: &str = "192.0.2.7";

/// A node as it is after its first boot, plus `changes`.
fn access_with(settings: LoginSettings, changes: Vec<Change>) -> AccessControl {
    let mut definitions = Definitions::default();
    for change in DefaultUser::default().changes().unwrap().into_iter().chain(changes) {
        definitions.apply(change);
    }
    AccessControl::new(settings, &Snapshot::from(definitions))
}

fn access(changes: Vec<Change>) -> AccessControl {
    access_with(LoginSettings::default(), changes)
}

fn user(name: &str, password: &str, tags: &[&str]) -> Change {
    let algorithm = HashingAlgorithm::Sha512;
    let password_hash =
        if password.is_empty() { String::new() } else { hash_password(algorithm, password.as_bytes()).unwrap() };
    Change::PutUser(UserDefinition {
        name: name.into(),
        password_hash,
        hashing_algorithm: algorithm.as_str().into(),
        tags: tags.iter().map(|&tag| tag.into()).collect(),
        ..UserDefinition::default()
    })
}

fn vhost(name: &str) -> Change {
    Change::PutVhost(VhostDefinition { name: name.into(), ..VhostDefinition::default() })
}

fn permission(user: &str, vhost: &str, [configure, write, read]: [&str; 3]) -> Change {
    Change::PutPermission(PermissionDefinition {
        user: user.into(),
        vhost: vhost.into(),
        configure: configure.into(),
        write: write.into(),
        read: read.into(),
    })
}

fn topic_permission(user: &str, exchange: &str, [write, read]: [&str; 2]) -> Change {
    Change::PutTopicPermission(TopicPermissionDefinition {
        user: user.into(),
        vhost: "/".into(),
        exchange: exchange.into(),
        write: write.into(),
        read: read.into(),
    })
}

fn login(access: &AccessControl, user: &str, password: &str, peer: &str) -> Result<String, String> {
    let credentials = Credentials::Password { user: user.into(), password: password.into() };
    named(access.login(&credentials, peer.parse().unwrap()))
}

fn anonymous(access: &AccessControl, peer: &str) -> Result<String, String> {
    named(access.login(&Credentials::Anonymous, peer.parse().unwrap()))
}

fn named(result: Result<Arc<User>, LoginError>) -> Result<String, String> {
    result.map(|user| user.name().to_owned()).map_err(|error| error.to_string())
}

#[test]
fn a_fresh_node_lets_guest_in_and_do_everything() {
    let access = access(vec![]);
    assert_eq!(login(&access, "guest", "guest", HERE), Ok("guest".into()));
    assert!(access.user("guest").unwrap().is_administrator());
    assert_eq!(access.check_vhost("guest", "/"), Ok(()));
    for permission in [Permission::Configure, Permission::Write, Permission::Read] {
        assert!(access.check("guest", Resource::queue("/", "q"), permission));
    }
}

#[test]
fn wrong_names_and_passwords_are_refused_alike() {
    let access = access(vec![user("carol", "secret", &[]), user("robot", "", &[])]);
    assert_eq!(login(&access, "carol", "secret", AWAY), Ok("carol".into()));
    for (name, password) in [("carol", "Secret"), ("carol", "secret\0"), ("nobody", "secret"), ("robot", "x")] {
        let expected = format!("user '{name}' - invalid credentials");
        assert_eq!(login(&access, name, password, HERE), Err(expected));
    }
    let not_utf8 = Credentials::Password { user: b"carol\xff".to_vec(), password: b"secret".to_vec() };
    assert!(access.login(&not_utf8, HERE.parse().unwrap()).is_err());
}

#[test]
fn a_blank_password_is_refused_even_where_it_would_fit() {
    let Change::PutUser(mut careless) = user("careless", "x", &[]) else { unreachable!() };
    careless.password_hash = hash_password(HashingAlgorithm::Sha512, b"").unwrap();
    let access = access(vec![Change::PutUser(careless)]);
    let refused = login(&access, "careless", "", HERE).unwrap_err();
    assert!(refused.starts_with("user 'careless' attempted to log in with a blank password"), "{refused}");
}

#[test]
fn guest_comes_from_the_machine_itself_only() {
    let access = access(vec![]);
    for peer in [HERE, "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
        assert!(login(&access, "guest", "guest", peer).is_ok(), "{peer}");
    }
    for peer in [AWAY, "2001:db8::1", "::ffff:192.0.2.7", "0.0.0.0"] {
        let refused = login(&access, "guest", "guest", peer);
        assert_eq!(refused, Err("user 'guest' can only connect via localhost".into()), "{peer}");
    }
    // The password is looked at first: the text tells nobody that a guess was right.
    assert_eq!(login(&access, "guest", "x", AWAY), Err("user 'guest' - invalid credentials".into()));
}

#[test]
fn loopback_users_none_lets_guest_in_from_anywhere() {
    let settings = LoginSettings { loopback_users: vec![], ..LoginSettings::default() };
    assert!(login(&access_with(settings, vec![]), "guest", "guest", AWAY).is_ok());
}

#[test]
fn loopback_users_change_while_the_node_runs() {
    let access = access(vec![user("guest", "guest", &[])]);
    assert_eq!(access.loopback_users(), ["guest"]);
    assert!(login(&access, "guest", "guest", "192.0.2.7").is_err());
    access.set_loopback_users(vec![]);
    assert!(login(&access, "guest", "guest", "192.0.2.7").is_ok());
    access.set_loopback_users(vec!["guest".to_owned()]);
    assert!(login(&access, "guest", "guest", "192.0.2.7").is_err());
}

#[test]
fn anonymous_is_a_user_of_the_machine_itself() {
    let settings = LoginSettings {
        anonymous_login_user: Some("visitor".into()),
        anonymous_login_pass: Some("pass".into()),
        ..LoginSettings::default()
    };
    let visitor = || vec![user("visitor", "pass", &[])];
    let access = access_with(settings.clone(), visitor());
    assert_eq!(anonymous(&access, HERE), Ok("visitor".into()));
    assert_eq!(anonymous(&access, AWAY), Err("anonymous login is only allowed via localhost".into()));

    let open = LoginSettings { anonymous_loopback_only: false, ..settings.clone() };
    assert_eq!(anonymous(&access_with(open, visitor()), AWAY), Ok("visitor".into()));

    let off = LoginSettings { anonymous_login_user: None, ..settings };
    let access = access_with(off, visitor());
    assert_eq!(access.offered_mechanisms(), [Mechanism::Plain, Mechanism::Amqplain]);
    assert_eq!(anonymous(&access, HERE), Err("anonymous login is disabled".into()));
}

#[test]
fn mechanisms_are_offered_in_the_order_configured() {
    let settings =
        LoginSettings { mechanisms: vec![Mechanism::Anonymous, Mechanism::Amqplain], ..LoginSettings::default() };
    assert_eq!(access_with(settings, vec![]).offered_mechanisms(), [Mechanism::Anonymous, Mechanism::Amqplain]);
}

#[test]
fn a_vhost_opens_to_who_has_permissions_in_it() {
    let access = access(vec![vhost("v"), user("u", "p", &["administrator"])]);
    let refusal = |vhost| access.check_vhost("u", vhost).unwrap_err().to_string();
    assert_eq!(refusal("nope"), "vhost nope not found");
    assert_eq!(refusal("v"), "access to vhost 'v' refused for user 'u'");
    access.apply(&permission("u", "v", ["", "", ""]));
    assert_eq!(access.check_vhost("u", "v"), Ok(()));
}

#[test]
fn permissions_are_three_patterns_over_names() {
    let access = access(vec![
        user("u", "p", &[]),
        permission("u", "/", ["^u\\.", "^(u\\..*|amq\\.default)$", ".*"]),
        user("none", "p", &[]),
        permission("none", "/", ["", "", ""]),
    ]);
    use Permission::{Configure, Read, Write};
    let queue = |name| Resource::queue("/", name);
    let exchange = |name| Resource::exchange("/", name);
    let table = [
        ("u", queue("u.q"), [true, true, true]),
        ("u", queue("q"), [false, false, true]),
        ("u", queue("not.u.q"), [false, false, true]),
        ("u", exchange("u.x"), [true, true, true]),
        ("u", exchange(""), [false, true, true]),
        ("u", exchange("amq.default"), [false, true, true]),
        ("u", exchange("amq.topic"), [false, false, true]),
        ("u", Resource::queue("other", "u.q"), [false, false, false]),
        ("none", queue("q"), [false, false, false]),
        ("none", queue(""), [true, true, true]),
        ("none", exchange(""), [false, false, false]),
        ("nobody", queue("q"), [false, false, false]),
    ];
    for (user, resource, expected) in table {
        let actual = [Configure, Write, Read].map(|permission| access.check(user, resource, permission));
        assert_eq!(actual, expected, "{user} on {resource}");
    }
}

#[test]
fn refusals_read_as_rabbitmqs() {
    let refused = |permission, resource| AccessRefused { permission, resource, user: "u" }.to_string();
    assert_eq!(
        refused(Permission::Configure, Resource::queue("/", "q")),
        "configure access to queue 'q' in vhost '/' refused for user 'u'"
    );
    assert_eq!(
        refused(Permission::Write, Resource::exchange("v", "")),
        "write access to exchange 'amq.default' in vhost 'v' refused for user 'u'"
    );
    let topic = TopicRefused { permission: Permission::Read, vhost: "/", exchange: "x", routing_key: "a.b", user: "u" };
    assert_eq!(topic.to_string(), "read access to topic 'a.b' in exchange 'x' in vhost '/' refused for user 'u'");
    assert_eq!(
        LoginError::reply_text(Mechanism::Plain),
        "Login was refused using authentication mechanism PLAIN. For details see the broker logfile."
    );
}

#[test]
fn topic_permissions_limit_routing_keys_where_there_are_any() {
    let access = access(vec![
        topic_permission("guest", "x", ["^{username}\\.", "^{vhost}$"]),
        topic_permission("guest", "mqtt", ["^{client_id}\\.[0-9]{2}$", ""]),
        topic_permission("a.b", "x", ["^{username}$", ""]),
    ]);
    use Permission::{Configure, Read, Write};
    let check =
        |user, exchange, permission, key, client| access.check_topic(user, "/", exchange, permission, key, client);
    assert!(check("guest", "other", Write, "anything", None));
    assert!(check("nobody", "x", Write, "anything", None));
    assert!(check("guest", "x", Write, "guest.a", None));
    assert!(!check("guest", "x", Write, "carol.a", None));
    assert!(check("guest", "x", Configure, "carol.a", None));
    assert!(check("guest", "x", Read, "/", None));
    assert!(!check("guest", "x", Read, "a", None));
    assert!(check("guest", "mqtt", Read, "", None));
    assert!(!check("guest", "mqtt", Read, "a", None));
    assert!(check("a.b", "x", Write, "a.b", None));
    assert!(!check("a.b", "x", Write, "axb", None), "a value is filled in literally");

    assert!(check("guest", "mqtt", Write, "sensor.17", Some("sensor")));
    assert!(!check("guest", "mqtt", Write, "other.17", Some("sensor")));
    assert!(!check("guest", "mqtt", Write, "other.17", Some(".*")), "a client id cannot be a wildcard");
    assert!(check("guest", "mqtt", Write, "{client_id}.17", None), "without an id the text stays");
    for client in 0..1000 {
        let (key, id) = (format!("c{client}.17"), format!("c{client}"));
        assert!(access.check_topic("guest", "/", "mqtt", Write, &key, Some(&id)));
    }
    assert!(access.has_topic_permissions("guest", "/"));
    assert!(!access.has_topic_permissions("nobody", "/"));
}

#[test]
fn changes_take_effect_and_move_the_generation() {
    let access = access(vec![]);
    let allowed = || access.check("u", Resource::queue("v", "q"), Permission::Read);
    let steps: [(Change, bool); 8] = [
        (vhost("v"), false),
        (user("u", "p", &[]), false),
        (permission("u", "v", [".*", ".*", ".*"]), true),
        (permission("u", "v", [".*", ".*", "^x"]), false),
        (permission("u", "v", ["", "", "^q"]), true),
        (Change::DeletePermission { user: "u".into(), vhost: "v".into() }, false),
        (permission("u", "v", ["", "", "^q"]), true),
        (Change::DeleteUser { name: "u".into() }, false),
    ];
    for (change, expected) in steps {
        let before = access.generation();
        access.apply(&change);
        assert!(access.generation() > before, "{change:?}");
        assert_eq!(allowed(), expected, "{change:?}");
    }
    access.apply(&user("u", "p", &[]));
    assert!(!allowed(), "a user made again has none of the old one's permissions");
    access.apply(&permission("u", "v", [".*", ".*", ".*"]));
    access.apply(&Change::DeleteVhost { name: "v".into() });
    access.apply(&vhost("v"));
    assert!(!allowed(), "nor has a virtual host made again");

    let before = access.generation();
    access.apply(&Change::ReserveIds(7));
    assert_eq!(access.generation(), before, "queue ids have nothing to do with access");
}

#[test]
fn deleting_topic_permissions_opens_the_exchange_again() {
    let access = access(vec![
        topic_permission("u", "x", ["^a$", ""]),
        topic_permission("u", "y", ["^a$", ""]),
        topic_permission("u", "z", ["^a$", ""]),
    ]);
    let open = |exchange| access.check_topic("u", "/", exchange, Permission::Write, "b", None);
    let delete = |exchange: Option<&str>| {
        let exchange = exchange.map(str::to_owned);
        access.apply(&Change::DeleteTopicPermission { user: "u".into(), vhost: "/".into(), exchange });
    };
    delete(Some("x"));
    assert_eq!([open("x"), open("y"), open("z")], [true, false, false]);
    delete(None);
    assert_eq!([open("x"), open("y"), open("z")], [true, true, true]);
    assert!(!access.has_topic_permissions("u", "/"));
}

#[test]
fn a_changed_password_counts_from_the_next_login() {
    let access = access(vec![user("u", "old", &[])]);
    let logged_in = access.user("u").unwrap();
    access.apply(&user("u", "new", &["monitoring"]));
    assert!(login(&access, "u", "old", HERE).is_err());
    assert!(login(&access, "u", "new", HERE).is_ok());
    assert!(!logged_in.is_monitor());
    assert!(access.user("u").unwrap().is_monitor());
}

#[test]
fn tags_grant_as_in_rabbitmq() {
    let rights = |tags: &[&str]| {
        let access = access(vec![user("u", "p", tags)]);
        let user = access.user("u").unwrap();
        [
            user.is_administrator(),
            user.is_monitor(),
            user.is_policymaker(),
            user.is_management_user(),
            user.is_impersonator(),
        ]
    };
    assert_eq!(rights(&["administrator"]), [true, true, true, true, false]);
    assert_eq!(rights(&["monitoring"]), [false, true, false, true, false]);
    assert_eq!(rights(&["policymaker"]), [false, false, true, true, false]);
    assert_eq!(rights(&["management"]), [false, false, false, true, false]);
    assert_eq!(rights(&["impersonator", "team-a"]), [false, false, false, false, true]);
    assert_eq!(rights(&[]), [false; 5]);
}

#[test]
fn an_unusable_pattern_from_elsewhere_allows_nothing() {
    let access = access(vec![user("u", "p", &[]), permission("u", "/", ["(?!x)", "(", ".*"])]);
    let check = |permission| access.check("u", Resource::queue("/", "q"), permission);
    assert_eq!([Permission::Configure, Permission::Write, Permission::Read].map(check), [false, false, true]);
}

#[test]
fn debug_output_holds_no_secret() {
    let defaults = DefaultUser { password: "s3cret".into(), ..DefaultUser::default() };
    let settings = LoginSettings { anonymous_login_pass: Some("s3cret".into()), ..LoginSettings::default() };
    let changes = defaults.changes().unwrap();
    let access = access(changes.clone());
    let Change::PutUser(definition) = &changes[1] else { panic!("the user comes second") };
    let printed = format!("{defaults:?} {settings:?} {changes:?} {:?}", access.user("guest").unwrap());
    assert!(!printed.contains("s3cret"), "{printed}");
    assert!(!printed.contains(&definition.password_hash), "{printed}");
}

/// With hashes that take longer than others, an unknown user must not be the only quick one.
#[test]
fn an_unknown_user_takes_as_long_as_a_known_one() {
    let put = |name: &str, hash: &str| {
        Change::PutUser(UserDefinition {
            name: name.into(),
            password_hash: hash.into(),
            hashing_algorithm: HashingAlgorithm::Argon2.as_str().into(),
            ..UserDefinition::default()
        })
    };
    let hash = hash_password(HashingAlgorithm::Argon2, b"secret").unwrap();
    let without: Vec<String> = (0..8).map(|n| format!("without{n}")).collect();
    let mut users: Vec<Change> = without.iter().map(|name| put(name, "")).collect();
    users.extend((0..8).map(|n| put(&format!("slow{n}"), &hash)));
    let access = access(users);
    let decoys: Vec<bool> =
        (0..64).map(|n| matches!(access.decoy(&format!("nobody{n}")), PasswordHash::Argon2(_))).collect();
    assert!(decoys.iter().filter(|is_slow| **is_slow).count() > 4, "{decoys:?}");
    let again: Vec<bool> =
        (0..64).map(|n| matches!(access.decoy(&format!("nobody{n}")), PasswordHash::Argon2(_))).collect();
    assert_eq!(decoys, again, "asking twice tells nothing");
    // The password of whom the name chooses opens nothing.
    for name in without.iter().map(String::as_str).chain(["nobody1", "nobody2", "nobody3", ""]) {
        assert!(login(&access, name, "secret", HERE).is_err(), "{name}");
    }
    login(&access, "slow0", "secret", HERE).unwrap();
}
