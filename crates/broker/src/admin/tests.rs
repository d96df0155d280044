//! Commands against a broker in this process, its journal in memory and its reactors on threads that only take messages.

use super::*;
use crate::{Now, Settings, Shard, Which};
use amqp::{FieldTable, FieldValue};
use auth::{AccessControl, DefaultUser, LoginSettings};
use metadata::{Journal, MemoryJournal, PermissionDefinition, Snapshot, Token, TopicPermissionDefinition};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const SHARDS: usize = 2;

struct Fixture {
    broker: Arc<Broker>,
    journal: Arc<MemoryJournal>,
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Fixture {
    fn start() -> Fixture {
        let journal = Arc::new(MemoryJournal::new());
        journal.propose(DefaultUser::default().changes().unwrap());
        let snapshot = journal.snapshot();
        let broker = broker_with(journal.clone(), &snapshot);
        let over = Arc::new(AtomicBool::new(false));
        let threads = (0..SHARDS).map(|index| reactor(broker.clone(), index, over.clone())).collect();
        Fixture { broker, journal, over, threads }
    }

    #[track_caller]
    fn done(&self, command: AdminCommand) -> AdminReply {
        self.broker.execute(command).unwrap()
    }

    #[track_caller]
    fn refused(&self, command: AdminCommand) -> String {
        self.broker.execute(command).unwrap_err().to_string()
    }

    fn user_names(&self) -> Vec<String> {
        let AdminReply::Users(users) = self.done(AdminCommand::ListUsers) else { panic!("not users") };
        users.into_iter().map(|user| user.name).collect()
    }

    fn queues(&self, vhost: &str) -> Vec<QueueSnapshot> {
        let command = AdminCommand::ListQueues { vhost: Some(vhost.to_owned()) };
        let AdminReply::Queues(queues) = self.done(command) else { panic!("not queues") };
        queues
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
    }
}

fn broker_with(journal: Arc<dyn Journal>, snapshot: &Snapshot) -> Arc<Broker> {
    let access = Arc::new(AccessControl::new(LoginSettings::default(), snapshot));
    Broker::new(Settings::default(), access, journal, snapshot, SHARDS, |bytes| bytes.fill(7))
}

fn reactor(broker: Arc<Broker>, index: usize, over: Arc<AtomicBool>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut shard = Shard::new(broker.clone(), index);
        while !over.load(Ordering::Relaxed) {
            shard.set_now(Now::default());
            shard.messages();
            std::thread::park_timeout(Duration::from_millis(1));
        }
    })
}

fn put_user(name: &str, password: Option<&str>, tags: Option<&[&str]>, when: WhenUserExists) -> AdminCommand {
    AdminCommand::PutUser {
        name: name.to_owned(),
        password: password.map(|plain| NewPassword::Plain(Secret(plain.to_owned()))),
        tags: tags.map(|tags| tags.iter().map(|tag| (*tag).to_owned()).collect()),
        limits: None,
        when,
    }
}

fn authenticate(name: &str, password: &str) -> AdminCommand {
    AdminCommand::Authenticate { name: name.to_owned(), password: Secret(password.to_owned()), peer: None }
}

fn put_vhost(name: &str) -> AdminCommand {
    AdminCommand::PutVhost {
        name: name.to_owned(),
        description: None,
        tags: None,
        default_queue_type: None,
        tracing: None,
        protected_from_deletion: None,
    }
}

fn permission(user: &str, vhost: &str, configure: &str) -> PermissionDefinition {
    PermissionDefinition {
        user: user.to_owned(),
        vhost: vhost.to_owned(),
        configure: configure.to_owned(),
        write: ".*".to_owned(),
        read: String::new(),
    }
}

fn declare(vhost: &str, name: &str, durable: bool, arguments: FieldTable) -> AdminCommand {
    AdminCommand::DeclareQueue {
        vhost: vhost.to_owned(),
        name: name.to_owned(),
        durable,
        auto_delete: false,
        arguments,
    }
}

