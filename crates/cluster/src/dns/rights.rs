//! What DNS servers may read of the API: the ClusterRoles that are bound to their ServiceAccounts.

use std::collections::BTreeMap;

use observation::{DnsController, DnsRights, DnsRole};
use report::Observed;

use super::objects::{BindingItem, Bound, RoleItem};
use crate::cluster::Cluster;
use crate::list::ListQuery;

const GROUP: &str = "rbac.authorization.k8s.io";

impl Cluster {
    /// Of each controller behind the DNS Service. What may be read of all namespaces is bound by ClusterRoleBindings only.
    pub(super) async fn dns_rights(&self, controllers: &[DnsController]) -> Observed<Vec<DnsRights>> {
        let wanted: Vec<&DnsController> = controllers
            .iter()
            .filter(|it| it.role == DnsRole::Cluster)
            .collect();
        if wanted.is_empty() {
            return Observed::Seen(Vec::new());
        }
        let query = ListQuery::new(GROUP, "v1", "clusterrolebindings");
        let bindings = match self.list::<BindingItem>("ClusterRoleBindings", &query).await {
            Observed::Seen(bindings) => bindings,
            Observed::Unseen(gap) => return Observed::Unseen(gap),
        };
        let mut all = Vec::new();
        for controller in wanted {
            let mut roles = BTreeMap::new();
            for binding in &bindings {
                if !binding.subjects.iter().any(|subject| is(subject, controller)) {
                    continue;
                }
                let name = &binding.role_ref.name;
                let path = format!("/apis/{GROUP}/v1/clusterroles/{name}");
                let resource = format!("clusterroles.{GROUP}");
                let found = self
                    .found::<RoleItem>(&format!("clusterrole/{name}"), &path, &resource, None)
                    .await;
                match found {
                    Observed::Seen(role) => {
                        roles.insert(name.clone(), role.unwrap_or_default().rules);
                    }
                    Observed::Unseen(gap) => return Observed::Unseen(gap),
                }
            }
            all.push(DnsRights {
                controller: controller.subject(),
                service_account: controller.service_account.clone(),
                roles,
            });
        }
        Observed::Seen(all)
    }
}

/// Whether a subject of a binding is the ServiceAccount, or a group of ServiceAccounts that it belongs to.
fn is(subject: &Bound, controller: &DnsController) -> bool {
    let namespace = &controller.namespace;
    match subject.kind.as_str() {
        "ServiceAccount" => subject.name == controller.service_account && subject.namespace == *namespace,
        "Group" => {
            subject.name == "system:serviceaccounts"
                || subject.name == "system:authenticated"
                || subject.name == format!("system:serviceaccounts:{namespace}")
        }
        "User" => subject.name == format!("system:serviceaccount:{namespace}:{}", controller.service_account),
        _ => false,
    }
}
