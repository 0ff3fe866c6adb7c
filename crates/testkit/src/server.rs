//! Connections and requests: recording, faults, authorization, and to whom a request goes.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::failure::Failure;
use crate::fake::Recorded;
use crate::fault::Effect;
use crate::request::{Answer, Body, Call, Query, whole};
use crate::resource::Route;
use crate::shared::Shared;
use crate::{change, create, cutting, delete, discovery, exec, read, watching};

/// The most that a body may hold, as on a real server.
const MOST_BODY: usize = 3 * 1024 * 1024;

/// The socket below a connection, for doing to it what HTTP cannot.
#[derive(Clone)]
pub(crate) struct Socket(Arc<std::net::TcpStream>);

impl Socket {
    /// The connection ends with a reset, at the latest when it is dropped.
    fn reset(&self) {
        // Without lingering the kernel answers with RST instead of FIN.
        let _ = socket2::SockRef::from(&*self.0).set_linger(Some(std::time::Duration::ZERO));
    }

    fn half_close(&self) {
        let _ = self.0.shutdown(std::net::Shutdown::Write);
    }

    /// The connection ends at once, in the middle of whatever is under way.
    pub(crate) fn cut(&self) {
        let _ = self.0.shutdown(std::net::Shutdown::Both);
    }
}

/// Takes connections until the runtime ends.
pub(crate) async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        // A failed accept is a client that left again, or too many open files: the next may do better.
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(Arc::clone(&shared), stream));
        } else {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

async fn connection(shared: Arc<Shared>, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let Ok(stream) = stream.into_std() else { return };
    let Ok(twin) = stream.try_clone() else { return };
    let Ok(stream) = TcpStream::from_std(stream) else {
        return;
    };
    let socket = Socket(Arc::new(twin));
    let service = service_fn(|request| serve(Arc::clone(&shared), request, socket.clone()));
    let server = hyper::server::conn::http1::Builder::new();
    // An error here is a fault that was asked for, or a client that left.
    let _ = server
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}

/// A response, or the end of the connection without one.
async fn serve(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    socket: Socket,
) -> Result<Response<Body>, std::io::Error> {
    let path = request.uri().path().to_owned();
    let query = Query::parse(request.uri().query().unwrap_or(""));
    let route = Route::parse(&path, &shared.resources);
    let verb = verb(request.method(), route.as_ref(), &query);
    let (mut parts, body) = request.into_parts();
    let upgrade = parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
    let collected = Limited::new(body, MOST_BODY).collect().await;
    let (body, fits) = match collected {
        Ok(body) => (body.to_bytes(), true),
        Err(_) => (Bytes::new(), false),
    };
    shared.recorded().push(Recorded {
        method: parts.method.to_string(),
        verb: verb.to_owned(),
        path: path.clone(),
        query: parts.uri.query().unwrap_or("").to_owned(),
        headers: parts.headers.clone(),
        body_bytes: body.clone(),
    });
    if !fits {
        return Ok(refusal(&Failure::new(
            413,
            format!("Request entity too large: limit is {MOST_BODY}"),
        )));
    }

    let effect = shared.effect(verb, &path);
    match &effect {
        Some(Effect::Status {
            code,
            message,
            retry_after,
        }) => {
            let mut failure = Failure::new(*code, message);
            failure.retry_after = *retry_after;
            return Ok(refusal(&failure));
        }
        Some(Effect::Slow(time)) => tokio::time::sleep(*time).await,
        Some(Effect::Hang) => return std::future::pending().await,
        Some(Effect::Reset) => {
            socket.reset();
            return Err(std::io::Error::other("reset by a fault"));
        }
        Some(Effect::HalfClose) => {
            socket.half_close();
            return std::future::pending().await;
        }
        Some(Effect::Truncate(_) | Effect::Warning(_)) | None => {}
    }
    let content_type = parts
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let make_call = |route: Route| Call {
        route,
        query,
        content_type: content_type.unwrap_or("application/json").to_owned(),
        body,
    };
    let user = parts
        .headers
        .get("impersonate-user")
        .and_then(|value| value.to_str().ok());
    let user = user.unwrap_or(&shared.config.user);
    let result = if let Some(route) = route {
        match authorize(&shared, &route, verb, user) {
            Err(failure) => Err(failure),
            Ok(()) if route.subresource.as_deref() == Some("exec") => {
                let opened = exec::exec(&shared, &make_call(route), &parts.headers, upgrade, socket);
                return Ok(opened.unwrap_or_else(|failure| refusal(&failure)));
            }
            Ok(()) => dispatch(&shared, &make_call(route), verb),
        }
    } else {
        let review = discovery::review(&shared, &path, || make_call(nowhere()));
        review.unwrap_or_else(|| discovery::answer(&shared, &path).ok_or_else(|| Failure::new(404, "")))
    };
    let mut response = match result {
        Ok(answer) => answered(answer),
        // Below no served group a real server says this, and not as a `Status`.
        Err(failure) if failure.message.is_empty() => plain(StatusCode::NOT_FOUND, "404 page not found\n"),
        Err(failure) => refusal(&failure),
    };
    match effect {
        Some(Effect::Truncate(bytes)) => response = cutting::truncate(response, bytes),
        Some(Effect::Warning(text)) => {
            if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{}\"", text.replace('"', "\\\""))) {
                response.headers_mut().append(header::WARNING, value);
            }
        }
        _ => {}
    }
    Ok(response)
}

