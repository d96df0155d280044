//! Reading the configuration again while the broker runs.
//!
//! Everything is read and checked first; when anything is wrong nothing changes. What cannot change in a running process is
//! named, and holds from the next start on.

use crate::application::Application;
use crate::definitions::Definitions;
use crate::in_force::InForce;
use crate::logging::{self, Logging};
use crate::settings;
use crate::storage::MESSAGES;
use crate::{certificates, cluster, configuration};
use auth::Chain;
use broker::{Accounts, AdminCommand, Broker};
use config::{Change, Config, Effect};
use serde_json::{Value, json};
use std::sync::Arc;
use tracing::{error, info, warn};

/// What has come of it.
#[derive(Debug, Default)]
pub(crate) struct Reloaded {
    /// Changed keys that hold now.
    applied: Vec<String>,
    /// Changed keys that hold from the next start on.
    restart: Vec<String>,
    /// Changed keys that mean something for an empty data directory only.
    first_start: Vec<String>,
    /// Changed keys that have no effect here.
    without_effect: Vec<String>,
    /// Whether definitions were imported: their files, or which files they are, had changed.
    definitions_imported: bool,
}

impl Reloaded {
    pub(crate) fn describe(&self) -> Value {
        json!({
            "applied": self.applied,
            "needs_restart": self.restart,
            "for_first_start": self.first_start,
            "without_effect": self.without_effect,
            "definitions_imported": self.definitions_imported,
        })
    }
}

/// Reads the configuration again; the errors are all that is wrong, a line each.
pub(crate) fn reload(application: &Application) -> Result<Reloaded, Vec<String>> {
    let result = try_reload(application);
    match &result {
        Ok(reloaded) => say(reloaded),
        Err(problems) => {
            for problem in problems {
                error!("the configuration stays as it is: {problem}");
            }
        }
    }
    result
}

fn try_reload(application: &Application) -> Result<Reloaded, Vec<String>> {
    let _one_at_a_time = application.reloading();
    let loaded = application
        .sources()
        .load()
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let one = |error: anyhow::Error| vec![crate::one_line(&error)];
    let (old, new) = (application.config(), Arc::new(loaded.config));
    settings::check(&new).map_err(|unusable| unusable.lines().to_vec())?;
    let mut reloaded = sorted(&application.in_force(), &new);
    // What can fail comes first.
    let certificates =
        certificates::prepare(&application.endpoints().all()).map_err(|error| vec![error.to_string()])?;
    let access = Access::prepare(application, &new).map_err(one)?;
    let log = logging::running().filter(|_| old.log != new.log);
    let prepared = log.map(|log| Logging::prepare(log, &new.log)).transpose().map_err(one)?;
    reloaded.definitions_imported = import(application, &new).map_err(one)?;
    if let (Some(log), Some(outputs)) = (log, prepared) {
        log.configure(&new.log, outputs).map_err(one)?;
        logging::warn_of_console(&new.log);
    }
    certificates::replace(certificates);
    apply(application, &old, &new, access);
    application.replace(new, loaded.files);
    Ok(reloaded)
}

/// Who is asked about logins, and what new users are like.
///
/// All of it is made anew whether or not it says something else: files of keys and certificates may have changed, too.
struct Access {
    chain: Chain,
    http_chain: Option<Chain>,
    accounts: Accounts,
}

impl Access {
    fn prepare(application: &Application, new: &Config) -> anyhow::Result<Access> {
        let (chain, http_chain) = settings::chains(new)?;
        let accounts = settings::accounts(new)?;
        application.grow_workers(chain.asks_others() || http_chain.as_ref().is_some_and(Chain::asks_others))?;
        Ok(Access { chain, http_chain, accounts })
    }

    /// Who has logged in goes on as who it is; what it may do is asked where it was.
    fn apply(self, broker: &Broker) {
        broker.access.set_chain(self.chain);
        broker.access.set_http_chain(self.http_chain);
        broker.set_accounts(self.accounts);
    }
}

/// Imports definitions whose files have changed.
fn import(application: &Application, new: &Config) -> anyhow::Result<bool> {
    let Some(broker) = management::Application::broker(application) else { return Ok(false) };
    let definitions = Definitions::read(&new.definitions)?;
    let digest = definitions.digest();
    if digest.is_none() || digest == application.imported() {
        return Ok(false);
    }
    application.set_imported(definitions.import(&broker)?);
    Ok(true)
}

