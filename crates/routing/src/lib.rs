//! Exchange types, bindings and the topic trie: which destinations a message goes to.
