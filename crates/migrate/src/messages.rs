//! Moving the messages of all queues.

use crate::address::AmqpAddress;
use crate::api::Api;
use crate::drain::{Manner, depth, drain};
use crate::progress::Progress;
use crate::queues::{self, SourceQueue};
use crate::report::{Line, report};
use crate::state::{Counts, State};
use crate::{Options, Outcome};
use anyhow::{Context, Result, anyhow};
use cli::http::segment;
use lapin::{Connection, ConnectionProperties};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Messages on their way at a time, unless it is said otherwise.
const WINDOW: u16 = 1000;
/// Between two times that progress is put on disk.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);

/// The new broker for AMQP.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// As the operator named it.
    Given(AmqpAddress),
    /// Where it says that it listens; a user is made for the time being.
    Listed((String, u16)),
}

/// From where to where.
#[derive(Debug)]
pub(crate) struct Route<'a> {
    pub(crate) source: &'a Api,
    pub(crate) target: &'a Api,
    pub(crate) from: AmqpAddress,
    pub(crate) to: Target,
}

/// Moves all messages and reports; after a failure the same command goes on.
pub(crate) async fn run(options: &Options, route: Route<'_>) -> Result<Outcome> {
    let queues = queues::list(route.source, options.vhost.as_deref())?;
    for queue in &queues {
        say_before(queue);
    }
    let wanted: Vec<SourceQueue> = queues.into_iter().filter(|queue| queue.skipped.is_none()).collect();
    if options.dry_run {
        return look(&route, &wanted).await;
    }
    let window = options.prefetch.unwrap_or(WINDOW).max(1);
    let path = options.state.clone().unwrap_or_else(|| PathBuf::from("leveret-import.state"));
    let mut state = State::open(&path, &route.from.to_string(), &route.target.name(), u64::from(window))?;
    if state.is_resumed() {
        println!("going on with what {} says was moved", path.display());
    }
    let (to, user) = credentials(&route, &mut state, &wanted)?;
    let manner = Manner { window, origin_headers: !options.no_origin_headers };
    let mut mover = Mover {
        from: route.from.clone(),
        to,
        manner,
        is_quiet: options.is_quiet,
        state,
        lines: Vec::new(),
        saved: Instant::now(),
    };
    let result = mover.run(&wanted).await;
    mover.state.save()?;
    let removed = user.map(|user| route.target.delete(&format!("/api/users/{}", segment(&user))));
    let (text, outcome) = report(&mover.lines, &mover.state);
    println!("{text}");
    result.with_context(|| {
        format!("not everything was moved; run the same command again to go on from {}", path.display())
    })?;
    removed.transpose().context("everything was moved, and a user that was made for it is left")?;
    mover.state.remove();
    Ok(outcome)
}

fn say_before(queue: &SourceQueue) {
    let SourceQueue { vhost, name, consumers, unacknowledged, skipped } = queue;
    match skipped {
        Some(why) => println!("messages of '{name}' in vhost '{vhost}' stay: {why}"),
        None if *consumers > 0 => println!(
            "warning: '{name}' in vhost '{vhost}' has {consumers} consumers still, who get some of its messages"
        ),
        None if *unacknowledged > 0 => println!(
            "warning: {unacknowledged} messages of '{name}' in vhost '{vhost}' are with consumers and are moved when \
             those give them back"
        ),
        None => {}
    }
}

/// What would be moved.
async fn look(route: &Route<'_>, wanted: &[SourceQueue]) -> Result<Outcome> {
    let mut total = 0;
    for (vhost, queues) in by_vhost(wanted) {
        let from = connect(&route.from, vhost, "old").await?;
        for queue in queues {
            let (ready, _) = depth(&from, &queue.name).await?.unwrap_or_default();
            if ready > 0 {
                println!("would move {ready} messages of '{}' in vhost '{vhost}'", queue.name);
            }
            total += ready;
        }
        from.close(200, "".into()).await?;
    }
    println!("dry run: {total} messages to move; nothing was changed");
    Ok(Outcome::Complete)
}

fn by_vhost(queues: &[SourceQueue]) -> BTreeMap<&str, Vec<&SourceQueue>> {
    let mut by_vhost: BTreeMap<&str, Vec<&SourceQueue>> = BTreeMap::new();
    for queue in queues {
        by_vhost.entry(&queue.vhost).or_default().push(queue);
    }
    by_vhost
}

/// Who publishes at the new broker, and the user to be deleted afterwards.
fn credentials(route: &Route<'_>, state: &mut State, wanted: &[SourceQueue]) -> Result<(AmqpAddress, Option<String>)> {
    let (host, port) = match &route.to {
        Target::Given(address) => return Ok((address.clone(), None)),
        Target::Listed((host, port)) => (host.clone(), *port),
    };
    let user_path = |user: &str| format!("/api/users/{}", segment(user));
    if let Some(left) = state.user.take() {
        // An earlier run had no time to.
        let _ = route.target.delete(&user_path(&left));
    }
    let (user, password) = (format!("leveret-import-{}", random(6)?), random(24)?);
    state.user = Some(user.clone());
    state.save()?;
    // An impersonator may publish what other users have published.
    let body = json!({ "password": password, "tags": "impersonator" });
    route.target.change("PUT", &user_path(&user), &body)?;
    for vhost in by_vhost(wanted).keys() {
        let path = format!("/api/permissions/{}/{}", segment(vhost), segment(&user));
        route.target.change("PUT", &path, &json!({ "configure": "", "write": ".*", "read": ".*" }))?;
    }
    Ok((AmqpAddress { user: user.clone(), password, host, port }, Some(user)))
}

