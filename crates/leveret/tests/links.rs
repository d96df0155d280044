//! Links between pages of the documentation lead somewhere, and every page can be reached from the list of them.

#![allow(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use regex::Regex;

#[test]
fn links_lead_somewhere() {
    let pages = pages();
    assert!(pages.len() > 20, "{pages:?}");
    let mut broken = Vec::new();
    for page in &pages {
        for link in links(page) {
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() { page.clone() } else { normal(&page.parent().unwrap().join(path)) };
            let is_there = target.exists() && (anchor.is_empty() || anchors(&target).contains(anchor));
            if !is_there {
                broken.push(format!("{}: {link}", page.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn every_page_is_in_the_index() {
    let folder = root().join("docs");
    let index = folder.join("README.md");
    let listed: BTreeSet<PathBuf> = links(&index).iter().map(|link| normal(&folder.join(link))).collect();
    let is_page = |path: &Path| path.extension().is_some_and(|extension| extension == "md") && *path != index;
    let entries = std::fs::read_dir(&folder).unwrap().map(|entry| normal(&entry.unwrap().path()));
    let missing: Vec<PathBuf> = entries.filter(|path| is_page(path) && !listed.contains(path)).collect();
    assert!(missing.is_empty(), "docs/README.md has no link to {missing:?}");
}

#[test]
fn headings_become_anchors() {
    for (heading, anchor) in [
        ("How this is tested", "how-this-is-tested"),
        ("advanced.config and enabled_plugins", "advancedconfig-and-enabled_plugins"),
        ("What `drain` does, and when", "what-drain-does-and-when"),
        ("现状", "现状"),
    ] {
        assert_eq!(anchor_of(heading), anchor);
    }
}

/// The pages that are part of the project, not what builds leave in its folders.
fn pages() -> Vec<PathBuf> {
    let mut folders = vec![root()];
    let mut pages = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !path.is_symlink() {
                if !name.starts_with('.') && !["target", "node_modules", "leveret-data"].contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if name.ends_with(".md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    pages
}

/// The text of a page without its blocks of code.
fn prose(page: &Path) -> String {
    let mut is_code = false;
    let text = std::fs::read_to_string(page).unwrap();
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        is_code ^= fence;
        !fence && !is_code
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The links of a page that lead to files or headings here.
fn links(page: &Path) -> Vec<String> {
    // A link can go on behind the end of a line; what is in backquotes is none.
    let prose = Regex::new("`[^`]*`").unwrap().replace_all(&prose(page), "code").into_owned();
    let pattern = Regex::new(r"\]\(\s*([^)\s]+)\s*\)").unwrap();
    let all = pattern.captures_iter(&prose).map(|found| found[1].to_owned());
    all.filter(|link| !link.contains("://") && !link.starts_with("mailto:")).collect()
}

fn anchors(page: &Path) -> BTreeSet<String> {
    let prose = prose(page);
    let headings = prose.lines().filter_map(|line| line.strip_prefix('#'));
    headings.map(|line| anchor_of(line.trim_start_matches('#').trim())).collect()
}

/// What a heading is called in an address, as the usual places that show Markdown make it.
fn anchor_of(heading: &str) -> String {
    let kept = heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .collect::<String>();
    kept.replace(' ', "-")
}

fn root() -> PathBuf {
    normal(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
}

/// The path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut found = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(found.pop()),
            other => found.push(other),
        }
    }
    found
}
