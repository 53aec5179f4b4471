//! How much of a cluster each plan gives a platform.

use blueprint::PlanName;

/// What one container may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Thousandths of a core that are kept for it.
    pub cpu_kept: u32,
    /// Thousandths of a core that it may use.
    pub cpu_most: u32,
    /// Memory that is kept for it, and the most it may use, in MiB.
    pub memory: u32,
}

/// How much of a cluster a plan gives a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The most copies of the runtime.
    pub copies: u16,
    /// One copy of the runtime.
    pub runtime: Size,
    /// Answers that one copy streams at once before another one is started.
    pub streams: u16,
    /// Files of the platform's people, in GiB.
    pub storage: u32,
    /// What may be sent to the platform's people in a month, in GiB.
    pub transfer: u32,
    /// A model server of its own.
    pub inference: Size,
    /// Files of models, in GiB.
    pub cache: u32,
    /// One instance of a database server of its own.
    pub database: Size,
    /// Data on it, in GiB.
    pub database_storage: u32,
    /// How many instances hold the data.
    pub database_instances: u16,
}

/// What a plan gives. Starter and business give a model server and a database server by contract
/// only; their sizes are small.
pub const fn allowance(plan: PlanName) -> Allowance {
    let small = Allowance {
        copies: 2,
        runtime: Size { cpu_kept: 50, cpu_most: 500, memory: 192 },
        streams: 64,
        storage: 10,
        transfer: 100,
        inference: Size { cpu_kept: 2_000, cpu_most: 4_000, memory: 8 * 1024 },
        cache: 20,
        database: Size { cpu_kept: 500, cpu_most: 1_000, memory: 1024 },
        database_storage: 10,
        database_instances: 1,
    };
    match plan {
        PlanName::Starter => small,
        PlanName::Business => Allowance {
            copies: 10,
            runtime: Size { cpu_kept: 100, cpu_most: 1_000, memory: 256 },
            storage: 200,
            transfer: 2_048,
            ..small
        },
        PlanName::Enterprise => Allowance {
            copies: 50,
            runtime: Size { cpu_kept: 250, cpu_most: 2_000, memory: 512 },
            streams: 128,
            storage: 2_048,
            transfer: 20_480,
            inference: Size { cpu_kept: 4_000, cpu_most: 16_000, memory: 32 * 1024 },
            cache: 100,
            database: Size { cpu_kept: 1_000, cpu_most: 4_000, memory: 8 * 1024 },
            database_storage: 100,
            database_instances: 2,
        },
    }
}

/// Thousandths of a core as Kubernetes writes them back.
pub(crate) fn cpu(thousandths: u32) -> String {
    if thousandths.is_multiple_of(1_000) {
        (thousandths / 1_000).to_string()
    } else {
        format!("{thousandths}m")
    }
}

/// MiB as Kubernetes writes them back.
pub(crate) fn mebi(count: u32) -> String {
    if count.is_multiple_of(1_024) { gibi(count / 1_024) } else { format!("{count}Mi") }
}

/// GiB as Kubernetes writes them back.
pub(crate) fn gibi(count: u32) -> String {
    if count > 0 && count.is_multiple_of(1_024) {
        format!("{}Ti", count / 1_024)
    } else {
        format!("{count}Gi")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_written_as_the_api_server_would() {
        assert_eq!([cpu(50), cpu(2_000), cpu(1_500)], ["50m", "2", "1500m"]);
        assert_eq!(
            [mebi(192), mebi(8_192), gibi(10), gibi(2_048)],
            ["192Mi", "8Gi", "10Gi", "2Ti"]
        );
    }

    #[test]
    fn a_dearer_plan_never_gives_less() {
        let given = PlanName::ALL.map(allowance);
        for pair in given.windows(2) {
            let [less, more] = pair else { unreachable!() };
            assert!(less.copies <= more.copies && less.storage <= more.storage);
            assert!(less.transfer <= more.transfer && less.streams <= more.streams);
            let sizes: [fn(&Allowance) -> Size; 3] =
                [|given| given.runtime, |given| given.inference, |given| given.database];
            for size in sizes {
                let (less, more) = (size(less), size(more));
                assert!(less.memory <= more.memory && less.cpu_most <= more.cpu_most);
                assert!(more.cpu_kept <= more.cpu_most);
            }
        }
    }
}
