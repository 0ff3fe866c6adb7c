//! Commands in pods, over WebSockets.

use std::sync::Arc;

use futures::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use netprobe::{Line, MAX_PLAN_BYTES, Plan, WIRE_VERSION};
use serde_json::{Value, json};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role};

use crate::agent::{self, Place};
use crate::config::{Command, CommandOutput, V5};
use crate::failure::Failure;
use crate::fault::ExecEffect;
use crate::request::{Body, Call, whole};
use crate::server::Socket;
use crate::shared::{Shared, agent_name};
use crate::store::{Key, Object};

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
/// With v5: the end of the channel that the next byte names.
const CLOSE: u8 = 255;

/// The most that goes into one frame.
const FRAME: usize = 32 * 1024;

/// Answers an upgrade to a WebSocket and runs the command behind it.
pub(crate) fn exec(
    shared: &Arc<Shared>,
    call: &Call,
    headers: &HeaderMap,
    upgrade: Option<OnUpgrade>,
    socket: Socket,
) -> Result<Response<Body>, Failure> {
    let key = Key::new(&call.route.resource, call.namespace(), call.name());
    let Some(pod) = shared.store().get(&key) else {
        return Err(Failure::not_found(&call.route, call.name()));
    };
    let Some(node) = pod["spec"]["nodeName"].as_str() else {
        return Err(Failure::new(
            400,
            format!("pod {} does not have a host assigned", call.name()),
        ));
    };
    let effect = shared.exec_effect(node);
    if let Some(ExecEffect::Refuse { code, message }) = &effect {
        return Err(Failure::new(*code, message));
    }
    check_container(call, &pod)?;
    let key = headers.get(header::SEC_WEBSOCKET_KEY);
    let (Some(key), Some(upgrade)) = (key, upgrade) else {
        return Err(Failure::new(
            400,
            "unable to upgrade: this server knows WebSockets only, no SPDY",
        ));
    };
    let offered: Vec<&str> = headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    let spoken = match &effect {
        Some(ExecEffect::Protocol(only)) => std::slice::from_ref(only),
        _ => shared.config.exec_protocols.as_slice(),
    };
    let protocol = spoken
        .iter()
        .find(|protocol| offered.contains(&protocol.as_str()))
        .cloned();

    let mut response = Response::new(whole(""));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let answer = response.headers_mut();
    answer.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    answer.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        answer.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    if let Some(value) = protocol
        .as_deref()
        .and_then(|protocol| HeaderValue::from_str(protocol).ok())
    {
        answer.insert(header::SEC_WEBSOCKET_PROTOCOL, value);
    }

    let session = Session {
        shared: Arc::clone(shared),
        pod,
        argv: call.query.all("command").map(str::to_owned).collect(),
        has_stdin: call.query.is_set("stdin"),
        can_close: protocol.as_deref() == Some(V5),
        effect,
        socket,
    };
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            let stream = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
            // The client may leave at any time.
            let _ = session.run(stream).await;
        }
    });
    Ok(response)
}

fn check_container(call: &Call, pod: &Value) -> Result<(), Failure> {
    let wanted = call
        .query
        .get("container")
        .or_else(|| pod["spec"]["containers"][0]["name"].as_str());
    let wanted = wanted.unwrap_or("");
    let mut containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    if !containers.any(|container| container["name"] == wanted) {
        return Err(Failure::new(
            400,
            format!("container {wanted} is not valid for pod {}", call.name()),
        ));
    }
    let mut statuses = pod["status"]["containerStatuses"]
        .as_array()
        .into_iter()
        .flatten();
    let runs = statuses.any(|status| status["name"] == wanted && status["state"]["running"].is_object());
    if !runs {
        let message = format!("unable to upgrade connection: container not found (\"{wanted}\")");
        return Err(Failure::new(500, message));
    }
    Ok(())
}

type Stream = WebSocketStream<TokioIo<Upgraded>>;
type Ended = Result<(), tokio_tungstenite::tungstenite::Error>;

struct Session {
    shared: Arc<Shared>,
    pod: Object,
    argv: Vec<String>,
    has_stdin: bool,
    /// Whether the client can end standard input without ending the connection.
    can_close: bool,
    effect: Option<ExecEffect>,
    socket: Socket,
}

impl Session {
    async fn run(self, mut stream: Stream) -> Ended {
        // A real kubelet sends an empty message on the first channel, so that clients know it is there.
        send(&mut stream, STDOUT, b"").await?;
        match &self.effect {
            Some(ExecEffect::Hang) => {
                while let Some(message) = stream.next().await {
                    message?;
                }
                return Ok(());
            }
            Some(ExecEffect::Slow(time)) => tokio::time::sleep(*time).await,
            _ => {}
        }
        if let Some(ExecEffect::Exit { code, stderr }) = &self.effect {
            let output = CommandOutput {
                stdout: Vec::new(),
                stderr: stderr.clone().into_bytes(),
                code: *code,
            };
            return self.finish(&mut stream, &output).await;
        }
        if !self.has_stdin {
            let output = self.command();
            return self.finish(&mut stream, &output).await;
        }
        let Some(input) = self.read_plan(&mut stream).await? else {
            return Ok(());
        };
        let output = match input {
            Ok(plan) => {
                tokio::time::sleep(self.shared.config.exec_delay).await;
                let lines = self.answer(&plan);
                if let Some(ExecEffect::BreakAfter(answers)) = self.effect {
                    return self.break_after(&mut stream, &lines, answers).await;
                }
                CommandOutput {
                    stdout: lines.concat(),
                    ..CommandOutput::default()
                }
            }
            Err(why) => CommandOutput {
                stdout: Vec::new(),
                stderr: format!("netprobe: plan: {why}\n").into_bytes(),
                code: 2,
            },
        };
        self.finish(&mut stream, &output).await
    }

