//! Corefiles from a seed: mostly sensible lines, with mistakes in them.

const ZONES: &[&str] = &[
    ".",
    "a.test",
    "b.test:1053",
    "cluster.local",
    "in-addr.arpa",
    "10.0.0.0/8",
    "10.96.0.0/14",
    "tls://c.test",
    "quic://.",
    ".:53",
    "a.test.",
    "A.test",
    "a..b",
    "x:",
    "fd00::/8",
    "grpc://d.test:5443",
    "2001:db8::/33",
    "a.test,",
    "\"q.test\"",
    "https://.:99999",
    "192.0.2.1",
];
const PLUGINS: &[&str] = &[
    "acl",
    "any",
    "auto",
    "autopath",
    "bind",
    "bufsize",
    "cache",
    "cancel",
    "chaos",
    "debug",
    "dns64",
    "erratic",
    "errors",
    "etcd",
    "file",
    "forward",
    "grpc",
    "header",
    "health",
    "hosts",
    "k8s_external",
    "kubernetes",
    "loadbalance",
    "local",
    "log",
    "loop",
    "metadata",
    "minimal",
    "multisocket",
    "nsid",
    "pprof",
    "prometheus",
    "quic",
    "ready",
    "reload",
    "rewrite",
    "root",
    "secondary",
    "template",
    "timeouts",
    "transfer",
    "tsig",
    "whoami",
    "proxy",
    "bogus",
];
/// Whole lines as people write them: a plugin and what goes with it.
const LINES: &[&str] = &[
    "forward . 1.1.1.1",
    "forward . /etc/resolv.conf",
    "forward a.test 10.0.0.1:5353 tls://9.9.9.9",
    "cache 30",
    "kubernetes cluster.local in-addr.arpa ip6.arpa",
    "hosts /etc/hosts",
    "prometheus :9153",
    "health :8080",
    "rewrite name a.test b.test",
    "rewrite stop name regex (.*)\\.a {1}.b answer auto",
    "log . \"{remote}\"",
    "template IN A a.test",
    "template ANY ANY",
    "acl a.test",
    "file db.a a.test",
    "reload 10s",
    "loadbalance round_robin",
    "bind 127.0.0.1",
    "errors stdout",
    "rewrite edns0 local set 0xffee {qname}",
    "rewrite ttl a.test 5-60",
    "dns64 64:ff9b::/96",
    "transfer a.test",
    "secondary a.test",
    "import extra.conf",
    "autopath @kubernetes",
    "header",
    "etcd skydns.local",
    "k8s_external example.org",
    "tsig a.test",
    "grpc . 10.0.0.1:5005",
    "auto a.test",
];
const PROPERTIES: &[&str] = &[
    "pods insecure",
    "pods verified",
    "ttl 30",
    "fallthrough",
    "fallthrough in-addr.arpa ip6.arpa",
    "max_fails 2",
    "policy random",
    "policy sequential",
    "force_tcp",
    "prefer_udp",
    "expire 10s",
    "health_check 1s",
    "health_check 0.5s no_rec",
    "except a.test",
    "max_concurrent 1000",
    "next NXDOMAIN",
    "success 9984 30",
    "denial 9984 5 1",
    "prefetch 10 1m 10%",
    "serve_stale 1h immediate",
    "servfail 5s",
    "disable success a.test",
    "keepttl",
    "lameduck 5s",
    "class error denial",
    "consolidate 5m \"a.*b\" warning",
    "stacktrace",
    "10.0.0.1 a.test",
    "no_reverse",
    "reload 30s",
    "allow net 10.0.0.0/8",
    "block type A net *",
    "filter",
    "match ^a[.]test[.]$",
    "answer \"{{ .Name }} 60 IN A 10.0.0.1\"",
    "rcode NXDOMAIN",
    "ederror 21 no",
    "to 10.0.0.1",
    "to *",
    "transfer from 10.0.0.1",
    "read 5s",
    "write 10",
    "namespaces default kube-system",
    "labels a=b,c in (d, e)",
    "endpoint_pod_names",
    "noendpoints",
    "ignore empty_service",
    "startup_timeout 5s",
    "multicluster a.test",
    "import options.conf",
    "response set aa ra",
    "query clear rd",
    "drop 3",
    "delay 2 10ms",
    "prefer 10.0.0.0/8",
    "monitor continuously",
    "max_streams 5",
    "worker_pool_size 7",
    "path /skydns",
    "min-lease-ttl 30s",
    "apex dns",
    "headless",
    "secret k c2VjcmV0",
    "require all",
    "directory /tmp (.*)[.]db {1}",
    "translate_all",
    "prefix 64:1337::/64",
    "tls_servername a.test",
    "block 1",
    "upstream",
    "timeout 5s",
    "name regex (.*) {1}",
    "type A AAAA",
    "except 127.0.0.1",
    "additional x",
    "truncate 1",
    "large",
];
const WORDS: &[&str] = &[
    "1",
    "0",
    "-1",
    "30",
    "5s",
    "5m",
    "1h30m",
    "10%",
    "a.test",
    ".",
    "*",
    "1.1.1.1",
    "1.1.1.1:53",
    "[::1]:53",
    ":8080",
    "8080",
    "{",
    "}",
    "\"\"",
    "\"a b\"",
    "#",
    "x#y",
    "a,",
    "name",
    "exact",
    "regex",
    "suffix",
    "(.*)",
    "(",
    "{1}",
    "stop",
    "continue",
    "answer",
    "auto",
    "value",
    "IN",
    "A",
    "ANY",
    "success",
    "denial",
    "all",
    "from",
    "to",
    "net",
    "type",
    "success#",
    "{$UPSTREAM}",
    "{$NOT_THERE}",
    "{%ZONE%}",
    "import",
    "10.0.0.0/8",
    "fd00::/8",
    "a..b",
    "99999999999",
    "/etc/resolv.conf",
    "https://1.1.1.1",
    "tls://1.1.1.1",
    "\\",
    "{{",
    "0x10",
];

