//! `kubectl epcheck svc` asked about Services through what sends to them: an Ingress, and routes of the Gateway API. Nobody acts on
//! either in the lab, and nobody has to.

use e2e::Bench;

const SHOP: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: routes-e2e}
---
apiVersion: v1
kind: Namespace
metadata: {name: routes-e2e-gates}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: routes-e2e}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      automountServiceAccountToken: false
      containers:
      - name: web
        image: registry.lab/toolbox:1
        imagePullPolicy: IfNotPresent
        command: [sh, -c, "mkdir /tmp/www; echo well > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www"]
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: routes-e2e}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
"#;

/// The parts of the Gateway API's own definitions that name Services and who may.
const GATEWAY_API: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: httproutes.gateway.networking.k8s.io
  annotations: {api-approved.kubernetes.io: "unapproved, for a test"}
spec:
  group: gateway.networking.k8s.io
  names: {kind: HTTPRoute, listKind: HTTPRouteList, plural: httproutes, singular: httproute}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              parentRefs:
                type: array
                items: &reference
                  type: object
                  required: [name]
                  properties:
                    group: {type: string}
                    kind: {type: string}
                    name: {type: string}
                    namespace: {type: string}
                    port: {type: integer}
              rules:
                type: array
                items:
                  type: object
                  properties:
                    backendRefs: {type: array, items: *reference}
          status:
            type: object
            x-kubernetes-preserve-unknown-fields: true
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: gateways.gateway.networking.k8s.io
  annotations: {api-approved.kubernetes.io: "unapproved, for a test"}
spec:
  group: gateway.networking.k8s.io
  names: {kind: Gateway, listKind: GatewayList, plural: gateways, singular: gateway, shortNames: [gtw]}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {gatewayClassName: {type: string}}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: referencegrants.gateway.networking.k8s.io
  annotations: {api-approved.kubernetes.io: "unapproved, for a test"}
spec:
  group: gateway.networking.k8s.io
  names: {kind: ReferenceGrant, listKind: ReferenceGrantList, plural: referencegrants, singular: referencegrant}
  scope: Namespaced
  versions:
  - name: v1beta1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              from:
                type: array
                items:
                  type: object
                  properties: {group: {type: string}, kind: {type: string}, namespace: {type: string}}
              to:
                type: array
                items:
                  type: object
                  properties: {group: {type: string}, kind: {type: string}, name: {type: string}}
"#;

const ROUTE: &str = r#"
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: outer, namespace: routes-e2e-gates}
spec: {gatewayClassName: nobody}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: front, namespace: routes-e2e-gates}
spec:
  parentRefs: [{name: outer}]
  rules: [{backendRefs: [{name: web, namespace: routes-e2e, port: 80}]}]
status:
  parents:
  - parentRef: {name: outer}
    controllerName: nobody.example
    conditions: [{type: Accepted, status: "True", reason: Accepted, message: ""}]
"#;

const GRANT: &str = r#"
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: gates, namespace: routes-e2e}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: routes-e2e-gates}]
  to: [{group: "", kind: Service}]
"#;

/// What a test brings, as long as this lives.
struct Routes<'a>(&'a Bench);

impl<'a> Routes<'a> {
    fn open(bench: &'a Bench) -> Self {
        bench.apply(SHOP);
        let routes = Self(bench);
        bench.kubectl(&[
            "rollout",
            "status",
            "deployment/web",
            "-n",
            "routes-e2e",
            "--timeout=90s",
        ]);
        routes
    }

    /// Makes the Ingress anew, which sends to this port of this Service and to the one that there is.
    fn ingress(&self, service: &str, port: &str) {
        self.0.apply(&format!(
            r"
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: front, namespace: routes-e2e}}
spec:
  rules:
  - http:
      paths:
      - {{path: /, pathType: Prefix, backend: {{service: {{name: web, port: {{name: http}}}}}}}}
      - {{path: /other, pathType: Prefix, backend: {{service: {{name: {service}, port: {{{port}}}}}}}}}
"
        ));
    }
}

