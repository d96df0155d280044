use super::RouteCache;

#[test]
fn finds_what_was_inserted_under_the_same_stamp() {
    let mut cache = RouteCache::new(16);
    assert_eq!(cache.find(1, 0, b"k"), None);
    cache.insert(1, 7, b"k", "first");
    assert_eq!(cache.find(1, 7, b"k"), Some(&"first"));
    assert_eq!(cache.find(1, 8, b"k"), None, "the exchange has changed");
    assert_eq!(cache.find(2, 7, b"k"), None, "another exchange");
    assert_eq!(cache.find(1, 7, b"kk"), None, "another key");
    cache.insert(1, 8, b"k", "second");
    assert_eq!(cache.find(1, 8, b"k"), Some(&"second"));
    assert_eq!(cache.find(1, 7, b"k"), None);
    cache.clear();
    assert_eq!(cache.find(1, 8, b"k"), None);
}

#[test]
fn an_entry_never_used_matches_nothing() {
    let mut cache = RouteCache::new(16);
    cache.insert(1, 1, b"k", 1);
    assert_eq!(cache.find(0, 0, b""), None);
    cache.insert(0, 0, b"", 2);
    assert_eq!(cache.find(0, 0, b""), Some(&2));
}

#[test]
fn keys_that_share_an_entry_take_it_from_each_other() {
    let mut cache = RouteCache::new(1);
    cache.insert(1, 1, b"a", 1);
    cache.insert(1, 1, b"b", 2);
    assert_eq!(cache.find(1, 1, b"a"), None);
    assert_eq!(cache.find(1, 1, b"b"), Some(&2));
}

#[test]
fn memory_stays_at_its_entries() {
    let mut cache = RouteCache::new(1000);
    assert_eq!(cache.entries.capacity(), 0, "nothing before the first insertion");
    for number in 0..10_000u32 {
        cache.insert(u64::from(number % 7), 1, &number.to_be_bytes(), number);
    }
    assert_eq!(cache.entries.len(), 1024);
    let found = (0..10_000u32).filter(|number| cache.find(u64::from(number % 7), 1, &number.to_be_bytes()).is_some());
    assert!((900..=1024).contains(&found.count()));
}

#[test]
fn overwriting_hands_out_the_older_buffer() {
    let mut cache: RouteCache<Vec<u32>> = RouteCache::new(1);
    cache.insert(1, 1, b"a", Vec::with_capacity(100));
    let value = cache.overwrite(1, 2, b"b");
    assert!(value.capacity() >= 100);
    value.push(5);
    assert_eq!(cache.find(1, 2, b"b"), Some(&vec![5]));
}
