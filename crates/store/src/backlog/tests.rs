//! The backlog against a plain map, over cold segments that are really written and read.

mod memory;
mod totals;
mod world;

use proptest::prelude::*;
use world::World;

/// What happens to a queue. Numbers choose among what is there.
#[derive(Clone, Debug)]
enum Step {
    /// Messages enter; with `is_late`, the first ones only in memory for now.
    Add {
        count: u8,
        len: u16,
        is_transient: bool,
        shares: bool,
        late: u8,
    },
    /// Those in memory go to the log.
    AddLate,
    Remove(Vec<u16>),
    Purge {
        from: u16,
        except: Vec<u16>,
    },
    Requeue(Vec<u16>, u16),
    /// All below some position of the log moves; `meanwhile` is removed step by step while it does.
    Retire {
        part: u8,
        meanwhile: Vec<u16>,
    },
    /// Some segments become one.
    Compact {
        mask: u8,
        meanwhile: Vec<u16>,
    },
    /// The manifest takes the state.
    Commit,
    /// The manifest's state, and everything that the log says once more.
    Restart,
    Read {
        from: u16,
        max_bytes: u16,
    },
    ReadOf(Vec<u16>),
}

fn some() -> impl Strategy<Value = Vec<u16>> {
    proptest::collection::vec(any::<u16>(), 0..12)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..40u8, 0..600u16, any::<bool>(), any::<bool>(), 0..4u8)
            .prop_map(|(count, len, is_transient, shares, late)| Step::Add { count, len, is_transient, shares, late }),
        2 => Just(Step::AddLate),
        6 => some().prop_map(Step::Remove),
        1 => (any::<u16>(), some()).prop_map(|(from, except)| Step::Purge { from, except }),
        2 => (some(), 1..9u16).prop_map(|(which, count)| Step::Requeue(which, count)),
        5 => (any::<u8>(), some()).prop_map(|(part, meanwhile)| Step::Retire { part, meanwhile }),
        3 => (any::<u8>(), some()).prop_map(|(mask, meanwhile)| Step::Compact { mask, meanwhile }),
        2 => Just(Step::Commit),
        1 => Just(Step::Restart),
        3 => (any::<u16>(), any::<u16>()).prop_map(|(from, max_bytes)| Step::Read { from, max_bytes }),
        3 => some().prop_map(Step::ReadOf),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn a_backlog_contains_what_a_map_contains(steps in proptest::collection::vec(step(), 1..40)) {
        let mut world = World::new();
        for step in steps {
            world.apply(&step);
            world.check_counts();
        }
        world.check_contents();
        world.apply(&Step::Commit);
        world.apply(&Step::Restart);
        world.check_counts();
        world.check_contents();
    }

    #[test]
    fn no_bytes_of_an_extent_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), flips in some()) {
        let mut world = World::new();
        world.apply(&Step::Add { count: 30, len: 20, is_transient: false, shares: false, late: 0 });
        world.apply(&Step::Retire { part: 255, meanwhile: vec![3, 4] });
        world.restore_anything(&bytes);
        let mut changed = world.extents().remove(0);
        for flip in flips {
            let at = usize::from(flip / 8) % changed.len();
            changed[at] ^= 1 << (flip % 8);
            world.restore_anything(&changed);
        }
    }
}
