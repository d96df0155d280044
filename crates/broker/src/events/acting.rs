//! Who does what this thread does, which events name as `user_who_performed_action`.

use std::cell::RefCell;

/// Who RabbitMQ names for what nobody asked for, as when a queue goes with its connection.
pub(crate) const INTERNAL: &str = "rmq-internal";

thread_local! {
    static USER: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Until this is dropped, a user is who does what this thread does.
pub(crate) struct Acting(Option<String>);

impl Acting {
    /// The user with this name, or nobody.
    pub(crate) fn begin(user: Option<&str>) -> Acting {
        Acting(USER.replace(user.map(str::to_owned)))
    }

    /// Who does what this thread does now.
    pub(crate) fn user() -> String {
        USER.with_borrow(Option::clone).unwrap_or_else(|| INTERNAL.to_owned())
    }
}

impl Drop for Acting {
    fn drop(&mut self) {
        USER.set(self.0.take());
    }
}
