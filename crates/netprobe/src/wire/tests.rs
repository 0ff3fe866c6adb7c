use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Tcp),
        Just(Kind::Udp),
        Just(Kind::Icmp),
        any::<u64>().prop_map(|bytes| Kind::Bulk { bytes }),
        any::<u64>().prop_map(|linger_ms| Kind::Connect { linger_ms }),
        (".{0,20}", any::<u16>(), any::<[bool; 2]>(), any::<u16>()).prop_map(
            |(name, qtype, [tcp, whole], edns)| Kind::Dns {
                name,
                qtype,
                tcp,
                whole,
                edns,
            }
        ),
        (".{0,20}", ".{0,20}").prop_map(|(path, host)| Kind::Http { path, host }),
        (any::<u32>(), any::<u32>(), any::<bool>()).prop_map(|(count, gap_ms, large)| Kind::Train {
            count,
            gap_ms,
            large
        }),
        Just(Kind::Size),
    ]
}

fn probe() -> impl Strategy<Value = Probe> {
    (
        any::<u32>(),
        any::<IpAddr>(),
        any::<u16>(),
        kind(),
        any::<u32>(),
        any::<u64>(),
    )
        .prop_map(|(id, ip, port, kind, count, timeout_ms)| Probe {
            id,
            target: SocketAddr::new(ip, port),
            kind,
            count,
            timeout_ms,
        })
}

fn plan() -> impl Strategy<Value = Plan> {
    let retry =
        prop::option::of((any::<u64>(), any::<u32>()).prop_map(|(gap_ms, most)| Retry { gap_ms, most }));
    (
        ".{0,20}",
        any::<u32>(),
        any::<[u64; 2]>(),
        retry,
        prop::collection::vec(probe(), 0..20),
    )
        .prop_map(|(run, concurrency, [deadline_ms, gap_ms], retry, probes)| Plan {
            version: WIRE_VERSION,
            run,
            concurrency,
            deadline_ms,
            gap_ms,
            retry,
            probes,
        })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let peer = prop::option::of((".{0,20}", any::<IpAddr>()).prop_map(|(name, saw)| Peer { name, saw }));
    let direction = prop_oneof![Just(Direction::ToTarget), Just(Direction::FromTarget)];
    let by = any::<Option<IpAddr>>;
    prop_oneof![
        (any::<u64>(), peer).prop_map(|(rtt_us, peer)| Outcome::Ok { rtt_us, peer }),
        (
            any::<u64>(),
            any::<u8>(),
            any::<Vec<IpAddr>>(),
            any::<bool>(),
            ".{0,20}"
        )
            .prop_map(|(rtt_us, rcode, addresses, truncated, message)| Outcome::Dns {
                rtt_us,
                rcode,
                addresses,
                truncated,
                message,
            }),
        (any::<u64>(), any::<u16>(), ".{0,20}").prop_map(|(rtt_us, status, head)| Outcome::Http {
            rtt_us,
            status,
            head
        }),
        (
            any::<u64>(),
            any::<u32>(),
            any::<Option<u32>>(),
            any::<u32>(),
            any::<u32>()
        )
            .prop_map(|(rtt_us, sent, arrived, answered, bytes)| Outcome::Train {
                rtt_us,
                sent,
                arrived,
                answered,
                bytes
            }),
        (
            any::<u64>(),
            any::<u32>(),
            any::<u32>(),
            prop::option::of((by(), any::<u32>()))
        )
            .prop_map(|(rtt_us, passes, sends, told)| Outcome::Size {
                rtt_us,
                passes,
                sends,
                told: told.map(|(by, mtu)| TooLong { by, mtu })
            }),
        (by(), any::<u64>()).prop_map(|(offender, after_us)| Outcome::Refused { offender, after_us }),
        (by(), any::<Option<u8>>(), any::<u64>()).prop_map(|(offender, code, after_us)| {
            Outcome::HostUnreachable {
                offender,
                code,
                after_us,
            }
        }),
        (by(), any::<Option<u8>>(), any::<u64>()).prop_map(|(offender, code, after_us)| {
            Outcome::NetUnreachable {
                offender,
                code,
                after_us,
            }
        }),
        (any::<i32>(), ".{0,20}").prop_map(|(errno, name)| Outcome::LocalError { errno, name }),
        any::<u64>().prop_map(|after_us| Outcome::TimedOut { after_us }),
        (direction, any::<u64>(), any::<u64>()).prop_map(|(direction, bytes, after_us)| Outcome::Stalled {
            direction,
            bytes,
            after_us
        }),
        any::<u64>().prop_map(|bytes| Outcome::Reset { bytes }),
        ".{0,20}".prop_map(|answer| Outcome::WrongPeer { answer }),
        ".{0,20}".prop_map(|what| Outcome::NotPermitted { what }),
    ]
}

proptest! {
    #[test]
    fn a_plan_comes_back_as_it_was_behind_its_length(plan in plan()) {
        let bytes = encode_plan(&plan).unwrap();
        let (length, text) = bytes.split_at(4);
        prop_assert_eq!(u32::from_be_bytes(length.try_into().unwrap()) as usize, text.len());
        prop_assert_eq!(serde_json::from_slice::<Plan>(text).unwrap(), plan);
    }

    #[test]
    fn an_answer_is_one_line_and_comes_back_as_it_was(
        id in any::<u32>(),
        samples in prop::collection::vec((any::<u64>(), any::<bool>(), outcome()), 1..5),
    ) {
        let samples = samples.into_iter().map(|(at_us, retry, outcome)| Sample { at_us, retry, outcome });
        let line = Line::Answer(Answer { id, samples: samples.collect() });
        let text = serde_json::to_string(&line).unwrap();
        prop_assert!(!text.contains('\n'));
        prop_assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
    }

    #[test]
    fn garbage_and_truncated_lines_are_errors(text in ".{0,60}", plan in plan(), cut in any::<prop::sample::Index>()) {
        prop_assert!(serde_json::from_str::<Line>(&text).is_err());
        let whole = serde_json::to_string(&plan).unwrap();
        let cut: String = whole.chars().take(cut.index(whole.chars().count())).collect();
        prop_assert!(serde_json::from_str::<Plan>(&cut).is_err());
    }
}

#[test]
fn a_field_that_this_version_does_not_know_is_no_plan() {
    let text = r#"{"version":1,"run":"r","concurrency":1,"deadlineMs":1,"retry":null,"probes":[],"more":1}"#;
    assert!(serde_json::from_str::<Plan>(text).is_err());
}
