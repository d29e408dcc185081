//! The answers of `StreamCheck`: each question is answered where the stream is read.
//!
//! No task and no channel stand between: an answer is made when the connection has room for it, so
//! that a caller who reads slowly is asked no more, and one who sends many is answered in few
//! frames. It must never answer out of order, nor go on after an error or the node's stop.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio_stream::Stream;
use tonic::{Status, Streaming};

use super::proto;
use super::status::status;
use crate::node::{Node, NodeError};

type Answer = Pin<Box<dyn Future<Output = proto::BatchCheckEntry> + Send>>;

/// The answers to a stream of questions.
pub(super) struct Answers<F> {
    questions: Streaming<proto::CheckRequest>,
    answer: F,
    /// The answer that is being made.
    under_way: Option<Answer>,
    /// Resolves when the node stops.
    stopped: Pin<Box<dyn Future<Output = ()> + Send>>,
    is_over: bool,
}

impl<F, Fut> Answers<F>
where
    F: Fn(proto::CheckRequest) -> Fut,
    Fut: Future<Output = proto::BatchCheckEntry> + Send + 'static,
{
    /// Answers questions with `answer`, until they end or the node stops.
    pub(super) fn new(node: &Node, questions: Streaming<proto::CheckRequest>, answer: F) -> Self {
        let mut stopping = node.stopping();
        let stopped =
            Box::pin(async move { drop(stopping.wait_for(|is_stopping| *is_stopping).await) });
        Self { questions, answer, under_way: None, stopped, is_over: false }
    }

    /// The next answer; none when the questions have ended.
    fn poll_answer(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<proto::BatchCheckEntry, Status>>> {
        let under_way = match &mut self.under_way {
            Some(under_way) => under_way,
            None => match ready!(Pin::new(&mut self.questions).poll_next(context)) {
                Some(Ok(question)) => self.under_way.insert(Box::pin((self.answer)(question))),
                Some(Err(broken)) => return Poll::Ready(Some(Err(broken))),
                None => return Poll::Ready(None),
            },
        };
        let answer = ready!(under_way.as_mut().poll(context));
        self.under_way = None;
        Poll::Ready(Some(Ok(answer)))
    }
}

impl<F, Fut> Stream for Answers<F>
where
    F: Fn(proto::CheckRequest) -> Fut + Unpin,
    Fut: Future<Output = proto::BatchCheckEntry> + Send + 'static,
{
    type Item = Result<proto::BatchCheckEntry, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let answers = self.get_mut();
        if answers.is_over {
            return Poll::Ready(None);
        }
        let next = match answers.stopped.as_mut().poll(context) {
            Poll::Ready(()) => Some(Err(status(NodeError::Stopping))),
            Poll::Pending => ready!(answers.poll_answer(context)),
        };
        answers.is_over = !matches!(next, Some(Ok(_)));
        Poll::Ready(next)
    }
}
