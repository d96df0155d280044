//! Which settings are in force, where the configuration was read again since the start.

use config::{Change, Config, Effect, Plugins, Setting};
use std::collections::BTreeSet;

/// Keys that belong to the process, not to the broker within it, begin so: a broker that is stopped and started again by
/// `stop_app` and `start_app` does not look at them.
const OF_THE_PROCESS: &[&str] =
    &["leveret.tls", "management.", "node_tags.", "nodename", "prometheus.", "ssl_options.", "web_"];

/// Settings in force, and which plugins are enabled.
#[derive(Clone)]
pub(crate) struct InForce {
    pub(crate) settings: Vec<Setting>,
    pub(crate) plugins: Plugins,
}

impl InForce {
    /// Everything, at the start of the process.
    pub(crate) fn at_start(config: &Config) -> InForce {
        InForce { settings: config.settings.clone(), plugins: config.plugins.clone() }
    }

    /// What can change in a running broker is that of the new configuration.
    pub(crate) fn after_reload(&self, new: &Config) -> InForce {
        self.kept(new, waits)
    }

    /// What the broker was started with is that of the configuration that was read last.
    pub(crate) fn after_restart_of_the_broker(&self, new: &Config) -> InForce {
        self.kept(new, |setting| waits(setting) && OF_THE_PROCESS.iter().any(|start| setting.key.starts_with(start)))
    }

    fn kept(&self, new: &Config, is_kept: impl Fn(&Setting) -> bool) -> InForce {
        let kept = self.settings.iter().filter(|setting| is_kept(setting));
        let taken = new.settings.iter().filter(|setting| !is_kept(setting));
        let mut settings: Vec<Setting> = kept.chain(taken).cloned().collect();
        settings.sort_by(|one, other| one.key.cmp(&other.key));
        InForce { settings, plugins: self.plugins.clone() }
    }

    /// Settings that are new in `new`, gone, or have another value there, each once.
    pub(crate) fn changed<'a>(&'a self, new: &'a Config) -> Vec<&'a Setting> {
        let is_in = |setting: &Setting, others: &[Setting]| others.iter().any(|other| other.has_text_of(setting));
        let added = new.settings.iter().filter(|setting| !is_in(setting, &self.settings));
        let gone = self.settings.iter().filter(|setting| !is_in(setting, &new.settings));
        let mut seen = BTreeSet::new();
        added.chain(gone).filter(|setting| seen.insert(&setting.key)).collect()
    }
}

/// Whether a change of it holds from the next start on only.
fn waits(setting: &Setting) -> bool {
    setting.spec.effect != Effect::Ignored && setting.spec.change == Change::Restart
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::Sources;

    fn config(settings: &[&str]) -> Config {
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        Sources { settings, ..Sources::default() }.load().unwrap().config
    }

    fn shown(in_force: &InForce) -> Vec<String> {
        in_force.settings.iter().map(|setting| format!("{}={}", setting.key, setting.shown_value())).collect()
    }

    fn changed(in_force: &InForce, new: &Config) -> Vec<String> {
        in_force.changed(new).iter().map(|setting| setting.key.clone()).collect()
    }

    #[test]
    fn what_waits_for_a_restart_is_told_until_there_is_one() {
        let at_start = InForce::at_start(&config(&["frame_max=8192", "heartbeat=10", "management.tcp.port=1"]));
        let new = config(&["frame_max=16384", "heartbeat=20", "management.tcp.port=2"]);
        let reloaded = at_start.after_reload(&new);
        assert_eq!(shown(&reloaded), ["frame_max=8192", "heartbeat=20", "management.tcp.port=1"]);
        assert_eq!(changed(&reloaded, &new), ["frame_max", "management.tcp.port"]);
        let restarted = reloaded.after_restart_of_the_broker(&new);
        assert_eq!(shown(&restarted), ["frame_max=16384", "heartbeat=20", "management.tcp.port=1"]);
        // Back to what it was: nothing waits.
        let old = config(&["frame_max=16384", "heartbeat=20", "management.tcp.port=1"]);
        assert!(changed(&restarted.after_reload(&old), &old).is_empty());
        // One that is gone waits, too.
        assert_eq!(changed(&restarted.after_reload(&config(&[])), &config(&[])), ["frame_max", "management.tcp.port"]);
    }
}