/// Changes what can change while the broker runs; none of it fails.
fn apply(application: &Application, old: &Config, new: &Config, access: Access) {
    let Some(broker) = management::Application::broker(application) else { return };
    access.apply(&broker);
    broker.limits.set(&settings::settings(new));
    if let Err(error) = cluster::name_and_tag(new, &broker) {
        error!("{error:#}");
    }
    if old.channel_max != new.channel_max {
        // Carried out in memory.
        let _ = broker.execute(AdminCommand::SetChannelMax(new.channel_max));
    }
    if old.loopback_users != new.loopback_users {
        broker.access.set_loopback_users(new.loopback_users.iter().cloned().collect());
    }
    application.with_monitors(|memory, disk, total_bytes| {
        if old.vm_memory_high_watermark != new.vm_memory_high_watermark {
            memory.set_watermark(settings::watermark(new));
            info!("memory high watermark set to {} MiB", memory.limit() >> 20);
        }
        if old.disk_free_limit != new.disk_free_limit {
            disk.set_limit(settings::disk_free_limit(new).bytes(total_bytes));
            info!("disk free limit of {MESSAGES} set to {} MB", disk.limit() / 1_000_000);
        }
    });
}

/// The keys that say something else than what is in force, by what that leads to.
fn sorted(in_force: &InForce, new: &Config) -> Reloaded {
    let mut reloaded = Reloaded::default();
    for setting in in_force.changed(new) {
        let list = match (setting.spec.effect, setting.spec.change) {
            (Effect::Ignored, _) => &mut reloaded.without_effect,
            (_, Change::Now) => &mut reloaded.applied,
            (_, Change::FirstStart) => &mut reloaded.first_start,
            (_, Change::Restart) => &mut reloaded.restart,
        };
        list.push(setting.key.clone());
    }
    if in_force.plugins != new.plugins {
        reloaded.restart.push("enabled_plugins".to_owned());
    }
    reloaded
}

fn say(reloaded: &Reloaded) {
    info!("configuration read again; changed and in force: {}", listed(&reloaded.applied));
    if !reloaded.restart.is_empty() {
        warn!("changed keys that need a restart: {}", listed(&reloaded.restart));
    }
    if !reloaded.first_start.is_empty() {
        info!("changed keys that matter to an empty data directory only: {}", listed(&reloaded.first_start));
    }
}

fn listed(keys: &[String]) -> String {
    if keys.is_empty() { "none".to_owned() } else { keys.join(", ") }
}

/// What is in force, for operators: files, settings with where each comes from, plugins.
pub(crate) fn describe(application: &Application, all: bool) -> Value {
    let in_force = application.in_force();
    let files: Vec<String> = application.files().iter().map(|file| file.display().to_string()).collect();
    let enabled: Vec<&str> = config::Plugins::available().filter(|name| in_force.plugins.is_enabled(name)).collect();
    let waiting = sorted(&in_force, &application.config()).restart;
    json!({
        "files": files,
        "settings": configuration::described(&in_force.settings, all),
        "needs_restart": waiting,
        "plugins": {
            "file": in_force.plugins.file.as_ref().map(|file| file.display().to_string()),
            "enabled": enabled,
            "absent": in_force.plugins.absent().collect::<Vec<_>>(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::Sources;

    fn config(settings: &[&str]) -> Config {
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        Sources { settings, ..Sources::default() }.load().unwrap().config
    }

    #[test]
    fn changed_keys_are_sorted_by_what_they_lead_to() {
        let old = config(&["heartbeat=10", "leveret.reactors=1", "default_pass=a", "frame_max=4096"]);
        let new = config(&["heartbeat=20", "leveret.reactors=2", "default_pass=b", "frame_max=4096", "mqtt.vhost=x"]);
        let in_force = InForce::at_start(&old);
        let reloaded = sorted(&in_force, &new);
        assert_eq!(reloaded.applied, ["heartbeat"]);
        assert_eq!(reloaded.restart, ["leveret.reactors"]);
        assert_eq!(reloaded.first_start, ["default_pass"]);
        assert_eq!(reloaded.without_effect, ["mqtt.vhost"]);
        let gone = sorted(&in_force, &config(&[]));
        assert_eq!(gone.applied, ["heartbeat"]);
        assert_eq!(gone.restart, ["frame_max", "leveret.reactors"]);
    }
}
