//! What a handler is given: who asks, the right that was checked, and the way to the broker.

use crate::authenticate;
use crate::caller::{Caller, Origin};
use crate::error::ApiError;
use crate::shared::Shared;
use auth::{Permission, Question, Resource, Verdict};
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use broker::{AdminCommand, AdminReply};
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody, without credentials.
    Public,
    /// Any of the four tags.
    ManagementUser,
    /// Permissions in the virtual host of the path, or the tag administrator.
    VhostUser,
    /// The same, or the tag monitoring.
    VhostVisible,
    /// The tag monitoring or administrator.
    Monitor,
    /// The tag policymaker and permissions in the virtual host of the path, or the tag administrator.
    PolicyMaker,
    /// The tag policymaker or administrator.
    GlobalPolicyMaker,
    /// The tag administrator.
    Administrator,
}

/// A right that a handler demands of its caller, one of those in RabbitMQ's `rabbit_web_dispatch_access_control`.
pub(crate) trait Right: Send + Sync + 'static {
    /// Its name.
    const ACCESS: Access;

    /// Checks it; `vhost` is the virtual host that the path or the header `x-vhost` names.
    fn check(shared: &Shared, caller: &Caller, vhost: Option<&str>) -> Result<(), ApiError>;
}

/// The request of a caller who has the right `R`, in whose name it carries out commands.
pub(crate) struct Api<R> {
    shared: Shared,
    pub(crate) caller: Arc<Caller>,
    right: PhantomData<R>,
}

/// Any of the four tags.
pub(crate) struct ManagementUser;
/// Permissions in the virtual host of the path, or the tag administrator.
pub(crate) struct VhostUser;
/// The same, or the tag monitoring.
pub(crate) struct VhostVisible;
/// The tag monitoring or administrator.
pub(crate) struct Monitor;
/// The tag policymaker and permissions in the virtual host of the path, or the tag administrator.
pub(crate) struct PolicyMaker;
/// The tag policymaker or administrator, whatever the virtual host.
pub(crate) struct GlobalPolicyMaker;
/// The tag administrator.
pub(crate) struct Administrator;

/// The first argument of a handler that everybody may call, without credentials.
pub(crate) struct Public(Shared);

const NO_VHOST: &str = "User not authorised to access virtual host";
const NO_OBJECT: &str = "User not authorised to access object";

impl Right for ManagementUser {
    const ACCESS: Access = Access::ManagementUser;

    fn check(_: &Shared, _: &Caller, _: Option<&str>) -> Result<(), ApiError> {
        Ok(())
    }
}

impl Right for VhostUser {
    const ACCESS: Access = Access::VhostUser;

    fn check(shared: &Shared, caller: &Caller, vhost: Option<&str>) -> Result<(), ApiError> {
        if caller.tags.administrator { Ok(()) } else { shared.check_vhost(caller, vhost) }
    }
}

impl Right for VhostVisible {
    const ACCESS: Access = Access::VhostVisible;

    fn check(shared: &Shared, caller: &Caller, vhost: Option<&str>) -> Result<(), ApiError> {
        if caller.tags.is_monitor() { Ok(()) } else { shared.check_vhost(caller, vhost) }
    }
}

impl Right for Monitor {
    const ACCESS: Access = Access::Monitor;

    fn check(_: &Shared, caller: &Caller, _: Option<&str>) -> Result<(), ApiError> {
        if caller.tags.is_monitor() { Ok(()) } else { Err(ApiError::not_authorised("Not monitor user")) }
    }
}

impl Right for PolicyMaker {
    const ACCESS: Access = Access::PolicyMaker;

    fn check(shared: &Shared, caller: &Caller, vhost: Option<&str>) -> Result<(), ApiError> {
        if caller.tags.administrator {
            return Ok(());
        }
        if !caller.tags.policymaker {
            return Err(ApiError::not_authorised(NO_OBJECT));
        }
        shared.check_vhost(caller, vhost)
    }
}

impl Right for GlobalPolicyMaker {
    const ACCESS: Access = Access::GlobalPolicyMaker;

