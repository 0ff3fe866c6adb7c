use netprobe::{Read, ReadAnswer};

use super::*;

pub(super) fn answers(tier: Tier, given: &[ReadAnswer]) -> Answers<'_> {
    Answers {
        node: "node1",
        tier,
        by_id: given.iter().map(|answer| (answer.id, answer)).collect(),
        cut_off: None,
    }
}

fn exited(id: u32, code: i32, stdout: &str) -> ReadAnswer {
    let outcome = ReadOutcome::Exited {
        command: vec!["iptables-save".to_owned(), "-c".to_owned()],
        code: Some(code),
        stdout: stdout.to_owned(),
        truncated: false,
        stderr: "it does not work".to_owned(),
    };
    ReadAnswer { id, outcome }
}

#[test]
fn without_the_nodes_files_rules_and_directories_are_not_allowed() {
    let plan = plan::whole("r", Tier::HostNetwork);
    assert!(
        plan.reads
            .values()
            .all(|read| !matches!(read, Read::Command { .. } | Read::Paths { .. }))
    );
    let reads = reads(&answers(Tier::HostNetwork, &[]), 0);
    let gap = reads.iptables.gap().unwrap();
    assert_eq!(gap.why, GapReason::TierNotAllowed);
    assert_eq!(gap.hint.as_deref(), Some("--node-access allows it"));
    assert!(reads.directories.values().all(|names| names.gap().is_some()));
}

#[test]
fn the_image_lists_rules_where_the_node_has_no_program() {
    let given = [
        ReadAnswer {
            id: id::IPTABLES,
            outcome: ReadOutcome::Absent,
        },
        exited(id::IPTABLES + 1, 0, "*nat\nCOMMIT\n"),
    ];
    let text = rules::text(&answers(Tier::Privileged, &given), id::IPTABLES, "rules");
    assert_eq!(text.seen().unwrap().text, "*nat\nCOMMIT\n");
}

#[test]
fn rules_that_no_program_lists_are_unseen_and_not_empty() {
    let given = [exited(id::NFT, 1, ""), exited(id::NFT + 1, 1, "")];
    let text = rules::text(&answers(Tier::Privileged, &given), id::NFT, "nftables rules");
    assert!(
        text.gap()
            .unwrap()
            .message
            .contains("ended with 1: it does not work")
    );
}

#[test]
fn what_was_cut_off_is_unseen_with_the_reason() {
    let mut answers = answers(Tier::Privileged, &[]);
    answers.cut_off = Some(answers.gap("answers", "cut off after 0 answers"));
    let reads = reads(&answers, 0);
    assert_eq!(reads.links.gap().unwrap().message, "cut off after 0 answers");
    assert_eq!(reads.sysctls.gap().unwrap().message, "cut off after 0 answers");
}

#[test]
fn damaged_tables_are_unseen_and_do_not_panic() {
    for base64 in ["", "!", "AAAA", "/////////////////////w=="] {
        let given = [id::LINKS, id::ADDRESSES, id::ROUTES].map(|id| ReadAnswer {
            id,
            outcome: ReadOutcome::Netlink {
                base64: base64.to_owned(),
            },
        });
        let reads = reads(&answers(Tier::Privileged, &given), 0);
        // Nothing at all is a table without entries; anything else is damage.
        assert_eq!(
            reads.links.gap().is_none(),
            base64.is_empty() || base64 == "AAAA",
            "{base64}"
        );
    }
}
