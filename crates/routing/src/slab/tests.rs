use super::Slab;

#[test]
fn a_removed_slot_is_given_out_again() {
    let mut slab = Slab::new();
    let ids: Vec<_> = ["a", "b", "c"].into_iter().map(|value| slab.insert(value)).collect();
    assert_eq!(ids, [0, 1, 2]);
    assert_eq!(slab.remove(1), Some("b"));
    assert_eq!(slab.remove(1), None);
    assert_eq!(slab.remove(9), None);
    assert_eq!(slab.remove(0), Some("a"));
    assert_eq!(slab.len(), 1);
    assert_eq!((slab.insert("d"), slab.insert("e"), slab.insert("f")), (0, 1, 3));
    assert_eq!(slab.slots(), 4);
    assert_eq!(slab.iter().collect::<Vec<_>>(), [(0, &"d"), (1, &"e"), (2, &"c"), (3, &"f")]);
}