#[test]
fn users_come_change_and_go() {
    let fixture = Fixture::start();
    let created = fixture.done(put_user("alice", Some("one"), None, WhenUserExists::Refuse));
    assert!(matches!(created, AdminReply::Created));
    assert_eq!(fixture.user_names(), ["alice", "guest"]);
    fixture.done(authenticate("alice", "one"));
    let text = fixture.refused(put_user("alice", Some("two"), None, WhenUserExists::Refuse));
    assert_eq!(text, "user 'alice' already exists");
    fixture.done(put_user("alice", None, Some(&["monitoring"]), WhenUserExists::Require));
    fixture.done(authenticate("alice", "one"));
    assert_eq!(fixture.broker.access.user("alice").unwrap().tags(), ["monitoring"]);
    fixture.done(put_user("alice", Some("two"), None, WhenUserExists::Require));
    assert_eq!(fixture.refused(authenticate("alice", "one")), "user 'alice' - invalid credentials");
    fixture.done(authenticate("alice", "two"));
    let survives = fixture.journal.snapshot().users;
    assert_eq!(survives.iter().find(|user| user.name == "alice").unwrap().tags, ["monitoring"]);
    fixture.done(AdminCommand::DeleteUser { name: "alice".to_owned() });
    assert_eq!(fixture.user_names(), ["guest"]);
    assert_eq!(fixture.refused(AdminCommand::DeleteUser { name: "alice".to_owned() }), "user 'alice' does not exist");
    let text = fixture.refused(put_user("alice", None, None, WhenUserExists::Require));
    assert_eq!(text, "user 'alice' does not exist");
}

#[test]
fn a_password_hash_of_an_unknown_algorithm_is_refused() {
    let fixture = Fixture::start();
    let hash = NewPassword::Hash { hash: "AAAA".to_owned(), algorithm: "rot13".to_owned() };
    let command = AdminCommand::PutUser {
        name: "alice".to_owned(),
        password: Some(hash),
        tags: None,
        limits: None,
        when: WhenUserExists::Replace,
    };
    assert_eq!(fixture.refused(command), "unknown hashing algorithm 'rot13'");
    assert_eq!(fixture.user_names(), ["guest"]);
}

