use proptest::prelude::*;

use super::*;

const POD: &str =
    "search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n";

fn names(text: &str, libc: Libc, name: &str) -> Vec<String> {
    candidates(&ResolvConf::parse(text), libc, name)
}

#[test]
fn what_kubelet_writes_is_read() {
    let conf = ResolvConf::parse(POD);
    assert_eq!(
        conf.nameservers,
        ["10.96.0.10".parse::<std::net::IpAddr>().unwrap()]
    );
    assert_eq!(
        conf.search,
        ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local"]
    );
    assert_eq!(conf.options.ndots, 5);
    assert!(conf.ignored.is_empty());
}

#[test]
fn the_last_search_or_domain_counts_and_what_means_nothing_is_named() {
    let conf = ResolvConf::parse(
        "# a comment\nsearch a b\ndomain c. d\n nameserver 10.0.0.1\nnameserver x\nnameserver fe80::1%eth0\nfoo bar\noptions ndots:99 timeout:x attempts:1 rotate edns0\n",
    );
    assert_eq!(conf.search, ["c"]);
    assert_eq!(conf.nameservers, ["fe80::1".parse::<std::net::IpAddr>().unwrap()]);
    let lines: Vec<usize> = conf.ignored.iter().map(|ignored| ignored.line).collect();
    assert_eq!(lines, [4, 5, 7]);
    assert_eq!(
        (conf.options.ndots, conf.options.timeout, conf.options.attempts),
        (15, 5, 1)
    );
    assert!(conf.options.rotate);
    assert_eq!(conf.options.others, ["edns0"]);
}

#[test]
fn a_name_with_few_dots_goes_through_the_search_list_first() {
    for libc in [Libc::Glibc, Libc::Musl] {
        assert_eq!(
            names(POD, libc, "www.example.com"),
            [
                "www.example.com.shop.svc.cluster.local.",
                "www.example.com.svc.cluster.local.",
                "www.example.com.cluster.local.",
                "www.example.com."
            ]
        );
    }
}

#[test]
fn a_name_with_a_final_dot_is_asked_for_once() {
    for libc in [Libc::Glibc, Libc::Musl] {
        assert_eq!(names(POD, libc, "www.example.com."), ["www.example.com."]);
    }
}

#[test]
fn with_enough_dots_glibc_still_searches_in_the_end_and_musl_never() {
    let text = "search svc.cluster.local\nnameserver 10.96.0.10\noptions ndots:1\n";
    assert_eq!(
        names(text, Libc::Glibc, "web.shop"),
        ["web.shop.", "web.shop.svc.cluster.local."]
    );
    assert_eq!(names(text, Libc::Musl, "web.shop"), ["web.shop."]);
    assert_eq!(
        queries(
            &ResolvConf::parse(text),
            Libc::Musl,
            "web.shop",
            "web.shop.svc.cluster.local",
            2
        ),
        None
    );
}

#[test]
fn an_external_name_costs_the_search_list_and_one_in_each_family() {
    let conf = ResolvConf::parse(POD);
    assert_eq!(
        queries(&conf, Libc::Glibc, "www.example.com", "www.example.com.", 2),
        Some(8)
    );
    assert_eq!(
        queries(&conf, Libc::Glibc, "web", "web.shop.svc.cluster.local", 2),
        Some(2)
    );
    let two = ResolvConf::parse(&format!("{POD}nameserver 10.96.0.11\n"));
    assert_eq!(
        queries(&two, Libc::Glibc, "www.example.com", "www.example.com", 2),
        Some(8)
    );
    assert_eq!(
        queries(&two, Libc::Musl, "www.example.com", "www.example.com", 2),
        Some(16)
    );
}

#[test]
fn a_search_line_that_musl_cannot_hold_is_no_search_for_it() {
    let long = format!("search {}\n", ["a-rather-long-domain.example.com"; 9].join(" "));
    assert_eq!(names(&long, Libc::Musl, "web"), ["web."]);
    assert_eq!(
        names(&long, Libc::Glibc, "web").len(),
        2,
        "the same domain is asked once"
    );
}

