//! Files, their chain, and what is found when somebody or something has changed them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use camgate::audit::decision_log::{
    DecisionLogSettings, Entry, FileFault, LeaveOut, LineFault, LogOpening, MaskedField, Rules,
    log_files,
};

use super::{DecisionLog, decisions, json_lines, lines, lines_of, open, record};

fn settings(folder: &Path) -> DecisionLogSettings {
    DecisionLogSettings::new(folder.join("decisions.jsonl"))
}

/// Writes as many decisions and ends.
async fn write(settings: &DecisionLogSettings, count: usize) {
    let log = open(settings.clone());
    for place in 0..count {
        let taken = log.take(record(&format!("id-{place}"))).unwrap();
        log.written(taken).await.unwrap();
    }
    log.close();
}

#[tokio::test]
async fn what_is_written_is_what_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    write(&settings, 2).await;
    assert_eq!(decisions(&settings.file), [record("id-0"), record("id-1")]);
    let mut lines = json_lines(&settings.file);
    assert_eq!(lines.len(), 4, "opened, two decisions, closed");
    // What differs from run to run.
    lines[0]["time"] = "<time>".into();
    for line in &mut lines {
        line["seal"] = "<seal>".into();
    }
    insta::assert_snapshot!(
        "schema",
        lines.iter().map(|line| format!("{line:#}")).collect::<Vec<_>>().join("\n")
    );
}

#[tokio::test]
async fn the_chain_goes_on_over_restarts_and_files() {
    let folder = tempfile::tempdir().unwrap();
    let settings = DecisionLogSettings { rotate_bytes: 3_000, ..settings(folder.path()) };
    for _ in 0..3 {
        write(&settings, 5).await;
    }
    let files = log_files(&settings.file).unwrap();
    assert!(files.len() > 3, "{files:?}");
    let old = files.iter().filter(|file| file.extension().unwrap() == "gz").count();
    assert_eq!(old, files.len() - 1, "all but the last are compressed: {files:?}");
    let all = lines(&settings.file);
    assert!(all.iter().all(|line| line.fault.is_none()), "{all:?}");
    let numbers: Vec<u64> = all.iter().map(|line| line.number).collect();
    assert_eq!(numbers, (1..=all.len() as u64).collect::<Vec<_>>());
    assert_eq!(decisions(&settings.file).len(), 15);
    // A file by itself says what it follows.
    for file in &files {
        let alone = lines_of(vec![file.clone()]);
        assert!(alone.iter().all(|line| line.fault.is_none()), "{alone:?}");
        assert!(matches!(alone[0].entry, Some(Entry::Opened(_))));
    }
    // Without the active file the chain goes on from the newest that was put aside.
    fs::remove_file(&settings.file).unwrap();
    write(&settings, 1).await;
    let first = lines_of(vec![settings.file.clone()]).remove(0);
    let last =
        lines_of(vec![log_files(&settings.file).unwrap().iter().rev().nth(1).unwrap().clone()])
            .pop()
            .unwrap();
    assert_eq!(first.number, last.number + 1);
}

#[tokio::test]
async fn files_are_put_aside_by_age_and_the_oldest_go() {
    let folder = tempfile::tempdir().unwrap();
    let settings = DecisionLogSettings {
        rotate_after: Duration::ZERO,
        files_max: Some(2),
        ..settings(folder.path())
    };
    write(&settings, 6).await;
    let files = log_files(&settings.file).unwrap();
    assert_eq!(files.len(), 3, "two put aside and one that is written: {files:?}");
    let kept = lines_of(files);
    assert!(kept[0].number > 1, "the first are gone");
    assert!(kept.iter().all(|line| line.fault.is_none()), "{kept:?}");
}

/// What is wrong with a log whose file is changed by `change`: numbers and faults.
async fn faults_after(change: impl FnOnce(&mut Vec<String>)) -> Vec<(u64, LineFault)> {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    write(&settings, 4).await;
    let text = fs::read_to_string(&settings.file).unwrap();
    let mut written: Vec<String> = text.lines().map(str::to_owned).collect();
    change(&mut written);
    fs::write(&settings.file, written.join("\n") + "\n").unwrap();
    let lines = lines(&settings.file).into_iter();
    lines.filter_map(|line| Some((line.number, line.fault?))).collect()
}

#[tokio::test]
async fn every_change_of_a_file_is_found() {
    assert_eq!(faults_after(|_| {}).await, []);
    let altered = faults_after(|lines| lines[2] = lines[2].replace("DENY", "ALLOW")).await;
    assert_eq!(altered, [(3, LineFault::Altered { number: 3 })]);
    let missing = faults_after(|lines| drop(lines.remove(2))).await;
    assert_eq!(missing, [(4, LineFault::OutOfPlace { expected: 3, found: 4 })]);
    let moved = faults_after(|lines| lines.swap(2, 3)).await;
    assert_eq!(moved[0], (4, LineFault::OutOfPlace { expected: 3, found: 4 }));
    let twice = faults_after(|lines| lines.insert(2, lines[1].clone())).await;
    assert_eq!(twice[0], (2, LineFault::OutOfPlace { expected: 3, found: 2 }));
    // Renumbered, so that only the seals can tell.
    let renumbered = faults_after(|lines| {
        lines.remove(2);
        for (place, line) in lines.iter_mut().enumerate() {
            *line = line
                .replace(&format!("{{\"n\":{},", place + 2), &format!("{{\"n\":{},", place + 1));
        }
    });
    assert_eq!(renumbered.await[0], (3, LineFault::Altered { number: 3 }));
    let spaces = faults_after(|lines| lines[1].insert(1, ' ')).await;
    assert_eq!(spaces, [(2, LineFault::Altered { number: 2 })]);
    let garbage = faults_after(|lines| lines[1] = "garbage".to_owned()).await;
    assert!(matches!(garbage[0], (2, LineFault::Unreadable { .. })), "{garbage:?}");
    let newer = faults_after(|lines| lines[1] = lines[1].replace("\"v\":1", "\"v\":2")).await;
    assert_eq!(newer[0], (2, LineFault::Version { found: 2 }));
    let beheaded = faults_after(|lines| drop(lines.remove(0))).await;
    assert!(matches!(beheaded[0], (2, LineFault::Unreadable { .. })), "{beheaded:?}");
}

