//! What programs of the image or of the node print.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use netprobe::ReadOutcome;

use crate::agent::Failure;

/// Where programs of the network are on every distribution.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How much of the complaints is kept.
const STDERR: u64 = 1024;
const TICK: Duration = Duration::from_millis(5);

/// Runs the first program that there is.
pub(super) fn run(either: &[Vec<String>], root: Option<&str>, most: u64, left: Duration) -> ReadOutcome {
    for words in either {
        let Some((program, arguments)) = words.split_first() else {
            continue;
        };
        if !exists(program, root) {
            continue;
        }
        return match start(program, arguments, root) {
            Ok(child) => outcome(child, words, most, left),
            Err(error) => ReadOutcome::Failed {
                message: format!("{program}: {error}"),
            },
        };
    }
    ReadOutcome::Absent
}

fn exists(program: &str, root: Option<&str>) -> bool {
    let root = root.unwrap_or("/");
    // Without following links, which point out of the root; a broken one says so when it is run.
    PATH.split(':').any(|directory| {
        Path::new(root)
            .join(directory.trim_start_matches('/'))
            .join(program)
            .symlink_metadata()
            .is_ok()
    })
}

fn start(program: &str, arguments: &[String], root: Option<&str>) -> std::io::Result<Child> {
    let mut command = match root {
        None => Command::new(program),
        // This process cannot leave the root again, so that another one goes there.
        Some(root) => {
            let mut command = Command::new("/proc/self/exe");
            command.args(["under", root, program]);
            command
        }
    };
    command
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// Becomes `command` with `root` as its root directory.
pub(crate) fn become_under(root: &str, command: &[String]) -> Result<(), Failure> {
    nix::unistd::chroot(root).map_err(|error| Failure::system(format!("cannot enter {root}"), error))?;
    std::env::set_current_dir("/").map_err(|error| Failure::system(format!("cannot enter {root}"), error))?;
    let Some((program, arguments)) = command.split_first() else {
        return Err(Failure::Refused("no command".to_owned()));
    };
    let error = Command::new(program).args(arguments).exec();
    Err(Failure::system(program, error))
}

fn outcome(mut child: Child, words: &[String], most: u64, left: Duration) -> ReadOutcome {
    let stdout = child.stdout.take().map(|pipe| drain(pipe, most));
    let stderr = child.stderr.take().map(|pipe| drain(pipe, STDERR));
    let status = wait(&mut child, left);
    let (stdout, truncated) = collect(stdout);
    let (stderr, _) = collect(stderr);
    match status {
        Ok(Some(status)) => ReadOutcome::Exited {
            command: words.to_vec(),
            code: status.code(),
            stdout,
            truncated,
            stderr: stderr.trim().to_owned(),
        },
        Ok(None) => ReadOutcome::Failed {
            message: format!("{} did not end in {} ms", words.join(" "), left.as_millis()),
        },
        Err(error) => ReadOutcome::Failed {
            message: format!("{}: {error}", words.join(" ")),
        },
    }
}

/// The status, or `None` when the time was over and the program was ended.
fn wait(child: &mut Child, left: Duration) -> std::io::Result<Option<ExitStatus>> {
    let until = Instant::now() + left;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= until {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(TICK);
    }
}

type Drained = thread::JoinHandle<(Vec<u8>, bool)>;

/// Reads to the end whatever is kept, so that the program never waits for us.
fn drain(mut pipe: impl Read + Send + 'static, most: u64) -> Drained {
    thread::spawn(move || {
        let mut kept = Vec::new();
        let _ = pipe.by_ref().take(most).read_to_end(&mut kept);
        let more = std::io::copy(&mut pipe, &mut std::io::sink()).is_ok_and(|rest| rest > 0);
        (kept, more)
    })
}

fn collect(drained: Option<Drained>) -> (String, bool) {
    let (bytes, more) = drained
        .and_then(|drained| drained.join().ok())
        .unwrap_or_default();
    (String::from_utf8_lossy(&bytes).into_owned(), more)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_first_program_that_exists_is_run() {
        let either = [words("no-such-program -x"), words("echo -n hello")];
        let ReadOutcome::Exited {
            command,
            code,
            stdout,
            ..
        } = run(&either, None, 100, seconds(10))
        else {
            panic!("it ran")
        };
        assert_eq!(
            (command, code, stdout.as_str()),
            (words("echo -n hello"), Some(0), "hello")
        );
    }

    #[test]
    fn no_program_is_no_failure() {
        assert_eq!(
            run(&[words("no-such-program")], None, 100, seconds(1)),
            ReadOutcome::Absent
        );
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let outcome = run(&[words("sleep 60")], None, 100, Duration::from_millis(50));
        assert!(matches!(outcome, ReadOutcome::Failed { .. }), "{outcome:?}");
    }

    #[test]
    fn more_than_is_kept_is_read_and_dropped() {
        let outcome = run(&[words("seq 1 100000")], None, 10, seconds(10));
        let ReadOutcome::Exited {
            stdout, truncated, ..
        } = outcome
        else {
            panic!("it ran")
        };
        assert_eq!((stdout.len(), truncated), (10, true));
    }
}
