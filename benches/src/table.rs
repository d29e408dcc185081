//! The one table that everything writes to, and the page made from it.

use std::fmt::Write as _;

use crate::measure::Spread;

/// Which way a ratio should go.
#[derive(Debug, Clone, Copy)]
pub enum Budget {
    AtMost(f64),
    AtLeast(f64),
    /// Shown for information.
    None,
}

/// One figure.
#[derive(Debug, Clone)]
pub struct Row {
    pub part: &'static str,
    pub what: String,
    /// What the figure is, e.g. `ours / lower bound`.
    pub figure: &'static str,
    pub value: Spread,
    pub budget: Budget,
}

#[derive(Debug, Default)]
pub struct Table {
    pub rows: Vec<Row>,
    pub remarks: Vec<String>,
}

impl Table {
    /// Adds a figure and prints it.
    pub fn add(
        &mut self,
        part: &'static str,
        what: impl Into<String>,
        figure: &'static str,
        value: Spread,
        budget: Budget,
    ) {
        let row = Row { part, what: what.into(), figure, value, budget };
        println!("{}", row.line());
        self.rows.push(row);
    }

    /// Adds a sentence to the page.
    pub fn remark(&mut self, text: impl Into<String>) {
        let text = text.into();
        println!("  {text}");
        self.remarks.push(text);
    }

    /// Markdown.
    pub fn markdown(&self) -> String {
        let mut text = String::from(
            "| part | what | figure | median | least to most | budget | |\n\
             |---|---|---|---|---|---|---|\n",
        );
        for row in &self.rows {
            let [part, what, figure, median, spread, budget, verdict] = row.cells();
            let _ = writeln!(
                text,
                "| {part} | {what} | {figure} | {median} | {spread} | {budget} | {verdict} |",
            );
        }
        text
    }
}

impl Row {
    /// What stands in its columns.
    fn cells(&self) -> [String; 7] {
        let spread = format!("{} to {}", short(self.value.least()), short(self.value.most()));
        [
            self.part.to_owned(),
            self.what.clone(),
            self.figure.to_owned(),
            short(self.value.median()),
            spread,
            self.budget(),
            self.verdict().to_owned(),
        ]
    }

    fn line(&self) -> String {
        let [part, what, figure, median, spread, budget, verdict] = self.cells();
        format!("{part:<10} {what:<58} {figure:<34} {median:>9}  ({spread}) {budget} {verdict}")
    }

    fn budget(&self) -> String {
        match self.budget {
            Budget::AtMost(limit) => format!("at most {}", short(limit)),
            Budget::AtLeast(limit) => format!("at least {}", short(limit)),
            Budget::None => String::new(),
        }
    }

    fn verdict(&self) -> &'static str {
        let is_met = match self.budget {
            Budget::AtMost(limit) => self.value.median() <= limit,
            Budget::AtLeast(limit) => self.value.median() >= limit,
            Budget::None => return "",
        };
        if is_met { "met" } else { "NOT MET" }
    }
}

/// Three digits that count.
pub fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