impl Drop for Routes<'_> {
    fn drop(&mut self) {
        let remove = |words: &[&str]| {
            self.0
                .run(&[&["delete", "--ignore-not-found", "--wait=true"], words].concat());
        };
        remove(&[
            "crd",
            "httproutes.gateway.networking.k8s.io",
            "gateways.gateway.networking.k8s.io",
            "referencegrants.gateway.networking.k8s.io",
        ]);
        remove(&["namespace", "routes-e2e", "routes-e2e-gates"]);
    }
}

fn one(check: &str, subject: &str) -> Vec<(String, String)> {
    vec![(check.to_owned(), subject.to_owned())]
}

#[test]
fn services_are_asked_about_through_what_sends_to_them() {
    let Some(bench) = Bench::lab() else { return };
    let routes = Routes::open(&bench);

    routes.ingress("wbe", "number: 80");
    let dir = tempfile::tempdir().unwrap();
    let bundle = dir.path().join("bundle.json");
    let bundle = bundle.to_str().unwrap();
    let args = ["svc", "ing/front", "-n", "routes-e2e", "-o", "json"];
    let missing = bench.epcheck(&[&args[..], &["--save-bundle", bundle]].concat());
    assert_eq!(
        (missing.code, missing.causes()),
        (Some(1), one("ep-notfound", "ingress/front")),
        "{missing}"
    );
    assert!(missing.stdout.contains("service/wbe"), "{missing}");
    let replayed = bench.epcheck(&["svc", "ing/front", "-o", "json", "--from-bundle", bundle]);
    assert_eq!((replayed.code, &replayed.stdout), (missing.code, &missing.stdout));
    let scan = bench.epcheck(&["scan", "-n", "routes-e2e", "-o", "json"]);
    assert_eq!(scan.causes(), one("ep-notfound", "ingress/front"), "{scan}");

    routes.ingress("web", "number: 8080");
    let port = bench.epcheck(&args);
    assert_eq!(
        (port.code, port.causes()),
        (Some(1), one("ep-port", "service/web")),
        "{port}"
    );
    routes.ingress("web", "number: 80");
    let right = bench.epcheck(&args);
    assert_eq!((right.code, right.causes()), (Some(0), Vec::new()), "{right}");

    for words in [
        &["ingress/fornt", "-n", "routes-e2e"][..],
        &["httproute/front", "-n", "routes-e2e"],
    ] {
        let said = bench.epcheck(&[&["svc"], words].concat());
        let (kind, name) = words[0].split_once('/').unwrap();
        // What kubectl remembers of an earlier server may have kinds that this one has not.
        let cache = ["--cache-dir", dir.path().to_str().unwrap()];
        let kubectl = bench.run(&[&["get", kind, name], &words[1..], &cache].concat());
        assert_eq!(said.code, Some(2), "{said}");
        assert_eq!(
            said.stderr.lines().next(),
            kubectl.stderr.lines().next(),
            "{said}{kubectl}"
        );
    }

    bench.apply(GATEWAY_API);
    bench.kubectl(&[
        "wait",
        "--for=condition=Established",
        "--timeout=60s",
        "crd/httproutes.gateway.networking.k8s.io",
        "crd/gateways.gateway.networking.k8s.io",
        "crd/referencegrants.gateway.networking.k8s.io",
    ]);
    bench.apply(ROUTE);
    for name in ["httproute/front", "gtw/outer"] {
        let closed = bench.epcheck(&["svc", name, "-n", "routes-e2e-gates", "-o", "json"]);
        assert_eq!(
            (closed.code, closed.causes()),
            (Some(1), one("ep-notfound", "httproute/front")),
            "{closed}"
        );
        assert!(
            closed
                .stdout
                .contains("no ReferenceGrant of namespace routes-e2e"),
            "{closed}"
        );
    }
    bench.apply(GRANT);
    let open = bench.epcheck(&["svc", "httproute/front", "-n", "routes-e2e-gates", "-o", "json"]);
    assert_eq!((open.code, open.causes()), (Some(0), Vec::new()), "{open}");
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}