#[test]
fn musl_stops_at_a_name_without_the_record_and_glibc_goes_on() {
    let conf = ResolvConf::parse(POD);
    let ask = |name: &str| {
        if name.ends_with("shop.svc.cluster.local.") {
            Answer::NoData
        } else {
            Answer::Found
        }
    };
    assert_eq!(lookup(&conf, Libc::Musl, "web", ask).outcome, Outcome::NotFound);
    assert_eq!(lookup(&conf, Libc::Glibc, "web", ask).outcome, Outcome::Found(1));
}

#[test]
fn a_server_that_fails_ends_the_search_of_musl_and_colours_that_of_glibc() {
    let conf = ResolvConf::parse(POD);
    let fails = |_: &str| Answer::ServerFailure;
    let musl = lookup(&conf, Libc::Musl, "web", fails);
    let glibc = lookup(&conf, Libc::Glibc, "web", fails);
    assert_eq!((musl.asked.len(), glibc.asked.len()), (1, 4));
    assert_eq!(
        (musl.outcome, glibc.outcome),
        (Outcome::TryAgain, Outcome::TryAgain)
    );
}

fn conf() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        prop::collection::vec("[a-z]{1,8}(\\.[a-z]{1,8}){0,2}\\.?", 0..5)
            .prop_map(|domains| format!("search {}", domains.join(" "))),
        any::<std::net::IpAddr>().prop_map(|address| format!("nameserver {address}")),
        (0_u32..20).prop_map(|ndots| format!("options ndots:{ndots}")),
        "[ -~]{0,40}",
    ];
    prop::collection::vec(line, 0..8).prop_map(|lines| lines.join("\n"))
}

fn libc() -> impl Strategy<Value = Libc> {
    prop_oneof![Just(Libc::Glibc), Just(Libc::Musl)]
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in ".{0,400}") {
        let _ = ResolvConf::parse(&text);
    }

    #[test]
    fn every_candidate_is_a_full_name_once_and_the_name_itself_is_among_them(
        text in conf(),
        libc in libc(),
        name in "[a-z]{1,5}(\\.[a-z]{1,5}){0,6}\\.?",
    ) {
        let conf = ResolvConf::parse(&text);
        let all = candidates(&conf, libc, &name);
        let plain = name.trim_end_matches('.');
        let full = format!("{plain}.");
        prop_assert!(all.contains(&full));
        for candidate in &all {
            prop_assert!(candidate.ends_with('.') && candidate.starts_with(plain), "{candidate}");
            prop_assert_eq!(all.iter().filter(|other| *other == candidate).count(), 1);
        }
        prop_assert!(all.len() <= conf.search.len() + 1);
    }

    #[test]
    fn nothing_is_asked_after_what_was_found(text in conf(), libc in libc(), name in "[a-z]{1,5}(\\.[a-z]{1,5}){0,6}", at in 0_usize..6) {
        let conf = ResolvConf::parse(&text);
        let mut left = at;
        let course = lookup(&conf, libc, &name, |_| {
            if left == 0 {
                return Answer::Found;
            }
            left -= 1;
            Answer::NoSuchName
        });
        let all = candidates(&conf, libc, &name);
        prop_assert_eq!(course.asked.len(), all.len().min(at + 1));
        prop_assert_eq!(course.outcome, if at < all.len() { Outcome::Found(at) } else { Outcome::NotFound });
    }

    #[test]
    fn musl_never_asks_for_more_names_than_glibc(text in conf(), name in "[a-z]{1,5}(\\.[a-z]{1,5}){0,6}") {
        let conf = ResolvConf::parse(&text);
        prop_assert!(candidates(&conf, Libc::Musl, &name).len() <= candidates(&conf, Libc::Glibc, &name).len());
    }
}