#[test]
fn debug_shows_no_password() {
    let shown = format!("{:?}", put_user("alice", Some("hunter2"), None, WhenUserExists::Replace));
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn permissions_need_a_user_a_vhost_and_patterns_that_compile() {
    let fixture = Fixture::start();
    let set = |permission| AdminCommand::SetPermissions(permission);
    assert_eq!(fixture.refused(set(permission("nobody", "nowhere", ""))), "user 'nobody' does not exist");
    assert_eq!(fixture.refused(set(permission("guest", "nowhere", ""))), "vhost 'nowhere' does not exist");
    let text = fixture.refused(set(permission("guest", "/", "*")));
    assert!(text.starts_with("regular expression '*' is not supported"), "{text}");
    assert!(matches!(fixture.done(set(permission("guest", "/", "^a"))), AdminReply::Done));
    let allows = |name| {
        let queue = auth::Resource::queue("/", name);
        fixture.broker.access.check("guest", queue, auth::Permission::Configure)
    };
    assert!(allows("a") && !allows("b"));
    fixture.done(AdminCommand::ClearPermissions { user: "guest".to_owned(), vhost: "/".to_owned() });
    assert!(!allows("a"));
    assert_eq!(fixture.journal.snapshot().permissions, []);
}

#[test]
fn topic_permissions_may_have_variables() {
    let fixture = Fixture::start();
    let topic = TopicPermissionDefinition {
        user: "guest".to_owned(),
        vhost: "/".to_owned(),
        exchange: "amq.topic".to_owned(),
        write: "^{username}\\.".to_owned(),
        read: ".*".to_owned(),
    };
    assert!(matches!(fixture.done(AdminCommand::SetTopicPermissions(topic.clone())), AdminReply::Created));
    let may_publish = |key| {
        let write = auth::Permission::Write;
        fixture.broker.access.check_topic("guest", "/", "amq.topic", write, key, None)
    };
    assert!(may_publish("guest.a") && !may_publish("alice.a"));
    let broken = TopicPermissionDefinition { read: "(".to_owned(), ..topic };
    let text = fixture.refused(AdminCommand::SetTopicPermissions(broken));
    assert!(text.starts_with("regular expression '(' is not supported"), "{text}");
    let (user, vhost) = ("guest".to_owned(), "/".to_owned());
    fixture.done(AdminCommand::ClearTopicPermissions { user, vhost, exchange: None });
    assert!(may_publish("alice.a"));
}

#[test]
fn vhosts_come_and_go_with_what_is_in_them() {
    let fixture = Fixture::start();
    assert!(matches!(fixture.done(put_vhost("v")), AdminReply::Created));
    assert!(matches!(fixture.done(put_vhost("v")), AdminReply::Done));
    fixture.done(AdminCommand::SetPermissions(permission("guest", "v", ".*")));
    fixture.done(declare("v", "q", true, FieldTable::new()));
    fixture.done(AdminCommand::DeleteVhost { name: "v".to_owned() });
    let left = fixture.journal.snapshot();
    assert!(left.queues.is_empty() && left.permissions.iter().all(|permission| permission.vhost == "/"));
    assert_eq!(fixture.refused(AdminCommand::DeleteVhost { name: "v".to_owned() }), "vhost 'v' does not exist");
    fixture.done(put_vhost("v"));
    assert!(fixture.queues("v").is_empty());
    assert_eq!(fixture.refused(put_vhost("")), "vhost name must be of 1 to 255 bytes");
}

#[test]
fn queues_are_declared_as_clients_declare_them() {
    let fixture = Fixture::start();
    let limit = |length: i64| FieldTable::from_iter([("x-max-length".to_owned(), FieldValue::I64(length))]);
    assert!(matches!(fixture.done(declare("/", "q", true, limit(5))), AdminReply::Created));
    assert!(matches!(fixture.done(declare("/", "q", true, limit(5))), AdminReply::Done));
    let text = fixture.refused(declare("/", "q", false, limit(5)));
    assert_eq!(text, "inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but current is 'true'");
    let text = fixture.refused(declare("/", "amq.q", true, limit(5)));
    assert_eq!(text, "queue name 'amq.q' contains reserved prefix 'amq.*'");
    assert!(fixture.broker.execute(declare("/", "r", true, limit(-1))).is_err());
    let deep = (0..200).fold(FieldTable::new(), |inner, _| FieldTable::from_iter([("t".to_owned(), inner.into())]));
    assert!(fixture.broker.execute(declare("/", "r", true, deep)).is_err());
    let queues = fixture.queues("/");
    assert_eq!(queues.len(), 1);
    assert_eq!((&*queues[0].name, queues[0].durable, &queues[0].arguments), ("q", true, &limit(5)));
    assert_eq!(fixture.journal.snapshot().queues.len(), 1);
}

#[test]
fn queues_are_deleted_for_good() {
    let fixture = Fixture::start();
    fixture.done(declare("/", "q", true, FieldTable::new()));
    let delete =
        |if_empty| AdminCommand::DeleteQueue { vhost: "/".to_owned(), name: "q".to_owned(), if_unused: true, if_empty };
    assert!(matches!(fixture.done(delete(true)), AdminReply::Count(0)));
    assert_eq!(fixture.refused(delete(false)), "queue 'q' does not exist");
    assert!(fixture.journal.snapshot().queues.is_empty());
}

#[test]
fn every_queue_is_bound_to_the_default_exchange() {
    let fixture = Fixture::start();
    fixture.done(declare("/", "q", true, FieldTable::new()));
    let AdminReply::Bindings(bindings) = fixture.done(AdminCommand::ListBindings { vhost: None }) else {
        panic!("not bindings")
    };
    let [only] = &bindings[..] else { panic!("{bindings:?}") };
    assert_eq!((&*only.binding.source, &*only.binding.destination, only.binding.routing_key.as_str()), ("", "q", "q"));
}

#[test]
fn a_connection_that_is_not_there_cannot_be_closed() {
    let fixture = Fixture::start();
    let which = Which::Id(crate::ConnectionId(99));
    let text = fixture.refused(AdminCommand::CloseConnections { which, reason: "bye".to_owned() });
    assert_eq!(text, "connection '99' does not exist");
    let all = AdminCommand::CloseConnections { which: Which::Vhost(None), reason: "bye".to_owned() };
    assert!(matches!(fixture.done(all), AdminReply::Count(0)));
}

#[test]
fn alarms_by_hand_and_the_watermark() {
    struct Recorded(Arc<Mutex<Vec<MemoryWatermark>>>);
    impl MemoryControl for Recorded {
        fn set_watermark(&self, watermark: MemoryWatermark) {
            self.0.lock().unwrap().push(watermark);
        }
        fn figures(&self) -> MemoryFigures {
            MemoryFigures { used_bytes: 1, limit_bytes: 2, total_bytes: 3 }
        }
    }
    let fixture = Fixture::start();
    fixture.done(AdminCommand::SetAlarm { alarm: crate::Alarm::Disk, raised: true });
    let AdminReply::Overview(overview) = fixture.done(AdminCommand::Overview) else { panic!("no overview") };
    assert!(overview.disk_alarm && !overview.memory_alarm && overview.memory.is_none());
    assert_eq!((overview.vhosts, overview.exchanges, overview.queues), (1, 7, 0));
    let set = |share| AdminCommand::SetMemoryWatermark(MemoryWatermark::Relative(share));
    assert_eq!(fixture.refused(set(0.5)), "memory is not monitored");
    let told = Arc::new(Mutex::new(Vec::new()));
    fixture.broker.set_memory_control(Box::new(Recorded(told.clone())));
    fixture.done(set(0.5));
    assert!(fixture.broker.execute(set(-1.0)).is_err() && fixture.broker.execute(set(f64::NAN)).is_err());
    assert_eq!(*told.lock().unwrap(), [MemoryWatermark::Relative(0.5)]);
}

/// A journal whose proposals become durable only when the test says so.
#[derive(Default)]
struct SlowJournal {
    memory: MemoryJournal,
    durable: AtomicU64,
}

impl Journal for SlowJournal {
    fn propose(&self, changes: Vec<metadata::Change>) -> Token {
        self.memory.propose(changes)
    }

    fn durable(&self) -> Token {
        Token(self.durable.load(Ordering::Acquire))
    }
}

#[test]
fn a_reply_waits_until_the_change_is_durable() {
    let journal = Arc::new(SlowJournal::default());
    let broker = broker_with(journal.clone(), &Snapshot::default());
    let asking = broker.clone();
    let thread = std::thread::spawn(move || asking.execute(put_vhost("v")).unwrap());
    while journal.memory.durable() == Token(0) {
        std::thread::yield_now();
    }
    assert!(!thread.is_finished() && broker.vhost("v").is_none());
    journal.durable.store(1, Ordering::Release);
    broker.journal_advanced(Token(1));
    assert!(matches!(thread.join().unwrap(), AdminReply::Created));
    assert!(broker.vhost("v").is_some());
}

#[test]
fn nobody_waits_for_a_broker_that_stops() {
    let broker = broker_with(Arc::new(SlowJournal::default()), &Snapshot::default());
    let asking = broker.clone();
    let thread = std::thread::spawn(move || asking.execute(put_vhost("v")));
    broker.shut_down();
    let error = thread.join().unwrap().unwrap_err();
    assert_eq!(error, AdminError::Unavailable("the broker is stopping".to_owned()));
    let close = AdminCommand::CloseConnections { which: Which::Vhost(None), reason: String::new() };
    assert!(broker.execute(close).is_err());
}
