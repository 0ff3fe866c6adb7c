//! Responses that end too soon.

use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderValue, Response, header};
use http_body_util::{BodyExt, BodyStream, StreamBody};
use hyper::body::{Body as _, Frame};

use crate::request::Body;

/// The same response, of which only the first bytes arrive before the connection ends. Its length is still announced
/// as it was.
pub(crate) fn truncate(response: Response<Body>, bytes: usize) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact() {
        parts
            .headers
            .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    let mut left = bytes;
    let mut ended = false;
    let frames = BodyStream::new(body).flat_map(move |frame| {
        let cut = || Err(std::io::Error::other("truncated by a fault"));
        let mut out: Vec<Result<Frame<Bytes>, std::io::Error>> = Vec::new();
        match frame.map(Frame::into_data) {
            _ if ended => {}
            Ok(Ok(data)) if data.len() <= left => {
                left -= data.len();
                out.push(Ok(Frame::data(data)));
            }
            Ok(Ok(data)) => {
                ended = true;
                out.push(Ok(Frame::data(data.slice(..left))));
                out.push(cut());
            }
            Ok(Err(_)) | Err(_) => {
                ended = true;
                out.push(cut());
            }
        }
        futures::stream::iter(out)
    });
    // What is written must leave the buffers before the error ends the connection.
    let frames = frames.then(|frame| async move {
        if frame.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        frame
    });
    Response::from_parts(parts, StreamBody::new(frames).boxed_unsync())
}
