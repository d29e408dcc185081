//! Part 2: how a decision grows with what is attached and with what the account holds, as curves;
//! and what a second thread adds.

use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use plotters::prelude::*;

use crate::decide::{BATCHES, now, ours, point};
use crate::measure::{ROUNDS, Spread};
use crate::table::{Budget, Table};
use crate::workload::{Question, Rng, Workload};

/// Texts that a thread asks again and again.
const QUESTIONS: usize = 20_000;

pub fn run(table: &mut Table, is_quick: bool, figures: Option<&Path>) {
    let batches = if is_quick { 4 } else { BATCHES };
    statements(table, is_quick, batches, figures);
    policies(table, is_quick, batches, figures);
    threads(table, if is_quick { 100 } else { 1_000 });
}

/// A principal's statements, from 1 to 10,000: of principals who all have the same, which stay near
/// the processor, and of principals who have one of many such sets, which do not.
fn statements(table: &mut Table, is_quick: bool, batches: usize, figures: Option<&Path>) {
    let sizes: &[usize] =
        if is_quick { &[1, 100, 1_000] } else { &[1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000] };
    let curves = [(1, Budget::AtMost(1.3)), (20, Budget::None)].map(|(sets, budget)| {
        let mut curve = Vec::new();
        let mut first = Vec::new();
        for size in sizes {
            let workload = Workload::new(1_000, *size, sets, 20_000.max(*size), false);
            let point = point(&workload, batches);
            let sets = if sets == 1 { "one set".to_owned() } else { format!("{sets} sets") };
            let what = format!("{size} policies of 1.1 statements each, {sets}");
            let lower = Spread::ratio(&point.ours, &point.lower);
            table.add("growth", &what, "ours / lower bound", lower, Budget::None);
            if first.is_empty() {
                first.clone_from(&point.ours);
            }
            let growth = Spread::ratio(&point.ours, &first);
            curve.push((*size as f64, growth.median()));
            table.add("growth", &what, "ours / ours at 1 statement", growth, budget);
        }
        curve
    });
    draw(figures, "statements.svg", "statements of the caller", "time / time at 1", &curves);
}

/// An account's policies, from 100 to 1,000,000; callers have ten of them.
fn policies(table: &mut Table, is_quick: bool, batches: usize, figures: Option<&Path>) {
    let sizes: &[usize] =
        if is_quick { &[100, 10_000] } else { &[100, 1_000, 10_000, 100_000, 1_000_000] };
    let mut curve = Vec::new();
    let mut first = Vec::new();
    for size in sizes {
        let workload = Workload::new(10_000, 10, (*size / 10).min(1_000), *size, false);
        let point = point(&workload, batches);
        let what = format!("{size} policies in the account, 10 attached");
        if first.is_empty() {
            first.clone_from(&point.ours);
        }
        let growth = Spread::ratio(&point.ours, &first);
        curve.push((*size as f64, growth.median()));
        table.add("growth", &what, "ours / ours at 100 policies", growth, Budget::None);
    }
    draw(figures, "policies.svg", "policies of the account", "time / time at 100", &[curve]);
}

/// What two threads decide, beside one.
fn threads(table: &mut Table, round_ms: u64) {
    let workload = Workload::new(10_000, 50, 100, 4_000, false);
    let (mut one, mut two) = (Vec::new(), Vec::new());
    // The first round folds the sets.
    for round in 0..=ROUNDS {
        let (with_one, with_two) = (rate(&workload, 1, round_ms), rate(&workload, 2, round_ms));
        if round > 0 {
            one.push(with_one);
            two.push(with_two);
        }
    }
    let ratio = Spread::ratio(&two, &one);
    let what = "10,000 sub-accounts, 50 policies each";
    table.add("growth", what, "two threads / one", ratio, Budget::AtLeast(1.9));
    let millions = Spread::new(two).median() / 1e6;
    table.remark(format!("growth: two threads make {millions:.1} million decisions in a second"));
}

/// Decisions per second of some threads, each of which decides until the round is over.
fn rate(workload: &Workload, threads: usize, round_ms: u64) -> f64 {
    let (done, round) = (AtomicU64::new(0), Duration::from_millis(round_ms));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let done = &done;
            scope.spawn(move || {
                let mut rng = Rng::new(17 + thread as u64);
                let asked: Vec<Question> =
                    (0..QUESTIONS).map(|_| workload.question(&mut rng, usize::MAX)).collect();
                let mut decided = 0;
                for asked in asked.iter().cycle() {
                    black_box(ours(&workload.snapshot, &workload.context, now(), asked));
                    decided += 1;
                    if decided % 256 == 0 && started.elapsed() >= round {
                        break;
                    }
                }
                done.fetch_add(decided, Ordering::Relaxed);
            });
        }
    });
    done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64()
}

/// Draws curves, their abscissa in powers of ten.
fn draw(figures: Option<&Path>, file: &str, below: &str, beside: &str, curves: &[Vec<(f64, f64)>]) {
    let Some(figures) = figures else { return };
    std::fs::create_dir_all(figures).expect("a directory");
    let path = figures.join(file);
    let root = SVGBackend::new(&path, (720, 400)).into_drawing_area();
    root.fill(&WHITE).expect("a figure");
    let all = || curves.iter().flatten();
    let most_x = all().map(|(x, _)| *x).fold(1.0, f64::max);
    let most_y = all().map(|(_, y)| *y).fold(2.0, f64::max) * 1.1;
    let least_x = all().map(|(x, _)| *x).fold(f64::INFINITY, f64::min);
    let mut chart = ChartBuilder::on(&root)
        .margin(16)
        .x_label_area_size(48)
        .y_label_area_size(56)
        .build_cartesian_2d((least_x..most_x).log_scale(), 0.0..most_y)
        .expect("a chart");
    let mesh = chart.configure_mesh().x_desc(below).y_desc(beside).draw();
    mesh.expect("a mesh");
    for (curve, color) in curves.iter().zip([BLUE, RED]) {
        chart.draw_series(LineSeries::new(curve.iter().copied(), color)).expect("a line");
        let points = curve.iter().map(|it| Circle::new(*it, 3, color.filled()));
        chart.draw_series(points).expect("points");
    }
    root.present().expect("a file");
}
