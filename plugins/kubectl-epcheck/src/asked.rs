//! Which Services are asked about: by their names, or by the name of an Ingress, a route or a Gateway that sends to them.

use cluster::{CallerKind, ConnectionArgs};
use observation::{AskedCaller, BackendsQuestion, Observation, ServiceName};
use plugin::Failure;
use session::{Session, services};

/// What is asked, and what it was asked through.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) question: BackendsQuestion,
    pub(crate) callers: Vec<AskedCaller>,
}

impl From<BackendsQuestion> for Asked {
    fn from(question: BackendsQuestion) -> Self {
        Self {
            question,
            callers: Vec::new(),
        }
    }
}

/// A word of the command line.
#[derive(Debug, PartialEq, Eq)]
enum Word<'a> {
    Service(ServiceName),
    /// What was typed for the kind, and the name.
    Caller(CallerKind, &'a str, &'a str),
}

/// Reads what the words name. Names are of the namespace of the command line.
///
/// # Errors
/// When a word cannot be understood, and when what it names besides Services does not exist, cannot be read or sends to none.
pub(crate) async fn asked(session: &mut Session<'_>, words: &[String]) -> Result<Asked, Failure> {
    let namespace = session.cluster.namespace().to_owned();
    let mut services = Vec::new();
    let mut callers = Vec::new();
    for text in session::after_type(words, &services::SERVICE)? {
        match word(text, &namespace)? {
            Word::Service(name) => services.push(name),
            Word::Caller(kind, typed, name) => {
                let cluster = session.cluster.clone();
                let read = cluster.asked_callers(kind, typed, &namespace, name);
                let found = session
                    .observe(&format!("reading {text}"), Box::pin(read))
                    .await??;
                if found.iter().all(|caller| caller.calls.is_empty()) {
                    return Err(sends_to_none(kind, &namespace, name, &found));
                }
                callers.extend(found);
            }
        }
    }
    callers.dedup();
    let calls = callers.iter().flat_map(|caller| &caller.calls);
    services.extend(calls.map(|call| ServiceName {
        namespace: call.service_namespace.clone(),
        name: call.service.clone(),
    }));
    Ok(Asked {
        question: question(services, !callers.is_empty()),
        callers,
    })
}

/// The Services of these names, and nothing else.
///
/// # Errors
/// When a word names no Service.
pub(crate) fn services(words: &[String], namespace: &str) -> Result<BackendsQuestion, Failure> {
    let words = session::after_type(words, &services::SERVICE)?;
    let names = words.iter().map(|text| {
        let (name, namespace) = services::parse_name(text, namespace)?;
        Ok(ServiceName { namespace, name })
    });
    Ok(question(names.collect::<Result<_, Failure>>()?, false))
}

/// Refuses a bundle that answers about other Services than the words name. A namespace that is only a default asks for none.
///
/// # Errors
/// When a word names a Service that the bundle was not asked about, and when it cannot be understood.
pub(crate) fn answered(
    observation: &Observation,
    words: &[String],
    connection: &ConnectionArgs,
) -> Result<(), Failure> {
    let Some(backends) = &observation.backends else {
        return Ok(());
    };
    let given = connection
        .namespace
        .as_deref()
        .filter(|namespace| !namespace.is_empty());
    let asked = &backends.question;
    if let (Some(given), Some(asked)) = (given, &asked.namespace)
        && words.is_empty()
        && given != asked
    {
        return Err(Failure::new(format!(
            "error: the bundle is about namespace {asked}, not about {given}"
        )));
    }
    for text in session::after_type(words, &services::SERVICE)? {
        let Word::Service(wanted) = word(text, given.unwrap_or_default())? else {
            continue;
        };
        let fits = |namespace: &str, name: &str| {
            name == wanted.name && (wanted.namespace.is_empty() || wanted.namespace == namespace)
        };
        let is_among = asked.services.iter().any(|it| fits(&it.namespace, &it.name));
        let is_named = match &asked.name {
            Some(name) => fits(asked.namespace.as_deref().unwrap_or_default(), name),
            None if asked.services.is_empty() => {
                let listed = backends.services.seen().into_iter().flatten();
                listed
                    .filter(|service| asked.is_about(service))
                    .any(|it| fits(&it.namespace, &it.name))
            }
            None => false,
        };
        if !is_among && !is_named {
            return Err(Failure::new(format!(
                "error: the bundle was not asked about service/{text}"
            ))
            .with_hint(Some(
                "it answers what the run asked that saved it: `kubectl epcheck scan --from-bundle FILE` tells all"
                    .to_owned(),
            )));
        }
    }
    Ok(())
}