/// Reviews are requests about no object.
fn nowhere() -> Route {
    Route {
        resource: crate::resource::Resource::custom("authorization.k8s.io", "v1", "reviews", "Review", false),
        namespace: None,
        name: None,
        subresource: None,
        below: String::new(),
    }
}

/// The verb as RBAC has it.
fn verb(method: &Method, route: Option<&Route>, query: &Query) -> &'static str {
    let named = route.is_some_and(|route| route.name.is_some());
    match *method {
        Method::GET if route.is_some() && query.is_set("watch") => "watch",
        Method::GET if route.is_some() && !named => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if named => "delete",
        Method::DELETE => "deletecollection",
        _ => "get",
    }
}

fn authorize(shared: &Shared, route: &Route, verb: &str, user: &str) -> Result<(), Failure> {
    let refuses = |verb: &str| shared.is_denied(verb, &route.rbac_resource(), route.namespace.as_deref());
    if refuses(verb) {
        return Err(Failure::forbidden(route, user, verb));
    }
    let is_exec = route.rbac_resource() == "pods/exec";
    if is_exec && shared.config.exec_needs_create() && refuses("create") {
        return Err(Failure::forbidden(route, user, "create"));
    }
    Ok(())
}

fn dispatch(shared: &Arc<Shared>, call: &Call, verb: &str) -> Result<Answer, Failure> {
    match (call.route.subresource.as_deref(), verb) {
        (None, "create") => create::create(shared, call),
        (None, "list") => read::list(shared, call),
        (None, "watch") => watching::watch(shared, call),
        (None, "delete") => delete::delete(shared, call),
        (None, "deletecollection") => delete::delete_collection(shared, call),
        (None | Some("status"), "get") => read::get(shared, call),
        (None | Some("status"), "patch") => change::patch(shared, call),
        (None | Some("status"), "update") => change::replace(shared, call),
        (Some("eviction"), "create") => {
            let options = delete::Options::of_eviction(call)?;
            delete::delete_one(shared, call, &options)
        }
        (Some("log"), "get") => read::get(shared, call).map(|_| Answer::Whole {
            code: 200,
            body: Vec::new(),
        }),
        (Some("proxy"), "get") if call.route.resource.plural == "nodes" => {
            let said = (shared.config.kubelets)(call.name(), &call.route.below);
            let said = said.map(|text| Answer::Whole {
                code: 200,
                body: text.into_bytes(),
            });
            said.ok_or_else(|| Failure::new(404, "404 page not found"))
        }
        (Some(_), _) => Err(Failure::new(
            404,
            "the server could not find the requested resource",
        )),
        (None, _) => Err(Failure::new(
            405,
            "the server does not allow this method on the requested resource",
        )),
    }
}

fn answered(answer: Answer) -> Response<Body> {
    let (code, body) = match answer {
        Answer::Whole { code, body } => (code, whole(body)),
        Answer::Stream(body) => (200, body),
    };
    respond(
        StatusCode::from_u16(code).unwrap_or(StatusCode::OK),
        "application/json",
        body,
    )
}

fn refusal(failure: &Failure) -> Response<Body> {
    let mut response = respond(
        failure.http_status(),
        "application/json",
        whole(failure.status().to_string().into_bytes()),
    );
    if let Some(seconds) = failure.retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    respond(status, "text/plain; charset=utf-8", whole(text))
}

fn respond(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(
        "audit-id",
        HeaderValue::from_static("00000000-7e57-4000-8000-000000000000"),
    );
    response
}