    fn command(&self) -> CommandOutput {
        let text = |value: &'_ Value| value.as_str().unwrap_or("").to_owned();
        let metadata = &self.pod["metadata"];
        let (node, namespace, pod) = (
            text(&self.pod["spec"]["nodeName"]),
            text(&metadata["namespace"]),
            text(&metadata["name"]),
        );
        let command = Command {
            node: &node,
            namespace: &namespace,
            pod: &pod,
            argv: &self.argv,
        };
        (self.shared.config.commands)(&command).unwrap_or_default()
    }

    /// The plan, or what is wrong with it; `None` when the client left first.
    async fn read_plan(
        &self,
        stream: &mut Stream,
    ) -> Result<Option<Result<Plan, String>>, tokio_tungstenite::tungstenite::Error> {
        let mut input: Vec<u8> = Vec::new();
        while let Some(message) = stream.next().await {
            match message? {
                Message::Binary(data) => match data.first() {
                    Some(&STDIN) => input.extend_from_slice(&data[1..]),
                    Some(&CLOSE) if self.can_close && data.get(1) == Some(&STDIN) => {
                        return Ok(Some(Err(format!("input ended after {} bytes", input.len()))));
                    }
                    _ => {}
                },
                Message::Close(_) => return Ok(None),
                _ => {}
            }
            let Some((length, text)) = input.split_first_chunk::<4>() else {
                continue;
            };
            let length = u32::from_be_bytes(*length);
            if length > MAX_PLAN_BYTES {
                return Ok(Some(Err(format!("{length} bytes are too many"))));
            }
            if text.len() >= length as usize {
                let plan = serde_json::from_slice::<Plan>(&text[..length as usize])
                    .map_err(|error| error.to_string());
                return Ok(Some(plan.and_then(|plan| {
                    if plan.version == WIRE_VERSION {
                        Ok(plan)
                    } else {
                        Err(format!("version {} is not version {WIRE_VERSION}", plan.version))
                    }
                })));
            }
        }
        Ok(None)
    }

    /// What the agent writes, one element a line.
    fn answer(&self, plan: &Plan) -> Vec<Vec<u8>> {
        let addresses = self.pod["status"]["podIPs"].as_array().into_iter().flatten();
        let place = Place {
            node: self.pod["spec"]["nodeName"].as_str().unwrap_or("").to_owned(),
            name: agent_name(&self.pod),
            addresses: addresses
                .filter_map(|entry| entry["ip"].as_str()?.parse().ok())
                .collect(),
        };
        let connectivity = Arc::clone(&self.shared.rules().connectivity);
        let lines = agent::answer(plan, &place, &connectivity, |address| self.shared.pod_at(address));
        let text = |line: &Line| {
            let mut text = serde_json::to_vec(line).unwrap_or_default();
            text.push(b'\n');
            text
        };
        lines.iter().map(text).collect()
    }

    async fn break_after(&self, stream: &mut Stream, lines: &[Vec<u8>], answers: u32) -> Ended {
        let whole = (answers as usize + 1).min(lines.len());
        let mut text = lines[..whole].concat();
        if let Some(next) = lines.get(whole) {
            text.extend_from_slice(&next[..next.len() / 2]);
        }
        for piece in text.chunks(FRAME) {
            send(stream, STDOUT, piece).await?;
        }
        self.socket.cut();
        Ok(())
    }

    async fn finish(&self, stream: &mut Stream, output: &CommandOutput) -> Ended {
        for (channel, text) in [(STDOUT, &output.stdout), (STDERR, &output.stderr)] {
            for piece in text.chunks(FRAME) {
                send(stream, channel, piece).await?;
            }
        }
        if self.effect != Some(ExecEffect::LoseStatus) {
            send(stream, ERROR, exit_status(output.code).to_string().as_bytes()).await?;
        }
        // kubectl takes a close without a code for an error.
        stream
            .close(Some(CloseFrame {
                code: CloseCode::Normal,
                reason: "".into(),
            }))
            .await?;
        // The client's own close follows; until then the connection must stay.
        while let Some(Ok(_)) = stream.next().await {}
        Ok(())
    }
}

fn exit_status(code: i32) -> Value {
    if code == 0 {
        return json!({"metadata": {}, "status": "Success"});
    }
    json!({
        "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": format!("command terminated with non-zero exit code: exit status {code}"),
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
    })
}

async fn send(stream: &mut Stream, channel: u8, data: &[u8]) -> Ended {
    let mut frame = Vec::with_capacity(data.len() + 1);
    frame.push(channel);
    frame.extend_from_slice(data);
    stream.send(Message::Binary(frame.into())).await
}
