//! Reads the plan from standard input.

use std::collections::BTreeSet;
use std::io::Read;

use netprobe::{MAX_PLAN_BYTES, Plan, ReadPlan, WIRE_VERSION};
use serde::Deserialize;

/// What every version of the plan has, so that a plan of another version is named as such.
#[derive(Deserialize)]
struct AnyVersion {
    version: u32,
}

/// Reads one plan and no further: whoever sends it may keep the stream open.
///
/// The error is one line for people.
pub(crate) fn read_plan(input: &mut impl Read, run: &str) -> Result<Plan, String> {
    parse_plan(&read_message(input)?, run)
}

/// What is to be read on a node, as [`read_plan`].
pub(crate) fn read_read_plan(input: &mut impl Read, run: &str) -> Result<ReadPlan, String> {
    parse_read_plan(&read_message(input)?, run)
}

/// As [`read_read_plan`], of a text without a length in front.
pub(crate) fn parse_read_plan(text: &[u8], run: &str) -> Result<ReadPlan, String> {
    check_version(text)?;
    let plan: ReadPlan =
        serde_json::from_slice(text).map_err(|error| format!("the plan cannot be understood: {error}"))?;
    check_run(&plan.run, run)?;
    Ok(plan)
}

fn read_message(input: &mut impl Read) -> Result<Vec<u8>, String> {
    let mut length = [0; 4];
    input
        .read_exact(&mut length)
        .map_err(|error| format!("cannot read the length of the plan: {error}"))?;
    let length = u32::from_be_bytes(length);
    if length > MAX_PLAN_BYTES {
        return Err(format!(
            "a plan of {length} bytes is longer than {MAX_PLAN_BYTES}"
        ));
    }
    let mut text = Vec::new();
    // Grows with what arrives instead of believing the length.
    let read = input
        .take(u64::from(length))
        .read_to_end(&mut text)
        .map_err(|error| format!("cannot read the plan: {error}"))?;
    if u32::try_from(read) != Ok(length) {
        return Err(format!("the plan ended after {read} of {length} bytes"));
    }
    Ok(text)
}

fn check_version(text: &[u8]) -> Result<(), String> {
    let AnyVersion { version } =
        serde_json::from_slice(text).map_err(|error| format!("the plan cannot be understood: {error}"))?;
    if version != WIRE_VERSION {
        return Err(format!(
            "the plan has version {version}, and this agent understands version {WIRE_VERSION}"
        ));
    }
    Ok(())
}

fn check_run(plan: &str, run: &str) -> Result<(), String> {
    if plan != run {
        return Err(format!(
            "the plan is for run {plan:?}, and this agent belongs to run {run:?}"
        ));
    }
    Ok(())
}

fn parse_plan(text: &[u8], run: &str) -> Result<Plan, String> {
    check_version(text)?;
    let plan: Plan =
        serde_json::from_slice(text).map_err(|error| format!("the plan cannot be understood: {error}"))?;
    check_run(&plan.run, run)?;
    if plan.concurrency == 0 {
        return Err("the plan has a concurrency of 0, so nothing could ever start".to_owned());
    }
    let mut ids = BTreeSet::new();
    for probe in &plan.probes {
        if !ids.insert(probe.id) {
            return Err(format!("the plan has two probes with the id {}", probe.id));
        }
        if probe.count == 0 {
            return Err(format!("probe {} has a count of 0", probe.id));
        }
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use netprobe::{Kind, Probe, encode_plan};
    use proptest::prelude::*;

    use super::*;

    fn plan() -> Plan {
        let probe = Probe {
            id: 1,
            target: "127.0.0.1:1".parse().unwrap(),
            kind: Kind::Tcp,
            count: 1,
            timeout_ms: 4000,
        };
        Plan {
            version: WIRE_VERSION,
            run: "r".to_owned(),
            concurrency: 1,
            deadline_ms: 1000,
            gap_ms: 0,
            retry: None,
            probes: vec![probe],
        }
    }

    fn refusal(plan: &Plan) -> String {
        read_plan(&mut encode_plan(plan).unwrap().as_slice(), "r").unwrap_err()
    }

    #[test]
    fn a_plan_is_read_without_waiting_for_the_end_of_input() {
        struct Endless<'a>(&'a [u8]);
        impl Read for Endless<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                assert!(!self.0.is_empty(), "read beyond the plan");
                self.0.read(buffer)
            }
        }
        let bytes = encode_plan(&plan()).unwrap();
        assert_eq!(read_plan(&mut Endless(&bytes), "r"), Ok(plan()));
    }

    #[test]
    fn what_is_wrong_with_a_plan_is_named() {
        let other_version = refusal(&Plan { version: 9, ..plan() });
        assert!(other_version.contains("version 9"), "{other_version}");
        let other_run = refusal(&Plan {
            run: "x".to_owned(),
            ..plan()
        });
        assert!(other_run.contains("\"x\""), "{other_run}");
        let idle = refusal(&Plan {
            concurrency: 0,
            ..plan()
        });
        assert!(idle.contains("concurrency"), "{idle}");
        let twice = refusal(&Plan {
            probes: [plan().probes, plan().probes].concat(),
            ..plan()
        });
        assert!(twice.contains("two probes"), "{twice}");
        let mut none = plan();
        none.probes[0].count = 0;
        assert!(refusal(&none).contains("count"), "{}", refusal(&none));
        let unknown = parse_plan(br#"{"version":1,"surprise":2}"#, "r").unwrap_err();
        assert!(unknown.contains("surprise"), "{unknown}");
        let future = parse_plan(br#"{"version":2,"surprise":2}"#, "r").unwrap_err();
        assert!(future.contains("version 2"), "{future}");
    }

    proptest! {
        #[test]
        fn garbage_is_refused_without_panic(bytes in any::<Vec<u8>>()) {
            prop_assert!(read_plan(&mut bytes.as_slice(), "r").is_err());
        }

        #[test]
        fn a_truncated_plan_is_refused(cut in any::<prop::sample::Index>()) {
            let bytes = encode_plan(&plan()).unwrap();
            prop_assert!(read_plan(&mut &bytes[..cut.index(bytes.len())], "r").is_err());
        }
    }
}
