use std::sync::atomic::{AtomicUsize, Ordering};

use metadata::{Definitions, Snapshot};

use super::*;
use crate::{DefaultUser, LoginSettings};

/// Lets in whoever has the password `outside`, and counts who asks.
#[derive(Default)]
struct Outside(AtomicUsize);

impl Backend for Outside {
    fn name(&self) -> &'static str {
        "outside"
    }

    fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Authenticated, Refusal> {
        self.0.fetch_add(1, Ordering::SeqCst);
        if attempt.password != Some(b"outside") {
            return Err(Refusal::Refused("no".to_owned()));
        }
        Ok(Authenticated { name: attempt.user.to_owned(), tags: Vec::new(), token: None, asked: None })
    }

    fn check(&self, _: &str, _: &[String], _: Question<'_>) -> Verdict {
        Verdict::Refused
    }
}

/// What comes of a login: in the first half, in both, and how often somebody outside was asked after each.
fn fate(links: impl Fn(Module) -> Vec<Link>, user: &str, password: &str) -> String {
    let mut definitions = Definitions::default();
    DefaultUser::default().changes().unwrap().into_iter().for_each(|change| definitions.apply(change));
    let access = AccessControl::new(LoginSettings::default(), &Snapshot::from(definitions));
    let outside = Arc::new(Outside::default());
    access.set_chain(Chain(links(Module::External(outside.clone()))));
    let credentials = Credentials::Password { user: user.into(), password: password.into() };
    let peer = IpAddr::from([127, 0, 0, 1]);
    let shown = |outcome: Result<Arc<User>, LoginError>| match outcome {
        Ok(user) => format!("in as {}", user.name()),
        Err(error) => error.to_string(),
    };
    let fate = match access.begin_login(&credentials, peer) {
        Begun::Settled(outcome) => format!("settled: {}", shown(outcome)),
        Begun::Asks(unsettled) => {
            assert_eq!(outside.0.load(Ordering::SeqCst), 0, "nobody is asked in the first half");
            format!("asks: {}", shown(access.finish_login(unsettled, &credentials, peer)))
        }
    };
    let whole = shown(access.login(&credentials, peer));
    assert!(fate.ends_with(&whole), "{fate} is not {whole}");
    fate
}

fn link(authn: Module) -> Link {
    Link { authn, authz: None }
}

#[test]
fn what_comes_before_anybody_outside_is_settled_without() {
    let internal_first = |outside| vec![link(Module::Internal), link(outside)];
    assert_eq!(fate(internal_first, "guest", "guest"), "settled: in as guest");
    assert_eq!(fate(internal_first, "guest", "outside"), "asks: in as guest");
    assert_eq!(fate(internal_first, "guest", "x"), "asks: user 'guest' failed to authenticate: no");
    assert_eq!(fate(internal_first, "nobody", "x"), "asks: user 'nobody' failed to authenticate: no");
    let alone = |_| vec![link(Module::Internal)];
    assert_eq!(fate(alone, "guest", "guest"), "settled: in as guest");
    assert_eq!(fate(alone, "guest", "x"), "settled: user 'guest' - invalid credentials");
}

#[test]
fn the_order_of_the_links_stays() {
    let outside_first = |outside| vec![link(outside), link(Module::Internal)];
    assert_eq!(fate(outside_first, "guest", "guest"), "asks: in as guest");
    assert_eq!(fate(outside_first, "guest", "x"), "asks: user 'guest' - invalid credentials");
    let authorized_outside = |outside| vec![Link { authn: Module::Internal, authz: Some(outside) }];
    assert_eq!(fate(authorized_outside, "guest", "guest"), "asks: user 'guest' failed to authenticate: no");
    assert_eq!(fate(authorized_outside, "guest", "x"), "asks: user 'guest' - invalid credentials");
}
