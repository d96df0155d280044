use super::*;
use proptest::prelude::*;

struct Open;

impl Gate<u32> for Open {
    fn admits(&mut self, _: &u32, _: ConsumerKey) -> bool {
        true
    }
}

struct Closed;

impl Gate<u32> for Closed {
    fn admits(&mut self, _: &u32, _: ConsumerKey) -> bool {
        false
    }
}

fn single_active() -> Consumers<u32> {
    let mut consumers = Consumers::default();
    consumers.set_single_active(true);
    consumers
}

fn turns(consumers: &mut Consumers<u32>, count: usize) -> Vec<u32> {
    let keys: Vec<ConsumerKey> = (0..count).map_while(|_| consumers.next(&mut Open)).collect();
    keys.into_iter().map(|key| *consumers.handle(key).expect("just chosen")).collect()
}

#[test]
fn the_first_gets_all_messages_until_it_leaves() {
    let mut consumers = single_active();
    let first = consumers.add(1, 0, 0);
    let second = consumers.add(2, 0, 0);
    let third = consumers.add(3, 0, 0);
    assert_eq!(turns(&mut consumers, 4), [1, 1, 1, 1]);
    assert_eq!(consumers.single_active(), Some(first));
    let names = [first, second, third].map(|key| consumers.activity(key).map(Activity::name));
    assert_eq!(names, [Some("single_active"), Some("waiting"), Some("waiting")]);
    consumers.remove(second);
    consumers.remove(first);
    assert_eq!(turns(&mut consumers, 1), [0; 0], "what the first had comes back before the next gets anything");
    assert!(consumers.activate_next());
    assert!(!consumers.activate_next());
    assert_eq!(turns(&mut consumers, 2), [3, 3]);
    consumers.remove(third);
    assert!(!consumers.activate_next());
    assert_eq!(consumers.single_active(), None);
    consumers.add(4, 0, 0);
    assert_eq!(turns(&mut consumers, 1), [4]);
}

#[test]
fn a_higher_priority_waits_first_in_line_and_takes_nothing_over() {
    let mut consumers = single_active();
    let first = consumers.add(1, 0, 0);
    consumers.add(2, 0, 0);
    consumers.add(3, 10, 0);
    consumers.add(4, 10, 0);
    consumers.add(5, -1, 0);
    let mut active = first;
    for expected in [1, 3, 4, 2, 5] {
        assert_eq!(turns(&mut consumers, 2), [expected, expected]);
        active = consumers.single_active().expect("somebody is");
        consumers.remove(active);
        consumers.activate_next();
    }
    assert!(consumers.remove(active).is_none() && consumers.is_empty());
}

#[test]
fn nobody_steps_in_while_the_active_one_has_no_credit_or_is_held_back() {
    let mut consumers = single_active();
    let first = consumers.add(1, 0, 1);
    let second = consumers.add(2, 0, 5);
    assert_eq!(turns(&mut consumers, 3), [1]);
    assert!(!consumers.want_messages(), "publishers wait for nobody");
    assert!(!consumers.credit(second, 1));
    assert!(consumers.credit(first, 1));
    assert_eq!(consumers.next(&mut Closed), None);
    assert!(consumers.want_messages());
    assert_eq!(turns(&mut consumers, 1), [0; 0]);
    assert!(!consumers.ungate(second) && consumers.ungate(first));
    assert_eq!(turns(&mut consumers, 1), [1]);
}

#[test]
fn who_comes_while_the_next_is_not_chosen_waits() {
    let mut consumers = single_active();
    let first = consumers.add(1, 0, 0);
    consumers.remove(first);
    let late = consumers.add(2, 0, 0);
    assert_eq!(consumers.activity(late), Some(Activity::Waiting));
    assert!(consumers.activate_next());
    assert_eq!(turns(&mut consumers, 1), [2]);
}

#[test]
fn it_can_be_switched_on_and_off() {
    let mut consumers = Consumers::default();
    let low = consumers.add(1, 0, 0);
    let high = consumers.add(2, 5, 2);
    let spent = consumers.add(3, 5, 1);
    assert_eq!(turns(&mut consumers, 2), [2, 3]);
    assert_eq!(consumers.next(&mut Closed), None, "all are held back");
    assert_eq!(consumers.activity(low), Some(Activity::Blocked));
    consumers.set_single_active(true);
    assert_eq!(turns(&mut consumers, 2), [2], "the highest priority is active, with the credit that it had");
    assert!(!consumers.credit(spent, 1), "credit is kept for whoever waits");
    assert!(consumers.credit(high, 1));
    assert_eq!(turns(&mut consumers, 2), [2]);
    consumers.set_single_active(false);
    assert_eq!(turns(&mut consumers, 3), [3, 1, 1]);
    let activities = [low, high, spent].map(|key| consumers.activity(key));
    assert_eq!(activities, [Some(Activity::Up), Some(Activity::Blocked), Some(Activity::Blocked)]);
}

