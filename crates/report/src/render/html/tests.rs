use base64::Engine as _;
use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::events::Event;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::render::tests::{SHORT, matrix, report};
use crate::{Confidence, Evidence, Localisation, Protocol, RootCause, Scope, Subject, Table};

fn hash(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text))
}

/// A report with something in every part.
fn whole(names: &[&str], text: &str) -> Report {
    let mut report = report(names);
    let subject = Subject::node(names[0]);
    report.summary = format!("it breaks {text}");
    report.root_causes = vec![RootCause {
        id: "cni-route".into(),
        summary: format!("a has no route {text}"),
        subject: subject.clone(),
        confidence: Confidence::Certain { reason: text.into() },
        evidence: vec![Evidence::command(text, format!("ip route {text}"))],
        explains: vec!["net-mesh".into()],
        ruled_out: vec![crate::RuledOut {
            cause: text.into(),
            by: text.into(),
        }],
        fix: Some(format!("{text}: `ip route add {text}`")),
        verify: Some(format!("ip route get {text}")),
    }];
    report.localisation = vec![Localisation {
        scope: Scope::OneWay {
            from: names[0].into(),
            to: names[1].into(),
        },
        severity: Severity::Error,
        protocols: vec![Protocol::Tcp],
        families: vec![crate::Family::IPv4],
        direction: None,
        check: "net-mesh".into(),
        subject,
        sentence: text.into(),
        still_works: vec![text.into()],
        look_next: Vec::new(),
        evidence: vec![Evidence::probe(text, text)],
    }];
    let mut table = Table::new(text, &["node", "state"]);
    table.rows.push(vec![Some(text.into()), None]);
    report.tables = vec![table];
    report.taken_at = Some(text.into());
    report
}

/// What a browser would take for elements and attributes.
fn elements(page: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut reader = Reader::from_str(page);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    let mut elements = Vec::new();
    let mut is_raw = false;
    loop {
        match reader.read_event().expect("it can be read") {
            Event::Eof => return elements,
            Event::Start(start) | Event::Empty(start) if !is_raw => {
                let name = start.name().as_ref().to_owned();
                is_raw = name == "script" || name == "style";
                let attributes = start.html_attributes().map(|attribute| {
                    let attribute = attribute.expect("an attribute");
                    (attribute.key.as_ref().to_owned(), attribute.value.into_owned())
                });
                elements.push((name, attributes.collect()));
            }
            Event::End(_) => is_raw = false,
            _ => {}
        }
    }
}

#[test]
fn the_policy_names_the_style_and_the_script_that_the_page_has() {
    let page = html(&report(&SHORT));
    for (element, directive, source) in [("style", "style-src", STYLE), ("script", "script-src", SCRIPT)] {
        let expected = format!("{directive} 'sha256-{}'", hash(source));
        assert!(POLICY.contains(&expected), "html.rs must say {expected}");
        assert!(page.contains(&format!("<{element}>{source}</{element}>")));
    }
}

#[test]
fn a_page_loads_nothing() {
    let page = html(&whole(&SHORT, "http://evil.example/x.png"));
    for (name, attributes) in elements(&page) {
        let loads = [
            "link", "img", "iframe", "object", "embed", "audio", "video", "source", "base", "use", "image",
            "a",
        ];
        assert!(!loads.contains(&name.as_str()), "{name}");
        for (key, value) in attributes {
            assert!(
                !["src", "href", "xlink:href", "srcset", "style", "action"].contains(&key.as_str()),
                "{name} {key}"
            );
            assert!(!key.starts_with("on"), "{name} {key}={value}");
        }
    }
    for forbidden in ["url(", "@import", "fetch(", "XMLHttp", "import("] {
        assert!(
            !STYLE.contains(forbidden) && !SCRIPT.contains(forbidden),
            "{forbidden}"
        );
    }
}

