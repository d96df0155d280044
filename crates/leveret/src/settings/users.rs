//! Who may log in.

use auth::{DefaultUser, LoginSettings, Mechanism};
use config::Config;

pub(crate) fn login_settings(config: &Config) -> LoginSettings {
    LoginSettings {
        // Mechanisms that do not exist here are not offered.
        mechanisms: config.auth_mechanisms.iter().filter_map(|name| Mechanism::from_name(name.as_str())).collect(),
        loopback_users: config.loopback_users.iter().cloned().collect(),
        anonymous_login_user: config.anonymous_login.as_ref().map(|login| login.user.clone()),
        anonymous_login_pass: config.anonymous_login.as_ref().map(|login| login.password.expose().to_owned()),
        anonymous_loopback_only: true,
    }
}

/// The user and virtual host of a fresh node.
pub(crate) fn default_user(config: &Config) -> DefaultUser {
    let user = &config.default_user;
    DefaultUser {
        name: user.name.clone(),
        password: user.password.expose().to_owned(),
        tags: user.tags.iter().cloned().collect(),
        vhost: config.default_vhost.clone(),
        configure: user.permissions.configure.clone(),
        write: user.permissions.write.clone(),
        read: user.permissions.read.clone(),
        hashing: super::auth::password_hashing(config),
        default_queue_type: None,
    }
}
