//! A Service of the run's own before the run's own pods.

use std::time::{Duration, Instant};

use checks::ReachOptions;
use observation::{Attempt, MadeService};
use plugin::Spinner;
use report::{Gap, Observed, Subject};
use session::tries::{Probers, try_all};

/// Nodes hear of a Service and write rules for it within a second or two; where there are thousands, it takes them several.
const SETTLING: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_secs(1);

/// Makes a Service, tries it from everywhere until it answers or ought to, and takes it away again.
pub(super) async fn look(
    probers: Probers<'_>,
    manager: &str,
    options: &ReachOptions,
    spinner: &Spinner,
) -> (Observed<MadeService>, Vec<Attempt>) {
    spinner.say("making a Service of our own");
    let made = match probers.pods.make_service(manager).await {
        Ok(made) => made,
        Err(gap) => {
            // A Service without its slice, for example: it goes with the namespace where this fails too.
            let _ = probers.pods.remove_service().await;
            return (Observed::Unseen(about(gap)), Vec::new());
        }
    };
    let began = Instant::now();
    let subject = Subject::Object {
        kind: "service".to_owned(),
        name: made.name.clone(),
        namespace: Some(made.namespace.clone()),
    };
    let places = probers.places();
    let wanted = checks::plan_own_service(&subject, &made.addresses, made.port, options);
    let plan = checks::assemble(&probers.pods.placement().run, &places, &wanted, options);
    let attempts = loop {
        tokio::time::sleep(PAUSE).await;
        let (_, attempts) = try_all(probers, &plan, spinner).await;
        let is_ill = |attempt: &Attempt| checks::came_out_right(attempt) == Some(false);
        if !attempts.iter().any(is_ill) || began.elapsed() >= SETTLING {
            break attempts;
        }
    };
    let waited_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    // What cannot be deleted goes with the namespace of the run.
    let _ = probers.pods.remove_service().await;
    (Observed::Seen(MadeService { subject, waited_ms }), attempts)
}

/// The gap as one of this part of the run.
fn about(gap: Gap) -> Gap {
    Gap {
        what: "whether a Service of our own answers".to_owned(),
        message: format!("none could be made: {}", gap.message),
        ..gap
    }
}
