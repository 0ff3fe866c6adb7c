//! Every example that `--help` shows is run, and every page of the manual is written.

use std::path::Path;
use std::time::Duration;

use e2e::kubectls;

use crate::world::{PLUGINS, World};

/// A run that takes longer than this is told to end: it has understood its line.
const PATIENCE: Duration = Duration::from_secs(2);

/// What only prints is waited for.
const LIMIT: Duration = Duration::from_secs(30);

/// Every command of a plugin, as it is typed after the plugin's name; the plugin itself is the first.
fn commands(world: &World, kubectl: &Path, plugin: &str, above: &str) -> Vec<String> {
    let answer = world.run(
        kubectl,
        &format!("kubectl {plugin} __completeNoDesc {above} ''"),
        LIMIT,
    );
    let mut found = vec![above.to_owned()];
    let takes_commands = help(world, kubectl, plugin, above).contains("\nCommands:\n");
    for name in answer
        .stdout
        .lines()
        .filter(|line| takes_commands && !line.starts_with(':'))
    {
        found.extend(commands(world, kubectl, plugin, format!("{above} {name}").trim()));
    }
    found
}

fn help(world: &World, kubectl: &Path, plugin: &str, command: &str) -> String {
    world
        .run(kubectl, &format!("kubectl {plugin} {command} --help"), LIMIT)
        .stdout
}

/// The lines of the examples with which a help ends.
fn examples(help: &str) -> Vec<String> {
    let Some((_, block)) = help.split_once("\nExamples:\n") else {
        return Vec::new();
    };
    let lines = block.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_ends_its_help_with_examples_that_run() {
    let Some(kubectl) = kubectls().pop() else {
        println!("skipped: no kubectl to run examples with");
        return;
    };
    let Some(world) = World::start() else { return };
    // For the examples that read one.
    let bundle = "kubectl epcheck scan -n shop --save-bundle bundle.json";
    assert_eq!(world.run(&kubectl, bundle, Duration::from_secs(30)).code, Some(1));
    let results: Vec<Tried> = std::thread::scope(|scope| {
        let (world, kubectl) = (&world, &kubectl);
        let running = PLUGINS.map(|plugin| scope.spawn(move || try_all(world, kubectl, plugin)));
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let sum = |count: fn(&Tried) -> usize| results.iter().map(count).sum::<usize>();
    println!(
        "{} examples ended by themselves, {} were stopped after {PATIENCE:?}",
        sum(|tried| tried.ended),
        sum(|tried| tried.stopped)
    );
    let wrong: Vec<String> = results.into_iter().flat_map(|tried| tried.wrong).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What came of the examples of one plugin.
#[derive(Default)]
struct Tried {
    ended: usize,
    stopped: usize,
    wrong: Vec<String>,
}

fn try_all(world: &World, kubectl: &Path, plugin: &str) -> Tried {
    let mut tried = Tried::default();
    for command in commands(world, kubectl, plugin, "") {
        let lines = examples(&help(world, kubectl, plugin, &command));
        if lines.is_empty() {
            tried
                .wrong
                .push(format!("kubectl {plugin} {command} --help has no examples"));
        }
        for line in lines {
            // What would write into the machine writes here.
            let line = line.replace("/usr/local/bin", "../shims");
            if !line.contains(&format!("kubectl {plugin}")) {
                tried
                    .wrong
                    .push(format!("{plugin} {command}: another plugin's example: {line}"));
            }
            let outcome = world.run(kubectl, &line, PATIENCE);
            match outcome.code {
                Some(0 | 1 | 3) => tried.ended += 1,
                // `timeout` had to end it.
                Some(124) => tried.stopped += 1,
                _ => tried
                    .wrong
                    .push(format!("{line}: {:?} {}", outcome.code, outcome.stderr)),
            }
        }
    }
    tried
}

#[test]
fn the_manual_has_a_page_for_every_command() {
    let Some(kubectl) = kubectls().pop() else {
        println!("skipped: no kubectl to run plugins with");
        return;
    };
    let Some(world) = World::start() else { return };
    for plugin in PLUGINS {
        let written = world
            .run(&kubectl, &format!("kubectl {plugin} man ../man"), LIMIT)
            .stdout;
        let names: Vec<String> = commands(&world, &kubectl, plugin, "")
            .iter()
            .map(|command| format!("kubectl-{plugin} {command}").trim().replace(' ', "-") + ".1")
            .collect();
        for name in &names {
            let page = std::fs::read_to_string(world.path("man").join(name)).unwrap_or_default();
            for part in [".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH EXAMPLES"] {
                assert!(page.contains(part), "{name} has no {part}");
            }
        }
        assert_eq!(written.lines().count(), names.len(), "{written}");
    }
}
