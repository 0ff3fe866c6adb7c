//! `/etc/resolv.conf`.

use std::net::IpAddr;

/// What a resolv.conf says: as much of it as either library would read. What one of them cuts off is still here; see
/// [`ResolvConf::nameservers_used`] and [`ResolvConf::search_used`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvConf {
    /// The addresses of all `nameserver` lines, in their order. A scope (`%eth0`) is left out.
    pub nameservers: Vec<IpAddr>,
    /// The domains of the last `search` or `domain` line, as they are written but without a final dot.
    pub search: Vec<String>,
    /// How long the line was from which [`ResolvConf::search`] comes, in bytes, without its end.
    pub search_line: usize,
    /// `options`, of all lines together.
    pub options: Options,
    /// Lines that mean nothing to a resolver.
    pub ignored: Vec<Ignored>,
}

/// What `options` lines say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent words of a line")]
pub struct Options {
    /// So many dots make a name be asked for as it is first. 1 unless said otherwise; at most 15.
    pub ndots: u32,
    /// Seconds until a server counts as silent. 5 unless said otherwise; at most 30.
    pub timeout: u32,
    /// How often all servers are tried. 2 unless said otherwise; at most 5.
    pub attempts: u32,
    /// `rotate`: the servers take turns (glibc only).
    pub rotate: bool,
    /// `single-request`: A and AAAA one after the other (glibc only).
    pub single_request: bool,
    /// `single-request-reopen`: a socket of its own for the second (glibc only).
    pub single_request_reopen: bool,
    /// `use-vc`: over TCP (glibc only).
    pub use_vc: bool,
    /// The others, as they are written.
    pub others: Vec<String>,
}

/// A line that was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// Its number, from 1.
    pub line: usize,
    /// Its text.
    pub text: String,
    /// Why, as a clause.
    pub why: &'static str,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ndots: 1,
            timeout: 5,
            attempts: 2,
            rotate: false,
            single_request: false,
            single_request_reopen: false,
            use_vc: false,
            others: Vec::new(),
        }
    }
}

/// The nameservers that either library takes (`MAXNS`).
const NAMESERVERS: usize = 3;
/// musl reads lines into 256 bytes, the end of the line and a zero among them, and passes over what does not fit.
const MUSL_LINE: usize = 254;

impl ResolvConf {
    /// Reads the text of a file. Every text is one: what means nothing is [`ResolvConf::ignored`].
    pub fn parse(text: &str) -> Self {
        let mut conf = Self::default();
        for (index, line) in text.lines().enumerate() {
            if let Err(why) = conf.line(line) {
                conf.ignored.push(Ignored {
                    line: index + 1,
                    text: line.to_owned(),
                    why,
                });
            }
        }
        conf
    }

    fn line(&mut self, line: &str) -> Result<(), &'static str> {
        if line.trim().is_empty() || line.starts_with(['#', ';']) {
            return Ok(());
        }
        if line.starts_with(char::is_whitespace) {
            return Err("the keyword does not begin the line");
        }
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => {
                let word = words.next().ok_or("no address follows")?;
                let address = word.split('%').next().unwrap_or(word);
                let address = address.parse().map_err(|_| "this is no address")?;
                self.nameservers.push(address);
            }
            Some(keyword @ ("search" | "domain")) => {
                let most = if keyword == "domain" { 1 } else { usize::MAX };
                let plain = |word: &str| word.strip_suffix('.').unwrap_or(word).to_owned();
                self.search = words.take(most).map(plain).collect();
                self.search_line = line.len();
            }
            Some("options") => words.for_each(|word| self.options.read(word)),
            // What glibc reads besides and Kubernetes never writes.
            Some("sortlist") => {}
            _ => return Err("no resolver knows the keyword"),
        }
        Ok(())
    }

    /// The nameservers that are asked: the first three.
    pub fn nameservers_used(&self) -> &[IpAddr] {
        &self.nameservers[..self.nameservers.len().min(NAMESERVERS)]
    }

    /// The domains that are appended: all for glibc since 2.26; none for musl where the line is too long for it.
    pub fn search_used(&self, libc: super::Libc) -> &[String] {
        match libc {
            super::Libc::Musl if self.search_line > MUSL_LINE => &[],
            super::Libc::Glibc | super::Libc::Musl => &self.search,
        }
    }
}

impl Options {
    fn read(&mut self, word: &str) {
        let number = |text: &str, most: u32| text.parse::<u32>().ok().map(|number| number.min(most));
        match word.split_once(':') {
            Some(("ndots", text)) => self.ndots = number(text, 15).unwrap_or(self.ndots),
            Some(("timeout", text)) => self.timeout = number(text, 30).unwrap_or(self.timeout),
            Some(("attempts", text)) => self.attempts = number(text, 5).unwrap_or(self.attempts),
            _ => match word {
                "rotate" => self.rotate = true,
                "single-request" => self.single_request = true,
                "single-request-reopen" => self.single_request_reopen = true,
                "use-vc" => self.use_vc = true,
                other => self.others.push(other.to_owned()),
            },
        }
    }
}