    fn check(_: &Shared, caller: &Caller, _: Option<&str>) -> Result<(), ApiError> {
        if caller.tags.is_policymaker() { Ok(()) } else { Err(ApiError::not_authorised(NO_OBJECT)) }
    }
}

impl Right for Administrator {
    const ACCESS: Access = Access::Administrator;

    fn check(_: &Shared, caller: &Caller, _: Option<&str>) -> Result<(), ApiError> {
        if caller.tags.administrator { Ok(()) } else { Err(ApiError::not_authorised("Not administrator user")) }
    }
}

impl Shared {
    /// One that is not there is left to the handler, as in RabbitMQ.
    fn check_vhost(&self, caller: &Caller, vhost: Option<&str>) -> Result<(), ApiError> {
        let Some(vhost) = vhost else { return Ok(()) };
        let broker = self.broker()?;
        if broker.vhost(vhost).is_none() || caller.is_let_into(&broker, vhost) {
            return Ok(());
        }
        Err(ApiError::not_authorised(NO_VHOST))
    }
}

impl<R: Right> FromRequestParts<Shared> for Api<R> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Api<R>, ApiError> {
        let caller = authenticate::caller(shared, parts).await?;
        let checked = check::<R>(shared, &caller, parts).await;
        if !caller.is_operator() {
            shared.attempts().count(checked.is_ok());
        }
        checked?;
        negotiate(&parts.headers)?;
        let caller = Arc::new(caller);
        Ok(Api { shared: shared.in_name_of(caller.clone()), caller, right: PhantomData })
    }
}

/// Checks what the caller may do at the virtual host that the request names.
async fn check<R: Right>(shared: &Shared, caller: &Caller, parts: &mut Parts) -> Result<(), ApiError> {
    if !caller.tags.is_management_user() {
        return Err(ApiError::not_authorised("Not management user"));
    }
    let of_path = RawPathParams::from_request_parts(parts, shared).await;
    // A name that is not UTF-8 is nobody's, and must not be taken for none.
    let of_path = of_path.map_err(|_| ApiError::bad_request("the path is not UTF-8"))?;
    let of_path = of_path.iter().find(|(name, _)| *name == "vhost").map(|(_, vhost)| vhost.to_owned());
    let of_header = || {
        let value = parts.headers.get("x-vhost")?.to_str().ok()?;
        (!value.is_empty()).then(|| value.to_owned())
    };
    let vhost = of_path.or_else(of_header);
    ask_for_vhosts(shared, caller, vhost.as_deref()).await?;
    R::check(shared, caller, vhost.as_deref())
}

/// Asks where somebody outside says what the caller may do: about the virtual host of the request, or where it has none,
/// about all that a list may have to show. Handlers cannot wait for that.
async fn ask_for_vhosts(shared: &Shared, caller: &Caller, vhost: Option<&str>) -> Result<(), ApiError> {
    if !caller.user.has_to_be_asked_for() || (vhost.is_none() && caller.tags.administrator) {
        return Ok(());
    }
    let (broker, user, peer) = (shared.broker()?, caller.user.clone(), caller.peer());
    let vhosts: Vec<_> = match vhost {
        Some(name) => broker.vhost(name).into_iter().collect(),
        None => broker.vhosts(),
    };
    let ask = move || {
        for vhost in vhosts {
            broker.access.ask(&user, Question::Vhost { vhost: &vhost.name, peer });
        }
    };
    authenticate::ask(ask).await
}

/// Refuses who takes no answer that there could be. RabbitMQ has JSON and Erlang's own format, of which clients that
/// prefer it take JSON too; what flows without end is events.
fn negotiate(headers: &HeaderMap) -> Result<(), ApiError> {
    const THERE: [&str; 5] = ["*/*", "application/*", "application/json", "application/bert", "text/event-stream"];
    let mut ranges = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
    if ranges.peek().is_none() {
        return Ok(());
    }
    let is_there = |range: &str| {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let is_refused = parts.any(|part| part.strip_prefix("q=").and_then(|q| q.parse().ok()) == Some(0.0_f32));
        !is_refused && (name.is_empty() || THERE.iter().any(|there| there.eq_ignore_ascii_case(name)))
    };
    if ranges.flat_map(|value| value.split(',')).any(is_there) { Ok(()) } else { Err(ApiError::not_acceptable()) }
}

