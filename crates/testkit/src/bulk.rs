//! Pods that exist only while they are read: for measuring readers of large lists.

use serde_json::Value;

/// The namespace of all bulk pods.
pub(crate) const NAMESPACE: &str = "bulk";

/// A pod of about 5 kB, most of it what nobody asked for, cut where the numbers go.
#[derive(Debug)]
pub(crate) struct Template {
    pieces: Vec<String>,
}

/// Stands where the pod's number goes, as six digits.
const NUMBER: &str = "@@@@@@";

impl Template {
    pub(crate) fn new() -> Self {
        let fields: Vec<String> = (0..76)
            .map(|field| {
                format!("\"k:{{\\\"name\\\":\\\"VARIABLE_{field:02}\\\"}}\":{{\".\":{{}},\"f:name\":{{}}}}")
            })
            .collect();
        let text = format!(
            concat!(
                r#"{{"metadata":{{"name":"bulk-{n}","namespace":"{ns}","uid":"00000000-0000-4000-a000-000000{n}","#,
                r#""resourceVersion":"900","creationTimestamp":"2026-01-01T00:00:00Z","labels":{{"app":"bulk"}},"#,
                r#""ownerReferences":[{{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"bulk","controller":true,"#,
                r#""uid":"00000000-0000-4000-b000-000000000001"}}],"#,
                r#""managedFields":[{{"manager":"kubelet","operation":"Update","apiVersion":"v1","#,
                r#""fieldsType":"FieldsV1","fieldsV1":{{"f:spec":{{{fields}}}}}}}]}},"#,
                r#""spec":{{"nodeName":"node-001","serviceAccountName":"default","restartPolicy":"Always","#,
                r#""containers":[{{"name":"web","image":"registry.example/shop/web:2.4.1","#,
                r#""ports":[{{"containerPort":8080}}],"resources":{{"requests":{{"cpu":"100m"}}}}}}]}},"#,
                r#""status":{{"phase":"Running","hostIP":"172.16.0.10","podIP":"10.250.0.1","#,
                r#""podIPs":[{{"ip":"10.250.0.1"}}],"qosClass":"Burstable","#,
                r#""conditions":[{{"type":"Ready","status":"True"}}],"containerStatuses":[{{"name":"web","ready":true,"#,
                r#""restartCount":0,"image":"registry.example/shop/web:2.4.1","imageID":"sha256:{n}","#,
                r#""state":{{"running":{{"startedAt":"2026-01-01T00:00:02Z"}}}}}}]}}}}"#
            ),
            n = NUMBER,
            ns = NAMESPACE,
            fields = fields.join(","),
        );
        Self {
            pieces: text.split(NUMBER).map(str::to_owned).collect(),
        }
    }

    /// Writes the pod with this number, without `kind` and `apiVersion`.
    pub(crate) fn write(&self, number: u32, into: &mut Vec<u8>) {
        let number = format!("{number:06}");
        for (index, piece) in self.pieces.iter().enumerate() {
            if index > 0 {
                into.extend_from_slice(number.as_bytes());
            }
            into.extend_from_slice(piece.as_bytes());
        }
    }

    /// The pod with this number as a value.
    pub(crate) fn value(&self, number: u32) -> Value {
        let mut text = Vec::new();
        self.write(number, &mut text);
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// The number in a pod's name.
    pub(crate) fn number(name: &str) -> Option<u32> {
        name.strip_prefix("bulk-")?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bulk_pod_is_json_of_about_five_kilobytes() {
        let mut text = Vec::new();
        Template::new().write(7, &mut text);
        assert!((4500..5500).contains(&text.len()), "{}", text.len());
        let pod = Template::new().value(7);
        assert_eq!(pod["metadata"]["name"], "bulk-000007");
        assert_eq!(Template::number("bulk-000007"), Some(7));
    }
}