fn random(bytes: usize) -> Result<String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).map_err(|error| anyhow!("the system gives no random numbers: {error}"))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

async fn connect(address: &AmqpAddress, vhost: &str, which: &str) -> Result<Connection> {
    let properties = ConnectionProperties::default().with_connection_name("leveret import".into());
    Connection::connect(&address.uri(vhost), properties)
        .await
        .with_context(|| format!("cannot connect to the {which} broker at {address}, vhost '{vhost}', for AMQP"))
}

/// What moving takes, queue after queue.
struct Mover {
    from: AmqpAddress,
    to: AmqpAddress,
    manner: Manner,
    is_quiet: bool,
    state: State,
    lines: Vec<Line>,
    saved: Instant,
}

impl Mover {
    async fn run(&mut self, wanted: &[SourceQueue]) -> Result<()> {
        let mut total = 0;
        for (vhost, queues) in by_vhost(wanted) {
            total += self.count(vhost, &queues).await?;
        }
        let done = self.state.queues.values().flat_map(BTreeMap::values).map(|counts| counts.moved).sum();
        self.state.save()?;
        let mut progress = Progress::new(total + done, done, self.is_quiet);
        let mut result = Ok(());
        for (vhost, queues) in by_vhost(wanted) {
            result = self.vhost(vhost, &queues, &mut progress).await;
            if result.is_err() {
                break;
            }
        }
        progress.finish();
        result
    }

    /// Notes what there is before anything is moved; returns how many messages are ready.
    async fn count(&mut self, vhost: &str, queues: &[&SourceQueue]) -> Result<u64> {
        let (from, to) = (connect(&self.from, vhost, "old").await?, connect(&self.to, vhost, "new").await?);
        let mut total = 0;
        for queue in queues {
            let Some((before, _)) = depth(&from, &queue.name).await? else { continue };
            total += before;
            let new_before = depth(&to, &queue.name).await?.map_or(0, |(count, _)| count);
            let first = Counts { before, new_before, ..Counts::default() };
            let counts = self.state.queue(vhost, &queue.name, first);
            if counts.interrupted > 0 {
                // What was moved since the state was last put on disk is not at the old broker any more.
                counts.moved = counts.moved.max(counts.before.saturating_sub(before));
            }
        }
        from.close(200, "".into()).await?;
        to.close(200, "".into()).await?;
        Ok(total)
    }

    async fn vhost(&mut self, vhost: &str, queues: &[&SourceQueue], progress: &mut Progress) -> Result<()> {
        let (from, to) = (connect(&self.from, vhost, "old").await?, connect(&self.to, vhost, "new").await?);
        for queue in queues {
            let Some((ready, _)) = depth(&from, &queue.name).await? else {
                progress.say(&format!("'{}' in vhost '{vhost}' is not there any more", queue.name));
                continue;
            };
            if depth(&to, &queue.name).await?.is_none() {
                if ready > 0 {
                    return Err(anyhow!("there is no queue '{}' in vhost '{vhost}' at the new broker", queue.name));
                }
                continue;
            }
            progress.at(&queue.name);
            if ready > 0 {
                self.queue(&from, &to, vhost, &queue.name, progress).await?;
            }
            let Some((new_after, consumers)) = depth(&to, &queue.name).await? else { continue };
            let counts = self.state.queue(vhost, &queue.name, Counts::default()).clone();
            let (vhost, name, is_consumed) = (vhost.to_owned(), queue.name.clone(), consumers > 0);
            self.lines.push(Line { vhost, name, counts, new_after, is_consumed });
        }
        from.close(200, "".into()).await?;
        to.close(200, "".into()).await?;
        Ok(())
    }

    async fn queue(
        &mut self,
        from: &Connection,
        to: &Connection,
        vhost: &str,
        name: &str,
        progress: &mut Progress,
    ) -> Result<()> {
        self.state.queue(vhost, name, Counts::default()).is_open = true;
        self.state.save()?;
        let (state, saved) = (&mut self.state, &mut self.saved);
        let mut moved = |count: u64| {
            state.queue(vhost, name, Counts::default()).moved += count;
            progress.moved(count);
            if saved.elapsed() >= SAVE_INTERVAL {
                *saved = Instant::now();
                state.save()?;
            }
            Ok(())
        };
        drain(from, to, name, self.manner, &mut moved)
            .await
            .with_context(|| format!("'{name}' in vhost '{vhost}' was not moved to its end"))?;
        self.state.queue(vhost, name, Counts::default()).is_open = false;
        Ok(())
    }
}
