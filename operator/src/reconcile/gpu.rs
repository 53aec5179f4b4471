//! Whether there is a node for a model server that needs graphics processors.

use plan::Plan;
use plan::decide::GpuNodes;

use super::Driver;
use super::apply::Turn;
use super::build::LOOKS_AGAIN;
use super::conditions::Said;
use super::status::INFERENCE;

/// In a word.
pub(super) const REASON: &str = "NoGpu";

impl Driver {
    /// What is to be said where no node can take the model server. It is asked of the cluster, and
    /// only while the model server does not answer; where the cluster does not tell, what the
    /// installation says of its nodes counts.
    pub(super) async fn lacks_gpu(&self, turn: &mut Turn<'_>, plan: &Plan<'_>) -> Option<Said> {
        let wanted = plan.gpu_nodes().filter(|_| plan.copies.stopped.is_none())?;
        if turn.tenant.rollout(INFERENCE).is_some_and(|it| it.is_current && it.ready > 0) {
            return None;
        }
        let told = match self.cluster.has_gpus(&wanted).await {
            Ok(Some(true)) => return None,
            Ok(Some(false)) => Said::no("InferenceReady", REASON, words(&wanted)),
            unknown @ (Ok(None) | Err(_)) => {
                if let Err(error) = unknown {
                    tracing::debug!(tenant = turn.name, %error, "which nodes there are is not known");
                    turn.done.look_again(LOOKS_AGAIN);
                }
                let notice = plan.notices.iter().find(|notice| notice.reason == REASON)?;
                return Some(Said::no(notice.condition, REASON, notice.message.as_str()));
            }
        };
        // Nobody tells us of a new node.
        turn.done.look_again(LOOKS_AGAIN);
        Some(told)
    }
}

fn words(wanted: &GpuNodes) -> String {
    let GpuNodes { product, count, labels } = wanted;
    let processors = match count {
        1 => format!("a graphics processor {product}"),
        more => format!("{more} graphics processors {product}"),
    };
    let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!(
        "no node of this cluster offers {processors} (nvidia.com/gpu: {count}) and has the labels \
         {}: the model server waits for such a node; add one, or change spec.inference.gpu",
        labels.join(", ")
    )
}