impl FromRequestParts<Shared> for Public {
    type Rejection = ApiError;

    async fn from_request_parts(_: &mut Parts, shared: &Shared) -> Result<Public, ApiError> {
        Ok(Public(shared.clone()))
    }
}

impl Deref for Public {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl<R> Deref for Api<R> {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl<R> Api<R> {
    /// True when lists show the caller what is in `vhost`: RabbitMQ filters lists by it.
    pub(crate) fn sees_vhost(&self, vhost: &str) -> bool {
        self.caller.tags.is_monitor() || self.may_use_vhost(vhost)
    }

    /// The same for what RabbitMQ's `filter_vhost` shows to administrators, and to others where they have permissions.
    pub(crate) fn lists_vhost(&self, vhost: &str) -> bool {
        self.caller.tags.administrator || self.may_use_vhost(vhost)
    }

    /// Carries out a command on queues, exchanges or bindings as far as the caller may do it over AMQP.
    pub(crate) async fn execute_as_caller(&self, command: AdminCommand) -> Result<AdminReply, ApiError> {
        if self.caller.is_operator() {
            return self.execute(command).await;
        }
        let user = self.caller.user.clone();
        self.execute(AdminCommand::As { user, command: Box::new(command) }).await
    }

    /// True when the caller has permissions in `vhost`, be they empty.
    pub(crate) fn may_use_vhost(&self, vhost: &str) -> bool {
        let allowed = |broker: &broker::Broker| broker.vhost(vhost).is_some() && self.caller.is_let_into(broker, vhost);
        self.caller.is_operator() || self.shared.broker().is_ok_and(|broker| allowed(&broker))
    }

    /// True when the caller sees a connection or channel of `user`.
    pub(crate) fn sees_user(&self, user: &str) -> bool {
        self.caller.tags.is_monitor() || *self.caller.name == *user
    }

    /// Refuses what the same user could not do over AMQP, with the text that AMQP has for it.
    pub(crate) async fn check(&self, resource: Resource<'_>, permission: Permission) -> Result<(), ApiError> {
        let question = Question::Object { resource, permission };
        let broker = self.shared.broker()?;
        if !self.caller.is_operator() && broker.access.decide(&self.caller.user, question) == Verdict::Unknown {
            let (user, asked) = (self.caller.user.clone(), question.to_asked());
            let ask = move || drop(broker.access.ask(&user, asked.question()));
            authenticate::ask(ask).await?;
        }
        self.check_known(resource, permission)
    }

    /// The same for what was asked before, where somebody outside has to be asked.
    pub(crate) fn check_known(&self, resource: Resource<'_>, permission: Permission) -> Result<(), ApiError> {
        let broker = self.shared.broker()?;
        let question = Question::Object { resource, permission };
        if self.caller.is_operator() || broker.access.decide(&self.caller.user, question).is_allowed() {
            return Ok(());
        }
        let refused = auth::AccessRefused { permission, resource, user: &self.caller.name };
        Err(ApiError::not_authorised(format!("ACCESS_REFUSED - {refused}")))
    }
}

impl<R: Right> Api<R> {
    /// True while the caller has the right that it had, for what goes on for long: a user that is deleted or loses its tag
    /// has not, nor has one whose token has expired.
    pub(crate) fn still_has_right(&self) -> bool {
        let Origin::Network(peer) = self.caller.origin else { return true };
        let Ok(broker) = self.shared.broker() else { return false };
        let user = &self.caller.user;
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if user.expires_at_s().is_some_and(|expires_at_s| expires_at_s <= now_s) {
            return false;
        }
        if !user.is_internal() {
            return true;
        }
        let now = broker.access.user(user.name()).map(|user| Caller::user(user, peer));
        now.is_some_and(|caller| R::check(&self.shared, &caller, None).is_ok())
    }
}
