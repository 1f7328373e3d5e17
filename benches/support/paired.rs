//! A contender measured in turns with the bare signature check.
//!
//! On a shared machine the clock rate and the caches change from second to second. Two numbers
//! measured one after the other differ by more than what is to be seen; two measured in turns, a
//! fraction of a millisecond each, do not.

use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId};

use super::record;

/// How long one turn takes.
const TURN: Duration = Duration::from_micros(300);

/// Benches `contender` for criterion, in turns with `baseline`, and records the median ratio.
pub fn bench(
    group: &mut BenchmarkGroup<'_, WallTime>,
    id: (&str, &str),
    mut baseline: impl FnMut(),
    mut contender: impl FnMut(),
) {
    bench_turns(
        group,
        id,
        |count| (0..count).for_each(|_| baseline()),
        |count| (0..count).for_each(|_| contender()),
    );
}

/// As [`bench`], for work that has something to set up for each turn: it is told how often to do it.
pub fn bench_turns(
    group: &mut BenchmarkGroup<'_, WallTime>,
    id: (&str, &str),
    mut baseline: impl FnMut(u64),
    mut contender: impl FnMut(u64),
) {
    let baseline_turn = per_turn(&mut baseline);
    let contender_turn = per_turn(&mut contender);
    let (mut ratios, mut times) = (Vec::new(), Vec::new());
    group.bench_function(BenchmarkId::new(id.0, id.1), |bencher| {
        bencher.iter_custom(|iterations| {
            let mut whole = Duration::ZERO;
            let mut done = 0;
            while done < iterations {
                let turn = contender_turn.min(iterations - done);
                let base = time(baseline_turn, &mut baseline).as_secs_f64() / baseline_turn as f64;
                let took = time(turn, &mut contender);
                done += turn;
                whole += took;
                // A short rest of a turn says little.
                if turn == contender_turn {
                    let each = took.as_secs_f64() / turn as f64;
                    times.push(each * 1e9);
                    ratios.push(each / base);
                }
            }
            whole
        });
    });
    if let (Some(ratio), Some(time)) = (median(&mut ratios), median(&mut times)) {
        record::write(&format!("{}/{}", id.0, id.1), time, Some(ratio));
    }
}

fn time(count: u64, work: &mut impl FnMut(u64)) -> Duration {
    let began = Instant::now();
    work(count);
    began.elapsed()
}

fn per_turn(work: &mut impl FnMut(u64)) -> u64 {
    let mut count = 1;
    loop {
        let took = time(count, work);
        if took >= TURN / 2 {
            let each = took.as_secs_f64() / count as f64;
            return (TURN.as_secs_f64() / each).max(1.0) as u64;
        }
        count *= 2;
    }
}

pub fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
