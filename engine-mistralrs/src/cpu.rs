//! Does this processor have what the program was compiled for?
//!
//! The build takes AVX2 and its companions for granted (`.cargo/config.toml`), because the engine
//! chooses its fast paths at compile time. On an older processor such a program dies of an illegal
//! instruction; asked first thing, this says so in words instead.

/// What the program was compiled for and this processor lacks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this program was built for processors with {}, which this one lacks; \
     build it here with RUSTFLAGS=-Ctarget-cpu=native",
    .0.join(", ")
)]
pub struct MissingFeatures(pub Vec<&'static str>);

/// Checks the processor against the build.
#[cfg(target_arch = "x86_64")]
pub fn built_for_this_cpu() -> Result<(), MissingFeatures> {
    use std::arch::x86_64::{__cpuid, __cpuid_count};

    // `is_x86_feature_detected!` answers yes to whatever was compiled in, so the processor itself
    // is asked. Bits are from the manual's description of CPUID, leaves 1 and 7.
    let highest = __cpuid(0).eax;
    let one = __cpuid(1).ecx;
    let seven = if highest >= 7 { __cpuid_count(7, 0).ebx } else { 0 };
    let wanted = [
        ("avx2", cfg!(target_feature = "avx2"), seven, 5),
        ("bmi2", cfg!(target_feature = "bmi2"), seven, 8),
        ("fma", cfg!(target_feature = "fma"), one, 12),
        ("f16c", cfg!(target_feature = "f16c"), one, 29),
        ("avx512f", cfg!(target_feature = "avx512f"), seven, 16),
    ];
    let missing = wanted.iter().filter(|(_, built, bits, at)| *built && bits & (1 << at) == 0);
    let missing: Vec<_> = missing.map(|(name, ..)| *name).collect();
    if missing.is_empty() { Ok(()) } else { Err(MissingFeatures(missing)) }
}

/// Other processors are compiled for as they come.
#[cfg(not(target_arch = "x86_64"))]
pub fn built_for_this_cpu() -> Result<(), MissingFeatures> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_program_that_runs_was_built_for_this_processor() {
        assert_eq!(super::built_for_this_cpu(), Ok(()));
    }
}
