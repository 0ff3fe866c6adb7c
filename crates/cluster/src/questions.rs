//! Small questions to the API server: who it is, and what the user may do.

use http::Request;
use observation::ServerVersion;
use report::Observed;
use serde::Deserialize;

use crate::cluster::Cluster;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VersionAnswer {
    git_version: String,
    platform: String,
}

#[derive(Deserialize)]
struct AccessReview {
    status: AccessReviewStatus,
}

#[derive(Deserialize)]
struct AccessReviewStatus {
    allowed: bool,
}

impl Cluster {
    /// What the API server says of itself. It needs no rights in a cluster with the usual roles.
    pub async fn server_version(&self) -> Observed<ServerVersion> {
        match self
            .request::<VersionAnswer>(Request::get("/version"), Vec::new())
            .await
        {
            Ok(answer) => Observed::Seen(ServerVersion {
                git_version: answer.git_version,
                platform: answer.platform,
            }),
            Err(error) => {
                Observed::Unseen(self.gap("version of the API server", &error, "get", "/version", None))
            }
        }
    }

    /// Whether the user may do this, as `kubectl auth can-i` asks it. The core group is `""`, no subresource is `""`,
    /// and without a namespace the question is about all of them, or about a cluster-scoped resource.
    pub async fn can_i(
        &self,
        verb: &str,
        group: &str,
        resource: &str,
        subresource: &str,
        namespace: Option<&str>,
    ) -> Observed<bool> {
        let review = serde_json::json!({
            "kind": "SelfSubjectAccessReview",
            "apiVersion": "authorization.k8s.io/v1",
            "spec": { "resourceAttributes": {
                "namespace": namespace.unwrap_or_default(),
                "verb": verb,
                "group": group,
                "resource": resource,
                "subresource": subresource,
            } },
        });
        let request = Request::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
            .header(http::header::CONTENT_TYPE, "application/json");
        match self
            .request::<AccessReview>(request, review.to_string().into_bytes())
            .await
        {
            Ok(answer) => Observed::Seen(answer.status.allowed),
            Err(error) => {
                let what = format!("whether {verb} of {resource} is allowed");
                let resource = "selfsubjectaccessreviews.authorization.k8s.io";
                Observed::Unseen(self.gap(what, &error, "create", resource, None))
            }
        }
    }

    async fn request<T: serde::de::DeserializeOwned>(
        &self,
        request: http::request::Builder,
        body: Vec<u8>,
    ) -> Result<T, kube::Error> {
        self.client()
            .request(request.body(body).map_err(kube::Error::HttpError)?)
            .await
    }
}
