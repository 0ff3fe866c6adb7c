use std::collections::{BTreeMap, BTreeSet};

use super::{Rank, read, texts};

/// For each row: texts as they are met, by the row that must come first, and texts that look like them.
fn samples() -> BTreeMap<&'static str, (Vec<&'static str>, Vec<&'static str>)> {
    let mut samples: BTreeMap<&str, (Vec<&str>, Vec<&str>)> = BTreeMap::new();
    let mut row = "";
    for line in include_str!("samples.txt").lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            assert!(
                samples.insert(name, Default::default()).is_none(),
                "{name} stands once"
            );
            row = name;
        } else if let Some(met) = line.strip_prefix("+ ") {
            samples.entry(row).or_default().0.push(met);
        } else if let Some(unlike) = line.strip_prefix("- ") {
            samples.entry(row).or_default().1.push(unlike);
        }
    }
    samples
}

fn names(line: &str) -> Vec<&'static str> {
    read(line).matches.iter().map(|found| found.text.name).collect()
}

#[test]
fn every_row_is_shown_on_what_it_is_for_and_on_what_looks_like_it() {
    let samples = samples();
    let shown: BTreeSet<&str> = samples.keys().copied().collect();
    let rows: BTreeSet<&str> = texts().map(|text| text.name).collect();
    assert_eq!(shown, rows);
    assert_eq!(rows.len(), texts().count(), "a name stands once");
    let mut wrong = Vec::new();
    for (name, (met, unlike)) in samples {
        assert!(!met.is_empty() && !unlike.is_empty(), "{name} lacks samples");
        for line in met.into_iter().filter(|line| names(line).first() != Some(&name)) {
            wrong.push(format!(
                "{name} is meant first by {line}\n    and not {:?}",
                names(line)
            ));
        }
        for line in unlike.into_iter().filter(|line| names(line).contains(&name)) {
            wrong.push(format!("{name} is not meant by {line}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn patterns_are_in_one_case_and_begin_with_a_word() {
    for text in texts() {
        assert!(!text.patterns.is_empty(), "{}", text.name);
        for pattern in text.patterns {
            let literal: String = pattern.split(['{', '}']).step_by(2).collect();
            assert!(
                [literal.to_ascii_lowercase(), literal.to_ascii_uppercase()].contains(&literal),
                "{}: {pattern:?}",
                text.name
            );
            let literal: usize = literal.chars().filter(char::is_ascii_alphanumeric).count();
            assert!(literal >= 5, "{}: {pattern:?} would match anything", text.name);
        }
    }
}

#[test]
fn every_row_says_what_it_means_and_what_to_do() {
    for text in texts() {
        assert!(text.means.ends_with('.'), "{}", text.name);
        assert!(!text.excludes.is_empty(), "{} excludes nothing", text.name);
        assert!(!text.causes.is_empty(), "{} has no cause", text.name);
        for cause in text.causes {
            assert!(
                !cause.what.ends_with('.') && !cause.decided_by.ends_with('.'),
                "{}",
                text.name
            );
        }
        for command in text.next {
            assert!(
                command.starts_with("kubectl ") && !command.contains('\n'),
                "{}: {command}",
                text.name
            );
            let writes = [
                "delete", "apply", "edit", "patch", "replace", "scale", "restart", "drain", "cordon",
            ];
            assert!(
                !command.split(' ').any(|word| writes.contains(&word)),
                "{}: {command}",
                text.name
            );
            let selects_logs = command.contains(" logs ") && command.contains(" -l ");
            assert!(
                !selects_logs || command.contains("--tail="),
                "{}: {command}",
                text.name
            );
        }
    }
}

#[test]
fn a_cause_comes_before_the_frame_that_it_stands_in() {
    let line = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \
                \"0a1b\": plugin type=\"flannel\" failed (add): failed to delegate add: failed to allocate for range 0: no IP \
                addresses available in range set: 10.244.1.1-10.244.1.254";
    assert_eq!(names(line), ["no-addresses", "sandbox"]);
    let reading = read(line);
    assert_eq!(reading.matches[1].text.rank, Rank::Frame);
}

#[test]
fn the_ending_of_a_longer_text_is_not_told_again() {
    let line =
        "dial tcp: lookup web.shop on 10.96.0.10:53: read udp 10.244.1.4:53210->10.96.0.10:53: i/o timeout";
    assert_eq!(names(line), ["lookup-timeout"]);
    let kept = &read(line).matches[0].kept;
    assert_eq!(kept[0], ("name", "web.shop".to_owned()));
    assert_eq!(kept[1], ("server", "10.96.0.10:53".to_owned()));
}

#[test]
fn a_lookup_that_timed_out_is_one_with_and_without_a_socket_in_the_text() {
    let reading = read("dial tcp: lookup db on 10.96.0.10:53: i/o timeout");
    assert_eq!(reading.matches.len(), 1);
    assert_eq!(
        reading.matches[0].kept,
        [("name", "db".to_owned()), ("server", "10.96.0.10:53".to_owned())]
    );
}

#[test]
fn a_page_names_the_plugin_that_says_it() {
    for plugin in ["netcheck", "dnscheck", "epcheck", "cnicheck"] {
        let known = super::page(&read("NXDOMAIN"), 100, plugin);
        assert!(
            known.contains(&format!("more   kubectl {plugin} checks dns-err-lookup\n")),
            "{known}"
        );
        let unknown = super::page(&read("out of beans"), 200, plugin);
        assert!(
            unknown.contains(&format!("look at the cluster: `kubectl {plugin}")),
            "{unknown}"
        );
    }
}

#[test]
fn lines_of_one_kind_are_counted() {
    let text = "a: connection refused\n\nb: Connection refused\nfine\n";
    let reading = read(text);
    assert_eq!(
        (reading.lines, reading.matches.len(), reading.matches[0].count),
        (3, 1, 2)
    );
    assert_eq!(reading.matches[0].line, "a: connection refused");
}

#[test]
fn what_is_not_known_is_not_guessed() {
    for text in [
        "",
        "   \n\n",
        "the coffee machine is out of beans",
        "exit code 1",
        "null pointer exception",
        "EOF",
    ] {
        assert!(read(text).matches.is_empty(), "{text}");
    }
    let page = super::page(&read("out of beans"), 100, "netcheck");
    assert!(page.starts_with("? nothing in this text is known"), "{page}");
}

#[test]
fn nothing_in_a_text_steers_the_terminal() {
    let page = super::page(
        &read("\u{1b}[2Jdial tcp: lookup \u{1b}[2Jx on 1.1.1.1:53: no such host"),
        100,
        "netcheck",
    );
    assert!(!page.contains('\u{1b}'), "{page}");
    assert!(page.contains("^[[2J"));
}

#[test]
fn a_page_is_no_wider_than_asked_but_for_commands() {
    for text in texts() {
        let met = samples()[text.name].0[0];
        for line in super::page(&read(met), 80, "netcheck").lines() {
            let is_command = line.trim_start().starts_with("next ");
            assert!(
                is_command || line.chars().count() <= 80 || !line.trim().contains(' '),
                "{line}"
            );
        }
    }
}
