//! Sockets that listen, out of tables that hold all of them: a busy server has ten thousand, and few that listen.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};

use netprobe::FileText;

/// The tables, with the state that is wanted: `TCP_LISTEN`, and for UDP that of a socket that is not connected. They are
/// those of the thread's namespace; `/proc/net` would be those of the process.
const TABLES: [(&str, &str); 4] = [
    ("/proc/thread-self/net/tcp", "0A"),
    ("/proc/thread-self/net/tcp6", "0A"),
    ("/proc/thread-self/net/udp", "07"),
    ("/proc/thread-self/net/udp6", "07"),
];
/// The most that is kept of one table, in bytes: some 1700 sockets.
const MOST: usize = 256 * 1024;

pub(super) fn listening() -> BTreeMap<String, FileText> {
    let mut files = BTreeMap::new();
    for (path, state) in TABLES {
        let text = match File::open(path).and_then(|file| kept(BufReader::new(file), state)) {
            Ok((text, truncated)) => FileText::Text { text, truncated },
            // A kernel without IPv6.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => FileText::Failed {
                message: error.to_string(),
            },
        };
        files.insert(path.to_owned(), text);
    }
    files
}

/// The titles and the lines of this state, and whether there are more.
fn kept(table: impl BufRead, state: &str) -> std::io::Result<(String, bool)> {
    let mut kept = String::new();
    for (number, line) in table.lines().enumerate() {
        let line = line?;
        if number > 0 && line.split_whitespace().nth(3) != Some(state) {
            continue;
        }
        if kept.len() + line.len() >= MOST {
            return Ok((kept, true));
        }
        kept.push_str(&line);
        kept.push('\n');
    }
    Ok((kept, false))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn of_a_table_the_titles_and_what_listens_are_kept() {
        let table = "  sl  local_address rem_address   st\n   0: 0100007F:1F90 00000000:0000 0A 0\n   1: 0100007F:0016 0100007F:9999 01 0\n";
        let (text, truncated) = kept(table.as_bytes(), "0A").unwrap();
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains("1F90") && !text.contains("9999"));
        assert!(!truncated);
    }

    #[test]
    fn a_table_of_too_many_says_so() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 0\n";
        let (text, truncated) = kept(line.repeat(20_000).as_bytes(), "0A").unwrap();
        assert!(truncated && text.len() < MOST);
    }

    #[test]
    fn a_socket_that_listens_here_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let files = listening();
        let FileText::Text { text, .. } = &files["/proc/thread-self/net/tcp"] else {
            panic!("it can be read")
        };
        assert!(text.contains(&format!(":{port:04X} ")));
    }
}
