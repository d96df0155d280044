use crate::*;

fn parts<'a>(names: &'a [u8], header: &'a [u8]) -> MessageParts<'a> {
    MessageParts { names, header, persistent: false, entered_ms: 0 }
}

fn whole(message: &Message) -> Vec<u8> {
    let joined = message.body_slices().flat_map(|slice| slice.to_vec()).collect::<Vec<_>>();
    let direct = match message.body() {
        Body::Whole(bytes) => bytes.to_vec(),
        Body::Pieces(pieces) => pieces.iter().flat_map(|piece| piece.to_vec()).collect(),
    };
    assert_eq!(joined, direct);
    joined
}

#[test]
fn a_message_is_what_was_stored() {
    let mut arena = Arena::new(ChunkPool::new(4));
    for len in [0, 1, 100, 65536, 65537, 262144, 300_000, 3_000_000] {
        let body: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        let message = Message::store(&mut arena, parts(&names(b"exchange", b"a.key"), b"header"), &body);
        assert_eq!(message.parts().exchange(), b"exchange");
        assert_eq!(message.parts().routing_key(), b"a.key");
        assert_eq!(message.parts().header, b"header");
        assert_eq!(message.body_len(), len);
        assert!(whole(&message) == body, "body of {len} bytes");
        let rewritten = message.rewrite(&mut arena, parts(b"\0\x01q", b"another header"));
        assert_eq!(rewritten.parts().header, b"another header");
        assert!(whole(&rewritten) == body, "rewritten body of {len} bytes");
    }
}

#[test]
fn a_dead_letter_is_known_as_one_wherever_it_goes() {
    let mut arena = Arena::new(ChunkPool::new(4));
    for len in [3, 100_000] {
        let published = Message::store(&mut arena, parts(b"\0\x01q", b"x-death"), &vec![7; len]);
        assert!(!published.is_dead_letter() && !published.has_replaced_key());
        let once = published.dead_letter(&mut arena, parts(b"\0\x01q", b"h"), false);
        assert!(once.is_dead_letter() && !once.has_replaced_key());
        let replaced = once.dead_letter(&mut arena, parts(b"\0\x01r", b"h"), true);
        let again = replaced.dead_letter(&mut arena, parts(b"\0\x01r", b"h"), false);
        let mut rewritten = again.rewrite(&mut arena, parts(b"\0\x01r", b"with a delivery count"));
        rewritten.relocate(&mut arena);
        let stored: Vec<u8> = rewritten.stored_slices().flat_map(|slice| slice.to_vec()).collect();
        let read = Message::from_stored(arena.append([&stored[..]])).expect("a record");
        for message in [replaced, again, rewritten, read] {
            assert!(message.is_dead_letter() && message.has_replaced_key());
            assert!(!message.is_persistent());
            assert_eq!(whole(&message), vec![7; len]);
        }
    }
}

#[test]
fn hidden_keys_go_along_until_the_routing_key_is_replaced() {
    let mut arena = Arena::new(ChunkPool::new(4));
    let long = vec![b'k'; 300];
    for len in [3, 100_000] {
        let published = Message::store(&mut arena, parts(b"\x01e\x01q", b"header"), &vec![7; len]);
        assert_eq!(published.hidden_keys().count(), 0);
        let keys = [&b"one"[..], b"", &long];
        let hiding = published.with_hidden_keys(&mut arena, keys.into_iter());
        let rewritten = hiding.rewrite(&mut arena, parts(b"\0\x01r", b"other"));
        let dead = rewritten.dead_letter(&mut arena, parts(b"\0\x01r", b"other"), false);
        let stored: Vec<u8> = dead.stored_slices().flat_map(|slice| slice.to_vec()).collect();
        let read = Message::from_stored(arena.append([&stored[..]])).expect("a record");
        for message in [&hiding, &rewritten, &dead, &read] {
            assert_eq!(message.hidden_keys().collect::<Vec<_>>(), keys);
            assert_eq!(whole(message), vec![7; len]);
        }
        assert_eq!((hiding.parts().names, hiding.parts().header), (&b"\x01e\x01q"[..], &b"header"[..]));
        assert_eq!((read.parts().names, read.parts().header), (&b"\0\x01r"[..], &b"other"[..]));
        assert!(read.is_dead_letter() && !read.has_replaced_key());
        let replaced = read.dead_letter(&mut arena, parts(b"\0\x01s", b"h"), true);
        assert_eq!((replaced.hidden_keys().count(), replaced.parts().names), (0, &b"\0\x01s"[..]));
    }
    let message = Message::store(&mut arena, parts(b"\0\x01q", b"h"), b"body");
    let many = vec![vec![b'k'; 1000]; 100];
    let kept = message.with_hidden_keys(&mut arena, many.iter().map(Vec::as_slice));
    assert_eq!(kept.hidden_keys().count(), 32);
}