fn word<'a>(text: &'a str, namespace: &str) -> Result<Word<'a>, Failure> {
    if let (Some(typed), name) = session::type_and_name(text)?
        && let Some(kind) = CallerKind::parse(typed)
    {
        return Ok(Word::Caller(kind, typed, name));
    }
    let parsed = services::parse_name(text, namespace);
    let hint = "what sends to Services is named as ingress/NAME, httproute/NAME, gateway/NAME";
    let (name, namespace) = parsed.map_err(|failure| failure.with_hint(Some(hint.to_owned())))?;
    Ok(Word::Service(ServiceName { namespace, name }))
}

/// One Service that was named is asked about as such, so that it is looked for elsewhere where it is not there.
fn question(mut services: Vec<ServiceName>, is_through: bool) -> BackendsQuestion {
    services.sort();
    services.dedup();
    if let [_] = services.as_slice()
        && !is_through
    {
        let only = services.pop();
        let (namespace, name) = only.map(|it| (it.namespace, it.name)).unzip();
        return BackendsQuestion {
            namespace,
            name,
            ..BackendsQuestion::default()
        };
    }
    BackendsQuestion {
        services,
        ..BackendsQuestion::default()
    }
}

/// There is nothing to look at.
fn sends_to_none(kind: CallerKind, namespace: &str, name: &str, found: &[AskedCaller]) -> Failure {
    let subject = format!("{}/{name} -n {namespace}", kind.singular());
    if found.is_empty() {
        return Failure::new(format!("error: no route hangs on {subject}")).with_hint(Some(
            "routes name it in spec.parentRefs: `kubectl get httproutes,grpcroutes -A`".to_owned(),
        ));
    }
    let others: Vec<&str> = found
        .iter()
        .flat_map(|caller| &caller.others)
        .map(String::as_str)
        .collect();
    let others = match others.as_slice() {
        [] => String::new(),
        others => format!(", only to {}", others.join(", ")),
    };
    Failure::new(format!("error: {subject} sends to no Service{others}"))
}

#[cfg(test)]
mod tests {
    use cluster::RouteKind;

    use super::*;

    fn named(namespace: &str, name: &str) -> ServiceName {
        ServiceName {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    #[test]
    fn a_word_names_a_service_or_what_sends_to_services() {
        assert_eq!(
            word("svc/web", "shop").unwrap(),
            Word::Service(named("shop", "web"))
        );
        assert_eq!(
            word("web.prod", "shop").unwrap(),
            Word::Service(named("prod", "web"))
        );
        assert_eq!(
            word("ing/front.example", "shop").unwrap(),
            Word::Caller(CallerKind::Ingress, "ing", "front.example")
        );
        assert_eq!(
            word("httproute/front", "shop").unwrap(),
            Word::Caller(CallerKind::Route(RouteKind::Http), "httproute", "front")
        );
        for text in ["pod/web", "ingress/", "ingress/a/b", ""] {
            assert!(word(text, "shop").is_err(), "{text}");
        }
    }

    #[test]
    fn one_service_is_asked_about_by_its_name_and_several_by_theirs() {
        let one = question(vec![named("shop", "web")], false);
        assert_eq!(one.single(), Some(("shop", "web")));
        assert_eq!(one.name.as_deref(), Some("web"));
        let two = question(
            vec![named("shop", "web"), named("prod", "web"), named("shop", "web")],
            false,
        );
        assert_eq!((two.services.len(), two.single()), (2, None));
        assert!(two.reads_all_of("prod") && !two.reads_all_of("ops"));
        let through = question(vec![named("shop", "web")], true);
        assert_eq!((through.single(), &through.name), (Some(("shop", "web")), &None));
    }

    #[test]
    fn what_sends_to_no_service_is_an_error_that_says_where_it_does() {
        let caller = AskedCaller {
            others: vec!["bucket/images".into()],
            ..AskedCaller::default()
        };
        assert_eq!(
            sends_to_none(CallerKind::Ingress, "shop", "front", &[caller]).text(),
            "error: ingress/front -n shop sends to no Service, only to bucket/images"
        );
        assert!(
            sends_to_none(CallerKind::Gateway, "shop", "outer", &[])
                .text()
                .starts_with("error: no route hangs on gateway/outer -n shop")
        );
    }
}
