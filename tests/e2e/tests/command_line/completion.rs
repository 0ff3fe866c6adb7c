//! Completion as a shell gets it: through the real kubectl's own `__complete`, with the plugins' shims in the PATH.

use std::path::Path;
use std::time::Duration;

use e2e::kubectls;

use crate::world::{PLUGINS, World};

/// kubectl says on stderr which directive it ended with; only stdout is the protocol.
fn completed(world: &World, kubectl: &Path, words: &str) -> String {
    let line = format!("kubectl __complete {words} 2>/dev/null");
    world.run(kubectl, &line, Duration::from_secs(30)).stdout
}

/// The values alone, without descriptions and directive.
fn values(answer: &str) -> Vec<&str> {
    let lines = answer.lines().filter(|line| !line.starts_with(':'));
    lines
        .map(|line| line.split('\t').next().unwrap_or(line))
        .collect()
}

/// A world whose shims were put in their place by the plugins themselves; one of them is a link, as a package would make it.
fn with_shims() -> Option<World> {
    let world = World::start()?;
    let kubectl = kubectls().first()?.clone();
    for name in &PLUGINS[1..] {
        let line = format!("kubectl {name} completion --install=../shims");
        let outcome = world.run(&kubectl, &line, Duration::from_secs(30));
        assert_eq!(outcome.code, Some(0), "{line}: {outcome:?}");
        assert_eq!(
            outcome.stdout,
            format!("../shims/kubectl_complete-{name} written")
        );
    }
    let link = world.path("shims").join("kubectl_complete-netcheck");
    std::os::unix::fs::symlink(world.path("plugins").join("kubectl-netcheck"), link).unwrap();
    Some(world)
}

/// What is typed, the values that must be offered, in their order, and the directive.
const CASES: &[(&str, &[&str], u8)] = &[
    // Commands, and flags by their beginning.
    ("netcheck pa", &["path"], 4),
    ("netcheck diagnose --node-a", &["--node-access"], 4),
    ("netcheck diagnose --node_a", &["--node-access"], 4),
    ("netcheck alerts ''", &["lint", "emit"], 4),
    // Values that are known beforehand.
    ("epcheck scan -o j", &["json", "junit"], 4),
    ("epcheck scan --output=y", &["yaml"], 4),
    ("dnscheck resolve --libc ''", &["glibc", "musl"], 4),
    ("netcheck checks net-mtu-p", &["net-mtu-pmtud"], 4),
    ("netcheck diagnose --check net-mtu-p", &["net-mtu-pmtud"], 4),
    ("netcheck diagnose --node-access=", &["true", "false"], 4),
    // Names of the kubeconfig.
    (
        "netcheck --context ''",
        &["broken", "main", "shopping", "staging"],
        4,
    ),
    ("netcheck diagnose --context=sh", &["shopping"], 4),
    ("netcheck diagnose --cluster ''", &["gone", "here"], 4),
    ("netcheck diagnose --user j", &["jane"], 4),
    // Names of the cluster, in the namespace that the line names.
    ("netcheck diagnose -n s", &["shop"], 4),
    ("cnicheck node --node node-", &["node-001", "node-002"], 4),
    ("netcheck service -n shop ''", &["db", "web"], 4),
    ("netcheck service db -n shop w", &["web"], 4),
    ("epcheck svc -n=shop web d", &["db"], 4),
    ("epcheck svc --context shopping svc/", &["svc/db", "svc/web"], 4),
    ("dnscheck pod -nshop web-", &["web-0", "web-1"], 4),
    ("netcheck policy -n shop deploy/", &["deploy/front"], 4),
    ("netcheck policy -n shop web-0 serv", &["service/"], 6),
    ("netcheck path -n shop pod/", &["pod/web-0", "pod/web-1"], 4),
    ("netcheck path -n shop pod/web-0 n", &["node/"], 6),
    (
        "netcheck path -n shop pod/web-0 node/node-002",
        &["node/node-002"],
        4,
    ),
    ("netcheck service -n shop -- w", &["web"], 4),
    // Files are the shell's to list, and for texts nobody has names.
    ("netcheck diagnose --from-bundle ''", &[], 0),
    ("dnscheck corefile ''", &[], 0),
    ("netcheck explain ''", &[], 4),
    // Whatever goes wrong is silent.
    ("netcheck service --context broken ''", &[], 4),
    ("netcheck service --context nope ''", &[], 4),
    ("netcheck service --kubeconfig /nope ''", &[], 4),
    ("netcheck service --bogus=x", &[], 4),
];

