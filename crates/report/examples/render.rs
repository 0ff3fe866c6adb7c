//! Renders a report as `-o json` wrote it, from standard input: `cargo run -p report --example render -- html < report.json`.

use std::io::{Read as _, Write as _};

use report::{Format, RenderOptions, Report, render};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let format = match args.next().as_deref() {
        Some("html") => Format::Html,
        Some("prometheus") => Format::Prometheus,
        Some("junit") => Format::Junit,
        Some("wide") => Format::Wide,
        Some("text") => Format::Text,
        _ => return Err("which format? html, prometheus, junit, wide or text, and for text a width".into()),
    };
    let options = RenderOptions {
        width: args.next().map(|width| width.parse()).transpose()?,
        ..RenderOptions::default()
    };
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let report: Report = serde_json::from_str(&text)?;
    std::io::stdout().write_all(render(&report, format, &options).as_bytes())?;
    Ok(())
}
