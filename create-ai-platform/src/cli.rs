//! What can be typed. Parsing only; nothing happens here.

use std::path::PathBuf;

use clap::{ArgGroup, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueHint};

use crate::program;

/// Makes a live AI platform, and keeps it running, with one command.
#[derive(Debug, Parser)]
#[command(
    name = "create-ai-platform",
    version,
    about = "One command makes a live AI platform: own database, own pages, own model.",
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub struct Cli {
    /// The command, or none to create and run a platform.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// What to create.
    #[command(flatten)]
    pub create: Create,
    /// How to talk.
    #[command(flatten)]
    pub talk: Talk,
    /// Where things are kept.
    #[command(flatten)]
    pub places: Places,
}

impl Cli {
    /// Reads the command line. Where it is only answered, with help or what is wrong with it:
    /// whether help was asked for.
    pub fn read() -> std::result::Result<Self, bool> {
        let mut arguments: Vec<_> = std::env::args_os().collect();
        let nothing = arguments.len() <= 1;
        if nothing {
            arguments = vec![program::called().into(), "-h".into()];
        }
        let command = Self::command()
            .bin_name(program::called())
            .after_help(program::in_words("Start with: create-ai-platform my-company"));
        let read = command.try_get_matches_from(arguments);
        read.and_then(|matches| Self::from_arg_matches(&matches)).map_err(|answer| {
            // A closed pipe is the reader's choice, not our failure.
            _ = answer.print();
            !nothing && !answer.use_stderr()
        })
    }
}

/// Creating and running a platform.
#[derive(Debug, Args, Clone)]
pub struct Create {
    /// The platform's name: small letters, digits and dashes, at most 40. Its folder is made here.
    #[arg(required = true)]
    pub name: Option<String>,
    /// What to start from: creator, business or education. [default: creator]
    #[arg(long)]
    pub template: Option<String>,
    /// The plan: starter, business or enterprise. [default: starter]
    #[arg(long)]
    pub plan: Option<String>,
    /// A domain of your own, kept in the blueprint for going live.
    #[arg(long)]
    pub domain: Option<String>,
    /// The port for pages; 0 takes a free one. [default: 8080]
    #[arg(long, env = "SOULFRA_PORT")]
    pub port: Option<u16>,
    /// Pages over HTTPS too, on this port (8443, say), with a certificate of this machine's own
    /// authority: see `create-ai-platform trust`.
    #[arg(long, env = "SOULFRA_TLS_PORT")]
    pub tls_port: Option<u16>,
    /// An existing Postgres (superuser or CREATEDB, CREATEROLE) instead of the embedded one.
    #[arg(long, env = "SOULFRA_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// The model: a name that `create-ai-platform models` lists, or a path to a .gguf file. Stays
    /// chosen. [default: the one chosen last, at first smollm2-135m]
    #[arg(long, env = "SOULFRA_MODEL")]
    pub model: Option<String>,
    /// Make it on this control plane instead of running it here. Log in there first:
    /// `create-ai-platform login`.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub control_plane: Option<String>,
    /// Wait until it is ready there, so many minutes at most, and print its address.
    #[arg(
        long,
        requires = "control_plane",
        value_name = "MINUTES",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "10",
        value_parser = clap::value_parser!(u64).range(1..=120)
    )]
    pub wait: Option<u64>,
}

/// Which control plane is meant.
#[derive(Debug, Args, Clone)]
pub struct At {
    /// The control plane. [default: the one that somebody is logged in to, where it is one]
    #[arg(long, value_name = "URL", env = "SOULFRA_CONTROL_PLANE", value_hint = ValueHint::Url)]
    pub control_plane: Option<String>,
}

/// A blueprint, and which control plane is meant.
#[derive(Debug, Args, Clone)]
pub struct FileAt {
    /// The blueprint file, or the platform's folder.
    #[arg(long, short, default_value = "blueprint.yaml", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Where.
    #[command(flatten)]
    pub at: At,
}

/// How to talk to the person or program that called.
#[derive(Debug, Args, Clone, Copy)]
pub struct Talk {
    /// One JSON object a line on standard output instead of words.
    #[arg(long, global = true)]
    pub json: bool,
    /// Answer yes to every question; `destroy` wants the name all the same.
    #[arg(long, short, global = true)]
    pub yes: bool,
}

