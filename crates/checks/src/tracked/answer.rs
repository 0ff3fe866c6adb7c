//! The one sentence on tracked connections that a reader reads first.

use report::Verdict;

use super::scene::{Scene, of_question};
use crate::view::View;

/// The answer; `None` where the causes or the findings are the answer, and where tracked connections were not asked about.
pub(crate) fn answer(view: &View<'_>, verdict: Verdict, warnings: &str) -> Option<String> {
    let Some(Ok(scene)) = Scene::of(view) else {
        return None;
    };
    let healthy = healthy(view, &scene);
    match verdict {
        Verdict::Fail => None,
        Verdict::Warn => Some(format!("{healthy}, but {warnings}")),
        Verdict::Pass => Some(healthy),
        Verdict::Unknown if warnings.is_empty() => {
            Some("nothing wrong was seen of tracked connections, but not all could be seen".to_owned())
        }
        Verdict::Unknown => Some(format!("{warnings}; and not all could be seen")),
        Verdict::Skipped => Some("nothing was looked at".to_owned()),
    }
}

fn healthy(view: &View<'_>, scene: &Scene<'_>) -> String {
    let mut entries = 0;
    let mut nodes = 0;
    for (_, node) in scene.nodes() {
        let last = node.second.as_ref().unwrap_or(&node.first);
        let flows = last.flows.seen().into_iter().flatten();
        entries += flows.filter(|flow| scene.meant(flow).is_some()).count();
        nodes += 1;
    }
    let of = view.observation.backends.as_deref().and_then(|backends| {
        backends.question.single()?;
        Some(of_question(backends)?.next()?.subject().to_string())
    });
    let over = if scene.tracked.all_protocols {
        ""
    } else {
        " over UDP"
    };
    let of = of.unwrap_or_else(|| format!("Services{over}"));
    let noun = if nodes == 1 { "node tracks" } else { "nodes track" };
    let plural = if entries == 1 { "" } else { "s" };
    format!(
        "{nodes} {noun} {entries} connection{plural} to {of}, and none is tied to an endpoint that is gone"
    )
}
