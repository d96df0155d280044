//! What holds when nothing is given.

use crate::{AuthMechanism, Config, DiskFreeLimit, MemoryWatermark, Sync};

#[test]
fn the_defaults_are_those_of_rabbitmq() {
    let config = Config::default();
    assert_eq!(config.listeners, ["0.0.0.0:5672".parse().unwrap(), "[::]:5672".parse().unwrap()]);
    assert_eq!(config.handshake_timeout_ms, Some(10_000));
    assert_eq!(config.heartbeat_s, 60);
    assert_eq!(config.frame_max_bytes, 131_072);
    assert_eq!(config.initial_frame_max_bytes, 8192);
    assert_eq!(config.channel_max, 2047);
    assert_eq!(config.connection_max, None);
    assert_eq!(config.channel_max_per_node, None);
    assert_eq!(config.consumer_max_per_channel, None);
    assert_eq!(config.max_message_size_bytes, 134_217_728);
    assert_eq!(config.consumer_timeout_ms, Some(1_800_000));
    assert_eq!(config.default_consumer_prefetch, 0);
    assert_eq!(config.vm_memory_high_watermark, MemoryWatermark::Relative(0.6));
    assert_eq!(config.total_memory_available_bytes, None);
    assert_eq!(config.disk_free_limit, DiskFreeLimit::AbsoluteBytes(50_000_000));
    assert_eq!(config.default_user.name, "guest");
    assert_eq!(config.default_user.password.expose(), "guest");
    assert_eq!(config.default_user.tags, ["administrator".to_owned()].into());
    assert_eq!(config.default_user.permissions.configure, ".*");
    assert_eq!(config.default_vhost, "/");
    assert_eq!(config.loopback_users, ["guest".to_owned()].into());
    assert_eq!(config.anonymous_login.map(|login| login.user).as_deref(), Some("guest"));
    assert_eq!(config.auth_mechanisms, [AuthMechanism::Plain, AuthMechanism::Amqplain, AuthMechanism::Anonymous]);
    assert!(config.log.console.is_some_and(|console| console.output.level.is_none()) && config.log.file.is_none());
    assert_eq!((config.reactors, config.data_dir), (0, "leveret-data".into()));
    assert_eq!((config.sync, config.message_memory_bytes), (Sync::Always, 16 << 20));
    assert_eq!(config.ignored, Vec::<String>::new());
}
