//! Where a model computes: on the first NVIDIA GPU, in a build with the feature `cuda` where there
//! is one, else on the processor.

use candle_core::Device;

/// Whether a model that is loaded now would compute on a GPU.
pub fn has_gpu() -> bool {
    device().is_cuda()
}

/// Where to load a model to.
pub(crate) fn device() -> Device {
    if !cfg!(feature = "cuda") {
        return Device::Cpu;
    }
    Device::new_cuda(0).unwrap_or_else(|error| {
        tracing::warn!(%error, "no GPU can be used, so models compute on the processor");
        Device::Cpu
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_for_processors_uses_no_gpu() {
        assert!(cfg!(feature = "cuda") || !has_gpu());
    }
}