#[test]
fn a_body_that_arrived_in_pieces_is_whole() {
    let mut arena = Arena::new(ChunkPool::new(4));
    let pieces = vec![arena.append([b"one "]), arena.append([b"two "]), arena.append([b"three"])];
    let message = Message::assemble(&mut arena, parts(b"\0\x01q", b"h"), pieces);
    assert_eq!(whole(&message), b"one two three");
    let piece = vec![7; LARGEST_SLICE];
    let pieces = vec![arena.append([&piece[..]]), arena.append([&piece[..]])];
    let message = Message::assemble(&mut arena, parts(b"\0\x01q", b"h"), pieces);
    assert_eq!(message.body_len(), 2 * LARGEST_SLICE);
    assert!(whole(&message).iter().all(|byte| *byte == 7));
}

#[test]
fn memory_comes_back_when_the_last_message_of_a_chunk_goes() {
    let pool = ChunkPool::new(2);
    let mut arena = Arena::new(pool.clone());
    let body = vec![1; 60_000];
    let messages: Vec<Message> = (0..100).map(|_| Message::store(&mut arena, parts(b"\0\x01q", b""), &body)).collect();
    assert!(pool.bytes_in_use() >= 6 * CHUNK_SIZE && pool.bytes_in_use() <= 8 * CHUNK_SIZE);
    drop(messages);
    arena.seal();
    assert_eq!(pool.bytes_in_use(), 0);
}

#[test]
fn a_lone_survivor_is_sparse_until_it_is_relocated() {
    let pool = ChunkPool::new(2);
    let mut arena = Arena::new(pool.clone());
    let mut survivor = Message::store(&mut arena, parts(b"\0\x01q", b"h"), b"small");
    assert!(!survivor.is_sparse(), "its chunk is still being filled");
    for _ in 0..20 {
        Message::store(&mut arena, parts(b"\0\x01q", b""), &[0; 60_000]);
    }
    assert!(survivor.is_sparse());
    survivor.relocate(&mut arena);
    assert!(!survivor.is_sparse());
    assert_eq!(whole(&survivor), b"small");
    assert_eq!(pool.bytes_in_use(), CHUNK_SIZE);
}

#[test]
fn readers_on_other_threads_see_whole_messages() {
    let mut arena = Arena::new(ChunkPool::new(2));
    let (send, receive) = std::sync::mpsc::channel::<Message>();
    let reader = std::thread::spawn(move || {
        for (number, message) in receive.iter().enumerate() {
            assert!(whole(&message).iter().all(|byte| *byte == number as u8));
        }
    });
    for number in 0..if cfg!(miri) { 50 } else { 5000 } {
        let message = Message::store(&mut arena, parts(b"\x01x\x01k", b"h"), &[number as u8; 999]);
        send.send(message).unwrap();
    }
    drop(send);
    reader.join().unwrap();
}

#[test]
fn a_stored_record_is_the_same_message() {
    let mut arena = Arena::new(ChunkPool::new(4));
    for len in [0, 1, 65536, 65537, 200_000] {
        let body: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        let message = Message::store(&mut arena, parts(&names(b"exchange", b"a.key"), b"header"), &body);
        let stored: Vec<u8> = message.stored_slices().flat_map(|slice| slice.to_vec()).collect();
        assert_eq!(stored.len(), message.stored_len());
        let slice = arena.append([&stored[..]]);
        let again = Message::from_stored(slice).unwrap();
        assert_eq!(again.parts().names, message.parts().names);
        assert_eq!(again.parts().header, b"header");
        assert!(whole(&again) == body, "body of {len} bytes");
        let short = arena.append([&stored[..stored.len() - 1]]);
        assert!(Message::from_stored(short).is_none(), "a body of {len} bytes that is cut");
    }
    let body = vec![7; 3 << 20];
    let message = Message::store(&mut arena, parts(&names(b"", b"q"), b"header"), &body);
    let mut slices: Vec<Slice> = message.stored_slices().collect();
    let head = slices.remove(0);
    assert_eq!(stored_head_len(&head), Some(head.len()));
    assert!(whole(&Message::from_stored_pieces(head.clone(), slices.clone()).unwrap()) == body);
    slices.pop();
    assert!(Message::from_stored_pieces(head, slices).is_none());
}

#[test]
fn no_stored_bytes_panic() {
    let mut arena = Arena::new(ChunkPool::new(4));
    let message = Message::store(&mut arena, parts(&names(b"exchange", b"a.key"), b"header"), b"body");
    let stored: Vec<u8> = message.stored_slices().flat_map(|slice| slice.to_vec()).collect();
    for bit in 0..stored.len() * 8 {
        let mut damaged = stored.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let slice = arena.append([&damaged[..]]);
        if let Some(message) = Message::from_stored(slice) {
            let _ = (message.parts().exchange(), message.body(), message.body_len());
        }
    }
}