/// Whole directives that are taken as they stand.
const WHOLE: &[&str] = &[
    "kubernetes cluster.local in-addr.arpa ip6.arpa {\n pods insecure\n fallthrough in-addr.arpa ip6.arpa\n ttl 30\n}",
    "kubernetes {\n namespaces a b\n labels a=b\n endpoint_pod_names\n}",
    "forward . 1.1.1.1 8.8.8.8 {\n max_fails 2\n}",
    "forward a.test tls://9.9.9.9 {\n tls_servername dns.test\n health_check 5s\n}",
    "cache 30 {\n success 9984\n}",
    "cache {\n denial 9984 5\n prefetch 10 1m 10%\n}",
    "health {\n lameduck 5s\n}",
    "ready",
    "errors",
    "loop",
    "reload",
    "loadbalance",
    "prometheus :9153",
    "log . {\n class error\n}",
    "hosts {\n 10.0.0.1 a.test\n fallthrough\n}",
    "rewrite name suffix .a.test .b.test answer auto",
    "rewrite stop {\n name regex (.*)\\.a {1}.b\n answer auto\n}",
    "template IN A a.test {\n match ^(.*)$\n answer \"{{ .Name }} 60 IN A 10.0.0.1\"\n}",
    "whoami",
    "bufsize 1232",
    "acl {\n allow net 10.0.0.0/8\n block\n}",
    "transfer {\n to *\n}",
    "timeouts {\n read 5s\n}",
    "minimal",
    "any",
    "dns64 {\n prefix 64:1337::/64\n}",
    "header {\n response set aa\n}",
    "file db.a {\n reload 10s\n}",
    "local",
    "autopath @kubernetes",
    "metadata",
    "erratic {\n drop 3\n}",
    "errors {\n consolidate 5m \".*\" warning\n}",
    "etcd {\n path /skydns\n}",
    "multisocket 2",
    "quic {\n max_streams 5\n}",
    "import extra.conf",
    "nsid a",
    "debug",
];

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or_default() % bound
    }

    fn of(&mut self, words: &[&'static str]) -> &'static str {
        words[self.below(words.len())]
    }

    /// Once in so many times.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// The Corefile of that seed.
pub(crate) fn corefile(seed: u64) -> String {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    for _ in 0..8 {
        random.below(2);
    }
    let mut text = String::new();
    if random.once_in(6) {
        text += "(snippet) {\n";
        directives(&mut random, &mut text);
        text += "}\n";
    }
    for _ in 0..=random.below(2) {
        for _ in 0..=random.below(2) {
            text += random.of(ZONES);
            text += if random.once_in(8) { ", " } else { " " };
        }
        text += if random.once_in(30) { "\n" } else { "{\n" };
        directives(&mut random, &mut text);
        if !random.once_in(40) {
            text += "}\n";
        }
    }
    if random.once_in(5) {
        damage(&mut random, &mut text);
    }
    text
}

fn directives(random: &mut Random, text: &mut String) {
    for _ in 0..=random.below(3) {
        if !random.once_in(4) {
            *text += random.of(WHOLE);
            if random.once_in(12) {
                *text += " ";
                *text += random.of(WORDS);
            }
            *text += "\n";
            continue;
        }
        let (mut line, owner) = if random.once_in(3) {
            (random.of(PLUGINS).to_owned(), "")
        } else {
            let line = random.of(LINES);
            (line.to_owned(), line)
        };
        while random.once_in(5) {
            line = format!("{line} {}", random.of(WORDS));
        }
        if random.once_in(25) && text.contains("(snippet)") {
            "import snippet".clone_into(&mut line);
        }
        *text += "  ";
        *text += &line;
        if random.once_in(2) && !owner.starts_with("import") {
            *text += " {\n";
            for _ in 0..random.below(3) {
                *text += "    ";
                *text += random.of(PROPERTIES);
                if random.once_in(12) {
                    *text += " ";
                    *text += random.of(WORDS);
                }
                *text += if random.once_in(30) { " " } else { "\n" };
            }
            *text += "  }";
        }
        *text += "\n";
    }
}

/// Removes, doubles or puts in one letter.
fn damage(random: &mut Random, text: &mut String) {
    let mut letters: Vec<char> = text.chars().collect();
    let at = random.below(letters.len());
    match random.below(3) {
        0 => {
            letters.remove(at);
        }
        1 => letters.insert(at, letters[at]),
        _ => {
            let all = ['{', '}', '"', '\\', '#', '\n', ' ', ',', '(', ')', '.', '\r'];
            letters.insert(at, all[random.below(all.len())]);
        }
    }
    *text = letters.into_iter().collect();
}