#[derive(Clone, Debug)]
enum Step {
    Add { priority: i32, limit: u32 },
    Remove { at: usize, activate: bool },
    Activate,
    Next { open: bool },
    Credit(usize),
    Ungate(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (-1..=1, 0u32..3).prop_map(|(priority, limit)| Step::Add { priority, limit }),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(at, activate)| Step::Remove { at, activate }),
        1 => Just(Step::Activate),
        4 => any::<bool>().prop_map(|open| Step::Next { open }),
        2 => any::<usize>().prop_map(Step::Credit),
        1 => any::<usize>().prop_map(Step::Ungate),
    ]
}

/// A consumer as a plain list has it.
struct Listed {
    key: ConsumerKey,
    id: u32,
    priority: i32,
    /// `None` = no limit.
    credit: Option<u32>,
    gated: bool,
}

#[derive(Default)]
struct Model {
    /// By age.
    listed: Vec<Listed>,
    active: Option<u32>,
    vacated: bool,
}

impl Model {
    fn activate(&mut self) -> bool {
        if !std::mem::take(&mut self.vacated) {
            return false;
        }
        let highest = self.listed.iter().map(|consumer| consumer.priority).max();
        self.active =
            self.listed.iter().find(|consumer| Some(consumer.priority) == highest).map(|consumer| consumer.id);
        self.active.is_some()
    }

    fn next(&mut self, open: bool) -> Option<u32> {
        let active = self.active?;
        let consumer = self.listed.iter_mut().find(|consumer| consumer.id == active)?;
        if consumer.gated || consumer.credit == Some(0) {
            return None;
        }
        consumer.gated = !open;
        consumer.credit = consumer.credit.map(|credit| credit - u32::from(open));
        open.then_some(active)
    }
}

proptest! {
    #[test]
    fn a_single_active_consumer_is_that_of_a_plain_list(steps in prop::collection::vec(any_step(), 0..80)) {
        let mut consumers = single_active();
        let mut model = Model::default();
        for (id, step) in (0u32..).zip(steps) {
            let pick = |model: &Model, at: usize| (!model.listed.is_empty()).then(|| at % model.listed.len());
            match step {
                Step::Add { priority, limit } => {
                    let key = consumers.add(id, priority, limit);
                    let credit = (limit > 0).then_some(limit);
                    model.listed.push(Listed { key, id, priority, credit, gated: false });
                    if model.active.is_none() && !model.vacated {
                        model.active = Some(id);
                    }
                }
                Step::Remove { at, activate } => {
                    let Some(at) = pick(&model, at) else { continue };
                    let gone = model.listed.remove(at);
                    prop_assert_eq!(consumers.remove(gone.key), Some(gone.id));
                    prop_assert_eq!(consumers.remove(gone.key), None);
                    if model.active == Some(gone.id) {
                        model.active = None;
                        model.vacated = true;
                    }
                    if activate {
                        prop_assert_eq!(consumers.activate_next(), model.activate());
                    }
                }
                Step::Activate => prop_assert_eq!(consumers.activate_next(), model.activate()),
                Step::Next { open } => {
                    let got = if open { consumers.next(&mut Open) } else { consumers.next(&mut Closed) };
                    let got = got.and_then(|key| consumers.handle(key).copied());
                    prop_assert_eq!(got, model.next(open));
                }
                Step::Credit(at) => {
                    let Some(at) = pick(&model, at) else { continue };
                    let consumer = &mut model.listed[at];
                    let was_spent = consumer.credit == Some(0);
                    consumer.credit = consumer.credit.map(|credit| credit + 1);
                    let useful = was_spent && model.active == Some(consumer.id);
                    prop_assert_eq!(consumers.credit(consumer.key, 1), useful);
                }
                Step::Ungate(at) => {
                    let Some(at) = pick(&model, at) else { continue };
                    let consumer = &mut model.listed[at];
                    prop_assert_eq!(consumers.ungate(consumer.key), std::mem::take(&mut consumer.gated));
                }
            }
            prop_assert_eq!(consumers.len(), model.listed.len());
            let active = consumers.single_active().and_then(|key| consumers.handle(key).copied());
            prop_assert_eq!(active, model.active);
            for consumer in &model.listed {
                let expected = if model.active == Some(consumer.id) { Activity::SingleActive } else { Activity::Waiting };
                prop_assert_eq!(consumers.activity(consumer.key), Some(expected));
            }
        }
    }
}
