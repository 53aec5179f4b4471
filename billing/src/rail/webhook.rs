//! What a rail tells us: proven, stored as it came, acknowledged, and acted on later.
//!
//! An event is taken for one thing: of which object something is to be seen. What it says of it is never
//! believed, so neither order nor age of events matters: the object is fetched as it is now, once for all
//! events that came of it meanwhile ([`Looker`]).

mod envelope;
mod inbox;
mod look;
mod signature;

pub use envelope::Envelope;
pub use inbox::{Delivery, Intake, LARGEST, NotTaken, Stored, intake, store};
pub use look::{Looked, Looker, Parked, look_again, parked};
pub use signature::{Forged, Secrets, WINDOW};