#[test]
fn a_page_says_the_cause_before_anything_else() {
    let page = html(&whole(&SHORT, "because"));
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} in {page}"));
    let order = [
        "Problem found",
        "it breaks because",
        "a has no route because",
        "<svg",
        "who reaches whom",
        "Could not be seen",
    ];
    let places: Vec<usize> = order.into_iter().map(at).collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\">"));
    assert!(page.contains("<title>Problem found: it breaks because</title>"));
}

#[test]
fn a_command_is_copied_as_it_is_printed() {
    let mut report = report(&SHORT);
    report.root_causes = whole(&SHORT, "x").root_causes;
    report.root_causes[0].verify = Some("kubectl get node -o 'a<b' && echo \"ok\"".into());
    assert!(
        html(&report)
            .contains("<pre><code>kubectl get node -o 'a&lt;b' &amp;&amp; echo &quot;ok&quot;</code></pre>")
    );
}

#[test]
fn marks_and_words_carry_what_colour_does() {
    let page = html(&report(&SHORT));
    for part in [
        ">✗ timeout<",
        ">✗ udp refused<",
        ">~ tcp 7/10<",
        ">✓<",
        ">0.3<",
        "aria-hidden=\"true\">✗ ",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
}

#[test]
fn every_table_has_headers_with_a_scope() {
    for (name, attributes) in elements(&html(&whole(&SHORT, "x"))) {
        if name == "th" {
            assert!(attributes.iter().any(|(key, _)| key == "scope"));
        }
    }
}

#[test]
fn of_many_nodes_only_those_are_drawn_where_it_breaks() {
    let names: Vec<String> = (0..30)
        .map(|number| format!("ip-10-0-0-{number}.eu.compute.internal"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let page = html(&whole(&names, "x"));
    assert_eq!(page.matches(">pods</text>").count(), 2);
    assert!(page.contains("28 nodes without a mark"), "{page}");
    assert!(page.len() < 400_000, "{} bytes", page.len());
}

#[test]
fn of_a_hundred_nodes_only_pairs_that_are_not_well_are_listed() {
    let names: Vec<String> = (0..100).map(|number| format!("node{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut report = whole(&names, "x");
    report.matrix = Some(matrix(&names));
    let page = html(&report);
    assert!(page.contains("tcp 9996 of 9999"), "{page}");
    assert!(page.len() < 100_000, "{} bytes", page.len());
}

#[test]
fn no_control_character_reaches_a_page() {
    let page = html(&whole(&["a\u{1b}[2J", "b\u{202e}", "c"], "x\u{1b}[31m\u{7}"));
    let steers = |it: char| (it.is_control() && it != '\n') || it == '\u{202e}';
    assert!(!page.contains(steers), "{page}");
}

/// The elements that a page has, by what is in the report and never by what its strings say.
fn skeleton(page: &str) -> Vec<(String, Vec<String>)> {
    let names = |(name, attributes): (String, Vec<(String, String)>)| {
        (name, attributes.into_iter().map(|(key, _)| key).collect())
    };
    elements(page).into_iter().map(names).collect()
}

proptest! {
    /// No string of a cluster becomes an element, an attribute or a script.
    #[test]
    fn what_a_cluster_says_is_text(text in "([<>\"'&/=`x\u{0}\u{202e}-]|<script>|</style>|</title>|--><b onload=x>|&lt;|ä){0,12}") {
        let text = format!("z{text}z");
        let (hostile, tame) = (html(&whole(&SHORT, &text)), html(&whole(&SHORT, "zz")));
        // Where a command ends a hint, an element is added for it: that depends on the report and not on what it says.
        let hostile: Vec<_> = skeleton(&hostile).into_iter().filter(|(name, _)| !["pre", "code", "div", "button"].contains(&name.as_str())).collect();
        let tame: Vec<_> = skeleton(&tame).into_iter().filter(|(name, _)| !["pre", "code", "div", "button"].contains(&name.as_str())).collect();
        prop_assert_eq!(hostile, tame);
    }
}
