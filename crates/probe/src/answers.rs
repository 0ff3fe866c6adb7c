//! What an agent wrote on its standard output, as far as it arrived. Pure.

use netprobe::{Answer, End, Hello, Line, ReadAnswer, WIRE_VERSION};

/// The lines of an agent, collected piece by piece.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    unread: Vec<u8>,
    pub(crate) hello: Option<Hello>,
    pub(crate) arrived: Vec<Answer>,
    pub(crate) reads: Vec<ReadAnswer>,
    pub(crate) end: Option<End>,
    /// The first line that was no line of an agent, shortened.
    pub(crate) stray: Option<String>,
}

/// What of a line that cannot be read is kept.
const STRAY: usize = 200;

impl Answers {
    /// Takes the next piece. Returns whether the end was reached.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> bool {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.unread.extend_from_slice(part);
            if self.unread.last() == Some(&b'\n') {
                let line = std::mem::take(&mut self.unread);
                self.line(&line);
            }
        }
        self.end.is_some()
    }

    fn line(&mut self, line: &[u8]) {
        let line = line.trim_ascii();
        if line.is_empty() {
            return;
        }
        match serde_json::from_slice(line) {
            Ok(Line::Hello(hello)) => self.hello = Some(hello),
            Ok(Line::Answer(answer)) => self.arrived.push(answer),
            Ok(Line::Read(answer)) => self.reads.push(answer),
            Ok(Line::End(end)) => self.end = Some(end),
            Err(_) => {
                if self.stray.is_none() {
                    let line = &line[..line.len().min(STRAY)];
                    self.stray = Some(String::from_utf8_lossy(line).into_owned());
                }
            }
        }
    }

    /// Whether nothing arrived, not even the end.
    pub(crate) fn is_empty(&self) -> bool {
        self.count() == 0 && self.end.is_none()
    }

    fn count(&self) -> usize {
        self.arrived.len() + self.reads.len()
    }

    /// Why the answers are not all that was asked for, `None` when they are.
    pub(crate) fn lacking(&self) -> Option<String> {
        if let Some(hello) = &self.hello
            && hello.version != WIRE_VERSION
        {
            return Some(format!(
                "the agent speaks version {} and we speak {WIRE_VERSION}",
                hello.version
            ));
        }
        let Some(end) = &self.end else {
            return Some(format!("cut off after {} answers", self.count()));
        };
        if usize::try_from(end.answers) != Ok(self.count()) {
            return Some(format!("{} of {} answers arrived", self.count(), end.answers));
        }
        end.cut_short
            .as_ref()
            .map(|why| format!("the agent stopped before its plan was done: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use netprobe::{Outcome, Sample};
    use proptest::prelude::*;

    use super::*;

    fn answer(id: u32) -> Line {
        Line::Answer(Answer {
            id,
            samples: vec![Sample {
                at_us: 1,
                retry: false,
                outcome: Outcome::TimedOut { after_us: 4 },
            }],
        })
    }

    fn hello(version: u32) -> Line {
        Line::Hello(Hello {
            version,
            name: "node1".to_owned(),
            addresses: vec![],
            gateways: vec![],
        })
    }

    fn end(answers: u32) -> Line {
        Line::End(End {
            answers,
            took_us: 5,
            cut_short: None,
        })
    }

    fn text(lines: &[Line]) -> Vec<u8> {
        lines
            .iter()
            .flat_map(|line| {
                serde_json::to_string(line)
                    .unwrap()
                    .into_bytes()
                    .into_iter()
                    .chain([b'\n'])
            })
            .collect()
    }

    #[test]
    fn answers_are_whole_only_with_their_end_and_their_number() {
        let cut_short = Line::End(End {
            answers: 1,
            took_us: 5,
            cut_short: Some("deadline".to_owned()),
        });
        for (lines, expected) in [
            (vec![hello(WIRE_VERSION), answer(1), end(1)], None),
            (
                vec![hello(WIRE_VERSION), answer(1), end(2)],
                Some("1 of 2 answers arrived"),
            ),
            (
                vec![hello(WIRE_VERSION), answer(1)],
                Some("cut off after 1 answers"),
            ),
            (vec![], Some("cut off after 0 answers")),
            (
                vec![hello(WIRE_VERSION), answer(1), cut_short],
                Some("the agent stopped before its plan was done: deadline"),
            ),
            (
                vec![hello(WIRE_VERSION + 1), end(0)],
                Some("the agent speaks version 2 and we speak 1"),
            ),
        ] {
            let mut answers = Answers::default();
            answers.push(&text(&lines));
            assert_eq!(answers.lacking().as_deref(), expected);
        }
    }

    #[test]
    fn a_line_of_something_else_is_kept_for_the_report() {
        let mut answers = Answers::default();
        answers.push(b"OCI runtime exec failed: \xff\n");
        assert_eq!(
            answers.stray.as_deref(),
            Some("OCI runtime exec failed: \u{fffd}")
        );
        assert!(answers.lacking().is_some());
    }

    proptest! {
        #[test]
        fn lines_arrive_in_any_pieces(cuts in prop::collection::vec(1..40_usize, 0..40)) {
            let all = text(&[hello(WIRE_VERSION), answer(1), answer(2), end(2)]);
            let mut answers = Answers::default();
            let mut rest = all.as_slice();
            let mut ended = false;
            for cut in cuts {
                let (piece, more) = rest.split_at(cut.min(rest.len()));
                ended = answers.push(piece);
                rest = more;
            }
            ended |= answers.push(rest);
            prop_assert!(ended);
            prop_assert_eq!(answers.lacking(), None);
        }

        #[test]
        fn whatever_arrives_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            Answers::default().push(&bytes);
        }
    }
}