/// Where things are kept.
#[derive(Debug, Args, Clone)]
pub struct Places {
    /// Databases, keys and logs of all platforms of this person.
    #[arg(long, global = true, env = "SOULFRA_HOME", value_hint = ValueHint::DirPath)]
    pub home: Option<PathBuf>,
    /// Models and the embedded Postgres program; can be fetched again.
    #[arg(long, global = true, env = "SOULFRA_CACHE", value_hint = ValueHint::DirPath)]
    pub cache: Option<PathBuf>,
}

/// Everything but creating.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Says all that is wrong with a blueprint, and what would be right.
    Check {
        /// The blueprint file, or the platform's folder.
        #[arg(default_value = "blueprint.yaml", value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Prints the whole merged resource, ready for `kubectl apply -f -`.
    Render {
        /// The blueprint file, or the platform's folder.
        #[arg(default_value = "blueprint.yaml", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Print the definition of the resource instead.
        #[arg(long)]
        crd: bool,
    },
    /// Says which platforms run, and where.
    Status,
    /// Stops a platform, or all of them. Nothing is lost.
    #[command(group = ArgGroup::new("which").required(true).args(["name", "all"]))]
    Stop {
        /// The platform's name.
        name: Option<String>,
        /// Stop every platform and the host process.
        #[arg(long)]
        all: bool,
    },
    /// Prints a one-time link that lets the owner in.
    AdminLink {
        /// The platform's name.
        name: String,
        /// Of the platform on this control plane, and not of one that runs here. A former link ends.
        #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
        control_plane: Option<String>,
    },
    /// Prints what happened to a platform: of one of this machine what its host wrote of it, of one on a control
    /// plane what was done to it and how it stands.
    Logs {
        /// The platform's name.
        name: String,
        /// Of the platform on this control plane.
        #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
        control_plane: Option<String>,
        /// Go on telling each time that it stands otherwise there.
        #[arg(long, short, requires = "control_plane")]
        follow: bool,
        /// So many lines of the host, the latest ones.
        #[arg(long, short = 'n', default_value_t = 200, conflicts_with = "control_plane")]
        lines: usize,
    },
    /// Prints where the console over all platforms of this machine is.
    Console {
        /// Who you are: prints a link by which you join as its owner.
        #[arg(long)]
        email: Option<String>,
    },
    /// Writes everything a platform holds into one file.
    Backup {
        /// The platform's name.
        name: String,
        /// The file to write. [default: NAME-DATE.soulfra]
        #[arg(long, short, value_hint = ValueHint::FilePath)]
        output: Option<PathBuf>,
    },
    /// Brings a platform back from a backup.
    Restore {
        /// The backup.
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Under another name.
        #[arg(long)]
        name: Option<String>,
    },
    /// Removes a platform with all it holds. Asks for its name.
    Destroy {
        /// The platform's name.
        name: String,
        /// The name again, instead of typing it.
        #[arg(long)]
        confirm: Option<String>,
    },
    /// Makes this machine's browsers trust the local certificate authority.
    Trust {
        /// Only print where its certificate is.
        #[arg(long)]
        print: bool,
    },
    /// Lists the models, fetches them, checks them, and removes those that nobody uses.
    Models {
        /// What to do; lists them if nothing is said.
        #[command(subcommand)]
        what: Option<Models>,
    },
    /// Keeps a key of a control plane, which is asked for, or read from standard input.
    Login {
        /// Where it is, such as `https://console.example`.
        #[arg(value_hint = ValueHint::Url)]
        url: String,
    },
    /// Forgets the key of a control plane.
    Logout {
        /// Where it is.
        #[arg(value_hint = ValueHint::Url)]
        url: String,
    },
    /// Lists the platforms on a control plane.
    List {
        /// Where.
        #[command(flatten)]
        at: At,
    },
    /// Prints where a blueprint differs from its platform on a control plane. Exit code 1: it does.
    Diff {
        /// What and where.
        #[command(flatten)]
        file: FileAt,
    },
    /// Has a control plane make a platform as its blueprint says, or change it.
    Apply {
        /// What and where.
        #[command(flatten)]
        file: FileAt,
        /// Only print what would change and start again, what becomes of data, and what it costs.
        #[arg(long)]
        dry_run: bool,
        /// Wait until it is ready so, so many minutes at most, and print its address.
        #[arg(
            long,
            conflicts_with = "dry_run",
            value_name = "MINUTES",
            num_args = 0..=1,
            require_equals = true,
            default_missing_value = "10",
            value_parser = clap::value_parser!(u64).range(1..=120)
        )]
        wait: Option<u64>,
    },
    /// Looks after the names of its own that a platform on a control plane has.
    Domain {
        /// What to do.
        #[command(subcommand)]
        what: Domain,
    },
    /// Deletes a platform on a control plane, which keeps its data for 30 days. Asks for its name.
    Delete {
        /// The platform's name.
        name: String,
        /// Where.
        #[command(flatten)]
        at: At,
    },
    /// Brings a platform back that was deleted on a control plane.
    Undelete {
        /// The platform's name.
        name: String,
        /// Where.
        #[command(flatten)]
        at: At,
    },
    /// Prints completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Prints the manual page.
    Man,
}