/// What a line came to, where it is not what it must be.
fn wrong(world: &World, kubectl: &Path, (words, wanted, directive): &(&str, &[&str], u8)) -> Option<String> {
    let answer = completed(world, kubectl, words);
    let last = answer.lines().last().unwrap_or_default();
    let holds = values(&answer) == *wanted && last == format!(":{directive}");
    (!holds).then(|| {
        format!(
            "{}: {words}: {answer:?}, wanted {wanted:?} :{directive}",
            kubectl.display()
        )
    })
}

#[test]
fn kubectl_completes_what_stands_behind_the_plugins() {
    let kubectls = kubectls();
    if kubectls.is_empty() {
        println!("skipped: no kubectl to complete with");
        return;
    }
    let Some(world) = with_shims() else { return };
    // All lines with the oldest and the newest; the versions between them hand the words on in the same way.
    let last = kubectls.len() - 1;
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> = kubectls
            .iter()
            .enumerate()
            .map(|(index, kubectl)| {
                let lines = if index == 0 || index == last {
                    CASES
                } else {
                    &CASES[..6]
                };
                let world = &world;
                scope.spawn(move || {
                    lines
                        .iter()
                        .filter_map(|case| wrong(world, kubectl, case))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        running
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!(
        "{} lines with {} versions of kubectl",
        CASES.len(),
        kubectls.len()
    );
}

#[test]
fn candidates_are_described() {
    let Some(kubectl) = kubectls().pop() else {
        println!("skipped: no kubectl to complete with");
        return;
    };
    let Some(world) = with_shims() else { return };
    let answer = completed(&world, &kubectl, "netcheck di");
    assert_eq!(
        answer,
        "diagnose\tLook at everything that applies, and name what is wrong\n:4"
    );
}

#[test]
fn a_server_that_never_answers_keeps_nobody_waiting() {
    let Some(kubectl) = kubectls().pop() else {
        println!("skipped: no kubectl to complete with");
        return;
    };
    let Some(world) = with_shims() else { return };
    world
        .api
        .inject(testkit::Fault::new("list", "*", testkit::Effect::Hang));
    let begin = std::time::Instant::now();
    let answer = completed(&world, &kubectl, "netcheck service -n shop ''");
    assert_eq!(answer, ":4");
    assert!(begin.elapsed() < Duration::from_secs(6), "{:?}", begin.elapsed());
}

#[test]
fn a_shim_replaces_a_link_and_not_what_it_leads_to() {
    let Some(kubectl) = kubectls().pop() else {
        println!("skipped: no kubectl to complete with");
        return;
    };
    let Some(world) = with_shims() else { return };
    let size = || {
        std::fs::metadata(world.path("plugins").join("kubectl-netcheck"))
            .unwrap()
            .len()
    };
    let before = size();
    let line = "kubectl netcheck completion --install=../shims && cat ../shims/kubectl_complete-netcheck && kubectl netcheck completion";
    let outcome = world.run(&kubectl, line, Duration::from_secs(30));
    let printed = outcome
        .stdout
        .matches("exec kubectl netcheck __complete \"$@\"")
        .count();
    assert_eq!(
        (outcome.code, printed, size()),
        (Some(0), 2, before),
        "{outcome:?}"
    );
    // Without a directory it goes where the plugin was found.
    let beside = world.run(
        &kubectl,
        "kubectl epcheck completion --install",
        Duration::from_secs(30),
    );
    assert_eq!(beside.stdout, "TMP/plugins/kubectl_complete-epcheck written");
}
