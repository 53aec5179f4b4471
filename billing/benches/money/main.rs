//! How much billing takes in, and how soon it is through with it: `cargo bench -p billing --bench money -- [PART]...`,
//! on the Postgres of `DATABASE_URL`, in which it makes databases of its own. Each line: what, how much, unit, N,
//! spread.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "this is a bench")]

mod burst;
mod payouts;
mod place;
mod played;
mod webhooks;

use place::Place;

/// All there are, in this order.
const PARTS: [&str; 3] = ["webhooks", "burst", "payouts"];

#[expect(clippy::disallowed_methods, reason = "whoever measures says where they are")]
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let words: Vec<_> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let url = std::env::var("DATABASE_URL").unwrap();
    if words == [burst::READER] {
        return burst::read_until_nobody_listens(&url).await;
    }
    let place = Place::new(url).await;
    let wanted = |part: &&&str| words.is_empty() || words.iter().any(|word| word == **part);
    for part in PARTS.iter().filter(wanted) {
        match *part {
            "webhooks" => Box::pin(webhooks::measure(&place)).await,
            "burst" => Box::pin(burst::measure(&place)).await,
            _ => Box::pin(payouts::measure(&place)).await,
        }
    }
}

/// Tells the median of what was measured, and how far apart that was.
fn tell(measure: &str, unit: &str, digits: usize, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let count = values.len();
    let (least, median, most) = (values[0], values[count / 2], values[count - 1]);
    println!("{measure}\t{median:.digits$}\t{unit}\t{count}\t{least:.digits$} to {most:.digits$}");
}

/// Tells of something that is counted, and is to be so many.
fn tell_count(measure: &str, count: i64, rounds: usize) {
    println!("{measure}\t{count}\t\t{rounds}\t");
}

/// Numbers from a seed (a linear congruence).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            all.swap(last, self.below(last + 1));
        }
    }
}
