use super::Marks;

#[test]
fn clearing_empties_the_set() {
    let mut marks = Marks::new();
    marks.clear(2);
    assert!(marks.insert(1));
    assert!(!marks.insert(1));
    assert!(marks.insert(0));
    marks.clear(3);
    assert!(marks.insert(1));
    assert!(marks.insert(2));
    assert!(!marks.insert(2));
}

#[test]
fn the_stamp_may_wrap() {
    let mut marks = Marks::new();
    marks.clear(2);
    assert!(marks.insert(0), "left behind with the first stamp");
    marks.stamp = u32::MAX;
    assert!(marks.insert(1));
    marks.clear(2);
    assert!(marks.insert(0));
    assert!(marks.insert(1));
    assert!(!marks.insert(1));
}
