//! Runs the tutorial: every command of every page, against a broker, with the output that the page shows.
//!
//! The pages run against `leveret`, each with a broker and a data directory of its own. `LEVERET_BIN` names the
//! program to start; without it, it is built first. `LEVERET_URI` names a broker that runs already instead.
//! The English pages are the ones run: the pages of the other languages have the same steps, which a test compares.

mod broker;
mod page;
mod terminal;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use broker::Broker;
use page::{Block, Page};
use terminal::Session;

macro_rules! run_pages {
    ($($name:ident: $file:literal,)*) => {
        const PAGES: &[&str] = &[$($file),*];
        $(#[test] fn $name() { run_page($file); })*
    };
}

run_pages! {
    hello: "1-hello.md",
    work_queue: "2-work-queue.md",
    publish_subscribe: "3-publish-subscribe.md",
    routing: "4-routing.md",
    topics: "5-topics.md",
    rpc: "6-rpc.md",
}

fn run_page(file: &str) {
    let page = Page::read(&tutorial().join("en").join(file));
    let mut session = Session::new(Broker::choose());
    for block in page.blocks.iter().filter(|block| block.language == "console") {
        let played = session.play(block);
        played.unwrap_or_else(|failure| panic!("{}:{}: {failure}", page.path.display(), block.line));
    }
    session.end().unwrap_or_else(|failure| panic!("{}: {failure}", page.path.display()));
}

#[test]
fn every_page_is_run() {
    let run: BTreeSet<String> = PAGES.iter().map(|&page| page.into()).chain(["README.md".into()]).collect();
    assert_eq!(run, file_names(&tutorial().join("en")));
    assert_eq!(run, file_names(&tutorial().join("zh-CN")));
}

#[test]
fn languages_show_the_same_steps_and_code() {
    for file in file_names(&tutorial().join("en")) {
        assert_equal(&tutorial().join("en").join(&file), &tutorial().join("zh-CN").join(&file));
    }
    assert_equal(&root().join("README.md"), &root().join("README.zh-CN.md"));
}

fn assert_equal(path: &Path, translation: &Path) {
    let (page, translated) = (Page::read(path), Page::read(translation));
    for (block, other) in page.blocks.iter().zip(&translated.blocks) {
        assert!(block.same_as(other), "{path:?}:{} differs from {translation:?}:{}", block.line, other.line);
    }
    assert_eq!(page.blocks.len(), translated.blocks.len(), "blocks in {path:?} and in {translation:?}");
    assert_eq!(page.heading_levels, translated.heading_levels, "headings in {path:?} and in {translation:?}");
}

#[test]
fn pages_show_the_whole_code_of_the_examples() {
    let mut shown = BTreeSet::new();
    for file in PAGES {
        let page = Page::read(&tutorial().join("en").join(file));
        let programs: BTreeSet<&str> = page.code().map(|block| block.place.as_str()).collect();
        for program in programs {
            let blocks = page.code().filter(|block| block.place == program);
            let code: Vec<&str> = blocks.flat_map(Block::text_lines).collect();
            let source = std::fs::read_to_string(root().join(program)).unwrap();
            let source: Vec<&str> = source.lines().filter(|line| !line.is_empty()).collect();
            assert_eq!(code, source, "{file} and {program}");
            shown.insert(root().join(program));
        }
    }
    assert_eq!(shown, programs(), "every program is shown by a page");
}

fn programs() -> BTreeSet<PathBuf> {
    let examples = root().join("examples");
    let lessons = file_names(&examples).into_iter().filter(|name| name.starts_with(|c: char| c.is_ascii_digit()));
    let lessons = lessons.map(|name| examples.join(name));
    lessons.flat_map(|lesson| file_names(&lesson).into_iter().map(move |file| lesson.join(file))).collect()
}

fn file_names(directory: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let entries = entries.map(|entry| entry.expect("an entry of a directory that does not change"));
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn tutorial() -> PathBuf {
    root().join("docs/tutorial")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is a directory of the workspace").into()
}