/// A log of two decisions whose file ends with `end` in place of its last bytes.
async fn cut(folder: &Path, keep: impl FnOnce(usize) -> usize, end: &[u8]) -> PathBuf {
    let settings = settings(folder);
    write(&settings, 2).await;
    let mut bytes = fs::read(&settings.file).unwrap();
    bytes.truncate(keep(bytes.len()));
    bytes.extend_from_slice(end);
    fs::write(&settings.file, bytes).unwrap();
    settings.file
}

#[tokio::test]
async fn the_incomplete_last_record_is_named_and_cut_off_at_the_next_start() {
    for (case, end) in [&b""[..], &[0_u8; 700]].into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        // The last record is `closed`; all of it but four bytes stay in the first case.
        let file = cut(folder.path(), |length| length - if case == 0 { 4 } else { 0 }, end).await;
        let found = lines(&file).pop().unwrap();
        assert!(matches!(found.fault, Some(LineFault::Incomplete { .. })), "{found:?}");
        assert_eq!(found.number, if case == 0 { 4 } else { 5 });
        write(&settings(folder.path()), 1).await;
        assert_eq!(decisions(&file).len(), 3);
    }
}

#[tokio::test]
async fn a_file_of_something_else_is_left_alone() {
    for text in ["root:x:0:0\n", "no line break", "{\"n\":1}\n"] {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        fs::write(&settings.file, text).unwrap();
        let opening = LogOpening { node: String::new(), shipped: String::new() };
        let fault = DecisionLog::open(settings.clone(), opening).unwrap_err();
        assert!(matches!(fault, FileFault::Foreign { .. }), "{fault}");
        assert_eq!(fs::read_to_string(&settings.file).unwrap(), text);
    }
}

#[tokio::test]
async fn a_file_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let log = open(settings.clone());
    let opening = LogOpening { node: String::new(), shipped: String::new() };
    let fault = DecisionLog::open(settings.clone(), opening).unwrap_err();
    assert!(matches!(fault, FileFault::Locked { .. }), "{fault}");
    log.close();
    drop(log);
    drop(open(settings));
}

#[tokio::test]
async fn what_is_masked_is_nowhere_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let texts = ["principal", "session_name", "resource", "context.qcs:ip"];
    let mask: Vec<MaskedField> = texts.iter().map(|it| MaskedField::parse(it).unwrap()).collect();
    let rules = Rules { mask, leave_out: Vec::new() };
    let settings = DecisionLogSettings { rules, ..settings(folder.path()) };
    write(&settings, 1).await;
    let text = fs::read_to_string(&settings.file).unwrap();
    for hidden in ["100000000011", "值班", "AKIDx", "sdkappid/1400000001", "10.0.0."] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
    let written = decisions(&settings.file).remove(0);
    assert_eq!(
        (written.action.as_ref(), written.outcome.as_ref()),
        ("im:DescribeConfInfo", "DENY")
    );
    assert!(written.context.iter().any(|it| it.key == "mfa" && it.values.is_some()));
}

#[tokio::test]
async fn what_is_left_out_is_counted() {
    let all = LeaveOut {
        outcome: Some("DENY".to_owned()),
        reason: Some("explicit_deny".to_owned()),
        surface: Some("grpc:Check".to_owned()),
        owner_uin: Some(12_345_678),
        action: Some(camgate::lang::action::ActionPattern::parse("im:Describe*").unwrap()),
    };
    let not = |change: fn(&mut LeaveOut)| {
        let mut rule = all.clone();
        change(&mut rule);
        rule
    };
    for (rule, is_logged) in [
        (all.clone(), false),
        (LeaveOut { owner_uin: Some(12_345_678), ..LeaveOut::default() }, false),
        (not(|it| it.outcome = Some("ALLOW".to_owned())), true),
        (not(|it| it.reason = Some("root".to_owned())), true),
        (not(|it| it.surface = Some("authzen".to_owned())), true),
        (not(|it| it.owner_uin = Some(1)), true),
        (not(|it| it.action = camgate::lang::action::ActionPattern::parse("im:Get*").ok()), true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let rules = Rules { mask: Vec::new(), leave_out: vec![rule.clone()] };
        let settings = DecisionLogSettings { rules, ..settings(folder.path()) };
        let log = open(settings.clone());
        log.written(log.take(record("a")).unwrap()).await.unwrap();
        assert_eq!(log.vitals().left_out, u64::from(!is_logged), "{rule:?}");
        log.close();
        assert_eq!(decisions(&settings.file).len(), usize::from(is_logged), "{rule:?}");
    }
}
