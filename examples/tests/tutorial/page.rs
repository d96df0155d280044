//! What the tests read from a Markdown page: its fenced blocks, each with where it belongs.
//!
//! - A `console` block follows a line such as `**Terminal 2**` and shows what is typed and printed there.
//! - A `rust` block belongs to the file that the last heading links to.

use std::path::{Path, PathBuf};

/// A page of the tutorial.
pub struct Page {
    pub path: PathBuf,
    pub blocks: Vec<Block>,
    /// How many `#` each heading has.
    pub heading_levels: Vec<usize>,
}

/// A fenced block.
pub struct Block {
    pub language: String,
    /// The terminal's number, or the path of the program; empty for blocks that have neither.
    pub place: String,
    /// Where the block starts in the page, counted from 1.
    pub line: usize,
    pub lines: Vec<String>,
}

impl Block {
    /// Whether the two show the same, wherever they are in their pages.
    pub fn same_as(&self, other: &Self) -> bool {
        (&self.language, &self.place, &self.lines) == (&other.language, &other.place, &other.lines)
    }

    /// The lines that are not empty.
    pub fn text_lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str).filter(|line| !line.is_empty())
    }
}

impl Page {
    /// Reads the page at `path`. Panics, naming the line, where a block lacks its place.
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut page = Self { path: path.into(), blocks: Vec::new(), heading_levels: Vec::new() };
        let (mut program, mut caption) = (String::new(), "");
        let mut lines = (1..).zip(text.lines());
        while let Some((line, content)) = lines.next() {
            if let Some(language) = content.strip_prefix("```") {
                let place = match language {
                    "console" => {
                        terminal(caption).unwrap_or_else(|| panic!("{}:{line}: which terminal?", path.display()))
                    }
                    "rust" if program.is_empty() => panic!("{}:{line}: which program?", path.display()),
                    "rust" => program.clone(),
                    _ => String::new(),
                };
                let body = lines.by_ref().map(|(_, content)| content.to_owned());
                let lines = body.take_while(|content| content != "```").collect();
                page.blocks.push(Block { language: language.into(), place, line, lines });
            } else if content.starts_with('#') {
                page.heading_levels.push(content.chars().take_while(|&c| c == '#').count());
                program = linked_program(content).unwrap_or_default();
            }
            if !content.is_empty() {
                caption = content;
            }
        }
        page
    }

    /// The blocks that show programs.
    pub fn code(&self) -> impl Iterator<Item = &Block> {
        self.blocks.iter().filter(|block| block.language == "rust")
    }
}

fn terminal(caption: &str) -> Option<String> {
    let caption = caption.strip_prefix("**")?.strip_suffix("**")?;
    let number = caption.strip_prefix("Terminal ").or_else(|| caption.strip_prefix("终端 "))?;
    number.parse::<u8>().ok().map(|number| number.to_string())
}

fn linked_program(heading: &str) -> Option<String> {
    let (_, link) = heading.split_once("](../../../")?;
    let (path, _) = link.split_once(')')?;
    Some(path.into())
}
