//! Which calls are traced, and as part of whose traces.
//!
//! A caller that sends a W3C `traceparent` has decided already; of the other calls a share is
//! traced. What is not traced costs nothing but this decision, and nothing at all where tracing is
//! off. `otlp` sends the spans. It must never fail or hold up a call.

#[cfg(feature = "otlp")]
mod otlp;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use tonic::service::Routes;
use uuid::Uuid;

use crate::lang::hex::hex;

#[cfg(feature = "otlp")]
pub use otlp::Spans;

/// Most spans that wait to be sent, unless it is set.
const QUEUE_MAX: usize = 4_096;
/// The bits of a random trace that say whether it is one of the share.
const RANDOM: u64 = (1 << 53) - 1;
/// The header of a caller's trace.
const TRACEPARENT: &str = "traceparent";

/// Where spans go, and of which calls: `[tracing]` of the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceSettings {
    /// The collector, e.g. `http://127.0.0.1:4317`: OTLP over gRPC.
    pub endpoint: String,
    /// Who signed the collector's certificate, in PEM; for `https://`.
    pub ca_file: Option<std::path::PathBuf>,
    /// What traces call this service.
    pub service_name: String,
    /// The share of calls that is traced where the caller does not say, from 0 to 1.
    pub sample_ratio: f64,
    /// Most spans that wait to be sent.
    pub queue_max: usize,
}

impl TraceSettings {
    /// One call in a hundred, to this collector.
    #[must_use]
    pub fn new(endpoint: String) -> Self {
        let service_name = "camgate".to_owned();
        Self { endpoint, ca_file: None, service_name, sample_ratio: 0.01, queue_max: QUEUE_MAX }
    }
}

/// One call's place in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace; never 0.
    pub trace_id: u128,
    /// The caller's span; 0 when the trace begins here.
    pub parent_id: u64,
}

tokio::task_local! {
    static CONTEXT: TraceContext;
}

/// The place of the call that is under way, when it is traced.
#[cfg(feature = "otlp")]
fn current() -> Option<TraceContext> {
    CONTEXT.try_with(|context| *context).ok()
}

/// Says which calls are traced.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// From 0 to 1.
    ratio: f64,
}

impl Sampling {
    /// This share of the calls whose callers do not say, from 0 to 1.
    #[must_use]
    pub fn new(ratio: f64) -> Self {
        // Not a number is no share.
        Self { ratio: if ratio.is_finite() { ratio.clamp(0.0, 1.0) } else { 0.0 } }
    }

    /// The place of a call with this `traceparent` in a trace; none when it is not traced. One that
    /// cannot be read counts as none.
    #[must_use]
    pub fn decide(self, traceparent: Option<&str>) -> Option<TraceContext> {
        match traceparent.and_then(parse) {
            Some((context, is_sampled)) => is_sampled.then_some(context),
            None => {
                let trace_id = Uuid::new_v4().as_u128();
                // The last 53 bits are all random, and as many as a double holds: below 1.
                let random = (trace_id & u128::from(RANDOM)) as f64 / (RANDOM + 1) as f64;
                (random < self.ratio).then_some(TraceContext { trace_id, parent_id: 0 })
            }
        }
    }
}

/// The caller's span of a `traceparent`, and whether the caller traces.
fn parse(text: &str) -> Option<(TraceContext, bool)> {
    let mut parts = text.trim().split('-');
    let mut field = |digits: usize| {
        let part = parts.next().filter(|part| part.len() == digits)?;
        // `from_str_radix` would take a sign and capitals.
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        part.bytes().all(is_hex).then(|| u128::from_str_radix(part, 16).ok())?
    };
    let (version, trace_id, parent_id, flags) = (field(2)?, field(32)?, field(16)?, field(2)?);
    // Later versions may have more fields; this one has not, and the last one is none.
    let is_known = version < 0xff && (version > 0 || parts.next().is_none());
    let parent_id = u64::try_from(parent_id).ok()?;
    let is_valid = is_known && trace_id != 0 && parent_id != 0;
    is_valid.then_some((TraceContext { trace_id, parent_id }, flags & 1 == 1))
}

/// The routes of the gRPC port, traced if calls are.
pub(super) fn traced_routes(routes: Routes, sampling: Option<Sampling>) -> Routes {
    match sampling {
        Some(_) => Routes::from(traced(routes.into_axum_router(), sampling)),
        None => routes,
    }
}

/// The routes of a port, traced if calls are; else nothing stands before them.
pub(super) fn traced(router: Router, sampling: Option<Sampling>) -> Router {
    match sampling {
        Some(sampling) => {
            router.layer(from_fn(move |request, next| middleware(sampling, request, next)))
        }
        None => router,
    }
}

async fn middleware(sampling: Sampling, request: Request, next: Next) -> Response {
    let header = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok());
    match sampling.decide(header) {
        Some(context) => CONTEXT.scope(context, next.run(request)).await,
        None => next.run(request).await,
    }
}

impl TraceContext {
    /// The trace as logs and headers write it.
    #[must_use]
    pub fn trace_text(&self) -> String {
        hex(&self.trace_id.to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn header(flags: &str) -> String {
        format!("00-{TRACE}-{SPAN}-{flags}")
    }

    #[test]
    fn the_caller_decides_whether_its_trace_goes_on() {
        for ratio in [0.0, 1.0] {
            let sampling = Sampling::new(ratio);
            let context = sampling.decide(Some(&header("01"))).unwrap();
            assert_eq!(
                (context.trace_text().as_str(), context.parent_id),
                (TRACE, 0xf0_67aa_0ba9_02b7)
            );
            assert!(sampling.decide(Some(&header("03"))).is_some());
            assert_eq!(sampling.decide(Some(&header("00"))), None);
        }
    }

    #[test]
    fn what_is_no_traceparent_decides_nothing() {
        let zeros = "0".repeat(32);
        for text in [
            "",
            "00",
            &header("1"),
            &header("0g"),
            &header("+1"),
            &format!("{}-more", header("01")),
            &header("01").replace("00-", "ff-"),
            &header("01").to_uppercase(),
            &format!("00-{zeros}-{SPAN}-01"),
            &format!("00-{TRACE}-0000000000000000-01"),
            "群组",
        ] {
            assert_eq!(Sampling::new(0.0).decide(Some(text)), None, "{text}");
            let fresh = Sampling::new(1.0).decide(Some(text)).unwrap();
            assert_eq!(fresh.parent_id, 0, "{text}");
        }
        // A later version is read as far as it is known.
        let later = format!("{}-more", header("01").replacen("00", "01", 1));
        assert_eq!(Sampling::new(0.0).decide(Some(&later)).unwrap().trace_text(), TRACE);
    }

    #[test]
    fn a_share_of_the_other_calls_is_traced() {
        let count = |ratio: f64| {
            let sampling = Sampling::new(ratio);
            (0..20_000).filter(|_| sampling.decide(None).is_some()).count()
        };
        assert_eq!((count(0.0), count(1.0), count(-1.0), count(f64::NAN)), (0, 20_000, 0, 0));
        // 2,000 are expected, with a deviation of 42.
        let tenth = count(0.1);
        assert!((1_700..2_300).contains(&tenth), "{tenth}");
    }
}
