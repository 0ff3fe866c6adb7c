use proptest::prelude::*;

use super::{Expr, Grouping, MatchOperator, Matching, parse};

#[test]
fn what_prometheus_takes_is_taken() {
    for text in [
        "up",
        "up == 0",
        "-1 ^ 2",
        "sum by (job) (rate(http_requests_total{code=~\"5..\"}[5m])) / sum by (job) (rate(http_requests_total[5m])) > 0.05",
        "sum(rate(a[5m])) by (le)",
        "a unless on(namespace, service) label_replace(b{ready=\"true\"}, \"service\", \"$1\", \"endpoint\", \"(.*)\")",
        "histogram_quantile(0.99, sum by (le) (rate(x_bucket[5m]))) > 1",
        "absent(up{job=~'coredns|kube-dns'} == 1) or vector(1)",
        "max_over_time(deriv(a[5m])[1h:1m])",
        "a offset 5m",
        "a @ start()",
        "a * on(x) group_left(y) b",
        "a > bool 0",
        "{__name__=\"up\", job!=\"x\"}",
        "job:rate:sum5m > 1e-3",
        "time() - a > 0x10",
        "a # a comment\n > 1",
        "rate(a[1h30m])",
        "count_values(\"version\", build)",
    ] {
        assert!(parse(text).is_ok(), "{text}: {:?}", parse(text));
    }
}

#[test]
fn what_prometheus_refuses_is_refused_at_its_place() {
    for (text, at, what) in [
        ("", 1, "ends too early"),
        ("up ==", 6, "ends too early"),
        ("sum(", 5, "ends too early"),
        ("rate(a)", 8, "needs a range"),
        ("abs(a[5m])", 11, "takes no range"),
        ("nosuch(a)", 1, "there is no function"),
        ("a{b=c}", 5, "a text in quotes"),
        ("a{b \"c\"}", 5, "=, !=, =~ or !~"),
        ("{}", 3, "neither a name nor a label"),
        ("a b", 3, "is not expected"),
        ("a[5x]", 3, "is no number"),
        ("a{b=\"c}", 5, "does not end"),
        ("a[x]", 3, "a duration"),
        ("(a", 3, "is expected"),
        ("a ! b", 3, "stands for nothing"),
    ] {
        let error = parse(text).expect_err(text);
        assert!(error.what.contains(what), "{text}: {error}");
        assert_eq!(error.at, at, "{text}: {error}");
    }
}

#[test]
fn operators_bind_as_in_prometheus() {
    let Ok(Expr::Binary(or)) = parse("a or b and c == d + e * f") else {
        panic!("a binary expression")
    };
    assert_eq!(or.operator, "or");
    let Expr::Binary(and) = or.right else {
        panic!("a binary expression")
    };
    assert_eq!(and.operator, "and");
    let Expr::Binary(equal) = and.right else {
        panic!("a binary expression")
    };
    assert_eq!(equal.operator, "==");
}

#[test]
fn matching_and_grouping_are_kept() {
    let Ok(Expr::Binary(binary)) = parse("sum without(x)(a) and ignoring(y) b{c!~\"d\"}") else {
        panic!("a binary expression")
    };
    assert_eq!(binary.matching, Matching::Ignoring(vec!["y".into()]));
    assert!(
        matches!(&binary.left, Expr::Aggregate { grouping: Grouping::Without(labels), .. } if labels == &["x"])
    );
    assert_eq!(
        binary.right.selectors()[0].matchers[0].operator,
        MatchOperator::MatchesNot
    );
}

#[test]
fn nesting_has_a_limit() {
    let text = format!("{}a{}", "(".repeat(5000), ")".repeat(5000));
    assert!(parse(&text).expect_err("too deep").what.contains("too deeply"));
    assert!(parse(&"-".repeat(5000)).is_err());
}

proptest! {
    #[test]
    fn no_text_breaks_it(text in "\\PC{0,80}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_pieces_break_it(pieces in proptest::collection::vec(0usize..24, 0..40)) {
        let all = ["a", "{", "}", "(", ")", "[", "]", "5m", "1", "\"x\"", "=", "==", "=~", "and", "on", "sum", "by", "rate",
            ",", "-", "^", "offset", "@", ":"];
        let text: Vec<&str> = pieces.iter().map(|piece| all[*piece]).collect();
        let _ = parse(&text.join(" "));
    }
}
