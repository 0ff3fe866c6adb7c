use observation::{EndpointSlice, SlicePort};
use report::{Evidence, Finding, Severity};

use super::case::Case;
use super::lint::each;
use super::scene::Part;
use super::words::{about, get, port_name, some};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// A slice that was not written by the controller, and names its ports otherwise than the Service: kube-proxy joins both by the name, and
/// ignores what has another.
pub(crate) static CHECK: Check = Check {
    id: "ep-slice-portname",
    claim: "slices that were written by hand name their ports as the Service does",
    needs: &[Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    each(view, &[Part::Slices], |_, case| {
        case.foreign().filter_map(|slice| finding(case, slice)).collect()
    })
}

fn finding(case: &Case<'_>, slice: &EndpointSlice) -> Option<Finding> {
    let service = case.service;
    // Nothing but DNS looks at a headless Service, and that takes any name.
    if service.headless || !case.has_endpoints() || slice.endpoints.is_empty() || service.ports.is_empty() {
        return None;
    }
    let fits = |port: &SlicePort| {
        let mut ports = service.ports.iter();
        ports.any(|it| it.name == port.name && it.protocol == port.protocol)
    };
    if slice.ports.is_empty() || slice.ports.iter().any(fits) {
        return None;
    }
    let wanted = some(service.ports.iter().map(port_name));
    let there = some(slice.ports.iter().map(|port| {
        let name = if port.name.is_empty() {
            "without a name"
        } else {
            &port.name
        };
        format!("{name} ({})", port.protocol)
    }));
    let summary = format!(
        "no port of endpointslice/{} is one of {}: it has {there}, the Service {wanted}",
        slice.name,
        service.subject()
    );
    let evidence = Evidence::command(
        format!("its ports: {there}"),
        get("endpointslice", &slice.namespace, &slice.name),
    );
    let mut finding = about(CHECK.id, Severity::Error, service, summary, evidence);
    finding.hint = Some(match (slice.ports.as_slice(), service.ports.as_slice()) {
        ([there], [wanted]) if there.protocol == wanted.protocol => {
            let operations = serde_json::json!([
                {"op": "replace", "path": "/ports/0/name", "value": wanted.name},
            ]);
            format!(
                "name it as the Service does: `kubectl patch endpointslice {} -n {} --type=json -p {}`",
                word(&slice.name),
                word(&slice.namespace),
                word(&operations.to_string())
            )
        }
        _ => "name each port of the slice as the Service does, with the same protocol".to_owned(),
    });
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, manual, without_slices};
    use crate::shown;

    fn manually(port: &str) -> Fixture {
        Fixture::shop()
            .web(|service| service.selector.clear())
            .slice(manual(port))
    }

    #[test]
    fn a_port_of_another_name_is_found_with_a_repair_to_paste() {
        let findings = shown::finds(&CHECK, &manually("").observe());
        assert_eq!(
            findings[0].summary,
            "no port of endpointslice/web-by-hand is one of service/web -n shop: it has without a name (TCP), \
             the Service http (80/TCP)"
        );
        assert!(findings[0].hint.as_ref().is_some_and(|hint| {
            hint.ends_with(r#"--type=json -p '[{"op":"replace","path":"/ports/0/name","value":"http"}]'`"#)
        }));
    }

    #[test]
    fn another_protocol_is_another_port() {
        let mut slice = manual("http");
        slice.ports[0].protocol = "UDP".into();
        let fixture = Fixture::shop()
            .web(|service| service.selector.clear())
            .slice(slice);
        shown::finds(&CHECK, &fixture.observe());
    }

    #[test]
    fn the_same_name_fits_and_so_does_none_on_both_sides() {
        shown::passes(&CHECK, &manually("http").observe());
        shown::passes(
            &CHECK,
            &manually("")
                .web(|service| service.ports[0].name.clear())
                .observe(),
        );
        shown::passes(
            &CHECK,
            &manually("x").web(|service| service.headless = true).observe(),
        );
    }

    #[test]
    fn without_slices_their_ports_are_not_known() {
        shown::cannot_tell(&CHECK, &without_slices(manually("")));
    }
}
