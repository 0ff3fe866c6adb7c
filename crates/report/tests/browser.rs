//! The page in a real browser, where there is one: `apt-get install chromium`. What it may run is also checked without
//! one, by the hashes in its policy.

use std::path::Path;
use std::process::Command;

use report::{Format, RenderOptions, Report, render};

const BROWSERS: [&str; 3] = ["chromium", "chromium-headless-shell", "google-chrome"];

fn page(case: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../checks/cases/{case}/report.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let report: Report = serde_json::from_str(&text).expect("a report");
    render(&report, Format::Html, &RenderOptions::default())
}

/// The document as it is once its script has run, and what the browser complained about.
fn opened(browser: &str, page: &str) -> (String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("page.html");
    std::fs::write(&file, page).expect("a page");
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            "--dump-dom",
        ])
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ))
        .arg(&file)
        .output()
        .expect("a browser that runs");
    assert!(output.status.success(), "{output:?}");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (text(output.stdout), text(output.stderr))
}

#[test]
fn a_browser_applies_the_style_and_runs_the_script_and_nothing_else() {
    let found = BROWSERS.into_iter().find(|browser| {
        let version = Command::new(browser).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    });
    let Some(browser) = found else {
        println!("skipped: none of {} is installed", BROWSERS.join(", "));
        return;
    };
    let page = page("pair-silent");
    assert!(
        page.contains(r#"<button type="button" hidden"#),
        "without scripts there is no button"
    );
    let (document, complaints) = opened(browser, &page);
    assert!(
        document.contains("<button type=\"button\" aria-label"),
        "its script shows the buttons: {document}"
    );
    assert!(!complaints.contains("Content Security Policy"), "{complaints}");
    // What is not the page's own is refused by the same policy.
    let evil = page.replace("</main>", "<script>document.title = 'evil'</script></main>");
    let (document, complaints) = opened(browser, &evil);
    assert!(!document.contains("<title>evil</title>"), "{document}");
    assert!(complaints.contains("Content Security Policy"), "{complaints}");
}
