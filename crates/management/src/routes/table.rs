//! The table of routes: each path, its verbs, and the right that each verb demands.
//!
//! A route is one line in [`super::table`]. What else belongs to it comes from the types of its handlers, so that it
//! cannot be forgotten: the right is that of the handler's [`Api`], HEAD goes with GET, OPTIONS and the `allow` header
//! list the verbs.

use crate::api::{Access, Api, Public, Right};
use crate::shared::Shared;
use axum::Router;
use axum::handler::Handler;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, MethodRouter, on};

/// What a handler demands, by the first of its arguments.
pub(crate) trait Demands {
    /// Who may call it.
    const ACCESS: Access;
}

/// `T` of [`Handler`] is the kind of the last argument, then all of them.
macro_rules! demands {
    ($($argument:ident)*) => {
        impl<M, R: Right, $($argument),*> Demands for (M, Api<R>, $($argument,)*) {
            const ACCESS: Access = R::ACCESS;
        }

        impl<M, $($argument),*> Demands for (M, Public, $($argument,)*) {
            const ACCESS: Access = Access::Public;
        }
    };
}

demands!();
demands!(A);
demands!(A B);
demands!(A B C);
demands!(A B C D);
demands!(A B C D E);
demands!(A B C D E F);

/// What can be done at one path.
pub(crate) struct Verbs {
    handlers: MethodRouter<Shared>,
    demands: Vec<(Method, Access)>,
}

macro_rules! verb {
    ($name:ident, $filter:ident) => {
        /// The verbs of a path, of which this is the first.
        pub(crate) fn $name<H: Handler<T, Shared>, T: Demands + 'static>(handler: H) -> Verbs {
            Verbs { handlers: MethodRouter::new(), demands: Vec::new() }.$name(handler)
        }

        impl Verbs {
            /// The same with one more verb.
            pub(crate) fn $name<H: Handler<T, Shared>, T: Demands + 'static>(mut self, handler: H) -> Verbs {
                self.demands.push((Method::$filter, T::ACCESS));
                self.handlers = self.handlers.merge(on(MethodFilter::$filter, handler));
                self
            }
        }
    };
}

verb!(get, GET);
verb!(post, POST);
verb!(put, PUT);
verb!(patch, PATCH);
verb!(delete, DELETE);

/// RabbitMQ's order in the `allow` header.
const ORDER: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

impl Verbs {
    /// As the `allow` header has them: `HEAD, GET, PUT, DELETE, OPTIONS`.
    fn allow(&self) -> String {
        let has = |name: &str| self.demands.iter().any(|(method, _)| method.as_str() == name);
        let mut names: Vec<&str> = ORDER.into_iter().filter(|name| has(name)).collect();
        if has("GET") {
            names.insert(0, "HEAD");
        }
        names.push("OPTIONS");
        names.join(", ")
    }

    /// With OPTIONS for everybody, and 405 for every other verb: RabbitMQ looks at verbs before credentials.
    fn into_handlers(self) -> MethodRouter<Shared> {
        let allow = HeaderValue::try_from(self.allow()).unwrap_or(HeaderValue::from_static("OPTIONS"));
        let options = {
            let allow = allow.clone();
            move || async move { [(header::ALLOW, allow)].into_response() }
        };
        let refuse = move || async move { (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, allow)]).into_response() };
        self.handlers.options(options).fallback(refuse)
    }
}

/// One verb at one path, for documentation and tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The path below the prefix, with names of parameters in braces: `/api/queues/{vhost}/{queue}`.
    pub path: String,
    /// The verb; HEAD goes with GET, and OPTIONS with all.
    pub verb: Method,
    /// Who may use it.
    pub access: Access,
}

/// Paths and what can be done there.
#[derive(Default)]
pub(crate) struct Routes(Vec<(&'static str, Verbs)>);

impl Routes {
    /// The same with one more path.
    pub(crate) fn route(mut self, path: &'static str, verbs: Verbs) -> Routes {
        self.0.push((path, verbs));
        self
    }

    /// Everything in it, each path after `prefix`.
    pub(crate) fn describe(&self, prefix: &str) -> Vec<Route> {
        let verbs = self.0.iter().flat_map(|(path, verbs)| verbs.demands.iter().map(move |demand| (path, demand)));
        let describe = |(path, (verb, access)): (&&str, &(Method, Access))| Route {
            path: format!("{prefix}{path}"),
            verb: verb.clone(),
            access: *access,
        };
        verbs.map(describe).collect()
    }

    /// Serves it below `prefix`.
    pub(crate) fn into_router(self, prefix: &str) -> Router<Shared> {
        let add = |router: Router<Shared>, (path, verbs): (&str, Verbs)| {
            router.route(&format!("{prefix}{path}"), verbs.into_handlers())
        };
        self.0.into_iter().fold(Router::new(), add)
    }
}
