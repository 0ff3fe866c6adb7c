//! The transcripts of the pages in `docs/`: each is what the plugin prints today of a bundle that was recorded on the lab. One that
//! has become stale fails here; `UPDATE_TRANSCRIPTS=1 cargo test -p e2e --test transcripts` writes it anew.
//!
//! In a page a transcript is a comment `<!-- bundle: NAME -->`, which names a file `docs/transcripts/NAME.json.gz`, and a block behind it
//! that begins with the command as a reader would type it.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flate2::read::GzDecoder;

const MARK: &str = "<!-- bundle: ";
const FENCE: &str = "```";

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn bundle(name: &str) -> Vec<u8> {
    let path = docs().join(format!("transcripts/{name}.json.gz"));
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut text = Vec::new();
    GzDecoder::new(file).read_to_end(&mut text).expect("a whole file");
    text
}

/// What a command prints of a bundle, on 100 columns, without colour.
fn printed(command: &str, bundle: &[u8]) -> String {
    let words: Vec<&str> = command.split_whitespace().collect();
    let ["kubectl", plugin, args @ ..] = words.as_slice() else {
        panic!("no command of a plugin: {command}");
    };
    let mut run = Command::new(e2e::plugin_dir().join(format!("kubectl-{plugin}")));
    run.args(args)
        .args(["--from-bundle", "-", "--color", "never"])
        .env("COLUMNS", "100")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = run.spawn().expect("the plugins are built");
    let mut stdin = child.stdin.take().expect("piped");
    let fed = bundle.to_vec();
    // What does not fit into the pipe waits for the reader.
    let feeding = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, &fed));
    let output = child.wait_with_output().expect("it ends");
    feeding.join().expect("no panic").expect("it reads all");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(!text.is_empty(), "`{command}` printed nothing");
    text
}

/// A page with its transcripts as they would be today.
fn today(page: &str) -> (String, usize) {
    let mut text = String::new();
    let mut number = 0;
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let _ = writeln!(text, "{line}");
        let Some(name) = line.strip_prefix(MARK).and_then(|rest| rest.strip_suffix(" -->")) else {
            continue;
        };
        let fence = lines.next().expect("a block behind the comment");
        assert!(fence.starts_with(FENCE), "{fence}");
        let command = lines
            .next()
            .and_then(|line| line.strip_prefix("$ "))
            .expect("a command");
        let _ = writeln!(
            text,
            "{fence}\n$ {command}\n{}{FENCE}",
            printed(command, &bundle(name))
        );
        assert!(
            lines.by_ref().any(|line| line == FENCE),
            "the block of `{command}` ends"
        );
        number += 1;
    }
    (text, number)
}

#[test]
fn transcripts_are_what_the_plugins_print() {
    let update = std::env::var_os("UPDATE_TRANSCRIPTS").is_some();
    for plugin in ["netcheck", "epcheck", "dnscheck", "cnicheck"] {
        let path = docs().join(format!("{plugin}.md"));
        let page = std::fs::read_to_string(&path).expect("a page for each plugin");
        let (today, number) = today(&page);
        assert!(number >= 2, "{plugin}.md has {number} transcripts");
        if update {
            std::fs::write(&path, &today).expect("written");
        } else {
            assert_eq!(page, today, "{plugin}.md is stale");
        }
    }
}