/// What can be done with names of a platform's own.
#[derive(Debug, Subcommand)]
pub enum Domain {
    /// Lists them: how far each is, the record to set for it, and what was found in its place.
    List {
        /// The platform's name.
        name: String,
        /// Where.
        #[command(flatten)]
        at: At,
    },
    /// Gives the platform one more, and prints the record to set for it.
    Add {
        /// The platform's name.
        name: String,
        /// Such as `www.my-company.com`.
        #[arg(value_hint = ValueHint::Hostname)]
        domain: String,
        /// Where.
        #[command(flatten)]
        at: At,
    },
    /// Takes one away: the platform is not met under it any more.
    Remove {
        /// The platform's name.
        name: String,
        /// Which one.
        #[arg(value_hint = ValueHint::Hostname)]
        domain: String,
        /// Where.
        #[command(flatten)]
        at: At,
    },
    /// Has its records be looked at again at once, and prints what was found.
    Check {
        /// The platform's name.
        name: String,
        /// Waits for what is found of this one. [default: all are looked at, and listed as they are]
        #[arg(value_hint = ValueHint::Hostname)]
        domain: Option<String>,
        /// Where.
        #[command(flatten)]
        at: At,
    },
}

/// What can be done with models.
#[derive(Debug, Subcommand)]
pub enum Models {
    /// Lists them: what each needs, which are fetched, and which one answers by default.
    List,
    /// Fetches a model and checks it. Prints where its file is.
    Pull {
        /// A name that the list has, or the path of a file of your own, which is checked only.
        model: String,
    },
    /// Reads every fetched file again, and moves away what is not what it was.
    Verify,
    /// Removes the files that no platform uses and nobody asked for lately.
    Gc {
        /// Keeps what was asked for within so many days.
        #[arg(long, default_value_t = 30)]
        days: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_name_alone_creates() {
        let cli = Cli::parse_from(["create-ai-platform", "my-company"]);
        assert!(cli.command.is_none());
        assert_eq!(cli.create.name.as_deref(), Some("my-company"));
        assert!(Cli::try_parse_from(["create-ai-platform"]).is_err());
        assert!(Cli::parse_from(["create-ai-platform", "status", "--json"]).talk.json);
    }

    #[test]
    fn waiting_is_for_control_planes_and_has_an_end() {
        let read = |line: &str| Cli::try_parse_from(line.split(' '));
        let wait = |line: &str| read(line).unwrap().create.wait;
        assert_eq!(wait("x acme --control-plane https://c.example"), None);
        assert_eq!(wait("x acme --control-plane https://c.example --wait"), Some(10));
        assert_eq!(wait("x --wait=3 acme --control-plane https://c.example"), Some(3));
        for bad in ["x acme --wait", "x acme --control-plane https://c.example --wait=0"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(read("x list --control-plane https://c.example").unwrap().command.is_some());
    }

    #[test]
    fn names_and_logs_say_whose_they_are() {
        let read = |line: &str| Cli::try_parse_from(line.split(' '));
        let Command::Domain { what } =
            read("x domain add acme www.acme.example").unwrap().command.unwrap()
        else {
            panic!("a name is added");
        };
        assert!(matches!(what, Domain::Add { domain, .. } if domain == "www.acme.example"));
        for good in [
            "x domain list acme",
            "x domain check acme",
            "x domain check acme a.example",
            "x logs acme -n 5",
        ] {
            assert!(read(good).is_ok(), "{good}");
        }
        for bad in ["x domain", "x domain add acme", "x logs", "x logs acme --follow"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn help_is_a_command() {
        use clap::error::ErrorKind;
        let told = |line: &str| Cli::try_parse_from(line.split(' ')).unwrap_err();
        for line in ["x help", "x help destroy"] {
            assert_eq!(told(line).kind(), ErrorKind::DisplayHelp, "{line}");
        }
        assert!(told("x help destroy").to_string().contains("Asks for its name"));
        assert!(told("x stop").to_string().contains("--all"));
        assert!(Cli::try_parse_from(["x", "stop", "acme", "--all"]).is_err());
    }
}
